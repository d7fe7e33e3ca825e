//go:build cuda

package backend

import (
	"strings"
	"testing"

	"openrs/stages/device/cuda/driver"
)

// TestListGPUs compares the listing with the driver's own descriptions, and opens what it names.
func TestListGPUs(t *testing.T) {
	infos, err := driver.Devices()
	if err != nil {
		t.Fatal(err)
	}
	l, err := List(1)
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Devices) != 1+len(infos) {
		t.Fatalf("%d devices, the driver has %d GPUs", len(l.Devices), len(infos))
	}
	for i, d := range l.Devices[1:] {
		if d.Name != infos[i].Name || d.Memory != infos[i].Memory || d.Free <= 0 || d.Free > d.Memory || len(d.Links) != len(infos)-1 || !strings.Contains(d.Capability, ".") {
			t.Errorf("%+v", d)
		}
		dev, err := Open(flags(t, "--device", d.Device))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(dev.Name(), d.Device+": "+d.Name) {
			t.Errorf("%s is %s", d.Device, dev.Name())
		}
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestWay(t *testing.T) {
	for want, l := range map[string]driver.Link{"nvlink": {Access: true, Atomics: true}, "pcie": {Access: true}, "host": {Rank: 1}} {
		if got := way(l); got != want {
			t.Errorf("%+v is %s, want %s", l, got, want)
		}
	}
}
