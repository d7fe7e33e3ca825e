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
		&cli.IntFlag{Name: "threads", Usage: "processor cores to use (0: all)"},
	}
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
