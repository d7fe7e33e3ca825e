package testdevice

import (
	"strings"
	"testing"

	"openrs/stages/device"
	"openrs/stages/device/cpu/kernel"
)

// TestEach: every device once, with the reference if it is asked for, or one GPU; all of them can compute.
func TestEach(t *testing.T) {
	for _, c := range []struct {
		set  Set
		want int
	}{{Set{Best: true}, 1}, {Set{Best: true, Reference: true}, 2}, {Set{}, len(kernel.Levels())}} {
		var names []string
		c.set.Each(t, func(t *testing.T, dev device.Device) {
			names = append(names, dev.Name())
			buf, err := dev.Alloc(4)
			if err != nil {
				t.Fatal(err)
			}
			dev.Free(buf)
		})
		if GPU(t) {
			c.want = 1
		}
		if len(names) != c.want || GPU(t) != strings.HasPrefix(names[0], "cuda:0") {
			t.Errorf("%+v: %v, want %d", c.set, names, c.want)
		}
	}
}

// TestOpen: what tests open counts up over GPUs.
func TestOpen(t *testing.T) {
	if !GPU(t) {
		if name := Open(t, 1, 2, device.F32).Name(); !strings.Contains(name, "2 threads") {
			t.Errorf("opened %s", name)
		}
		return
	}
	for _, prefix := range []string{"cuda:0", "cuda:1"} {
		if name := Open(t, int(prefix[5]-'0'), 2, device.F32).Name(); !strings.HasPrefix(name, prefix) {
			t.Errorf("opened %s, want %s", name, prefix)
		}
	}
}
