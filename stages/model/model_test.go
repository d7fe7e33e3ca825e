package model

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"openrs/stages/checkpoint"
	"openrs/stages/device"
	"openrs/stages/device/cpu"
	"openrs/stages/device/devicetest"
	"openrs/stages/device/testdevice"
	"openrs/stages/goldentest"
)

// tiny returns a small configuration of an architecture.
func tiny(architecture string) checkpoint.Config {
	return checkpoint.Config{
		Architecture: architecture, Hidden: 14, Layers: 2, Heads: 4, KVHeads: 2, HeadDim: 6, FFN: 20, Vocab: 31, MaxPositions: 100,
		RopeTheta: 1e4, RMSEps: 1e-6, QKVBias: architecture == "qwen2", QKNorm: architecture == "qwen3", TieEmbeddings: architecture == "qwen3",
	}
}

func TestNewErrors(t *testing.T) {
	dev := devicetest.NewReference()
	bad := tiny("llama")
	bad.HeadDim = 5
	if _, err := New(dev, bad, Options{}); !errors.Is(err, checkpoint.ErrFormat) {
		t.Errorf("odd head size: %v", err)
	}
	for _, n := range []int{-1, 101} {
		if _, err := New(dev, tiny("llama"), Options{MaxPositions: n}); err == nil || !strings.Contains(err.Error(), "100") {
			t.Errorf("max positions %d: %v", n, err)
		}
	}
}

// short is a device that runs out of memory after some allocations.
type short struct {
	*devicetest.Reference
	left int
}

var errMemory = errors.New("out of memory")

func (d *short) Alloc(n int) (device.Buffer, error) {
	if d.left--; d.left < 0 {
		return nil, errMemory
	}
	return d.Reference.Alloc(n)
}

func (d *short) NewWeight(out, in int, dtype device.DType, grad bool) (device.Weight, error) {
	if d.left--; d.left < 0 {
		return nil, errMemory
	}
	return d.Reference.NewWeight(out, in, dtype, grad)
}

// TestOutOfMemory lets every single allocation of a model's life fail: each is an error, not a panic,
// and Close gives everything back.
func TestOutOfMemory(t *testing.T) {
	for _, opt := range []Options{{}, {Train: true}, {Train: true, Recompute: true}, {Train: true, LoRA: &LoRA{Rank: 2, Alpha: 1, Dropout: 0.1}}, {LoRA: &LoRA{Rank: 2, Alpha: 1}}} {
		failures := 0
		for left := 0; ; left++ {
			dev := &short{devicetest.NewReference().(*devicetest.Reference), left}
			err := life(dev, opt)
			if n := dev.Live(); n != 0 {
				t.Fatalf("%+v, %d allocations: %d things were not freed", opt, left, n)
			}
			if err == nil {
				break
			}
			if !errors.Is(err, errMemory) {
				t.Fatalf("%+v, %d allocations: %v", opt, left, err)
			}
			failures++
		}
		if failures < 20 {
			t.Errorf("%+v: only %d allocations", opt, failures)
		}
	}
}

// life does everything a model can once.
func life(dev device.Device, opt Options) error {
	m, err := New(dev, tiny("qwen3"), opt)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.Init(1); err != nil {
		return err
	}
	if opt.LoRA != nil {
		if err := m.InitAdapter(1); err != nil {
			return err
		}
	}
	groups := []Group{{Prompt: []int32{1, 2}, Completions: [][]int32{{3, 4, 5}, {6}}}}
	p, err := Pack(groups, Whole(groups))
	if err != nil {
		return err
	}
	if _, _, err := m.LogProbs(p); err != nil {
		return err
	}
	c, err := m.NewCache(1, testPage)
	if err != nil {
		return err
	}
	defer dev.FreeCache(c)
	if _, err := m.Infer(&Batch{IDs: []int32{1}, Positions: []int32{0}, Slots: []int32{0}, Seqs: []device.PagedSeq{{Len: 1, Pages: []int32{0}}}, LogitRows: []int32{0}}, c); err != nil {
		return err
	}
	if !opt.Train {
		return nil
	}
	pass, err := m.Forward(p)
	if err != nil {
		return err
	}
	return m.Backward(pass, make([]float32, len(p.Rows)))
}

// blob writes tensors as one safetensors file and opens it.
func blob(t *testing.T, tensors []checkpoint.NamedTensor) *checkpoint.File {
	t.Helper()
	var b strings.Builder
	if err := checkpoint.WriteTensors(&b, tensors, checkpoint.F32, nil); err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.ParseTensors("blob", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestExportAndLoad(t *testing.T) {
	for _, arch := range checkpoint.Architectures() {
		t.Run(arch, func(t *testing.T) {
			dev := devicetest.NewReference()
			m := newModel(t, dev, tiny(arch), Options{Train: true})
			if err := m.Init(3); err != nil {
				t.Fatal(err)
			}
			tensors, err := m.Export()
			if err != nil {
				t.Fatal(err)
			}
			file := blob(t, tensors)
			if got, want := len(file.Names()), len(m.Params()); got != want {
				t.Fatalf("%d tensors, %d parameters", got, want)
			}
			groups := []Group{{Prompt: []int32{1, 2, 3}, Completions: [][]int32{{4, 5, 6}, {7, 8}}}}
			p, err := Pack(groups, Whole(groups))
			if err != nil {
				t.Fatal(err)
			}
			want, _, err := m.LogProbs(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, train := range []bool{false, true} {
				n := newModel(t, dev, tiny(arch), Options{Train: train})
				if err := n.Load(file); err != nil {
					t.Fatal(err)
				}
				got, _, err := n.LogProbs(p)
				if err != nil {
					t.Fatal(err)
				}
				same(t, fmt.Sprintf("log-probabilities of a loaded copy (train %v)", train), got, want)
			}
		})
	}
}

func TestLoadErrors(t *testing.T) {
	dev := devicetest.NewReference()
	m := newModel(t, dev, tiny("qwen3"), Options{Train: true})
	if err := m.Init(1); err != nil {
		t.Fatal(err)
	}
	all, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	extra := func(name string) []checkpoint.NamedTensor {
		return append(slices.Clone(all), checkpoint.NamedTensor{Name: name, Shape: []int{1}, Values: []float32{1}})
	}
	reshaped := slices.Clone(all)
	reshaped[3].Shape = []int{reshaped[3].Shape[1], reshaped[3].Shape[0]}
	for _, c := range []struct {
		name    string
		tensors []checkpoint.NamedTensor
		says    []string // nil: it loads
	}{
		{"whole", all, nil},
		{"missing", all[:len(all)-1], []string{"model.norm.weight"}},
		{"shape", reshaped, []string{all[3].Name, fmt.Sprint(all[3].Shape), fmt.Sprint(reshaped[3].Shape)}},
		{"extra", extra("model.layers.2.mlp.up_proj.weight"), []string{"model.layers.2.mlp.up_proj.weight", "qwen3"}},
		{"rotary frequencies", extra("model.layers.0.self_attn.rotary_emb.inv_freq"), nil},
		{"head of a tied model", extra("lm_head.weight"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := m.Load(blob(t, c.tensors))
			if (err == nil) != (c.says == nil) || err != nil && !errors.Is(err, ErrTensors) {
				t.Fatalf("load: %v", err)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%v does not name %s", err, s)
				}
			}
		})
	}
}

func TestInit(t *testing.T) {
	values := func(seed uint64) []float32 {
		m := newModel(t, devicetest.NewReference(), tiny("qwen2"), Options{Train: true})
		if err := m.Init(seed); err != nil {
			t.Fatal(err)
		}
		params, _ := m.Flat()
		return download(t, m, params)
	}
	a, b := values(7), values(8)
	same(t, "the same seed", values(7), a)
	if slices.Equal(a, b) {
		t.Error("two seeds give the same weights")
	}
	v := make([]float32, 3*initBlock+17)
	source, p := drawn{std: 0.02, seed: 1}, Param{Name: "x", Shape: []int{1, len(v)}, Decay: true}
	source.normal(v, p, 0)
	var sum, squares float64
	for _, x := range v {
		sum += float64(x)
		squares += float64(x) * float64(x)
	}
	n := float64(len(v))
	if mean, std := sum/n, math.Sqrt(squares/n); math.Abs(mean) > 2e-4 || math.Abs(std-0.02) > 2e-4 {
		t.Errorf("mean %v, standard deviation %v", mean, std)
	}
	if slices.Equal(v[:100], v[initBlock:initBlock+100]) {
		t.Error("two blocks have the same values")
	}
	for _, part := range [][2]int{{0, 5}, {initBlock - 1, initBlock + 1}, {initBlock, 2 * initBlock}, {initBlock + 7, len(v)}} {
		got := make([]float32, part[1]-part[0])
		source.normal(got, p, part[0])
		same(t, fmt.Sprintf("values %d to %d", part[0], part[1]), got, v[part[0]:part[1]])
	}
}

// TestBF16Loads: a model has the same bits whether its bfloat16 matrices come from a checkpoint as they are,
// by way of float32, or from the masters of a model under training.
func TestBF16Loads(t *testing.T) {
	for _, name := range goldentest.Models(t) {
		g := openGolden(t, name)
		groups := g.groups()
		p, err := Pack(groups, Whole(groups))
		if err != nil {
			t.Fatal(err)
		}
		dev, err := cpu.New(cpu.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { dev.Close() })
		var want []float32
		for _, c := range []struct {
			how string
			dev device.Device
			opt Options
		}{
			{"as it is", dev, Options{DType: device.BF16}},
			{"by way of float32", struct{ device.Device }{dev}, Options{DType: device.BF16}},
			{"for training", dev, Options{DType: device.BF16, Train: true}},
		} {
			m := g.load(t, c.dev, c.opt)
			logp, entropy, err := m.LogProbs(p)
			if err != nil {
				t.Fatal(err)
			}
			got := append(logp, entropy...)
			if want == nil {
				want = got
			}
			for i := range want {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
					t.Fatalf("%s loaded %s: value %d is %v, was %v", name, c.how, i, got[i], want[i])
				}
			}
		}
	}
}

// TestBF16: weights rounded to bfloat16 change the numbers by about their precision, and nothing else.
func TestBF16(t *testing.T) {
	g := openGolden(t, goldentest.Models(t)[0])
	groups := g.groups()
	p, err := Pack(groups, Whole(groups))
	if err != nil {
		t.Fatal(err)
	}
	m := g.load(t, devicetest.NewReference(), Options{DType: device.BF16, Train: true})
	pass, err := m.Forward(p)
	if err != nil {
		t.Fatal(err)
	}
	ragged, err := Ragged(groups, Whole(groups), pass.LogProbs())
	if err != nil {
		t.Fatal(err)
	}
	exact := true
	for i, want := range g.Batch.LogProbs {
		close64(t, "log-probabilities in bf16", ragged[i], want, 0.5)
		for j, w := range want {
			exact = exact && math.Abs(w-float64(ragged[i][j])) < goldenTol
		}
	}
	if exact {
		t.Error("bf16 weights changed nothing")
	}
	if err := m.Backward(pass, make([]float32, len(p.Rows))); err != nil {
		t.Fatal(err)
	}
}

func TestRepack(t *testing.T) {
	dev := devicetest.NewReference()
	m := newModel(t, dev, tiny("llama"), Options{Train: true})
	if err := m.Init(1); err != nil {
		t.Fatal(err)
	}
	p := &Packed{IDs: []int32{1, 2}, Positions: []int32{0, 1}, Segments: []device.Segment{{Len: 2}}, Rows: []int32{0, 1}, Targets: []int32{2, 3}}
	before, _, err := m.LogProbs(p)
	if err != nil {
		t.Fatal(err)
	}
	params, _ := m.Flat()
	dev.Scale(params, 1.5)
	m.Repack()
	after, _, err := m.LogProbs(p)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(before, after) {
		t.Error("new parameters did not reach the packed weights")
	}
}

func TestTrainingCallsWithoutTrain(t *testing.T) {
	m := newModel(t, devicetest.NewReference(), tiny("llama"), Options{})
	if _, err := m.Forward(&Packed{}); !errors.Is(err, ErrNotTraining) {
		t.Errorf("forward: %v", err)
	}
	if err := m.Backward(&Pass{}, nil); !errors.Is(err, ErrNotTraining) {
		t.Errorf("backward: %v", err)
	}
	if _, err := m.Export(); !errors.Is(err, ErrNotTraining) {
		t.Errorf("export: %v", err)
	}
	if p, g := m.Flat(); !p.IsZero() || !g.IsZero() {
		t.Errorf("flat: %v, %v", p, g)
	}
	m.ZeroGrads()
	m.Repack()
}

func TestStalePass(t *testing.T) {
	m := newModel(t, devicetest.NewReference(), tiny("llama"), Options{Train: true})
	p := &Packed{IDs: []int32{1}, Positions: []int32{0}, Segments: []device.Segment{{Len: 1}}, Rows: []int32{0}, Targets: []int32{2}}
	forward := func() *Pass {
		pass, err := m.Forward(p)
		if err != nil {
			t.Fatal(err)
		}
		return pass
	}
	old := forward()
	pass := forward()
	if err := m.Backward(old, []float32{1}); !errors.Is(err, ErrStalePass) {
		t.Errorf("an older pass: %v", err)
	}
	if err := m.Backward(pass, nil); !errors.Is(err, ErrInput) {
		t.Errorf("too few gradients: %v", err)
	}
	if _, _, err := m.LogProbs(p); err != nil { // does not disturb the pass
		t.Fatal(err)
	}
	if err := m.Backward(pass, []float32{1}); err != nil {
		t.Fatal(err)
	}
	if err := m.Backward(pass, []float32{1}); !errors.Is(err, ErrStalePass) {
		t.Errorf("a used pass: %v", err)
	}
}

func TestPlan(t *testing.T) {
	cfg := tiny("qwen3")
	dev := &counting{Reference: devicetest.NewReference().(*devicetest.Reference)}
	for _, opt := range []Options{
		{}, {Train: true}, {Train: true, Recompute: true}, {DType: device.BF16, Train: true},
		{LoRA: &LoRA{Rank: 5, Alpha: 1}}, {Train: true, LoRA: &LoRA{Rank: 3, Alpha: 1, Targets: []string{"k_proj"}}},
		{Train: true, LoRA: &LoRA{Rank: 9, Alpha: 1, Dropout: 0.1}}, {Train: true, Recompute: true, LoRA: &LoRA{Rank: 9, Alpha: 1, Dropout: 0.1}},
	} {
		dev.bytes = 0
		m, err := New(dev, cfg, opt)
		if err != nil {
			t.Fatal(err)
		}
		load := Workload{Rows: 70, Predictions: 60, LogitRows: 3, Pages: 2, PerPage: testPage}
		plan := Plan(cfg, opt, load)
		scratch := int64(0)
		if opt.LoRA != nil {
			scratch = int64(4 * m.adapter.widest * opt.LoRA.Rank) // counts as activations
		}
		if fixed := plan.Weights + plan.Masters + plan.Gradients; fixed != dev.bytes-scratch {
			t.Errorf("%+v: planned %d bytes of weights, masters and gradients, took %d", opt, fixed, dev.bytes-scratch)
		}
		if err := m.Init(1); err != nil {
			t.Fatal(err)
		}
		dev.bytes = scratch
		c, err := m.NewCache(load.Pages, load.PerPage)
		if err != nil {
			t.Fatal(err)
		}
		if c.Bytes() != plan.Cache {
			t.Errorf("planned a cache of %d bytes, took %d", plan.Cache, c.Bytes())
		}
		groups := []Group{{Prompt: make([]int32, 11), Completions: [][]int32{make([]int32, 60)}}}
		p, err := Pack(groups, Whole(groups))
		if err != nil {
			t.Fatal(err)
		}
		b := &Batch{IDs: make([]int32, 70), LogitRows: []int32{0, 1, 2}}
		addSequence(b, 70, 0, []int32{0, 1})
		if _, err := m.Infer(b, c); err != nil {
			t.Fatal(err)
		}
		if opt.Train {
			pass, err := m.Forward(p)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Backward(pass, make([]float32, 60)); err != nil {
				t.Fatal(err)
			}
		} else if _, _, err := m.LogProbs(p); err != nil {
			t.Fatal(err)
		}
		// Training takes a little more than planned here, because this model generates too.
		if ratio := float64(plan.Activations) / float64(dev.bytes); ratio < 0.75 || ratio > 1.1 {
			t.Errorf("%+v: planned %d bytes of activations, took %d", opt, plan.Activations, dev.bytes)
		}
		m.Close()
		dev.FreeCache(c)
	}
	if dev.Live() != 0 {
		t.Errorf("%d things were not freed", dev.Live())
	}
}

// counting adds up what is allocated.
type counting struct {
	*devicetest.Reference
	bytes int64
}

func (d *counting) Alloc(n int) (device.Buffer, error) {
	d.bytes += int64(n) * 4
	return d.Reference.Alloc(n)
}

func (d *counting) Free(b device.Buffer) {
	d.bytes -= int64(b.Len()) * 4
	d.Reference.Free(b)
}

func (d *counting) NewWeight(out, in int, dtype device.DType, grad bool) (device.Weight, error) {
	d.bytes += int64(out) * int64(in) * int64(dtype.Bytes())
	return d.Reference.NewWeight(out, in, dtype, grad)
}

// TestGoldenExport: what Load reads, Export returns, for every golden model.
func TestGoldenExport(t *testing.T) {
	for _, dir := range goldentest.Models(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			g := openGolden(t, dir)
			m := g.load(t, testdevice.Reference(t), Options{Train: true})
			tensors, err := m.Export()
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, x := range tensors {
				v, err := x.Read()
				if err != nil {
					t.Fatal(err)
				}
				same(t, x.Name, v, values(t, g.folder, x.Name))
				names = append(names, x.Name)
			}
			slices.Sort(names)
			if !slices.Equal(names, g.folder.Names()) {
				t.Errorf("names %v, the folder has %v", names, g.folder.Names())
			}
			out := filepath.Join(t.TempDir(), "saved")
			if err := checkpoint.Save(out, m.Config(), tensors, checkpoint.SaveOptions{DType: checkpoint.F32}); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(out, checkpoint.WeightsFile)); err != nil {
				t.Error(err)
			}
		})
	}
}
