package train

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"openrs/stages/atomicfile"
	"openrs/stages/checkpoint"
	"openrs/stages/model"
	"openrs/stages/pretrained"
	"openrs/update/optim"
)

// moments returns the optimizer's state.
func moments(t *testing.T, tr *Trainer) optim.State {
	t.Helper()
	s, err := tr.moments()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sameTrainer checks weights and moments for equal bits.
func sameTrainer(t *testing.T, got, want *Trainer) {
	t.Helper()
	sameBits(t, "weights", weights(t, got), weights(t, want))
	a, b := moments(t, got), moments(t, want)
	sameBits(t, "first moments", a.M, b.M)
	sameBits(t, "second moments", a.V, b.V)
	if a.Steps != b.Steps {
		t.Errorf("%d updates, want %d", a.Steps, b.Steps)
	}
}

// TestRestoreGoesOn: a run taken up from a checkpoint gives the bits of one that never stopped.
func TestRestoreGoesOn(t *testing.T) {
	dir := t.TempDir()
	kept := newTiny(t, 1)
	g := &GRPO{Live: true, Trainer: kept, Objective: dapo(t), OnPolicy: true}
	for step := range int64(2) {
		run(t, g, makeStep(t, kept, step, mixed...))
	}
	saved := State{Step: 2, NextSequence: 9, Seed: 4, Settings: map[string]string{"lr": "0.1"}}
	if err := kept.Save(dir, saved, 0); err != nil {
		t.Fatal(err)
	}
	// The other one starts from other weights.
	again := newTiny(t, 2)
	folder, err := Latest(dir)
	if err != nil {
		t.Fatal(err)
	}
	state, err := again.Restore(folder)
	if err != nil {
		t.Fatal(err)
	}
	if state.Step != 2 || state.NextSequence != 9 || state.Updates != 2 || state.Seed != 4 || !maps.Equal(state.Settings, saved.Settings) {
		t.Errorf("state %+v, want %+v after 2 updates", state, saved)
	}
	sameTrainer(t, again, kept)
	h := &GRPO{Live: true, Trainer: again, Objective: dapo(t), OnPolicy: true}
	for step := int64(2); step < 4; step++ {
		s := makeStep(t, kept, step, mixed...)
		want, got := run(t, g, s), run(t, h, s)
		if !maps.Equal(got, want) {
			t.Errorf("step %d: metrics %v, want %v", step, got, want)
		}
	}
	sameTrainer(t, again, kept)
}

// TestRestoreRefuses damages a checkpoint in every way that a crash or a hand could.
func TestRestoreRefuses(t *testing.T) {
	tr := newTiny(t, 1)
	run(t, &GRPO{Live: true, Trainer: tr, Objective: dapo(t)}, makeStep(t, tr, 0, mixed...))
	dir := t.TempDir()
	if err := tr.Save(dir, State{Step: 1, NextSequence: 2}, 0); err != nil {
		t.Fatal(err)
	}
	sound := filepath.Join(dir, "checkpoint-1")

	truncate := func(name string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) { edit(t, dir, name, func(b []byte) []byte { return b[:len(b)/2] }) }
	}
	replace := func(name, text string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) { edit(t, dir, name, func([]byte) []byte { return []byte(text) }) }
	}
	remove := func(name string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	alter := func(change func([]checkpoint.NamedTensor) []checkpoint.NamedTensor) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) { alterMoments(t, tr, filepath.Join(dir, optimizerFile), change) }
	}
	for name, c := range map[string]struct {
		damage func(t *testing.T, dir string)
		says   []string
		is     error
	}{
		"no state":          {remove(stateFile), []string{stateFile}, fs.ErrNotExist},
		"no moments":        {remove(optimizerFile), []string{optimizerFile}, fs.ErrNotExist},
		"no weights":        {remove(checkpoint.WeightsFile), []string{checkpoint.WeightsFile}, fs.ErrNotExist},
		"no config":         {remove(checkpoint.ConfigFile), []string{checkpoint.ConfigFile}, fs.ErrNotExist},
		"half the state":    {truncate(stateFile), []string{stateFile}, nil},
		"half the moments":  {truncate(optimizerFile), []string{optimizerFile}, checkpoint.ErrFormat},
		"half the weights":  {truncate(checkpoint.WeightsFile), []string{checkpoint.WeightsFile}, checkpoint.ErrFormat},
		"empty moments":     {replace(optimizerFile, ""), []string{optimizerFile}, checkpoint.ErrFormat},
		"empty state":       {replace(stateFile, "{}"), []string{stateFile, "message 0"}, nil},
		"step below 0":      {replace(stateFile, `{"step":-1,"next_sequence":1}`), []string{stateFile, "step -1"}, nil},
		"step is a text":    {replace(stateFile, `{"step":"1","next_sequence":1}`), []string{stateFile, "step"}, nil},
		"a moment missing":  {alter(func(m []checkpoint.NamedTensor) []checkpoint.NamedTensor { return m[1:] }), []string{optimizerFile, firstMoment + embedding}, checkpoint.ErrNoTensor},
		"a moment turned":   {alter(turn), []string{optimizerFile, firstMoment + embedding, "shape"}, nil},
		"a moment not real": {alter(spoil), []string{"NaN"}, optim.ErrState},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "checkpoint-1")
			if err := os.CopyFS(dir, os.DirFS(sound)); err != nil {
				t.Fatal(err)
			}
			c.damage(t, dir)
			_, err := newTiny(t, 1).Restore(dir)
			if err == nil || c.is != nil && !errors.Is(err, c.is) {
				t.Fatalf("error %v, want %v", err, c.is)
			}
			for _, text := range c.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("error %q does not say %q", err, text)
				}
			}
		})
	}

	t.Run("another model", func(t *testing.T) {
		other := newTrainerOf(t, open(t, pretrained.Tiny, 0), Options{Optimizer: settings(), TokenBudget: 10})
		if other.Parameters() == tr.Parameters() {
			t.Skip("both models have the same shape")
		}
		if _, err := other.Restore(sound); !errors.Is(err, model.ErrTensors) {
			t.Errorf("error %v, want ErrTensors", err)
		}
	})
	if _, err := newTiny(t, 1).Restore(sound); err != nil {
		t.Errorf("the undamaged checkpoint: %v", err)
	}
}

func edit(t *testing.T, dir, name string, change func([]byte) []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// alterMoments writes the trainer's moments to path, changed.
func alterMoments(t *testing.T, tr *Trainer, path string, change func([]checkpoint.NamedTensor) []checkpoint.NamedTensor) {
	t.Helper()
	state := moments(t, tr)
	var all []checkpoint.NamedTensor
	for _, p := range tr.replicas[0].model.Params() {
		for name, v := range map[string][]float32{firstMoment: state.M, secondMoment: state.V} {
			all = append(all, checkpoint.NamedTensor{Name: name + p.Name, Shape: slices.Clone(p.Shape), Values: v[p.Offset : p.Offset+p.Len()]})
		}
	}
	slices.SortFunc(all, func(a, b checkpoint.NamedTensor) int { // the embedding's first moment comes first
		return strings.Compare(a.Name, b.Name)
	})
	err := atomicfile.Write(path, func(w io.Writer) error {
		return checkpoint.WriteTensors(w, change(all), checkpoint.F32, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func turn(m []checkpoint.NamedTensor) []checkpoint.NamedTensor {
	slices.Reverse(m[0].Shape)
	return m
}

func spoil(m []checkpoint.NamedTensor) []checkpoint.NamedTensor {
	m[0].Values[3] = float32(math.NaN())
	return m
}

// TestLatest: only whole checkpoints count, by number.
func TestLatest(t *testing.T) {
	dir := t.TempDir()
	if _, err := Latest(filepath.Join(dir, "none")); !errors.Is(err, ErrNoCheckpoint) {
		t.Errorf("no folder: error %v, want ErrNoCheckpoint", err)
	}
	for _, name := range []string{"checkpoint-9.tmp-00c0ffee", "checkpoint-9.old-00c0ffee", "checkpoint-", "checkpoint-best", "checkpoint--3", "checkpoint-007", "model", "checkpoint-8x"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "checkpoint-11"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Latest(dir); !errors.Is(err, ErrNoCheckpoint) {
		t.Errorf("error %v, want ErrNoCheckpoint", err)
	}
	for _, name := range []string{"checkpoint-0", "checkpoint-2", "checkpoint-10"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if got, err := Latest(dir); err != nil || got != filepath.Join(dir, name) {
			t.Errorf("latest is %s, %v; want %s", got, err, name)
		}
	}
	if _, err := Latest(filepath.Join(dir, "checkpoint-11")); err == nil || errors.Is(err, ErrNoCheckpoint) {
		t.Errorf("a file for a folder: error %v", err)
	}
}

// TestSaveKeeps: the newest checkpoints stay, other folders too, and a step can be saved again.
func TestSaveKeeps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "checkpoints")
	tr := newTiny(t, 1)
	save := func(step int64, keep int) {
		t.Helper()
		if err := tr.Save(dir, State{Step: step, NextSequence: 1}, keep); err != nil {
			t.Fatal(err)
		}
	}
	want := func(names ...string) {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, e.Name())
		}
		if !slices.Equal(got, names) {
			t.Errorf("folders %v, want %v", got, names)
		}
	}
	save(8, 2)
	if err := os.Mkdir(filepath.Join(dir, "mine"), 0o700); err != nil {
		t.Fatal(err)
	}
	save(9, 2)
	save(9, 2)
	save(10, 2)
	want("checkpoint-10", "checkpoint-9", "mine")
	save(11, 0)
	want("checkpoint-10", "checkpoint-11", "checkpoint-9", "mine")
	save(12, 1)
	want("checkpoint-12", "mine")
}

// TestExport: the model alone, as a folder that opens like any other.
func TestExport(t *testing.T) {
	tr := newTiny(t, 1)
	run(t, &GRPO{Live: true, Trainer: tr, Objective: dapo(t)}, makeStep(t, tr, 0, mixed...))
	want := weights(t, tr)
	dir := filepath.Join(t.TempDir(), "out", "model")
	for _, dtype := range []checkpoint.DType{checkpoint.F32, checkpoint.BF16, ""} {
		if err := tr.Export(dir, dtype); err != nil {
			t.Fatal(err)
		}
		again := newTrainerOf(t, open(t, dir, 0), Options{Optimizer: settings(), TokenBudget: 10})
		got := weights(t, again)
		if dtype == checkpoint.F32 {
			sameBits(t, "weights", got, want)
			continue
		}
		for i := range want { // eight bits of mantissa, rounded to nearest
			if d := math.Abs(float64(got[i]) - float64(want[i])); d > math.Abs(float64(want[i]))/256 {
				t.Fatalf("%q: weight %d is %v, want %v", dtype, i, got[i], want[i])
			}
		}
		if slices.Equal(got, want) {
			t.Errorf("%q: the weights are those of float32", dtype)
		}
	}
	source := open(t, dir, 0)
	if text := source.Tokenizer.Decode(source.Tokenizer.Encode("1 + 2"), false); text != "1 + 2" || len(source.EOS) == 0 {
		t.Errorf("the tokenizer gives %q back, end tokens %v", text, source.EOS)
	}
	for _, name := range []string{stateFile, optimizerFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s in a model folder: %v", name, err)
		}
	}
	if err := tr.Export(filepath.Join(dir, checkpoint.ConfigFile, "x"), ""); err == nil {
		t.Error("exported below a file")
	}
}

// TestSaveIsReproducible: the same run leaves the same bytes.
func TestSaveIsReproducible(t *testing.T) {
	var files [2]map[string][]byte
	for i := range files {
		dir := t.TempDir()
		tr := newTiny(t, 1)
		run(t, &GRPO{Live: true, Trainer: tr, Objective: dapo(t)}, makeStep(t, tr, 0, mixed...))
		if err := tr.Save(dir, State{Step: 1, NextSequence: 2, Settings: map[string]string{"b": "1", "a": "2"}}, 0); err != nil {
			t.Fatal(err)
		}
		files[i] = map[string][]byte{}
		entries, err := os.ReadDir(filepath.Join(dir, "checkpoint-1"))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if files[i][e.Name()], err = os.ReadFile(filepath.Join(dir, "checkpoint-1", e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !maps.EqualFunc(files[0], files[1], bytes.Equal) || len(files[0]) < 5 {
		t.Errorf("two checkpoints of %d files differ", len(files[0]))
	}
}
