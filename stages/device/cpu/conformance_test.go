package cpu

import (
	"testing"

	"openrs/stages/device"
	"openrs/stages/device/cpu/kernel"
	"openrs/stages/device/devicetest"
)

// TestConformance runs the suite for every kernel set of this machine, the splitting over threads and of
// sequences included.
func TestConformance(t *testing.T) {
	for _, level := range kernel.Levels() {
		t.Run(level.String(), func(t *testing.T) {
			devicetest.Run(t, func(t *testing.T) device.Device {
				d := openDevice(t, level.String(), 3)
				d.partWork = 300 // sequences of more than 34 tokens are cut into parts
				return d
			})
		})
	}
}

// openDevice returns a device that is closed at the end of the test.
func openDevice(t testing.TB, kernels string, threads int) *Device {
	t.Helper()
	d, err := New(Options{Kernels: kernels, Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}
