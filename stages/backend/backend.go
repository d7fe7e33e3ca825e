// Package backend opens the device that --device names. It is the one place that knows which devices
// there are; everything above works on a device.Device.
package backend

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"openrs/stages/device"
)

// Flags choose and size the device.
func Flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "device", Value: "cpu", Usage: "`DEVICE` that runs the model: cpu, cuda, or several that share the work: cuda:0-3"},
		&cli.StringFlag{Name: "dtype", Value: device.F32.String(), Usage: "`TYPE` in which matrices are stored and multiplied: f32, or bf16 (half the memory, about twice the speed); the same for every command of a run"},
		&cli.IntFlag{Name: "threads", Usage: "processor cores to use (0: all)"},
	}
}

// DType returns the data type that --dtype names. Sums, activations, masters, gradients and the optimizer
// are float32 in either.
func DType(c *cli.Context) (device.DType, error) {
	d, err := device.ParseDType(c.String("dtype"))
	if err != nil {
		return 0, fmt.Errorf("--dtype: %w", err)
	}
	return d, nil
}

// Open opens the one device that the flags name.
func Open(c *cli.Context) (device.Device, error) {
	all, err := OpenAll(c)
	if err != nil {
		return nil, err
	}
	if len(all) > 1 {
		return nil, errors.Join(fmt.Errorf("--device %s: expected one device for this command", c.String("device")), closeAll(all))
	}
	return all[0], nil
}
