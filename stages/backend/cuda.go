//go:build cuda

package backend

import (
	"openrs/stages/device"
	"openrs/stages/device/cuda"
)

// openCUDA opens a GPU. Attention and the cache are of the type of the matrices.
func openCUDA(ordinal int, dtype device.DType) (device.Device, error) {
	return cuda.Open(cuda.Options{Ordinal: ordinal, Attention: dtype})
}
