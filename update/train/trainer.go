package train

import (
	"fmt"
	"slices"

	"openrs/stages/device"
	"openrs/stages/model"
	"openrs/stages/pretrained"
	"openrs/update/optim"
)

// Trainer owns a model under training and its optimizer. It is used by one goroutine.
type Trainer struct {
	model     *model.Model
	optimizer *optim.Optimizer
	source    *pretrained.Model // configuration and companions for saving
	budget    int
}

// Options of a trainer.
type Options struct {
	Optimizer optim.Settings
	// TokenBudget is the number of token rows that go through the model at once; a step of more is
	// accumulated. It bounds memory. Losses and metrics do not depend on it; gradients do in their
	// rounding where it divides a group (whose prompt is then computed for each part) and in a tied
	// embedding, so a run that must repeat bit for bit keeps its budget.
	TokenBudget int
	// DType is the type in which matrices are multiplied. Parameters, gradients and moments are float32;
	// after each update the parameters are rounded to it.
	DType device.DType
	// Recompute keeps only each layer's input in the forward pass and computes the rest again in the
	// backward pass: less memory, about a third more time.
	Recompute bool
	// MaxPositions is the longest sequence to expect; 0: the model's context.
	MaxPositions int
}

// New loads source's weights for training on dev.
func New(dev device.Device, source *pretrained.Model, opt Options) (*Trainer, error) {
	if opt.TokenBudget < 1 {
		return nil, fmt.Errorf("train: token budget is %d, expected at least 1", opt.TokenBudget)
	}
	m, err := model.New(dev, source.Config, model.Options{DType: opt.DType, Train: true, Recompute: opt.Recompute, MaxPositions: opt.MaxPositions})
	if err != nil {
		return nil, err
	}
	if err := source.Load(m); err != nil {
		m.Close()
		return nil, err
	}
	t, err := newTrainer(m, source, opt)
	if err != nil {
		m.Close()
		return nil, err
	}
	return t, nil
}

// newTrainer puts an optimizer beside a model that has its weights. On an error the model is still
// the caller's.
func newTrainer(m *model.Model, source *pretrained.Model, opt Options) (*Trainer, error) {
	params, grads := m.Flat()
	var ranges []optim.Range
	for _, p := range m.Params() {
		ranges = append(ranges, optim.Range{Name: p.Name, Offset: p.Offset, Len: p.Len(), Decay: p.Decay})
	}
	optimizer, err := optim.New(m.Device(), params, grads, ranges, opt.Optimizer)
	if err != nil {
		return nil, err
	}
	return &Trainer{model: m, optimizer: optimizer, source: source, budget: opt.TokenBudget}, nil
}

// Close frees the model and the optimizer.
func (t *Trainer) Close() {
	t.optimizer.Close()
	t.model.Close()
}

// Parameters is the number of trained parameters.
func (t *Trainer) Parameters() int {
	params, _ := t.model.Flat()
	return params.Len()
}

// Updates is the number of optimizer updates done.
func (t *Trainer) Updates() int64 { return t.optimizer.Steps() }

// microBatch is the part of a step that goes through the model at once.
type microBatch struct {
	pieces              []model.Piece
	packed              *model.Packed
	first               int         // the number in the step of its first completion
	logprobs, entropies [][]float32 // of each completion's tokens, in nats
}

// update makes one optimizer update from the groups: it sends them through the model in micro-batches
// under the token budget, asks loss for the loss gradient of each token's log-probability, and applies
// the optimizer to the sum. Without groups the gradient is zero: momentum and schedule go on, as if
// completions without a gradient had been sent through.
func (t *Trainer) update(groups []model.Group, loss func(microBatch) ([][]float32, error)) (optim.Report, error) {
	t.model.ZeroGrads()
	first := 0
	for _, pieces := range model.Split(groups, t.budget) {
		n, err := t.accumulate(groups, pieces, first, loss)
		if err != nil {
			return optim.Report{}, err
		}
		first += n
	}
	report, err := t.optimizer.Step()
	if err != nil {
		return report, err
	}
	t.model.Repack()
	return report, nil
}

// accumulate adds one micro-batch's gradients and returns its number of completions.
func (t *Trainer) accumulate(groups []model.Group, pieces []model.Piece, first int, loss func(microBatch) ([][]float32, error)) (int, error) {
	packed, err := model.Pack(groups, pieces)
	if err != nil {
		return 0, err
	}
	pass, err := t.model.Forward(packed)
	if err != nil {
		return 0, fmt.Errorf("forward pass of %d tokens: %w", len(packed.IDs), err)
	}
	m := microBatch{pieces: pieces, packed: packed, first: first}
	if m.logprobs, err = model.Ragged(groups, pieces, pass.LogProbs()); err != nil {
		return 0, err
	}
	if m.entropies, err = model.Ragged(groups, pieces, pass.Entropies()); err != nil {
		return 0, err
	}
	grads, err := loss(m)
	if err != nil {
		return 0, err
	}
	if err := t.model.Backward(pass, slices.Concat(grads...)); err != nil {
		return 0, fmt.Errorf("backward pass of %d tokens: %w", len(packed.IDs), err)
	}
	return len(m.logprobs), nil
}
