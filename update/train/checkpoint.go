package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"openrs/stages/adapter"
	"openrs/stages/checkpoint"
	"openrs/stages/pretrained"
	"openrs/update/optim"
)

// A checkpoint is the folder of a model, or of the adapters where these are trained, DIR/checkpoint-STEP, with two
// files more: the optimizer's moments and the state below. It appears complete or not at all.
const (
	stateFile     = "trainer_state.json"
	optimizerFile = "optimizer.safetensors"
	prefix        = "checkpoint-"
)

// Names of the moments in optimizerFile: these and the parameter's name.
const firstMoment, secondMoment = "exp_avg.", "exp_avg_sq."

// State is where a run stands, beside its weights and moments.
type State struct {
	// Step is the next step to make, which is also the version of the weights.
	Step int64 `json:"step"`
	// NextSequence is the message of the input stream to read from, 1 or more.
	NextSequence uint64 `json:"next_sequence"`
	// Updates is how many optimizer updates have been made.
	Updates int64 `json:"optimizer_updates"`
	// Seed of the run, and the Settings it was started with, for the record.
	Seed     int64             `json:"seed"`
	Settings map[string]string `json:"settings,omitempty"`
	// Base is the digest of the weights that adapters are put on; empty where all weights are trained.
	Base string `json:"base_sha256,omitempty"`
}

// ErrNoCheckpoint says that a folder holds no checkpoint.
var ErrNoCheckpoint = errors.New("no checkpoint")

// Save writes the folder of a checkpoint below dir and removes all but the newest `keep` (0: keeps
// all). Weights are stored in float32: training goes on with the very bits.
func (t *Trainer) Save(dir string, s State, keep int) error {
	state, err := t.moments()
	if err != nil {
		return err
	}
	s.Updates = state.Steps
	if t.lora != nil {
		if s.Base, err = t.source.Digest(); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	var moments []checkpoint.NamedTensor
	for _, p := range t.replicas[0].model.Params() {
		moments = append(moments,
			checkpoint.NamedTensor{Name: firstMoment + p.Name, Shape: p.Shape, Values: state.M[p.Offset : p.Offset+p.Len()]},
			checkpoint.NamedTensor{Name: secondMoment + p.Name, Shape: p.Shape, Values: state.V[p.Offset : p.Offset+p.Len()]})
	}
	files := append(slices.Clone(t.source.Companions),
		checkpoint.ExtraFile{Name: stateFile, Data: append(text, '\n')},
		checkpoint.ExtraFile{Name: optimizerFile, Write: func(w io.Writer) error {
			return checkpoint.WriteTensors(w, moments, checkpoint.F32, nil)
		}})
	folder := filepath.Join(dir, prefix+strconv.FormatInt(s.Step, 10))
	if t.lora == nil {
		err = t.export(folder, checkpoint.F32, files)
	} else {
		err = t.saveAdapter(folder, files)
	}
	if err != nil {
		return fmt.Errorf("checkpoint of step %d: %w", s.Step, err)
	}
	if keep > 0 {
		return prune(dir, keep)
	}
	return nil
}

// saveAdapter writes the folder of a checkpoint of adapters.
func (t *Trainer) saveAdapter(folder string, more []checkpoint.ExtraFile) error {
	files, err := t.adapterFiles(checkpoint.F32)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return err
	}
	return checkpoint.WriteFolder(folder, append(files, more...))
}

// Export writes the model alone, adapters built in, as a Hugging Face folder. With "" the type is the one the
// model came in.
func (t *Trainer) Export(dir string, dtype checkpoint.DType) error {
	return t.export(dir, dtype, t.source.Companions)
}

func (t *Trainer) export(dir string, dtype checkpoint.DType, files []checkpoint.ExtraFile) error {
	tensors, err := t.exported()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	return checkpoint.Save(dir, t.source.Config, tensors, checkpoint.SaveOptions{DType: dtype, Files: files})
}

// Restore puts the weights and moments of the checkpoint in folder into t and returns its state.
func (t *Trainer) Restore(folder string) (State, error) {
	s, err := readState(folder)
	if err != nil {
		return State{}, err
	}
	if t.lora != nil {
		err = t.restoreAdapter(folder, s.Base)
	} else {
		err = t.restoreModel(folder)
	}
	if err != nil {
		return State{}, err
	}
	path := filepath.Join(folder, optimizerFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return State{}, err
	}
	moments, err := checkpoint.ParseTensors(path, data)
	if err != nil {
		return State{}, err
	}
	state := optim.State{Steps: s.Updates, M: make([]float32, t.Parameters()), V: make([]float32, t.Parameters())}
	for _, p := range t.replicas[0].model.Params() {
		for name, into := range map[string][]float32{firstMoment: state.M, secondMoment: state.V} {
			tensor, err := moments.Tensor(name + p.Name)
			if err != nil {
				return State{}, err
			}
			if !slices.Equal(tensor.Shape, p.Shape) {
				return State{}, fmt.Errorf("%s: tensor %q has shape %v, expected %v", path, tensor.Name, tensor.Shape, p.Shape)
			}
			if err := tensor.ReadFloat32s(into[p.Offset : p.Offset+p.Len()]); err != nil {
				return State{}, err
			}
		}
	}
	return s, t.setMoments(state)
}

// restoreModel puts the weights of a checkpoint into the replicas.
func (t *Trainer) restoreModel(folder string) error {
	if adapter.Is(folder) {
		return fmt.Errorf("%s has adapters: expected the settings that they were trained with (--lora-rank, …)", folder)
	}
	saved, err := pretrained.Open(folder, 0)
	if err != nil {
		return err
	}
	defer saved.Close()
	for _, r := range t.replicas {
		if err := saved.Load(r.model); err != nil {
			return err
		}
	}
	return nil
}

// moments collects the optimizers' states as one.
func (t *Trainer) moments() (optim.State, error) {
	if len(t.replicas) == 1 {
		return t.replicas[0].optimizer.State()
	}
	all := optim.State{Steps: t.Updates(), M: make([]float32, 0, t.Parameters()), V: make([]float32, 0, t.Parameters())}
	for _, r := range t.replicas {
		s, err := r.optimizer.State()
		if err != nil {
			return optim.State{}, err
		}
		all.M, all.V = append(all.M, s.M...), append(all.V, s.V...)
	}
	return all, nil
}

// setMoments is the reverse of moments, whatever the number of devices was.
func (t *Trainer) setMoments(all optim.State) error {
	for _, r := range t.replicas {
		if err := r.optimizer.SetState(optim.State{Steps: all.Steps, M: all.M[r.from:r.to], V: all.V[r.from:r.to]}); err != nil {
			return err
		}
	}
	return nil
}

func readState(folder string) (State, error) {
	path := filepath.Join(folder, stateFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return State{}, err
	}
	var s State
	if err := json.Unmarshal(data, &s); err != nil {
		return State{}, fmt.Errorf("%s: %w", path, err)
	}
	if s.Step < 0 || s.Updates < 0 || s.NextSequence < 1 {
		return State{}, fmt.Errorf("%s: step %d after %d updates, to read from message %d; expected none below 0, 0 and 1", path, s.Step, s.Updates, s.NextSequence)
	}
	return s, nil
}

// Latest returns the folder of the newest checkpoint below dir, or ErrNoCheckpoint.
func Latest(dir string) (string, error) {
	found, err := list(dir)
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", fmt.Errorf("%w in %s", ErrNoCheckpoint, dir)
	}
	return filepath.Join(dir, prefix+strconv.FormatInt(found[len(found)-1], 10)), nil
}

// list returns the steps of the checkpoints below dir, ascending.
func list(dir string) ([]int64, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []int64
	for _, e := range entries {
		if text, ok := strings.CutPrefix(e.Name(), prefix); ok && e.IsDir() {
			if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 && text == strconv.FormatInt(n, 10) {
				found = append(found, n)
			}
		}
	}
	slices.Sort(found)
	return found, nil
}

// Tidy removes what an update that was killed has left half written in its folder. No other update may be
// at work there.
func Tidy(dir string) error {
	for _, pattern := range []string{
		"checkpoints/" + prefix + "*.tmp-*", "model.tmp-*", "adapter.tmp-*", "policy-*.safetensors", ".policy-*.safetensors.*.tmp", "policies/.*.tmp",
	} {
		left, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
		if err != nil {
			return err
		}
		for _, path := range left {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	return nil
}

func prune(dir string, keep int) error {
	found, err := list(dir)
	if err != nil {
		return err
	}
	for _, n := range found[:max(0, len(found)-keep)] {
		if err := os.RemoveAll(filepath.Join(dir, prefix+strconv.FormatInt(n, 10))); err != nil {
			return err
		}
	}
	return nil
}
