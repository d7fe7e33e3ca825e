package train

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	"openrs/schemas"
	"openrs/stages"
	"openrs/stages/device"
	"openrs/stages/device/testdevice"
	"openrs/stages/model"
	"openrs/stages/pretrained"
	"openrs/update/grpo"
	"openrs/update/optim"
	"openrs/update/steps"
)

// shape is the model of the tests that need no particular weights.
const shape = "shape:tiny"

// settings learn fast enough for two updates to be seen, and change with the number of the update, so
// that a run continued at a wrong one is found out.
func settings() optim.Settings {
	s := optim.Default()
	s.LR, s.WeightDecay = 3e-4, 0.1
	s.Schedule = optim.Schedule{Name: "linear", TotalSteps: 20}
	return s
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func newDevice(t *testing.T) device.Device { return testdevice.Open(t, 0, 0, device.F32) }

// open opens a model by name for the time of the test.
func open(t *testing.T, name string, seed uint64) *pretrained.Model {
	t.Helper()
	source, err := pretrained.Open(name, seed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close() })
	return source
}

// newTiny makes a trainer of a tiny model whose weights depend on seed, on a device of its own.
func newTiny(t *testing.T, seed uint64) *Trainer {
	t.Helper()
	return newTrainerOf(t, open(t, shape, seed), Options{Optimizer: settings(), TokenBudget: 100})
}

func newTrainerOf(t *testing.T, source *pretrained.Model, opt Options) *Trainer {
	t.Helper()
	return newTrainerOn(t, []device.Device{testdevice.Open(t, 0, 0, opt.DType)}, source, opt)
}

func newTrainerOn(t *testing.T, devices []device.Device, source *pretrained.Model, opt Options) *Trainer {
	t.Helper()
	tr, err := New(devices, source, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	return tr
}

// newReference is a frozen copy of what newTiny of the same seed starts from, on each of the trainer's
// devices.
func newReference(t *testing.T, tr *Trainer, seed uint64) (all []Scorer) {
	t.Helper()
	source := open(t, shape, seed)
	for _, r := range tr.replicas {
		m, err := model.New(r.model.Device(), source.Config, model.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		if err := source.Load(m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func objective(t *testing.T, cfg grpo.Config) *grpo.Objective {
	t.Helper()
	o, err := grpo.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// dapo is the objective of most tests: the mean over the step's tokens, clipped at 0.2.
func dapo(t *testing.T) *grpo.Objective {
	t.Helper()
	return objective(t, grpo.Config{Loss: "dapo", EpsLow: 0.2, EpsHigh: 0.2})
}

// groupSpec describes a group to make up.
type groupSpec struct {
	id          string
	advantages  []float32 // one for each completion
	temperature float32   // 0: 1
}

// makeStep makes up completions and records the log-probabilities that the trainer's weights give
// them, as generate would. The same specs give the same tokens.
func makeStep(t *testing.T, tr *Trainer, number int64, specs ...groupSpec) steps.Step {
	t.Helper()
	s := steps.Step{Number: number}
	for _, spec := range specs {
		rng := rand.New(rand.NewPCG(uint64(number), uint64(len(s.Groups))))
		ids := func(n int) []int32 {
			out := make([]int32, n)
			for i := range out {
				out[i] = int32(rng.IntN(256))
			}
			return out
		}
		g := steps.Group{ID: spec.id}
		prompt := ids(3 + rng.IntN(6))
		for i, a := range spec.advantages {
			reward := a
			row := schemas.Scored{Reward: &reward, Advantage: a, Rewards: map[string]float32{"accuracy": reward}, Rollout: schemas.Rollout{
				GroupID: spec.id, ProblemID: "p-" + spec.id, Sample: int32(i), Step: number, PolicyVersion: number,
				PromptIDs: prompt, CompletionIDs: ids(1 + rng.IntN(9)), FinishReason: schemas.FinishStop, Temperature: cmp.Or(spec.temperature, 1),
			}}
			g.Rows = append(g.Rows, row)
		}
		record(t, tr, g.Rows)
		s.Groups = append(s.Groups, g)
	}
	return s
}

// record fills in the log-probabilities, each completion by itself and without a gradient.
func record(t *testing.T, tr *Trainer, rows []schemas.Scored) {
	t.Helper()
	for i := range rows {
		r := &rows[i]
		groups := []model.Group{{Prompt: r.PromptIDs, Completions: [][]int32{r.CompletionIDs}, Temperature: r.Temperature}}
		p, err := model.Pack(groups, model.Whole(groups))
		if err != nil {
			t.Fatal(err)
		}
		if r.LogProbs, _, err = tr.replicas[0].model.LogProbs(p); err != nil {
			t.Fatal(err)
		}
	}
}

// cloneStep copies a step so that its rows can be changed.
func cloneStep(s steps.Step) steps.Step {
	s.Groups = slices.Clone(s.Groups)
	for i := range s.Groups {
		rows := slices.Clone(s.Groups[i].Rows)
		for j := range rows {
			rows[j].LogProbs = slices.Clone(rows[j].LogProbs)
		}
		s.Groups[i].Rows = rows
	}
	return s
}

// run makes a step that must succeed and returns its metrics by name; a name given twice, or a value
// that is not finite, fails the test.
func run(t *testing.T, g *GRPO, s steps.Step) map[string]float64 {
	t.Helper()
	values, err := g.Step(s)
	if err != nil {
		t.Fatal(err)
	}
	return byName(t, values)
}

func byName(t *testing.T, values []stages.Value) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for _, v := range values {
		if _, twice := out[v.Name]; twice || math.IsNaN(v.Value) || math.IsInf(v.Value, 0) {
			t.Errorf("metric %s = %v: expected a finite number, once", v.Name, v.Value)
		}
		out[v.Name] = v.Value
	}
	return out
}

// weights returns the float32 masters.
func weights(t *testing.T, tr *Trainer) []float32 {
	t.Helper()
	params, _ := tr.replicas[0].model.Flat()
	return download(t, tr, params)
}

// gradients returns those of the last update.
func gradients(t *testing.T, tr *Trainer) []float32 {
	t.Helper()
	_, grads := tr.replicas[0].model.Flat()
	return download(t, tr, grads)
}

func download(t *testing.T, tr *Trainer, x device.Tensor) []float32 {
	t.Helper()
	v := make([]float32, x.Len())
	if err := tr.replicas[0].model.Device().Download(v, x); err != nil {
		t.Fatal(err)
	}
	return v
}

// sameBits checks exact equality.
func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: value %d is %v, want the bits of %v", what, i, got[i], want[i])
		}
	}
}

// closeGradients compares each parameter's gradients up to tol of the largest entry of that parameter.
func closeGradients(t *testing.T, tr *Trainer, got, want []float32, tol float64) {
	t.Helper()
	for _, p := range tr.replicas[0].model.Params() {
		w := want[p.Offset : p.Offset+p.Len()]
		closeTo(t, "gradient of "+p.Name, got[p.Offset:p.Offset+p.Len()], w, tol*largest(w))
	}
}

func largest(x []float32) float64 {
	var top float32
	for _, v := range x {
		top = max(top, v, -v)
	}
	return float64(top)
}

func closeTo(t *testing.T, what string, got, want []float32, tol float64) {
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

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s is %.9g, want %.9g (off by %.2g, tolerance %.2g)", what, got, want, math.Abs(got-want), tol)
	}
}

// journal is a log handler that keeps the numbers of each record: what a loop says about its steps.
type journal struct {
	mu      sync.Mutex
	records []map[string]float64
	texts   []string
}

func (j *journal) Enabled(context.Context, slog.Level) bool { return true }
func (j *journal) WithAttrs([]slog.Attr) slog.Handler       { return j }
func (j *journal) WithGroup(string) slog.Handler            { return j }

func (j *journal) Handle(_ context.Context, r slog.Record) error {
	numbers := map[string]float64{}
	r.Attrs(func(a slog.Attr) bool {
		if v, err := strconv.ParseFloat(fmt.Sprint(a.Value.Any()), 64); err == nil {
			numbers[a.Key] = v
		}
		return true
	})
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records, j.texts = append(j.records, numbers), append(j.texts, r.Message)
	return nil
}

// trained returns the records of steps, in order.
func (j *journal) trained() []map[string]float64 {
	var out []map[string]float64
	for i, text := range j.texts {
		if text == "trained" {
			out = append(out, j.records[i])
		}
	}
	return out
}
