package roofline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"openrs/stages/device"
)

// Machine is a kind of device as its data sheet has it: what nothing can pass.
type Machine struct {
	Name   string  `json:"name"`
	F32    float64 `json:"f32_gflops"`  // 10⁹ operations a second with float32 operands
	BF16   float64 `json:"bf16_gflops"` // with bfloat16 operands and float32 sums, dense
	Memory float64 `json:"memory_gb_per_second"`
	Bytes  int64   `json:"memory_bytes"`       // 0: not known
	Link   float64 `json:"link_gb_per_second"` // to another device, one direction; 0: there is no other
}

const gb = 1_000_000_000

// Machines lists the devices that plans can be made for without having one, by the makers' data sheets.
func Machines() []Machine {
	return []Machine{
		{"a40", 37_400, 149_700, 696, 48 * gb, 32},
		{"a100", 19_500, 312_000, 2_039, 80 * gb, 300},
		{"l40s", 91_600, 362_000, 864, 48 * gb, 32},
		{"rtx3090", 35_600, 71_000, 936, 24 * gb, 32},
		{"rtx4090", 82_600, 165_200, 1_008, 24 * gb, 32},
		{"h100", 66_900, 989_400, 3_350, 80 * gb, 450},
		{"h200", 66_900, 989_400, 4_800, 141 * gb, 450},
	}
}

// MachineByName finds one of [Machines].
func MachineByName(name string) (Machine, error) {
	all := Machines()
	if i := slices.IndexFunc(all, func(m Machine) bool { return m.Name == strings.ToLower(name) }); i >= 0 {
		return all[i], nil
	}
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = m.Name
	}
	return Machine{}, fmt.Errorf("machine %q is not known: expected here, %s", name, strings.Join(names, ", "))
}

// Here describes the device at hand by measuring it. A device that can't be measured is an error.
func Here(dev device.Device) (Machine, error) {
	m := Machine{Name: dev.Name()}
	for _, d := range []struct {
		dtype device.DType
		rate  *float64
	}{{device.F32, &m.F32}, {device.BF16, &m.BF16}} {
		l, err := Measure(dev, d.dtype)
		if err != nil {
			return m, err
		}
		*d.rate, m.Memory = l.GFLOPS, max(m.Memory, l.Memory)
	}
	if m.F32 == 0 || m.Memory == 0 {
		return m, fmt.Errorf("%s can't be measured", m.Name)
	}
	if c, ok := dev.(device.Capacity); ok {
		m.Bytes = c.FreeMemory()
	}
	return m, nil
}

// Work is what a part of a plan costs one device.
type Work struct {
	Name  string  `json:"name"`
	Ops   float64 `json:"operations,omitempty"`    // arithmetic, a multiply-add as two
	Bytes float64 `json:"memory_bytes,omitempty"`  // read from and written to the device's memory
	Sent  float64 `json:"link_bytes,omitempty"`    // sent to other devices
	Limit float64 `json:"seconds_limit,omitempty"` // filled in by On
}

// On returns the work with the least time that m can take for it: the longest of its three parts, as if
// they overlapped wholly.
func (w Work) On(m Machine, dtype device.DType) Work {
	rate := m.F32
	if dtype == device.BF16 {
		rate = m.BF16
	}
	w.Limit = max(w.Ops/(rate*gb), w.Bytes/(m.Memory*gb))
	if w.Sent > 0 {
		w.Limit = max(w.Limit, w.Sent/(cmp.Or(m.Link, m.Memory)*gb))
	}
	return w
}
