//go:build cuda

package cuda

import (
	"math"
	"strings"
	"testing"

	"openrs/stages/device"
)

// Candidates that do not fit in the kernel's list: every token is as probable as any other, so that the token follows
// from what is kept and U alone.
func TestSampleFlat(t *testing.T) {
	d := openDevice(t, Options{})
	const vocabulary = 9000
	for _, c := range []struct {
		name string
		p    device.Sampling
		kept float64
	}{
		{"plain", device.Sampling{Temperature: 1}, vocabulary},
		{"top-k", device.Sampling{Temperature: 0.5, TopK: 7000}, 7000},
		{"top-k of few", device.Sampling{Temperature: 1, TopK: 3}, 3},
		{"top-p", device.Sampling{Temperature: 1, TopP: 0.75}, 0.75 * vocabulary},
		{"top-k and top-p", device.Sampling{Temperature: 2, TopK: 8000, TopP: 0.5}, 4000},
		{"min-p", device.Sampling{Temperature: 1, MinP: 1}, vocabulary},
	} {
		var params []device.Sampling
		var want []int32
		for _, u := range []float64{0, 0.25, 0.7, math.Nextafter(1, 0)} {
			p := c.p
			p.U = u
			params, want = append(params, p), append(want, int32(u*c.kept))
		}
		logits := newTensor(t, d, len(params), vocabulary, nil)
		ids, logp := make([]int32, len(params)), make([]float32, len(params))
		if err := d.Sample(logits, params, ids, logp); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for i, id := range ids {
			// Where U meets a boundary exactly, rounding may go either way.
			if id < want[i]-1 || id > want[i]+1 || logp[i] != logp[0] {
				t.Errorf("%s at U = %v: token %d (%v), want %d", c.name, params[i].U, id, logp[i], want[i])
			}
		}
		if i := len(ids) - 1; ids[0] != 0 || ids[i] != int32(c.kept)-1 {
			t.Errorf("%s: the ends are %d and %d, want 0 and %v", c.name, ids[0], ids[i], c.kept-1)
		}
		if want := -math.Log(vocabulary); math.Abs(float64(logp[0])-want) > 1e-6 {
			t.Errorf("%s: log-probability %v, want %v", c.name, logp[0], want)
		}
		d.Free(logits.Buf)
	}
}

// Zeros of either sign are equal: ties go to the lower id.
func TestSampleSignedZeros(t *testing.T) {
	d := openDevice(t, Options{})
	negative := float32(math.Copysign(0, -1))
	logits := newTensor(t, d, 2, 4, []float32{-1, negative, 0, 0, -1, negative, 0, 0})
	params := []device.Sampling{{Temperature: 1, TopK: 1}, {}}
	ids, logp := make([]int32, 2), make([]float32, 2)
	if err := d.Sample(logits, params, ids, logp); err != nil || ids[0] != 1 || ids[1] != 1 {
		t.Errorf("tokens %v, %v; want 1 and 1", ids, err)
	}
}

func TestSampleErrors(t *testing.T) {
	d := openDevice(t, Options{})
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct {
		row  [3]float32
		p    device.Sampling
		want string
	}{
		{[3]float32{1, nan, 2}, device.Sampling{Temperature: 1}, "row 1: a logit is NaN"},
		{[3]float32{1, nan, 2}, device.Sampling{}, "row 1: a logit is NaN"},
		{[3]float32{1, inf, 2}, device.Sampling{Temperature: 1, TopK: 2}, "row 1: a logit is +Inf"},
		{[3]float32{-inf, -inf, -inf}, device.Sampling{Temperature: 1}, "row 1: all logits are -Inf"},
		{[3]float32{}, device.Sampling{Temperature: -1}, "row 1: temperature -1"},
		{[3]float32{}, device.Sampling{Temperature: 1, TopK: -1}, "row 1: top-k -1"},
		{[3]float32{}, device.Sampling{Temperature: 1, TopP: 1.5}, "row 1: top-p 1.5"},
		{[3]float32{}, device.Sampling{Temperature: 1, MinP: nan}, "row 1: min-p NaN"},
		{[3]float32{}, device.Sampling{Temperature: 1, U: 1}, "row 1: u 1 is outside"},
	} {
		logits := newTensor(t, d, 2, 3, append([]float32{0, 1, 2}, c.row[:]...))
		err := d.Sample(logits, []device.Sampling{{Temperature: 1}, c.p}, make([]int32, 2), make([]float32, 2))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v with %+v: %v, want %q", c.row, c.p, err, c.want)
		}
	}
}
