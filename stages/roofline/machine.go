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
	// Value is the bytes of one key or value in the cache; 0: those of a weight.
	Value int64 `json:"cache_value_bytes,omitempty"`
	// Layouts is how often a matrix is kept that is trained; 0: once.
	Layouts int64 `json:"trained_layouts,omitempty"`
}

// CacheValue is the bytes of one key or value of a model in dtype.
func (m Machine) CacheValue(dtype device.DType) int64 { return cmp.Or(m.Value, int64(dtype.Bytes())) }

// TrainedLayouts is how often a matrix is kept that is trained.
func (m Machine) TrainedLayouts() int64 { return cmp.Or(m.Layouts, 1) }

const gb = 1_000_000_000

// Machines lists the devices that plans can be made for without having one, by the makers' data sheets.
func Machines() []Machine {
	return []Machine{
		{Name: "a40", F32: 37_400, BF16: 149_700, Memory: 696, Bytes: 48 * gb, Link: 32},
		{Name: "a100", F32: 19_500, BF16: 312_000, Memory: 2_039, Bytes: 80 * gb, Link: 300},
		{Name: "l40s", F32: 91_600, BF16: 362_000, Memory: 864, Bytes: 48 * gb, Link: 32},
		{Name: "rtx3090", F32: 35_600, BF16: 71_000, Memory: 936, Bytes: 24 * gb, Link: 32},
		{Name: "rtx4090", F32: 82_600, BF16: 165_200, Memory: 1_008, Bytes: 24 * gb, Link: 32},
		{Name: "h100", F32: 66_900, BF16: 989_400, Memory: 3_350, Bytes: 80 * gb, Link: 450},
		{Name: "h200", F32: 66_900, BF16: 989_400, Memory: 4_800, Bytes: 141 * gb, Link: 450},
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

// sheetOf finds the machine of a device's name, such as "cuda:0: NVIDIA RTX 4090, 128 multiprocessors": one whose name
// stands in it as words.
func sheetOf(device string) (Machine, bool) {
	words := strings.FieldsFunc(strings.ToLower(device), func(r rune) bool { return strings.ContainsRune(" :,-/", r) })
	for _, m := range Machines() {
		for i, w := range words {
			if w == m.Name || i > 0 && words[i-1]+w == m.Name {
				return m, true
			}
		}
	}
	return Machine{}, false
}

// rate is that of operations on operands of a type.
func (m Machine) rate(dtype device.DType) float64 {
	if dtype == device.BF16 {
		return m.BF16
	}
	return m.F32
}

// Here describes the device at hand by measuring it. A device that can't be measured is an error.
func Here(dev device.Device) (Machine, error) {
	m := Machine{Name: dev.Name(), Value: CacheValue(dev), Layouts: device.TrainedLayouts(dev)}
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
	w.Limit = max(w.Ops/(m.rate(dtype)*gb), w.Bytes/(m.Memory*gb))
	if w.Sent > 0 {
		w.Limit = max(w.Limit, w.Sent/(cmp.Or(m.Link, m.Memory)*gb))
	}
	return w
}
