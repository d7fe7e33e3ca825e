package model

import (
	"math"
	"math/rand/v2"
	"testing"

	"openrs/stages/checkpoint"
	"openrs/stages/device"
)

// Frequencies of real configurations, computed with 50 digits from the formulas of transformers'
// modeling_rope_utils (mpmath; not with this code): single ones by index, the sum of all, and the sum
// of all times (index + 1)³.
func TestScaledFrequencies(t *testing.T) {
	llama3 := func(factor float64) checkpoint.RopeScaling {
		return checkpoint.RopeScaling{Type: "llama3", Factor: factor, LowFreq: 1, HighFreq: 4, OriginalPositions: 8192}
	}
	yarn := func(factor float64, original int, fast, slow float64, exact bool) checkpoint.RopeScaling {
		return checkpoint.RopeScaling{Type: "yarn", Factor: factor, OriginalPositions: original, BetaFast: fast, BetaSlow: slow, Exact: exact, Attention: 0.1*math.Log(factor) + 1}
	}
	for _, c := range []struct {
		name                 string
		headDim              int
		theta                float64
		rope                 checkpoint.RopeScaling
		scale, sum, weighted float64
		some                 map[int]float64
	}{
		{"Llama 3.2 1B", 64, 500000, llama3(32), 1, 2.96820229784215468, 289.297525304402928, map[int]float64{
			0: 1, 8: 0.0376060309308639357, 12: 0.00729266473721710905, 16: 0.000429556796559368201, 18: 0.0000194616381848311244, 20: 8.5702554898814787e-6, 31: 9.41830672543490984e-8}},
		{"Llama 3.1 8B", 128, 500000, llama3(8), 1, 5.38605820072857217, 3756.85376135683146, map[int]float64{
			0: 1, 24: 0.00729266473721710905, 32: 0.00052484616099295467, 36: 0.0000778465527393244974, 40: 0.0000342810219595259148, 63: 3.06892598891451109e-7}},
		{"Qwen2.5", 128, 1000000, yarn(4, 32768, 32, 1, false), 1.13862943611198906, 5.14403472174007229, 3177.19788480831987, map[int]float64{
			0: 1, 16: 0.0316227766016837933, 24: 0.0053753214907901015, 32: 0.000602941176470588235, 36: 0.000179841155873954194, 40: 0.00004445698525097307, 63: 3.10234440187929892e-7}},
		{"Qwen2.5 0.5B, not rounded", 64, 1000000, yarn(4, 32768, 32, 1, true), 1.13862943611198906, 2.84912112385213062, 249.423191426092421, map[int]float64{
			8: 0.0316227766016837933, 12: 0.00551727047513412207, 16: 0.000607407937879839124, 18: 0.000177344246306840211, 31: 3.84981631514872997e-7}},
		{"short", 12, 10000, yarn(2, 7, 16, 2, false), 1.06931471805599453, 1.13723897545635466, 2.99316969608048938, map[int]float64{1: 0.107721734501594186, 3: 0.005}},
		{"linear", 12, 10000, checkpoint.RopeScaling{Type: "linear", Factor: 4}, 1, 0, 0, map[int]float64{0: 0.25, 3: 0.0025}},
		{"none", 12, 10000, checkpoint.RopeScaling{}, 1, 0, 0, map[int]float64{0: 1, 3: 0.01}},
	} {
		freq, scale := rotary(checkpoint.Config{HeadDim: c.headDim, RopeTheta: c.theta, Rope: c.rope})
		near := func(what string, got, want float64) {
			t.Helper()
			if math.Abs(got-want) > 1e-13*math.Abs(want) {
				t.Errorf("%s: %s: expected %.17g, found %.17g", c.name, what, want, got)
			}
		}
		if len(freq) != c.headDim/2 {
			t.Fatalf("%s: expected %d frequencies, found %d", c.name, c.headDim/2, len(freq))
		}
		near("scale", scale, c.scale)
		sum, weighted := 0.0, 0.0
		for i, f := range freq {
			sum += f
			weighted += f * math.Pow(float64(i+1), 3)
		}
		if c.sum != 0 {
			near("sum", sum, c.sum)
			near("weighted sum", weighted, c.weighted)
		}
		for i, want := range c.some {
			near("frequency", freq[i], want)
		}
	}
}

// The scale of a yarn is in the table, forwards and backwards: ⟨y, R x⟩ = ⟨Rᵀ y, x⟩, and the length of R x
// is the scale times that of x.
func TestScaledRotation(t *testing.T) {
	cfg := checkpoint.Config{HeadDim: 12, RopeTheta: 1e4, Rope: checkpoint.RopeScaling{Type: "yarn", Factor: 4, OriginalPositions: 64, BetaFast: 32, BetaSlow: 1, Attention: 1.25}}
	const positions = 200
	table := ropeTable(positions, cfg)
	r := rand.New(rand.NewPCG(5, 6))
	eachDevice(t, func(t *testing.T, dev device.Device) {
		buf, err := dev.Alloc(len(table) + cfg.HeadDim)
		if err != nil {
			t.Fatal(err)
		}
		tab, tensor := device.View(buf, 0, positions, cfg.HeadDim), device.View(buf, len(table), 1, cfg.HeadDim)
		dev.Upload(tab, table)
		rotate := func(x []float32, position int32, inverse bool) []float32 {
			dev.Upload(tensor, x)
			dev.RoPE(tensor, cfg.HeadDim, tab, []int32{position}, inverse)
			got := make([]float32, cfg.HeadDim)
			if err := dev.Download(got, tensor); err != nil {
				t.Fatal(err)
			}
			return got
		}
		dot := func(a, b []float32) (sum float64) {
			for i := range a {
				sum += float64(a[i]) * float64(b[i])
			}
			return sum
		}
		for _, p := range []int32{0, 1, 77, positions - 1} {
			x, y := make([]float32, cfg.HeadDim), make([]float32, cfg.HeadDim)
			for i := range x {
				x[i], y[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
			}
			rx := rotate(x, p, false)
			if a, b := dot(y, rx), dot(rotate(y, p, true), x); math.Abs(a-b) > 1e-5 {
				t.Errorf("position %d: forwards %v, backwards %v", p, a, b)
			}
			if got, want := math.Sqrt(dot(rx, rx)), 1.25*math.Sqrt(dot(x, x)); math.Abs(got-want) > 1e-5 {
				t.Errorf("position %d: expected length %v, found %v", p, want, got)
			}
		}
	})
}
