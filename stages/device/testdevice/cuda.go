//go:build cuda

package testdevice

import (
	"openrs/stages/device"
	"openrs/stages/device/cuda"
)

func openGPU(ordinal int, dtype device.DType) (device.Device, error) {
	return cuda.Open(cuda.Options{Ordinal: ordinal, Attention: dtype, MemoryBytes: testMemory})
}

// testMemory is all that a test may use of a GPU, which others may use at the same time.
const testMemory = 4 << 30
