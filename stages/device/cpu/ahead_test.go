package cpu

import (
	"testing"

	"openrs/stages/device"
	"openrs/stages/device/cpu/kernel"
)

// TestAhead runs products in a cycle, as decoding does, and looks at what is expected after each.
func TestAhead(t *testing.T) {
	d := openDevice(t, "", 3)
	d.minWork = 1e12 // no thread but this one
	l := newLab(t, d, 5)
	x := l.random(2, 64)
	var weights []device.Weight
	for i := range 3 {
		weights = append(weights, l.weightOf(700+300*i, 64, []device.DType{device.F32, device.BF16}[i%2]))
	}
	step := func() {
		for _, w := range weights {
			d.MatMul(l.empty(2, w.Out()), x, w, device.Tensor{})
		}
	}
	step()
	if d.ahead != nil {
		t.Error("something is expected after a weight that nothing has followed yet")
	}
	step()
	for i, w := range weights {
		if next := weights[(i+1)%3]; w.(*weight).next != next {
			t.Errorf("after weight %d comes %v, want weight %d", i, w.(*weight).next, (i+1)%3)
		}
	}
	// The last one is followed by the first: each thread asks for the beginning of its share, and then for
	// nothing more.
	first := weights[0].(*weight)
	n := panels(first.out)
	for id, w := range d.workers {
		w.asked = asked{}
		from, to := kernel.Share(n, 3, id)
		begin, end := from*kernel.Panel*64, min(to*kernel.Panel*64, from*kernel.Panel*64+aheadValues)
		for calls := 0; d.ahead(id); calls++ {
			if calls > aheadValues/aheadStep {
				t.Fatalf("thread %d asks for ever", id)
			}
			if w.asked.w != first || w.asked.next <= begin || w.asked.next > end {
				t.Fatalf("thread %d asks up to %d, of [%d, %d)", id, w.asked.next, begin, end)
			}
		}
		if w.asked.next != end {
			t.Errorf("thread %d asks up to %d, of [%d, %d)", id, w.asked.next, begin, end)
		}
	}
	// Many rows are not read in the time that memory takes.
	d.MatMul(l.empty(rowBlock+1, 700), l.random(rowBlock+1, 64), weights[0], device.Tensor{})
	if d.ahead != nil || d.latest != nil {
		t.Error("something is expected after a product of many rows")
	}
	// A weight that has been freed is not asked for.
	step()
	d.FreeWeight(weights[1])
	d.MatMul(l.empty(2, weights[0].Out()), x, weights[0], device.Tensor{})
	if d.ahead != nil {
		t.Error("a freed weight is expected")
	}
}
