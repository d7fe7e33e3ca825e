// Package backend opens the device that --device names. It is the one place that knows which devices
// there are; everything above works on a device.Device.
package backend

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"openrs/stages/device"
	"openrs/stages/device/cpu"
)

// Flags choose and size the device.
func Flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "device", Value: "cpu", Usage: "`DEVICE` that runs the model: cpu"},
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

// Open opens the device that the flags name.
func Open(c *cli.Context) (device.Device, error) {
	switch name := c.String("device"); {
	case name == "cpu":
		if c.Int("threads") < 0 {
			return nil, fmt.Errorf("--threads is %d, expected at least 0", c.Int("threads"))
		}
		return cpu.New(cpu.Options{Threads: c.Int("threads")})
	case strings.HasPrefix(name, "cuda"):
		return nil, fmt.Errorf("--device %s: this build has no CUDA", name)
	default:
		return nil, fmt.Errorf("--device %q: expected cpu", name)
	}
}
