package train

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"openrs/stages/checkpoint"
	"openrs/stages/device"
	"openrs/stages/device/testdevice"
	"openrs/stages/model"
	"openrs/stages/pretrained"
	"openrs/update/grpo"
	"openrs/update/optim"
)

// goldenDirs are the folders of models with expected values: those of OPENRS_GOLDEN, or of
// ../shared/golden beside the repository, and the one that comes with the source.
func goldenDirs(t *testing.T) []string {
	root := os.Getenv("OPENRS_GOLDEN")
	if root == "" {
		root = "../../../shared/golden"
	}
	seen := map[string]bool{}
	var out []string
	for _, root := range []string{root, "../../stages/model/testdata/golden"} {
		found, err := filepath.Glob(filepath.Join(root, "*", checkpoint.ConfigFile))
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			t.Logf("no models with expected values in %s", root)
		}
		for _, f := range found {
			if dir := filepath.Dir(f); !seen[filepath.Base(dir)] {
				seen[filepath.Base(dir)] = true
				out = append(out, dir)
			}
		}
	}
	if len(out) == 0 {
		t.Skip("no models with expected values: name a folder of them in OPENRS_GOLDEN")
	}
	return out
}

// eachGolden runs f for every golden model on the CPU with every kernel set that this machine has and,
// unless it would be slow, on the reference device; or on a GPU.
func eachGolden(t *testing.T, onReference bool, f func(t *testing.T, g *golden, dev device.Device)) {
	devices := testdevice.Set{Reference: onReference && !underRace, Best: underRace}
	for _, dir := range goldenDirs(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			g := openGolden(t, dir)
			devices.Each(t, func(t *testing.T, dev device.Device) { f(t, g, dev) })
		})
	}
}

// variant is one loss with what is expected of it.
type variant struct {
	LossType    string             `json:"loss_type"`
	Beta        float64            `json:"beta"`
	EpsLow      float64            `json:"eps_low"`
	EpsHigh     float64            `json:"eps_high"`
	UseOld      bool               `json:"use_old_logprobs"`
	RatioLevel  string             `json:"ratio_level"`
	Delta       float64            `json:"delta"`
	TruncatedIS float64            `json:"truncated_is_max"`
	MaxLength   int                `json:"max_completion_length"`
	NumItems    int                `json:"num_items"`
	Temperature float64            `json:"temperature"`
	Loss        float64            `json:"loss"`
	MicroLosses []float64          `json:"micro_losses_scaled"`
	Metrics     map[string]float64 `json:"metrics"`
	expectedGradients
}

// expectedGradients are the norms of a loss's gradients and, for some losses, the file that has them.
type expectedGradients struct {
	GradNorm float64            `json:"grad_norm"`
	Norms    map[string]float64 `json:"param_grad_norm"`
	Dots     map[string]float64 `json:"param_grad_dot_weight"`
	File     string             `json:"grads_file"`
}

func (v variant) objective(t *testing.T) *grpo.Objective {
	t.Helper()
	return objective(t, grpo.Config{Loss: v.LossType, Beta: v.Beta, EpsLow: v.EpsLow, EpsHigh: v.EpsHigh, Delta: v.Delta,
		RatioLevel: v.RatioLevel, TruncatedIS: v.TruncatedIS, MaxCompletionLength: v.MaxLength})
}

// golden is a model folder with its expected values.
type golden struct {
	dir    string
	folder *checkpoint.Folder
	Batch  struct {
		GroupSize   int         `json:"group_size"`
		Prompts     [][]int32   `json:"prompts"`
		Completions [][]int32   `json:"completions"`
		Advantages  []float32   `json:"advantages"`
		Old         [][]float32 `json:"old_logprobs"`
		Ref         [][]float32 `json:"ref_logprobs"`
		Sampling    [][]float32 `json:"sampling_logprobs"`
	} `json:"batch"`
	SFT struct {
		Loss float64 `json:"loss"`
		expectedGradients
	} `json:"sft"`
	GRPO         map[string]variant `json:"grpo"`
	Accumulation struct {
		MicroBatches [][2]int           `json:"micro_batches"`
		Cases        map[string]variant `json:"cases"`
	} `json:"accumulation"`
	Train goldenTrain `json:"train"`
}

func openGolden(t *testing.T, dir string) *golden {
	t.Helper()
	g := &golden{dir: dir}
	data, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, g); err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	if len(g.GRPO) == 0 || len(g.Accumulation.Cases) == 0 || len(g.Batch.Completions) == 0 {
		t.Fatalf("%s: expected.json lacks a batch or its losses", dir)
	}
	if g.folder, err = checkpoint.OpenDir(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.folder.Close() })
	return g
}

// tensors opens a file of expected tensors, or returns nil when this copy of the model comes without.
func (g *golden) tensors(t *testing.T, name string) *checkpoint.File {
	t.Helper()
	path := filepath.Join(g.dir, name)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Logf("%s is not there: only its norms are compared", path)
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.ParseTensors(path, data)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// trainer makes a trainer of the golden weights. With the zero Settings the learning rate is 0, so
// that updates leave the weights as they are.
func (g *golden) trainer(t *testing.T, dev device.Device, budget int, recompute bool, s optim.Settings) *Trainer {
	t.Helper()
	m, err := model.New(dev, g.folder.Config(), model.Options{Train: true, Recompute: recompute})
	if err != nil {
		t.Fatal(err)
	}
	s.Eps = max(s.Eps, 1e-8)
	tr := &Trainer{shards: 1, source: &pretrained.Model{Name: g.dir, Config: g.folder.Config()}, budget: budget}
	t.Cleanup(tr.Close)
	if err := tr.add(m, 0, 1, s); err != nil {
		t.Fatal(err)
	}
	if err := m.Load(g.folder); err != nil {
		t.Fatal(err)
	}
	return tr
}

// groups are the completions of the batch by prompt.
func (g *golden) groups(temperature float64) []model.Group {
	var groups []model.Group
	for i := range g.Batch.Prompts {
		if i%g.Batch.GroupSize == 0 {
			groups = append(groups, model.Group{Prompt: g.Batch.Prompts[i], Temperature: float32(temperature)})
		}
		last := &groups[len(groups)-1]
		last.Completions = append(last.Completions, g.Batch.Completions[i])
	}
	return groups
}

// rows are the batch's completions as the loss wants them, but for what the model computes.
func (g *golden) rows(v variant) []grpo.Completion {
	rows := make([]grpo.Completion, len(g.Batch.Completions))
	for i := range rows {
		rows[i].Advantage = g.Batch.Advantages[i]
		if v.UseOld {
			rows[i].Old = g.Batch.Old[i]
		}
		if v.Beta > 0 {
			rows[i].Ref = g.Batch.Ref[i]
		}
		if v.TruncatedIS > 0 {
			rows[i].Sampling = g.Batch.Sampling[i]
		}
	}
	return rows
}

// totals count the whole batch, and what dapo divides by.
func (g *golden) totals(v variant) (batch, step grpo.Totals) {
	for _, c := range g.Batch.Completions {
		batch = batch.Add(grpo.Totals{Sequences: 1, Tokens: len(c)})
	}
	step = batch
	if v.NumItems > 0 {
		step.Tokens = v.NumItems
	}
	return batch, step
}

// loss is the callback for [Trainer.update] that computes v over the batch's rows.
func (g *golden) loss(t *testing.T, v variant, rows []grpo.Completion, norm func(part []grpo.Completion) grpo.Normalizer, stats *grpo.Stats) func(microBatch) ([][]float32, error) {
	t.Helper()
	o := v.objective(t)
	return func(m microBatch) ([][]float32, error) {
		part := rows[m.first : m.first+len(m.logprobs)]
		for i := range part {
			part[i].LogProbs, part[i].Entropies = m.logprobs[i], m.entropies[i]
		}
		return o.Compute(part, norm(part), stats)
	}
}

// update makes one optimizer update with v over the whole batch.
func (g *golden) update(t *testing.T, tr *Trainer, v variant) (grpo.Stats, optim.Report) {
	t.Helper()
	var stats grpo.Stats
	batch, step := g.totals(v)
	whole := func([]grpo.Completion) grpo.Normalizer { return grpo.PerMicroBatch(batch, step, 1) }
	report, err := tr.update(g.groups(v.Temperature), g.loss(t, v, g.rows(v), whole, &stats))
	if err != nil {
		t.Fatal(err)
	}
	return stats, report
}

// Tolerances of float32 against the float64 of the fixtures.
const (
	// lossTol: a loss is a mean of some hundred terms of order 1, each from a log-probability that is
	// off by some 1e-6; the errors have either sign.
	lossTol = 1e-6
	// gradTol, of a tensor's largest entry: the entries of a tensor are sums over the same rows, so
	// rounding scales with the largest terms, not with what is left of an entry after cancellation.
	gradTol = 1e-4
	// normTol, of a norm: errors of entries are independent, so a norm is better known than an entry.
	normTol = 2e-5
	// keyBiasTol, of the norm of a key bias's gradient: a bias that is the same for all keys changes
	// attention only through their rotation, so most of this gradient cancels.
	keyBiasTol = 1e-4
)

// normTolOf is the relative tolerance for the gradient norm of a parameter.
func normTolOf(name string) float64 {
	if strings.HasSuffix(name, "k_proj.bias") {
		return keyBiasTol
	}
	return normTol
}

// checkGradients compares the gradients of the last update.
func (g *golden) checkGradients(t *testing.T, tr *Trainer, want expectedGradients) {
	t.Helper()
	grads, values := gradients(t, tr), weights(t, tr)
	var file *checkpoint.File
	if want.File != "" {
		file = g.tensors(t, want.File)
	}
	params := tr.replicas[0].model.Params()
	if names := slices.Sorted(maps.Keys(want.Norms)); len(names) != len(params) {
		t.Errorf("%d parameters, want the gradients of %v", len(params), names)
	}
	var total float64
	for _, p := range params {
		got, w := grads[p.Offset:p.Offset+p.Len()], values[p.Offset:p.Offset+p.Len()]
		var squares, weight, dot float64
		for i, x := range got {
			squares += float64(x) * float64(x)
			weight += float64(w[i]) * float64(w[i])
			dot += float64(x) * float64(w[i])
		}
		total += squares
		norm := want.Norms[p.Name]
		near(t, "gradient norm of "+p.Name, math.Sqrt(squares), norm, normTolOf(p.Name)*norm)
		// By Cauchy and Schwarz the product is off by at most ‖error‖·‖w‖, whatever it cancels to.
		near(t, "gradient times weight of "+p.Name, dot, want.Dots[p.Name], normTolOf(p.Name)*norm*math.Sqrt(weight))
		if file != nil {
			exp := make([]float32, p.Len())
			tensor, err := file.Tensor(p.Name)
			if err == nil {
				err = tensor.ReadFloat32s(exp)
			}
			if err != nil {
				t.Fatal(err)
			}
			closeTo(t, "gradient of "+p.Name, got, exp, gradTol*largest(exp))
		}
	}
	near(t, "global gradient norm", math.Sqrt(total), want.GradNorm, normTol*want.GradNorm)
}
