package backend

import (
	"fmt"
	"log/slog"
	"strings"

	"openrs/stages/device"
	"openrs/stages/model"
)

// Fits reports whether the device has the memory that a plan needs. A device that does not know how much
// it has is taken to have enough.
func Fits(dev device.Device, plan model.Memory) bool {
	free := freeMemory(dev)
	return free == 0 || plan.Total() <= free
}

// LogPlan logs what a plan needs, part by part, beside what the device has left.
func LogPlan(log *slog.Logger, dev device.Device, plan model.Memory) {
	args := []any{"total", size(plan.Total())}
	for _, part := range parts(plan) {
		args = append(args, part.name, size(part.bytes))
	}
	if free := freeMemory(dev); free > 0 {
		args = append(args, "free", size(free))
	}
	log.Info("memory plan", args...)
}

// Refuse is the error of a plan that does not fit. advice says what needs less.
func Refuse(dev device.Device, plan model.Memory, advice string) error {
	var list []string
	for _, part := range parts(plan) {
		list = append(list, part.name+" "+size(part.bytes))
	}
	return fmt.Errorf("this needs %s of memory (%s) and %s are free: %s", size(plan.Total()), strings.Join(list, ", "), size(freeMemory(dev)), advice)
}

func freeMemory(dev device.Device) int64 {
	if c, ok := dev.(device.Capacity); ok {
		return c.FreeMemory()
	}
	return 0
}

type planPart struct {
	name  string
	bytes int64
}

// parts are those of a plan that are not empty.
func parts(m model.Memory) []planPart {
	var out []planPart
	for _, p := range []planPart{
		{"weights", m.Weights}, {"masters", m.Masters}, {"gradients", m.Gradients}, {"optimizer", m.Optimizer},
		{"activations", m.Activations}, {"cache", m.Cache},
	} {
		if p.bytes > 0 {
			out = append(out, p)
		}
	}
	return out
}

// size writes bytes for people.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d KiB", (n+1023)/1024)
}
