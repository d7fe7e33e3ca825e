//go:build !cuda

package backend

import "openrs/stages/device"

func openCUDA(int, device.DType) (device.Device, error) { return nil, ErrNoCUDA }

func listGPUs() ([]Listed, string, error) { return nil, "", ErrNoCUDA }
