package cpu

import (
	"fmt"
	"testing"

	"openrs/stages/device"
	"openrs/stages/device/cpu/kernel"
)

// TestLimits checks that both limits are plausible numbers, and that the memory goes back.
func TestLimits(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	for _, level := range kernel.Levels() {
		t.Run(fmt.Sprint(level), func(t *testing.T) {
			d, err := New(Options{Threads: 3, Kernels: level.String()})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if d.Threads() != 3 {
				t.Errorf("%d threads, want 3", d.Threads())
			}
			var gflops [2]float64
			for i, dtype := range []device.DType{device.F32, device.BF16} {
				if gflops[i], err = d.ArithmeticLimit(dtype); err != nil || !(gflops[i] > 0.01 && gflops[i] < 1e5) {
					t.Errorf("arithmetic of %v: %g GFLOP/s, error %v", dtype, gflops[i], err)
				}
			}
			memory, err := d.MemoryLimit()
			if err != nil || !(memory > 0.01 && memory < 1e5) {
				t.Errorf("memory: %g GB/s, error %v", memory, err)
			}
			if len(d.live) != 0 {
				t.Errorf("%d buffers left", len(d.live))
			}
			t.Logf("%s: %.1f GFLOP/s in f32, %.1f in bf16, %.1f GB/s", d.Name(), gflops[0], gflops[1], memory)
		})
	}
}

func TestLimitsErrors(t *testing.T) {
	d, err := New(Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.ArithmeticLimit(9); err == nil {
		t.Error("no error for an unknown type")
	}
	d.Close()
	defer func() {
		if recover() == nil {
			t.Error("no panic after Close")
		}
	}()
	d.MemoryLimit()
}
