package roofline

import (
	"cmp"
	"errors"
	"fmt"
	"sync"

	"openrs/stages/device"
)

// Limits are what a machine reaches at one moment on loops that do nothing else, all of its devices together. Its
// fields are part of a benchmark's JSON object; they are zero, and left out, for a device that can't measure.
type Limits struct {
	Threads int     `json:"threads,omitempty"`
	GFLOPS  float64 `json:"gflops_limit,omitempty"`               // 10⁹ operations a second
	Memory  float64 `json:"memory_limit_gb_per_second,omitempty"` // 10⁹ bytes a second, reading
	// What the data sheet promises of devices that are among [Machines].
	PeakGFLOPS float64 `json:"gflops_peak,omitempty"`
	PeakMemory float64 `json:"memory_peak_gb_per_second,omitempty"`
}

// Peak is the data sheet's rate of operations, or what was measured where there is none.
func (l Limits) Peak() float64 { return cmp.Or(l.PeakGFLOPS, l.GFLOPS) }

// Utilization is the share of the peak that a rate of operations is; 0 if the peak is not known.
func (l Limits) Utilization(gflops float64) float64 {
	if peak := l.Peak(); peak > 0 {
		return gflops / peak
	}
	return 0
}

// Least is the least time, in seconds, that the limits leave to work of so many operations and bytes; 0 if they are not
// known.
func (l Limits) Least(operations, bytes float64) float64 {
	if l.GFLOPS == 0 || l.Memory == 0 {
		return 0
	}
	return max(operations/(l.GFLOPS*gb), bytes/(l.Memory*gb))
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
	if sheet, ok := sheetOf(dev.Name()); ok {
		l.PeakGFLOPS, l.PeakMemory = sheet.rate(dtype), sheet.Memory
	}
	return l, nil
}

// MeasureAll measures devices at the same time and adds up what they reach.
func MeasureAll(devices []device.Device, dtype device.DType) (sum Limits, err error) {
	each, failed := make([]Limits, len(devices)), make([]error, len(devices))
	var all sync.WaitGroup
	for i, dev := range devices {
		all.Go(func() { each[i], failed[i] = Measure(dev, dtype) })
	}
	all.Wait()
	for _, l := range each {
		sum.Threads += l.Threads
		sum.GFLOPS += l.GFLOPS
		sum.Memory += l.Memory
		sum.PeakGFLOPS += l.PeakGFLOPS
		sum.PeakMemory += l.PeakMemory
	}
	return sum, errors.Join(failed...)
}
