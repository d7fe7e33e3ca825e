//go:build cuda

package cuda

import (
	"testing"

	"openrs/stages/device"
	"openrs/stages/device/devicetest"
)

func TestConformance(t *testing.T) {
	devicetest.Run(t, func(t *testing.T) device.Device {
		d, err := Open(Options{})
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}
