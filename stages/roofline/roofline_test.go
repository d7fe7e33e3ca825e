package roofline

import (
	"encoding/json"
	"testing"

	"openrs/stages/checkpoint"
	"openrs/stages/device"
	"openrs/stages/device/cpu"
	"openrs/stages/device/devicetest"
	"openrs/stages/model"
)

// counter counts what a model asks of a device.
type counter struct {
	device.Device
	flops float64
}

func (c *counter) product(rows, out, in int) {
	c.flops += 2 * float64(rows) * float64(out) * float64(in)
}

func (c *counter) MatMul(y, x device.Tensor, w device.Weight, bias device.Tensor) {
	c.product(x.Rows, w.Out(), w.In())
	c.Device.MatMul(y, x, w, bias)
}

func (c *counter) MatMulAdd(y, x device.Tensor, w device.Weight) {
	c.product(x.Rows, w.Out(), w.In())
	c.Device.MatMulAdd(y, x, w)
}

func (c *counter) attend(s device.AttentionShape, start, n int) {
	for i := range n {
		c.flops += float64(s.Heads * (start + i + 1) * 2 * 2 * s.HeadDim)
	}
}

func (c *counter) Attention(out, lse, q, k, v device.Tensor, s device.AttentionShape, segs []device.Segment) {
	for _, g := range segs {
		c.attend(s, g.PrefixLen, g.Len)
	}
	c.Device.Attention(out, lse, q, k, v, s, segs)
}

func (c *counter) PagedAttention(out, q device.Tensor, cache device.Cache, layer int, s device.AttentionShape, seqs []device.PagedSeq) {
	for _, g := range seqs {
		c.attend(s, g.Start, g.Len)
	}
	c.Device.PagedAttention(out, q, cache, layer, s, seqs)
}

func (c *counter) LogProbs(logp, lse, entropy, h device.Tensor, w device.Weight, targets []int32, temperature []float32) {
	c.product(h.Rows, w.Out(), w.In())
	c.Device.LogProbs(logp, lse, entropy, h, w, targets, temperature)
}

func configs() map[string]checkpoint.Config {
	base := checkpoint.Config{
		Architecture: "llama", Hidden: 24, Layers: 3, Heads: 4, KVHeads: 2, HeadDim: 8, FFN: 40, Vocab: 50,
		MaxPositions: 64, RopeTheta: 1e4, RMSEps: 1e-6,
	}
	tied, qwen2, qwen3 := base, base, base
	tied.TieEmbeddings = true
	qwen2.Architecture, qwen2.QKVBias = "qwen2", true
	qwen3.Architecture, qwen3.QKNorm, qwen3.HeadDim = "qwen3", true, 16
	return map[string]checkpoint.Config{"llama": base, "tied": tied, "qwen2": qwen2, "qwen3": qwen3}
}

// TestForward compares the formula with what a model really asks of its device.
func TestForward(t *testing.T) {
	for name, cfg := range configs() {
		t.Run(name, func(t *testing.T) {
			dev := &counter{Device: devicetest.NewReference()}
			defer dev.Close()
			m, err := model.New(dev, cfg, model.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			cost := NewCost(cfg, device.F32)
			// Scoring: two completions of one prompt of 5 tokens, 3 and 4 long.
			packed, err := model.Pack([]model.Group{{Prompt: make([]int32, 5), Completions: [][]int32{make([]int32, 3), make([]int32, 4)}}}, []model.Piece{{To: 2}})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := m.LogProbs(packed); err != nil {
				t.Fatal(err)
			}
			if want := cost.Forward(5+2+3, Causal(0, 5)+Causal(5, 2)+Causal(5, 3), 7); dev.flops != want {
				t.Errorf("scoring: the device did %g operations, the formula says %g", dev.flops, want)
			}
			// A prompt of 6, then one token more.
			cache, err := m.NewCache(1, device.KeyBlock)
			if err != nil {
				t.Fatal(err)
			}
			defer dev.FreeCache(cache)
			for _, s := range []struct{ start, n int }{{0, 6}, {6, 1}} {
				b := model.Batch{IDs: make([]int32, s.n), Seqs: []device.PagedSeq{{Len: s.n, Start: s.start, Pages: []int32{0}}}, LogitRows: []int32{int32(s.n - 1)}}
				for i := range s.n {
					b.Positions = append(b.Positions, int32(s.start+i))
					b.Slots = append(b.Slots, int32(s.start+i))
				}
				dev.flops = 0
				if _, err := m.Infer(&b, cache); err != nil {
					t.Fatal(err)
				}
				if want := cost.Forward(s.n, Causal(s.start, s.n), 1); dev.flops != want {
					t.Errorf("%d tokens from %d: the device did %g operations, the formula says %g", s.n, s.start, dev.flops, want)
				}
			}
		})
	}
}

// TestBytes compares weights and cache with the parameters and the cache of a model.
func TestBytes(t *testing.T) {
	for name, cfg := range configs() {
		t.Run(name, func(t *testing.T) {
			dev := devicetest.NewReference()
			defer dev.Close()
			m, err := model.New(dev, cfg, model.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			var f32, bf16 int64
			for _, p := range m.Params() {
				if p.Name == "model.embed_tokens.weight" && !cfg.TieEmbeddings {
					continue
				}
				f32 += 4 * int64(p.Len())
				if p.Decay {
					bf16 += 2 * int64(p.Len())
				} else {
					bf16 += 4 * int64(p.Len())
				}
			}
			if got := NewCost(cfg, device.F32).WeightBytes(); got != f32 {
				t.Errorf("%d bytes of f32 weights, want %d", got, f32)
			}
			if got := NewCost(cfg, device.BF16).WeightBytes(); got != bf16 {
				t.Errorf("%d bytes of bf16 weights, want %d", got, bf16)
			}
			want := int64(4 * 2 * cfg.Layers * cfg.KVHeads * cfg.HeadDim * 7)
			if got := NewCost(cfg, device.F32).CacheBytes(7); got != want {
				t.Errorf("%d bytes of cache, want %d", got, want)
			}
		})
	}
}

func TestCausal(t *testing.T) {
	for start := range 4 {
		for n := range 5 {
			var want int64
			for p := start; p < start+n; p++ {
				want += int64(p + 1)
			}
			if got := Causal(start, n); got != want {
				t.Errorf("rows [%d, %d): %d keys, want %d", start, start+n, got, want)
			}
		}
	}
}

func TestMeasure(t *testing.T) {
	ref := devicetest.NewReference()
	defer ref.Close()
	if l, err := Measure(ref, device.F32); err != nil || l != (Limits{}) {
		t.Errorf("a device that can't measure: %+v, %v", l, err)
	}
	if text, err := json.Marshal(Limits{}); err != nil || string(text) != "{}" {
		t.Errorf("no limits as JSON: %s, %v", text, err)
	}
	dev, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	for _, dtype := range []device.DType{device.F32, device.BF16} {
		if l, err := Measure(dev, dtype); err != nil || l.Threads != 2 || l.GFLOPS <= 0 || l.Memory <= 0 {
			t.Errorf("the CPU in %v: %+v, %v", dtype, l, err)
		}
	}
}

// named is a CPU device of another name.
type named struct {
	*cpu.Device
	name string
}

func (n named) Name() string { return n.name }

// TestMeasureAll: two GPUs, by their names, have twice the peak of a data sheet, and what both reach.
func TestMeasureAll(t *testing.T) {
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	other, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	l, err := MeasureAll([]device.Device{named{dev, "cuda:0: NVIDIA A40, 84 multiprocessors"}, named{other, "cuda:1: NVIDIA A40, 84 multiprocessors"}}, device.BF16)
	if err != nil {
		t.Fatal(err)
	}
	if l.Threads != 2 || !(l.GFLOPS > 0) || !(l.Memory > 0) || l.PeakGFLOPS != 2*149_700 || l.PeakMemory != 2*696 {
		t.Errorf("%+v", l)
	}
	if got := l.Utilization(149_700); got != 0.5 {
		t.Errorf("half of the peak is %v of it", got)
	}
}

func TestSheetOf(t *testing.T) {
	for name, want := range map[string]string{
		"cuda:0: NVIDIA A40, 84 multiprocessors": "a40", "cuda:3: NVIDIA H100 80GB HBM3, 132 multiprocessors": "h100", "cuda:1: NVIDIA A100-SXM4-80GB, 108": "a100",
		"cuda:0: NVIDIA GeForce RTX 4090, 128 multiprocessors": "rtx4090", "cuda:0: NVIDIA H200, 132": "h200", "cuda:0: NVIDIA A4000": "", "cpu: avx2, 8 threads": "",
	} {
		if m, ok := sheetOf(name); m.Name != want || ok != (want != "") {
			t.Errorf("%s is taken for %q, want %q", name, m.Name, want)
		}
	}
}

func TestLimits(t *testing.T) {
	l := Limits{GFLOPS: 10, Memory: 5}
	if l.Peak() != 10 || l.Utilization(5) != 0.5 || l.Least(20e9, 5e9) != 2 || l.Least(20e9, 15e9) != 3 {
		t.Errorf("%+v: %v, %v, %v, %v", l, l.Peak(), l.Utilization(5), l.Least(20e9, 5e9), l.Least(20e9, 15e9))
	}
	if none := (Limits{}); none.Utilization(1) != 0 || none.Least(1, 1) != 0 {
		t.Error("unknown limits allow something")
	}
}
