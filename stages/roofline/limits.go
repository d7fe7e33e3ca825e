package roofline

import (
	"fmt"

	"openrs/stages/device"
)

// Limits are what a machine reaches at one moment on loops that do nothing else. Its fields are part of
// a benchmark's JSON object; they are zero, and left out, for a device that can't measure.
type Limits struct {
	Threads int     `json:"threads,omitempty"`
	GFLOPS  float64 `json:"gflops_limit,omitempty"`               // 10⁹ operations a second
	Memory  float64 `json:"memory_limit_gb_per_second,omitempty"` // 10⁹ bytes a second, reading
}

// Measure measures dev with all its threads, in about a second. A device that does not implement
// [device.Limits] has zero Limits.
func Measure(dev device.Device, dtype device.DType) (Limits, error) {
	m, ok := dev.(device.Limits)
	if !ok {
		return Limits{}, nil
	}
	l := Limits{Threads: m.Threads()}
	var err error
	if l.GFLOPS, err = m.ArithmeticLimit(dtype); err != nil {
		return l, fmt.Errorf("measuring the arithmetic limit: %w", err)
	}
	if l.Memory, err = m.MemoryLimit(); err != nil {
		return l, fmt.Errorf("measuring the memory limit: %w", err)
	}
	return l, nil
}
