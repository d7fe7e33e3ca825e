package devicetest

import (
	"testing"

	"openrs/stages/device"
)

func TestReference(t *testing.T) {
	Run(t, func(*testing.T) device.Device { return NewReference() })
}
