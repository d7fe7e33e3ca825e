package devicetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"openrs/stages/device"
)

// Run checks that the devices which open returns keep the contract of package device. open is called
// once for each subtest; Run closes what it returns. A device that lacks bfloat16 weights is tested
// without them.
func Run(t *testing.T, open func(t *testing.T) device.Device) {
	for _, group := range []struct {
		name  string
		tests map[string]func(*twin)
	}{
		{"values", values},     // each operation against the reference
		{"bits", bits},         // exact equality of what is computed in two ways
		{"sampling", sampling}, // which token a row of logits yields
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, name := range sorted(group.tests) {
				t.Run(name, func(t *testing.T) {
					group.tests[name](newTwin(t, open(t)))
				})
			}
		})
	}
	t.Run("shapes", func(t *testing.T) { runShapes(t, open) })
}

// twin runs operations on two devices at once: side 0 is the one under test, side 1 the reference.
type twin struct {
	*testing.T
	devs   [2]device.Device
	rng    *rand.Rand
	dtypes []device.DType // the data types of weights that the tested device has
}

func newTwin(t *testing.T, dev device.Device) *twin {
	ref := NewReference()
	t.Cleanup(func() {
		if err := dev.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		ref.Close()
	})
	seed := uint64(1)
	for _, c := range t.Name() {
		seed = seed*31 + uint64(c)
	}
	return &twin{T: t, devs: [2]device.Device{dev, ref}, rng: rand.New(rand.NewPCG(seed, 7)), dtypes: supported(t, dev)}
}

// supported lists the data types of weights that dev has. F32 is required; another may be refused with
// an error that wraps [errors.ErrUnsupported].
func supported(t *testing.T, dev device.Device) []device.DType {
	var types []device.DType
	for _, dtype := range []device.DType{device.F32, device.BF16} {
		w, err := dev.NewWeight(1, 1, dtype, true)
		switch {
		case err == nil:
			dev.FreeWeight(w)
			types = append(types, dtype)
		case dtype == device.F32 || !errors.Is(err, errors.ErrUnsupported):
			t.Fatalf("new weight of %v: %v", dtype, err)
		}
	}
	return types
}

// pair is one tensor on both devices.
type pair struct {
	t      [2]device.Tensor
	whole  [2]device.Tensor // the buffer around it
	before []float32        // what the whole buffer held at first
}

// weights is one weight on both devices.
type weights [2]device.Weight

// normal returns n standard normal values.
func (w *twin) normal(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(w.rng.NormFloat64())
	}
	return v
}

// tensor returns a rows × cols pair of random values: a view in the middle of a larger buffer, whose
// rows have a gap half of the time.
func (w *twin) tensor(rows, cols int) pair {
	gap := 0
	if w.rng.IntN(2) == 0 {
		gap = 1 + w.rng.IntN(9)
	}
	return w.view(rows, cols, w.rng.IntN(5), cols+gap)
}

// dense returns a contiguous rows × cols pair of random values.
func (w *twin) dense(rows, cols int) pair { return w.view(rows, cols, 0, cols) }

func (w *twin) view(rows, cols, offset, stride int) pair {
	n := offset + rows*stride + 3
	var p pair
	p.before = w.normal(n)
	for s, d := range w.devs {
		buf, err := d.Alloc(n)
		if err != nil {
			w.Fatalf("alloc of %d: %v", n, err)
		}
		p.whole[s] = device.View(buf, 0, 1, n)
		d.Upload(p.whole[s], p.before)
		p.t[s] = device.Tensor{Buf: buf, Offset: offset, Rows: rows, Cols: cols, Stride: stride}
	}
	return p
}

// set uploads values to both sides.
func (w *twin) set(p pair, values []float32) pair {
	for s, d := range w.devs {
		d.Upload(p.t[s], values)
	}
	return p
}

// weight returns a random out × in weight, of entries around 1/sqrt(in).
func (w *twin) weight(out, in int, dtype device.DType, grad bool) weights {
	p := w.tensor(out, in)
	for s, d := range w.devs {
		d.Scale(p.t[s], 1/float32(1+in/8))
	}
	return w.pack(p, dtype, grad)
}

func (w *twin) pack(p pair, dtype device.DType, grad bool) weights {
	var m weights
	for s, d := range w.devs {
		var err error
		if m[s], err = d.NewWeight(p.t[s].Rows, p.t[s].Cols, dtype, grad); err != nil {
			w.Fatalf("new weight %v: %v", p.t[s], err)
		}
		d.Pack(m[s], p.t[s])
	}
	return m
}

// both runs one operation on each device.
func (w *twin) both(f func(s int, d device.Device)) {
	for s, d := range w.devs {
		f(s, d)
	}
}

// read downloads a tensor of one side.
func (w *twin) read(t device.Tensor, side int) []float32 {
	v := make([]float32, t.Len())
	if err := w.devs[side].Download(v, t); err != nil {
		w.Fatalf("download %v: %v", t, err)
	}
	return v
}

// got downloads the tested side of p.
func (w *twin) got(p pair) []float32 { return w.read(p.t[0], 0) }

// near checks that p has about the same values on both sides, within tol of the largest one (at least
// 1), and that nothing around the view has changed on the tested side.
func (w *twin) near(what string, p pair, tol float64) {
	w.Helper()
	got, want := w.read(p.t[0], 0), w.read(p.t[1], 1)
	scale := 1.0
	for _, x := range want {
		scale = max(scale, abs(x))
	}
	for i := range want {
		if d := abs(got[i] - want[i]); !(d <= tol*scale) {
			w.Fatalf("%s [%d,%d] of %v: got %v, want %v (off by %.2g, tolerance %.2g)", what, i/p.t[0].Cols, i%p.t[0].Cols, p.t[0], got[i], want[i], d, tol*scale)
		}
	}
	w.untouched(what, p)
}

// untouched checks that the buffer around p holds what it held.
func (w *twin) untouched(what string, p pair) {
	w.Helper()
	inside := make([]bool, len(p.before))
	t := p.t[0]
	for r := range t.Rows {
		for c := range t.Cols {
			inside[t.Offset+r*t.Stride+c] = true
		}
	}
	for i, x := range w.read(p.whole[0], 0) {
		if !inside[i] && x != p.before[i] {
			w.Fatalf("%s of %v (offset %d, stride %d) overwrote element %d of the buffer, outside the view", what, t, t.Offset, t.Stride, i)
		}
	}
}

// equal checks exact equality.
func (w *twin) equal(what string, got, want []float32) {
	w.Helper()
	if len(got) != len(want) {
		w.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			w.Fatalf("%s: value %d of %d is %v one way and %v the other", what, i, len(want), got[i], want[i])
		}
	}
}

func abs(x float32) float64 {
	if x < 0 {
		return float64(-x)
	}
	return float64(x)
}

// ids returns n random ids below limit.
func (w *twin) ids(n, limit int) []int32 {
	v := make([]int32, n)
	for i := range v {
		v[i] = int32(w.rng.IntN(limit))
	}
	return v
}

// temperatures returns n values between 0.3 and 1.3, some of them exactly 1, and some 0.
func (w *twin) temperatures(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		switch {
		case i%7 == 4:
			v[i] = 0
		case i%3 == 0:
			v[i] = 1
		default:
			v[i] = 0.3 + w.rng.Float32()
		}
	}
	return v
}

// cuts returns boundaries 0 = c0 < c1 < … = n of random pieces.
func (w *twin) cuts(n int) []int {
	c := []int{0}
	for at := 0; at < n; {
		at = min(n, at+1+w.rng.IntN(1+n/2))
		c = append(c, at)
	}
	return c
}

// ropeTable uploads the table of cosines and sines for positions [0, n).
func (w *twin) ropeTable(n, headDim int) pair {
	return w.set(w.dense(n, headDim), ropeTable(n, headDim, 10000))
}

// shapeName joins its parts with blanks.
func shapeName(parts ...any) string { return strings.TrimSuffix(fmt.Sprintln(parts...), "\n") }
