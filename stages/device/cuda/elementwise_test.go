//go:build cuda

package cuda

import (
	"math/rand/v2"
	"slices"
	"testing"

	"openrs/stages/device"
)

func TestGroupRows(t *testing.T) {
	for _, c := range []struct{ ids, to, first, order []int32 }{
		{nil, nil, []int32{0}, nil},
		{[]int32{5}, []int32{5}, []int32{0, 1}, []int32{0}},
		{[]int32{3, 0, 3, 1, 0, 3}, []int32{0, 1, 3}, []int32{0, 2, 3, 6}, []int32{1, 4, 3, 0, 2, 5}},
	} {
		to, first, order := groupRows(c.ids)
		if !slices.Equal(to, c.to) || !slices.Equal(first, c.first) || !slices.Equal(order, c.order) {
			t.Errorf("groupRows(%v) = %v, %v, %v; want %v, %v, %v", c.ids, to, first, order, c.to, c.first, c.order)
		}
	}
}

func newTensor(t testing.TB, d *Device, rows, cols int, values []float32) device.Tensor {
	t.Helper()
	buf, err := d.Alloc(rows * cols)
	if err != nil {
		t.Fatal(err)
	}
	x := device.View(buf, 0, rows, cols)
	if values != nil {
		d.Upload(x, values)
	}
	return x
}

func valuesOf(t testing.TB, d *Device, x device.Tensor) []float32 {
	t.Helper()
	v := make([]float32, x.Len())
	if err := d.Download(v, x); err != nil {
		t.Fatal(err)
	}
	return v
}

// One row that is named hundreds of times is one chain, in order.
func TestScatterManyTimes(t *testing.T) {
	d := openDevice(t, Options{})
	const n, cols = 300, 6
	rng := rand.New(rand.NewPCG(3, 4))
	start, dy := random(rng, 2*cols), random(rng, n*cols)
	x := newTensor(t, d, 2, cols, start)
	d.ScatterAddRows(x, newTensor(t, d, n, cols, dy), make([]int32, n))
	want := slices.Clone(start)
	for i := range n {
		for c := range cols {
			want[c] += dy[i*cols+c]
		}
	}
	if got := valuesOf(t, d, x); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// The sums of columns.cu are chains over more rows than a tile has.
func TestBiasGradManyRows(t *testing.T) {
	d := openDevice(t, Options{})
	const cols = 37
	rng := rand.New(rand.NewPCG(5, 6))
	for _, rows := range []int{1, 127, 128, 129, 256, 700} {
		start, dy := random(rng, cols), random(rng, rows*cols)
		db := newTensor(t, d, 1, cols, start)
		d.BiasGrad(db, newTensor(t, d, rows, cols, dy))
		want := slices.Clone(start)
		for i, v := range dy {
			want[i%cols] += v
		}
		if got := valuesOf(t, d, db); !slices.Equal(got, want) {
			t.Errorf("%d rows: got %v, want %v", rows, got, want)
		}
	}
}

// Rows longer than a piece of SumSquares, in more pieces than one block adds at a time.
func TestSumSquaresPieces(t *testing.T) {
	d := openDevice(t, Options{})
	const rows, cols = 3, 16384*2 + 5
	values := random(rand.New(rand.NewPCG(9, 10)), rows*cols)
	var want float64
	for _, v := range values {
		want += float64(v) * float64(v)
	}
	got, err := d.SumSquares(newTensor(t, d, rows, cols, values))
	if err != nil || got < want*(1-1e-12) || got > want*(1+1e-12) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}
