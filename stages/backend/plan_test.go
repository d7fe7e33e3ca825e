package backend

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"openrs/stages/device"
	"openrs/stages/model"
)

// machine is a device of which only the free memory is asked.
type machine struct {
	device.Device
	free int64
}

func (m machine) FreeMemory() int64 { return m.free }

func TestPlanAgainstFreeMemory(t *testing.T) {
	plan := model.Memory{Weights: 3 << 30, Cache: 1 << 29, Activations: 10 << 20}
	for _, c := range []struct {
		dev  device.Device
		fits bool
	}{
		{machine{free: 4 << 30}, true},
		{machine{free: plan.Total()}, true},
		{machine{free: plan.Total() - 1}, false},
		{machine{free: 0}, true},          // not known
		{struct{ device.Device }{}, true}, // does not say
	} {
		if got := Fits(c.dev, plan); got != c.fits {
			t.Errorf("%+v: fits %v, want %v", c.dev, got, c.fits)
		}
	}
	err := Refuse(machine{free: 1 << 30}, plan, "--dtype bf16 needs less")
	if want := "this needs 3.5 GiB of memory (weights 3.0 GiB, activations 10.0 MiB, cache 512.0 MiB) and 1.0 GiB are free: --dtype bf16 needs less"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	var log bytes.Buffer
	LogPlan(slog.New(slog.NewTextHandler(&log, nil)), machine{free: 4 << 30}, plan)
	for _, part := range []string{"memory plan", `weights="3.0 GiB"`, `free="4.0 GiB"`} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("log %q lacks %s", log.String(), part)
		}
	}
	if strings.Contains(log.String(), "optimizer") {
		t.Errorf("log %q names an empty part", log.String())
	}
}
