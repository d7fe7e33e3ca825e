package model

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"openrs/stages/checkpoint"
	"openrs/stages/device"
	"openrs/stages/device/testdevice"
	"openrs/stages/goldentest"
)

// golden is a model folder with its expected values.
type golden struct {
	dir     string
	folder  *checkpoint.Folder
	want    *checkpoint.File
	Forward []struct {
		IDs       []int32   `json:"ids"`
		LogProbs  []float64 `json:"logprobs"`
		Entropies []float64 `json:"entropies"`
	} `json:"forward"`
	HiddenOf int `json:"hidden_states_of_sequence"`
	Long     struct {
		IDs       []int32 `json:"ids"`
		Positions []int32 `json:"positions"`
	} `json:"long"`
	Greedy []struct {
		Prompt []int32 `json:"prompt"`
		Tokens []int32 `json:"tokens"`
	} `json:"greedy"`
	Batch struct {
		GroupSize   int         `json:"group_size"`
		Prompts     [][]int32   `json:"prompts"`
		Completions [][]int32   `json:"completions"`
		LogProbs    [][]float64 `json:"logprobs"`
		Entropies   [][]float64 `json:"entropies"`
	} `json:"batch"`
	SFT struct {
		Loss     float64            `json:"loss"`
		GradNorm float64            `json:"grad_norm"`
		Norms    map[string]float64 `json:"param_grad_norm"`
		File     string             `json:"grads_file"`
	} `json:"sft"`
}

func openGolden(t *testing.T, dir string) *golden {
	t.Helper()
	g := &golden{dir: dir}
	goldentest.Decode(t, filepath.Join(dir, "expected.json"), g)
	var err error
	if g.folder, err = checkpoint.OpenDir(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.folder.Close() })
	g.want = openTensors(t, filepath.Join(dir, "expected.safetensors"))
	return g
}

func openTensors(t *testing.T, path string) *checkpoint.File {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.ParseTensors(path, data)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// values returns a tensor's values.
func values(t *testing.T, src TensorSource, name string) []float32 {
	t.Helper()
	x, err := src.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	v, err := x.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// load makes a model of the golden weights on dev.
func (g *golden) load(t *testing.T, dev device.Device, opt Options) *Model {
	t.Helper()
	m := newModel(t, dev, g.folder.Config(), opt)
	if err := m.Load(g.folder); err != nil {
		t.Fatal(err)
	}
	return m
}

// newModel makes a model that is closed at the end of the test.
func newModel(t *testing.T, dev device.Device, cfg checkpoint.Config, opt Options) *Model {
	t.Helper()
	m, err := New(dev, cfg, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// eachDevice runs f on the reference and on the CPU with every kernel set that this machine has, or on a GPU.
func eachDevice(t *testing.T, f func(t *testing.T, dev device.Device)) {
	testdevice.Set{Reference: !underRace, Best: underRace}.Each(t, f)
}

// eachGolden runs f for every golden model on every device.
func eachGolden(t *testing.T, opt Options, f func(t *testing.T, g *golden, m *Model)) {
	for _, dir := range goldentest.Models(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			g := openGolden(t, dir)
			eachDevice(t, func(t *testing.T, dev device.Device) { f(t, g, g.load(t, dev, opt)) })
		})
	}
}

// close32 checks that two float32 slices differ by at most tol.
func close32(t *testing.T, what string, got, want []float32, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= tol) {
			t.Fatalf("%s: value %d is %v, want %v (off by %.2g, tolerance %.2g)", what, i, got[i], want[i], d, tol)
		}
	}
}

func close64(t *testing.T, what string, got []float32, want []float64, tol float64) {
	t.Helper()
	w := make([]float32, len(want))
	for i, x := range want {
		w[i] = float32(x)
	}
	close32(t, what, got, w, tol)
}

func download(t *testing.T, m *Model, x device.Tensor) []float32 {
	t.Helper()
	v := make([]float32, x.Len())
	if err := m.Device().Download(v, x); err != nil {
		t.Fatal(err)
	}
	return v
}

// goldenTol is what a float32 model should meet for logits and log-probabilities.
const goldenTol = 1e-4

func TestGoldenLogits(t *testing.T) {
	eachGolden(t, Options{}, func(t *testing.T, g *golden, m *Model) {
		for i, seq := range g.Forward {
			r := newRunner(t, m, len(seq.IDs))
			got := r.logits(seq.IDs)
			close32(t, fmt.Sprintf("logits of sequence %d", i), got, values(t, g.want, fmt.Sprintf("logits.%d", i)), goldenTol)
		}
		r := newRunner(t, m, len(g.Long.IDs))
		all, vocab := r.logits(g.Long.IDs), m.Config().Vocab
		var got []float32
		for _, p := range g.Long.Positions {
			got = append(got, all[int(p)*vocab:(int(p)+1)*vocab]...)
		}
		close32(t, "logits of the long sequence", got, values(t, g.want, "logits.long"), goldenTol)
	})
}

func TestGoldenLogProbs(t *testing.T) {
	eachGolden(t, Options{}, func(t *testing.T, g *golden, m *Model) {
		for i, seq := range g.Forward {
			p, err := Pack([]Group{{Prompt: seq.IDs[:1], Completions: [][]int32{seq.IDs[1:]}}}, []Piece{{To: 1}})
			if err != nil {
				t.Fatal(err)
			}
			logp, entropy, err := m.LogProbs(p)
			if err != nil {
				t.Fatal(err)
			}
			close64(t, fmt.Sprintf("log-probabilities of sequence %d", i), logp, seq.LogProbs, goldenTol)
			// The entropy after the last token belongs to no target.
			close64(t, fmt.Sprintf("entropies of sequence %d", i), entropy, seq.Entropies[:len(entropy)], goldenTol)
		}
		groups := g.groups()
		p, err := Pack(groups, Whole(groups))
		if err != nil {
			t.Fatal(err)
		}
		logp, entropy, err := m.LogProbs(p)
		if err != nil {
			t.Fatal(err)
		}
		g.checkBatch(t, groups, "log-probabilities", logp, g.Batch.LogProbs)
		g.checkBatch(t, groups, "entropies", entropy, g.Batch.Entropies)
	})
}

// groups are the completions of the golden batch by prompt.
func (g *golden) groups() []Group {
	var groups []Group
	for i := range g.Batch.Prompts {
		if i%g.Batch.GroupSize == 0 {
			groups = append(groups, Group{Prompt: g.Batch.Prompts[i], Temperature: 1})
		}
		last := &groups[len(groups)-1]
		last.Completions = append(last.Completions, g.Batch.Completions[i])
	}
	return groups
}

func (g *golden) checkBatch(t *testing.T, groups []Group, what string, got []float32, want [][]float64) {
	t.Helper()
	ragged, err := Ragged(groups, Whole(groups), got)
	if err != nil {
		t.Fatal(err)
	}
	if len(ragged) != len(want) {
		t.Fatalf("%d completions, want %d", len(ragged), len(want))
	}
	for i := range want {
		close64(t, fmt.Sprintf("%s of completion %d", what, i), ragged[i], want[i], goldenTol)
	}
}

func TestGoldenHidden(t *testing.T) {
	eachGolden(t, Options{Train: true}, func(t *testing.T, g *golden, m *Model) {
		ids := g.Forward[g.HiddenOf].IDs
		p := &Packed{IDs: ids, Segments: []device.Segment{{Len: len(ids)}}}
		for i := range ids {
			p.Positions = append(p.Positions, int32(i))
			p.Rows, p.Targets = append(p.Rows, int32(i)), append(p.Targets, 0)
		}
		pass, err := m.Forward(p)
		if err != nil {
			t.Fatal(err)
		}
		for i := range m.layers {
			name := "hidden.embed"
			if i > 0 {
				name = fmt.Sprintf("hidden.layer%d", i-1)
			}
			close32(t, name, download(t, m, pass.residual(i)), values(t, g.want, name), goldenTol)
		}
		last := fmt.Sprintf("hidden.layer%d", len(m.layers)-1)
		close32(t, last, download(t, m, pass.final), values(t, g.want, last), goldenTol)
		close32(t, "hidden.norm", download(t, m, pass.scores.normed), values(t, g.want, "hidden.norm"), goldenTol)
	})
}

func TestGoldenGreedy(t *testing.T) {
	eachGolden(t, Options{}, func(t *testing.T, g *golden, m *Model) {
		for i, c := range g.Greedy {
			r := newRunner(t, m, len(c.Prompt)+len(c.Tokens))
			next := c.Prompt
			for step, want := range c.Tokens {
				logits := r.step(next, []int32{int32(len(next) - 1)})
				ids, logp := make([]int32, 1), make([]float32, 1)
				if err := m.Device().Sample(logits, make([]device.Sampling, 1), ids, logp); err != nil {
					t.Fatal(err)
				}
				if ids[0] != want {
					t.Fatalf("prompt %d: token %d is %d, want %d", i, step, ids[0], want)
				}
				next = ids
			}
		}
	})
}

func TestGoldenGradients(t *testing.T) {
	for _, opt := range []Options{{Train: true}, {Train: true, Recompute: true}} {
		t.Run(fmt.Sprintf("recompute %v", opt.Recompute), func(t *testing.T) {
			eachGolden(t, opt, func(t *testing.T, g *golden, m *Model) {
				if g.SFT.File == "" {
					t.Skip("no gradients of the supervised loss")
				}
				want := openTensors(t, filepath.Join(g.dir, g.SFT.File))
				groups := g.groups()
				p, err := Pack(groups, Whole(groups))
				if err != nil {
					t.Fatal(err)
				}
				m.ZeroGrads()
				pass, err := m.Forward(p)
				if err != nil {
					t.Fatal(err)
				}
				var loss float64
				dlogp := make([]float32, len(pass.LogProbs()))
				for i, l := range pass.LogProbs() {
					loss -= float64(l) / float64(len(dlogp))
					dlogp[i] = -1 / float32(len(dlogp))
				}
				if math.Abs(loss-g.SFT.Loss) > 1e-6 {
					t.Errorf("loss %v, want %v", loss, g.SFT.Loss)
				}
				if err := m.Backward(pass, dlogp); err != nil {
					t.Fatal(err)
				}
				_, grads := m.Flat()
				for _, param := range m.Params() {
					exp := values(t, want, param.Name)
					var top, norm float64
					for _, x := range exp {
						top = max(top, math.Abs(float64(x)))
					}
					got := download(t, m, grads.ColRange(param.Offset, param.Offset+param.Len()))
					for _, x := range got {
						norm += float64(x) * float64(x)
					}
					close32(t, "gradient of "+param.Name, got, exp, 1e-4*top)
					if n := g.SFT.Norms[param.Name]; math.Abs(math.Sqrt(norm)-n) > 1e-4*n {
						t.Errorf("gradient norm of %s is %v, want %v", param.Name, math.Sqrt(norm), n)
					}
				}
				sum, err := m.Device().SumSquares(grads)
				if err != nil {
					t.Fatal(err)
				}
				if math.Abs(math.Sqrt(sum)-g.SFT.GradNorm) > 1e-4*g.SFT.GradNorm {
					t.Errorf("gradient norm %v, want %v", math.Sqrt(sum), g.SFT.GradNorm)
				}
			})
		})
	}
}

func TestGoldenRoPE(t *testing.T) {
	var cases []struct {
		Theta     float64     `json:"theta"`
		HeadDim   int         `json:"head_dim"`
		Positions []int       `json:"positions"`
		Cos       [][]float64 `json:"cos"`
		Sin       [][]float64 `json:"sin"`
		X         []float32   `json:"x"`
		Rotated   [][]float64 `json:"rotated"`
	}
	goldentest.Decode(t, goldentest.Path(t, "rope.json"), &cases)
	for _, c := range cases {
		last := 0
		for _, p := range c.Positions {
			last = max(last, p)
		}
		table := ropeTable(last+1, checkpoint.Config{HeadDim: c.HeadDim, RopeTheta: c.Theta})
		for i, p := range c.Positions {
			row, name := table[p*c.HeadDim:(p+1)*c.HeadDim], fmt.Sprintf("theta %v position %d", c.Theta, p)
			close64(t, "cosines: "+name, row[:c.HeadDim/2], c.Cos[i], 1e-7)
			close64(t, "sines: "+name, row[c.HeadDim/2:], c.Sin[i], 1e-7)
		}
		eachDevice(t, func(t *testing.T, dev device.Device) {
			buf, err := dev.Alloc(len(table) + c.HeadDim)
			if err != nil {
				t.Fatal(err)
			}
			tab, x := device.View(buf, 0, last+1, c.HeadDim), device.View(buf, len(table), 1, c.HeadDim)
			dev.Upload(tab, table)
			for i, p := range c.Positions {
				dev.Upload(x, c.X)
				dev.RoPE(x, c.HeadDim, tab, []int32{int32(p)}, false)
				got := make([]float32, c.HeadDim)
				if err := dev.Download(got, x); err != nil {
					t.Fatal(err)
				}
				close64(t, fmt.Sprintf("position %d", p), got, c.Rotated[i], 1e-6)
			}
		})
	}
}
