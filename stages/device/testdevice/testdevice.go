// Package testdevice opens the devices that tests of models, training and sampling run on. By default these are the plain
// reference and the CPU with every set of kernels that the machine has. Built with the tag cuda, and with OPENRS_TEST_DEVICE=cuda,
// the same tests run on GPUs instead:
//
//	OPENRS_TEST_DEVICE=cuda stages/device/cuda/test.sh -run Golden ./stages/model ./update/...
//
// The tests of a device's own operations are package devicetest's.
package testdevice

import (
	"os"
	"testing"

	"openrs/stages/device"
	"openrs/stages/device/cpu"
	"openrs/stages/device/cpu/kernel"
	"openrs/stages/device/devicetest"
)

// Variable names the kind of device to test on: cuda, or nothing.
const Variable = "OPENRS_TEST_DEVICE"

// GPU reports whether tests are to run on GPUs.
func GPU(t testing.TB) bool {
	t.Helper()
	switch kind := os.Getenv(Variable); kind {
	case "":
		return false
	case "cuda":
		return true
	default:
		t.Fatalf("%s is %q, expected cuda or nothing", Variable, kind)
		return false
	}
}

// Open opens a device until the end of the test: the CPU with a number of threads (0: all), or GPU number rank. Dtype is that
// of the model's matrices.
func Open(t testing.TB, rank, threads int, dtype device.DType) device.Device {
	t.Helper()
	if GPU(t) {
		return closing(t)(openGPU(rank, dtype))
	}
	return closing(t)(cpu.New(cpu.Options{Threads: threads}))
}

// Reference is the reference device, or a GPU.
func Reference(t testing.TB) device.Device {
	t.Helper()
	if GPU(t) {
		return closing(t)(openGPU(0, device.F32))
	}
	return closing(t)(devicetest.NewReference(), nil)
}

// Set chooses among the devices.
type Set struct {
	Reference bool         // also the reference, which is slow
	Best      bool         // of the CPU's sets of kernels the best only
	DType     device.DType // of the model's matrices
}

// Each runs f as a subtest on each of the devices, or on a GPU alone.
func (s Set) Each(t *testing.T, f func(t *testing.T, dev device.Device)) {
	t.Helper()
	if GPU(t) {
		t.Run("cuda", func(t *testing.T) { f(t, Open(t, 0, 0, s.DType)) })
		return
	}
	if s.Reference {
		t.Run("reference", func(t *testing.T) { f(t, Reference(t)) })
	}
	levels := kernel.Levels()
	if s.Best {
		levels = []kernel.Level{kernel.Best()}
	}
	for _, level := range levels {
		t.Run("cpu "+level.String(), func(t *testing.T) { f(t, closing(t)(cpu.New(cpu.Options{Kernels: level.String()}))) })
	}
}

// closing takes a device that has just been opened, and closes it at the end of the test.
func closing(t testing.TB) func(device.Device, error) device.Device {
	return func(dev device.Device, err error) device.Device {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := dev.Close(); err != nil {
				t.Errorf("closing %s: %v", dev.Name(), err)
			}
		})
		return dev
	}
}
