package cpu

import (
	"math"
	"math/rand/v2"
	"testing"

	"openrs/stages/device"
)

// lab makes random tensors on a device.
type lab struct {
	testing.TB
	d   *Device
	rng *rand.Rand
}

func newLab(t testing.TB, d *Device, seed uint64) lab {
	return lab{TB: t, d: d, rng: rand.New(rand.NewPCG(seed, 1))}
}

func (l lab) values(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(l.rng.NormFloat64())
	}
	return v
}

// empty returns a zeroed rows × cols tensor.
func (l lab) empty(rows, cols int) device.Tensor {
	l.Helper()
	b, err := l.d.Alloc(rows * cols)
	if err != nil {
		l.Fatal(err)
	}
	return device.View(b, 0, rows, cols)
}

// random returns a rows × cols tensor of standard normal values.
func (l lab) random(rows, cols int) device.Tensor { return l.of(rows, cols, l.values(rows*cols)) }

func (l lab) of(rows, cols int, v []float32) device.Tensor {
	l.Helper()
	t := l.empty(rows, cols)
	l.d.Upload(t, v)
	return t
}

// weight returns a random weight whose products keep the scale of x.
func (l lab) weight(out, in int) device.Weight {
	l.Helper()
	return l.weightOf(out, in, device.F32)
}

// weightOf is weight in a data type.
func (l lab) weightOf(out, in int, dtype device.DType) device.Weight {
	l.Helper()
	w, err := l.d.NewWeight(out, in, dtype, true)
	if err != nil {
		l.Fatal(err)
	}
	t := l.random(out, in)
	l.d.Scale(t, float32(1/math.Sqrt(float64(in))))
	l.d.Pack(w, t)
	return w
}

func (l lab) ids(n, limit int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(l.rng.IntN(limit))
	}
	return ids
}

// ropeTable returns cosines and sines of positions × headDim.
func (l lab) ropeTable(positions, headDim int) device.Tensor {
	v := make([]float32, positions*headDim)
	for p := range positions {
		for i := range headDim / 2 {
			angle := float64(p) * math.Pow(10000, -2*float64(i)/float64(headDim))
			v[p*headDim+i], v[p*headDim+headDim/2+i] = float32(math.Cos(angle)), float32(math.Sin(angle))
		}
	}
	return l.of(positions, headDim, v)
}

func (l lab) read(t device.Tensor) []float32 {
	l.Helper()
	v := make([]float32, t.Len())
	if err := l.d.Download(v, t); err != nil {
		l.Fatal(err)
	}
	return v
}

// same fails the test at the first value whose bits differ.
func (l lab) same(what string, got, want []float32) {
	l.Helper()
	if len(got) != len(want) {
		l.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			l.Fatalf("%s: value %d is %v (%#x), want %v (%#x)", what, i, got[i], math.Float32bits(got[i]), want[i], math.Float32bits(want[i]))
		}
	}
}
