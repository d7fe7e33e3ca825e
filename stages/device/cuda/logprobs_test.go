//go:build cuda

package cuda

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"openrs/stages/device"
)

// More rows than go through the vocabulary together give the bits of several calls, forward and backward.
func TestLogProbsTiles(t *testing.T) {
	d := openDevice(t, Options{})
	const rows, cut, hidden, vocabulary = logRows + 40, logRows - 2*device.GradRows, 8, 5
	rng := rand.New(rand.NewPCG(11, 12))
	h := newTensor(t, d, rows, hidden, random(rng, rows*hidden))
	values := newTensor(t, d, vocabulary, hidden, random(rng, vocabulary*hidden))
	targets, temperature := make([]int32, rows), make([]float32, rows)
	for i := range targets {
		targets[i], temperature[i] = int32(i%vocabulary), 1+float32(i%3)
	}
	dlogp := newTensor(t, d, rows, 1, random(rng, rows))
	for _, dtype := range []device.DType{device.F32, device.BF16} {
		w, err := d.NewWeight(vocabulary, hidden, dtype, true)
		if err != nil {
			t.Fatal(err)
		}
		d.Pack(w, values)
		run := func(cuts ...int) [][]float32 {
			logp, lse, entropy := newTensor(t, d, rows, 1, nil), newTensor(t, d, rows, 1, nil), newTensor(t, d, rows, 1, nil)
			dh, dw := newTensor(t, d, rows, hidden, nil), newTensor(t, d, vocabulary, hidden, nil)
			for i := range len(cuts) - 1 {
				from, to := cuts[i], cuts[i+1]
				part := func(x device.Tensor) device.Tensor { return x.RowRange(from, to) }
				d.LogProbs(part(logp), part(lse), part(entropy), part(h), w, targets[from:to], temperature[from:to])
				d.LogProbsBackward(part(dh), dw, part(dlogp), part(lse), part(h), w, targets[from:to], temperature[from:to], false)
			}
			var all [][]float32
			for _, x := range []device.Tensor{logp, lse, entropy, dh, dw} {
				all = append(all, valuesOf(t, d, x))
			}
			return all
		}
		whole, parts := run(0, rows), run(0, cut, rows)
		for i, name := range []string{"logp", "lse", "entropy", "dh", "dw"} {
			if !slices.Equal(whole[i], parts[i]) {
				t.Errorf("%v: %s of %d rows at once and in two calls differ", dtype, name, rows)
			}
		}
		for i, p := range whole[0] {
			if !(p < 0) || math.IsInf(float64(p), 0) || !(whole[2][i] > 0) {
				t.Fatalf("%v: row %d: log-probability %v, entropy %v", dtype, i, p, whole[2][i])
			}
		}
	}
}
