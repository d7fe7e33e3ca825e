package model

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"openrs/stages/checkpoint"
	"openrs/stages/device"
	"openrs/stages/device/devicetest"
	"openrs/stages/goldentest"
)

// randomAdapter sets the adapters of a model under training to values that matter: B is not zero.
func randomAdapter(t *testing.T, m *Model, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	params, _ := m.Flat()
	v := make([]float32, params.Len())
	for _, p := range m.Params() {
		_, isB, ok := Target(p.Name)
		if !ok {
			t.Fatalf("parameter %s is no adapter's", p.Name)
		}
		size := 1 / math.Sqrt(float64(p.Shape[1]))
		if isB {
			size = 0.1
		}
		for i := p.Offset; i < p.Offset+p.Len(); i++ {
			v[i] = float32(size * rng.NormFloat64())
		}
	}
	m.Device().Upload(params, v)
	m.Repack()
}

// adapterOf writes the adapters of a model and opens what is written.
func adapterOf(t *testing.T, m *Model) *checkpoint.File {
	t.Helper()
	tensors, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	return blob(t, tensors)
}

// TestLoRASameBits: sampling, scoring and training with adapters give the same bits, and so does a model that
// has loaded the adapters. Without them it is the base's bits again.
func TestLoRASameBits(t *testing.T) {
	for dtype, lora := range []LoRA{
		device.F32:  {Rank: 3, Alpha: 5}, // all projections; a scale that is no power of two
		device.BF16: {Rank: 40, Alpha: 64, RankStabilized: true, Targets: []string{"q_proj", "v_proj", "down_proj"}},
	} {
		dtype := device.DType(dtype)
		{
			t.Run(fmt.Sprintf("%v rank %d", dtype, lora.Rank), func(t *testing.T) {
				eachGolden(t, Options{DType: dtype, Train: true, LoRA: &lora}, func(t *testing.T, g *golden, m *Model) {
					randomAdapter(t, m, 7)
					rng := rand.New(rand.NewPCG(3, 4))
					groups, recorded := sampleGroups(t, m, rng)
					want := slices.Concat(recorded...)
					p, err := Pack(groups, Whole(groups))
					if err != nil {
						t.Fatal(err)
					}
					score := func(what string, s interface {
						LogProbs(*Packed) ([]float32, []float32, error)
					}, want []float32) []float32 {
						got, _, err := s.LogProbs(p)
						if err != nil {
							t.Fatal(err)
						}
						if want != nil {
							same(t, what, got, want)
						}
						return got
					}
					score("LogProbs", m, want)
					pass, err := m.Forward(p)
					if err != nil {
						t.Fatal(err)
					}
					same(t, "Forward", pass.LogProbs(), want)
					for _, pieces := range Split(groups, 60) {
						q, err := Pack(groups, pieces)
						if err != nil {
							t.Fatal(err)
						}
						got, _, err := m.LogProbs(q)
						if err != nil {
							t.Fatal(err)
						}
						same(t, "LogProbs in micro-batches", got, want[:len(got)])
						want = want[len(got):]
					}
					want = slices.Concat(recorded...)

					plain := g.load(t, m.Device(), Options{DType: dtype})
					base := score("base", plain, nil)
					if slices.Equal(base, want) {
						t.Error("the adapters change nothing")
					}
					score("Base", m.Base(), base)
					score("LogProbs after Base", m, want)

					if err := plain.Adapt(lora); err != nil {
						t.Fatal(err)
					}
					score("adapters that are zero", plain, base)
					if err := plain.LoadAdapter(adapterOf(t, m)); err != nil {
						t.Fatal(err)
					}
					score("loaded adapters", plain, want)
					if err := plain.InitAdapter(4); err != nil {
						t.Fatal(err)
					}
					score("adapters as training begins", plain, base)
				})
			})
		}
	}
}

// TestLoRAGradients compares the gradients of A and B with finite differences, with and without dropout, and
// with dropout's mask made of the rows' numbers.
func TestLoRAGradients(t *testing.T) {
	for _, arch := range checkpoint.Architectures() {
		for _, lora := range []LoRA{{Rank: 2, Alpha: 3}, {Rank: 3, Alpha: 3, Dropout: 0.3}, {Rank: 2, Alpha: 2, Targets: []string{"o_proj", "up_proj"}}} {
			t.Run(fmt.Sprintf("%s dropout %v %v", arch, lora.Dropout, lora.Targets), func(t *testing.T) {
				m := newModel(t, devicetest.NewReference(), tiny(arch), Options{Train: true, LoRA: &lora})
				if err := m.Init(5); err != nil {
					t.Fatal(err)
				}
				randomAdapter(t, m, 8)
				groups := []Group{{Prompt: []int32{1, 2, 3}, Completions: [][]int32{{4, 5, 6}, {7}}}, {Prompt: []int32{9}, Completions: [][]int32{{8, 2}}}}
				p, err := Pack(groups, Whole(groups))
				if err != nil {
					t.Fatal(err)
				}
				p.Seed = 77
				dlogp := func(i int) float32 { return float32(i%3) - 0.8 }
				grads := gradientsOf(t, m, p, dlogp)
				params, _ := m.Flat()
				at := download(t, m, params)
				loss := func(i int, x float32) float64 {
					was := at[i]
					at[i] = x
					m.Device().Upload(params, at)
					m.Repack()
					at[i] = was
					pass, err := m.Forward(p)
					if err != nil {
						t.Fatal(err)
					}
					var sum float64
					for j, l := range pass.LogProbs() {
						sum += float64(dlogp(j)) * float64(l)
					}
					return sum
				}
				for _, p := range m.Params() {
					for i := p.Offset; i < p.Offset+p.Len(); i += 1 + p.Len()/7 {
						const eps = 1.0 / 256
						want := (loss(i, at[i]+eps) - loss(i, at[i]-eps)) / (2 * eps)
						if d := math.Abs(want - float64(grads[i])); d > 2e-3*(1+math.Abs(want)) {
							t.Errorf("gradient of %s at %d is %v, by differences %v", p.Name, i-p.Offset, grads[i], want)
						}
					}
				}
			})
		}
	}
}

// TestLoRAAndFullGradients: with W = W₀ + s·B·A the gradients are dA = s·Bᵀ·dW and dB = s·dW·Aᵀ, where dW is
// what training the merged weights in full finds.
func TestLoRAAndFullGradients(t *testing.T) {
	lora := LoRA{Rank: 4, Alpha: 6}
	for _, name := range goldentest.Models(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			g := openGolden(t, name)
			groups := g.groups()
			p, err := Pack(groups, Whole(groups))
			if err != nil {
				t.Fatal(err)
			}
			dlogp := func(i int) float32 { return float32(i%7-3) / 10 }
			eachDevice(t, func(t *testing.T, dev device.Device) {
				m := g.load(t, dev, Options{Train: true, LoRA: &lora})
				randomAdapter(t, m, 9)
				logp, _, err := m.LogProbs(p)
				if err != nil {
					t.Fatal(err)
				}
				grads := gradientsOf(t, m, p, dlogp)

				full := newModel(t, dev, m.Config(), Options{Train: true})
				if err := full.Load(blob(t, mergedTensors(t, m, g.folder))); err != nil {
					t.Fatal(err)
				}
				merged, _, err := full.LogProbs(p)
				if err != nil {
					t.Fatal(err)
				}
				close32(t, "log-probabilities of the merged weights", merged, logp, 2e-4)

				dW := gradientsOf(t, full, p, dlogp)
				at := map[string]Param{}
				for _, p := range full.Params() {
					at[p.Name] = p
				}
				params, _ := m.Flat()
				v := download(t, m, params)
				second := map[string]Param{} // B by the weight that it adds to
				for _, p := range m.Params() {
					if weight, isB, _ := Target(p.Name); isB {
						second[weight] = p
					}
				}
				for _, a := range m.Params() {
					weight, isB, _ := Target(a.Name)
					if isB {
						continue
					}
					w, b := at[weight], second[weight]
					out, in, rank := w.Shape[0], w.Shape[1], lora.Rank
					dA, dB := make([]float64, a.Len()), make([]float64, b.Len())
					for o := range out {
						for c := range in {
							d := float64(lora.Scale()) * float64(dW[w.Offset+o*in+c])
							for r := range rank {
								dA[r*in+c] += d * float64(v[b.Offset+o*rank+r])
								dB[o*rank+r] += d * float64(v[a.Offset+r*in+c])
							}
						}
					}
					for _, x := range []struct {
						p    Param
						want []float64
					}{{a, dA}, {b, dB}} {
						top := 0.0
						for _, w := range x.want {
							top = max(top, math.Abs(w))
						}
						close64(t, "gradient of "+x.p.Name, grads[x.p.Offset:x.p.Offset+x.p.Len()], x.want, 3e-4*top)
					}
				}
			})
		})
	}
}

// mergedTensors are a model's weights with its adapters built in.
func mergedTensors(t *testing.T, m *Model, base TensorSource) []checkpoint.NamedTensor {
	t.Helper()
	weights, err := Stored(m.Config(), base)
	if err != nil {
		t.Fatal(err)
	}
	adapter, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	merged, err := Merge(m.Device(), weights, *m.opt.LoRA, adapter)
	if err != nil {
		t.Fatal(err)
	}
	return merged
}

// TestLoRADropout: what is dropped depends on seed, row and projection, not on the micro-batch, on recomputing
// or on what was scored between the two passes; and only Forward drops.
func TestLoRADropout(t *testing.T) {
	g := openGolden(t, goldentest.Models(t)[0])
	groups := g.groups()
	eachDevice(t, func(t *testing.T, dev device.Device) {
		lora := LoRA{Rank: 4, Alpha: 8, Dropout: 0.25}
		forward := func(m *Model, pieces []Piece, seed uint64) (*Pass, []float32) {
			p, err := Pack(groups, pieces)
			if err != nil {
				t.Fatal(err)
			}
			p.Seed = seed
			pass, err := m.Forward(p)
			if err != nil {
				t.Fatal(err)
			}
			return pass, pass.LogProbs()
		}
		m := g.load(t, dev, Options{Train: true, LoRA: &lora})
		randomAdapter(t, m, 3)
		_, want := forward(m, Whole(groups), 1)
		if _, other := forward(m, Whole(groups), 2); slices.Equal(other, want) {
			t.Error("two seeds drop the same")
		}
		var pieces []float32
		for _, part := range Split(groups, 30) {
			_, logp := forward(m, part, 1)
			pieces = append(pieces, logp...)
		}
		same(t, "micro-batches", pieces, want)

		off := lora
		off.Dropout = 0
		plain := g.load(t, dev, Options{Train: true, LoRA: &off})
		randomAdapter(t, plain, 3)
		_, without := forward(plain, Whole(groups), 1)
		p, err := Pack(groups, Whole(groups))
		if err != nil {
			t.Fatal(err)
		}
		scored, _, err := m.LogProbs(p)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "LogProbs beside a model without dropout", scored, without)
		if slices.Equal(want, without) {
			t.Error("nothing is dropped")
		}

		var kept []float32
		for _, recompute := range []bool{false, true} {
			m := g.load(t, dev, Options{Train: true, LoRA: &lora, Recompute: recompute})
			randomAdapter(t, m, 3)
			m.ZeroGrads()
			pass, logp := forward(m, Whole(groups[:1]), 1)
			more, err := Pack(groups, Whole(groups)) // more rows than the pass has
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := m.Base().LogProbs(more); err != nil {
				t.Fatal(err)
			}
			if err := m.Backward(pass, logp); err != nil {
				t.Fatal(err)
			}
			_, grads := m.Flat()
			got := download(t, m, grads)
			if kept != nil {
				same(t, "gradients with recomputed activations", got, kept)
			}
			kept = got
		}

		p.Numbers = nil
		if _, err := m.Forward(p); !errors.Is(err, ErrInput) {
			t.Errorf("rows without numbers: %v", err)
		}
	})
}

func TestLoRAErrors(t *testing.T) {
	dev := devicetest.NewReference()
	for _, c := range []struct {
		lora LoRA
		says string
	}{
		{LoRA{Alpha: 1}, "rank is 0"},
		{LoRA{Rank: 1 << 20, Alpha: 1}, "rank is 1048576"},
		{LoRA{Rank: 1}, "alpha is 0"},
		{LoRA{Rank: 1, Alpha: math.NaN()}, "alpha is NaN"},
		{LoRA{Rank: 1, Alpha: 1, Dropout: 1}, "dropout is 1"},
		{LoRA{Rank: 1, Alpha: 1, Targets: []string{"q_prog"}}, `did you mean "q_proj"`},
	} {
		_, err := New(dev, tiny("llama"), Options{LoRA: &c.lora})
		if !errors.Is(err, ErrLoRA) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, want %q", c.lora, err, c.says)
		}
	}
	lora := LoRA{Rank: 2, Alpha: 2, Targets: []string{"v_proj", "k_proj"}}
	m := newModel(t, dev, tiny("llama"), Options{Train: true, LoRA: &lora})
	if got := m.Options().LoRA.Targets; !slices.Equal(got, []string{"k_proj", "v_proj"}) || lora.Targets[0] != "v_proj" {
		t.Errorf("targets %v in order, the caller's now %v", got, lora.Targets)
	}
	if err := m.Adapt(lora); !errors.Is(err, ErrLoRA) {
		t.Errorf("adapters for a model under training: %v", err)
	}
	plain := newModel(t, dev, tiny("llama"), Options{})
	all, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	if err := plain.LoadAdapter(blob(t, all)); !errors.Is(err, ErrLoRA) {
		t.Errorf("a model without adapters: %v", err)
	}
	if err := plain.InitAdapter(1); !errors.Is(err, ErrLoRA) {
		t.Errorf("a model without adapters: %v", err)
	}
	if err := plain.Adapt(lora); err != nil {
		t.Fatal(err)
	}
	turned := slices.Clone(all)
	turned[0].Shape = []int{14, 2}
	const extra = "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight"
	for _, c := range []struct {
		name    string
		tensors []checkpoint.NamedTensor
		says    string
	}{
		{"missing", all[1:], "layers.0.self_attn.k_proj.lora_A.weight"},
		{"shape", turned, "[14 2]"},
		{"extra", append(slices.Clone(all), checkpoint.NamedTensor{Name: extra, Shape: []int{1}, Values: []float32{1}}), extra},
	} {
		if err := plain.LoadAdapter(blob(t, c.tensors)); !errors.Is(err, ErrTensors) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
	if err := plain.LoadAdapter(blob(t, all)); err != nil {
		t.Error(err)
	}
}

// TestInitAdapter checks PEFT's distribution: uniform A, B zero.
func TestInitAdapter(t *testing.T) {
	m := newModel(t, devicetest.NewReference(), tiny("qwen2"), Options{Train: true, LoRA: &LoRA{Rank: 16, Alpha: 16}})
	if err := m.InitAdapter(2); err != nil {
		t.Fatal(err)
	}
	params, _ := m.Flat()
	v := download(t, m, params)
	for _, p := range m.Params() {
		x := v[p.Offset : p.Offset+p.Len()]
		_, isB, _ := Target(p.Name)
		bound := float32(1 / math.Sqrt(float64(p.Shape[1])))
		switch top, low := slices.Max(x), slices.Min(x); {
		case isB && (top != 0 || low != 0):
			t.Errorf("%s is not zero", p.Name)
		case !isB && (top > bound || low < -bound || top < 0.9*bound || low > -0.9*bound):
			t.Errorf("%s lies between %v and %v, want within %v", p.Name, low, top, bound)
		}
	}
	first := slices.Clone(v)
	if err := m.InitAdapter(2); err != nil {
		t.Fatal(err)
	}
	same(t, "the same seed", download(t, m, params), first)
	if err := m.InitAdapter(3); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(download(t, m, params), first) {
		t.Error("two seeds give the same adapters")
	}
}

// TestStoredAndRandom: what is listed for writing is what Load and Init set.
func TestStoredAndRandom(t *testing.T) {
	cfg := tiny("qwen3")
	m := newModel(t, devicetest.NewReference(), cfg, Options{Train: true})
	if err := m.Init(6); err != nil {
		t.Fatal(err)
	}
	params, _ := m.Flat()
	want := download(t, m, params)
	random := Random(cfg, 6)
	stored, err := Stored(cfg, blob(t, random))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range [][]checkpoint.NamedTensor{random, stored} {
		var got []float32
		for _, x := range list {
			v, err := x.Read()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, v...)
		}
		same(t, "values", got, want)
	}
	if _, err := Stored(cfg, blob(t, random[1:])); !errors.Is(err, ErrTensors) {
		t.Errorf("a missing tensor: %v", err)
	}
}
