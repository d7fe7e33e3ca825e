package train

import (
	"strings"
	"testing"

	"openrs/stages/device"
	"openrs/stages/device/cpu"
)

// narrow is a device that has so much memory left.
type narrow struct {
	device.Device
	free int64
}

func (n narrow) FreeMemory() int64 { return n.free }

// TestFit: activations are kept where they fit, computed again where only that fits, and what does not fit
// at all is refused.
func TestFit(t *testing.T) {
	source := open(t, shape, 1)
	const rows = 5000
	kept, again := Plan(source.Config, 1, 1, Options{}, rows, false), Plan(source.Config, 1, 1, Options{Recompute: true}, rows, false)
	if kept.Total() <= again.Total() {
		t.Fatalf("a plan of %d bytes that keeps activations, one of %d that does not", kept.Total(), again.Total())
	}
	if ref := Plan(source.Config, 1, 1, Options{}, rows, true); ref.Total() <= kept.Total() {
		t.Errorf("%d bytes with a reference model, %d without", ref.Total(), kept.Total())
	}
	for _, c := range []struct {
		free            int64
		asked, want, ok bool
	}{
		{0, false, false, true}, // not known
		{0, true, true, true},
		{kept.Total(), false, false, true},
		{kept.Total(), true, true, true},
		{kept.Total() - 1, false, true, true},
		{again.Total(), false, true, true},
		{again.Total() - 1, false, true, false},
		{again.Total() - 1, true, true, false},
	} {
		opt := Options{Recompute: c.asked}
		plan, err := Fit([]device.Device{narrow{free: c.free}}, source.Config, &opt, rows, false)
		if (err == nil) != c.ok || opt.Recompute != c.want {
			t.Errorf("%d bytes free, recompute %v: recompute %v, error %v", c.free, c.asked, opt.Recompute, err)
		}
		if err != nil && !strings.Contains(err.Error(), "--token-budget") {
			t.Errorf("%d bytes free: %v", c.free, err)
		}
		if want := Plan(source.Config, 1, 1, opt, rows, false); plan != want {
			t.Errorf("%d bytes free: plan %+v, want %+v", c.free, plan, want)
		}
	}
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	if _, err := Fit([]device.Device{dev}, source.Config, &Options{}, 100, true); err != nil {
		t.Errorf("a tiny model on this machine: %v", err)
	}
}
