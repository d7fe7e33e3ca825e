//go:build !cuda

package testdevice

import (
	"errors"

	"openrs/stages/device"
)

func openGPU(int, device.DType) (device.Device, error) {
	return nil, errors.New("GPUs need a build with the tag cuda: stages/device/cuda/test.sh")
}
