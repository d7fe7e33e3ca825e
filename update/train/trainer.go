package train

import (
	"fmt"
	"slices"

	"openrs/stages/device"
	"openrs/stages/model"
	"openrs/stages/pretrained"
	"openrs/update/optim"
	"openrs/update/parallel"
)

// Trainer owns a model under training and its optimizer, on one device or shared among several. It is
// used by one goroutine.
type Trainer struct {
	replicas []*replica         // one a device
	exchange *parallel.Exchange // between them; nil for one
	shards   int                // of a step: len(replicas), or any number on one device
	sum      device.Buffer      // of the shards' gradients, where one device computes several
	source   *pretrained.Model  // configuration and companions for saving
	lora     *model.LoRA        // of the adapters under training; nil: all weights are trained
	seed     int64
	budget   int
}

// replica is the model on one device, and the optimizer of the part of the parameters that it updates
// for all.
type replica struct {
	model         *model.Model
	optimizer     *optim.Optimizer
	params, grads device.Tensor // of all that is trained, 1 × total
	from, to      int           // the optimizer's part
}

// Options of a trainer.
type Options struct {
	Optimizer optim.Settings
	// TokenBudget is the number of token rows that go through the model at once; a step of more is
	// accumulated. It bounds memory. Losses and metrics do not depend on it; gradients do in their
	// rounding where it divides a group (whose prompt is then computed for each part), in a tied embedding,
	// and with BF16 on devices that sum several rows at once (device.GradRows), so a run that must repeat
	// bit for bit keeps its budget.
	TokenBudget int
	// DType is the type in which matrices are multiplied. Parameters, gradients and moments are float32;
	// after each update the parameters are rounded to it.
	DType device.DType
	// Recompute keeps only each layer's input in the forward pass and computes the rest again in the
	// backward pass: less memory, about a third more time.
	Recompute bool
	// Shards is the number of parts of a step whose gradients are computed by themselves and then summed, in
	// order; 0: one a device. One device with as many shards as there were devices makes the same updates,
	// bit for bit.
	Shards int
	// MaxPositions is the longest sequence to expect; 0: the model's context.
	MaxPositions int
	// LoRA asks for adapters to be trained, while the source's weights stay as they are; nil: all weights are
	// trained. Where the source has adapters these go on being trained, and LoRA must describe them.
	LoRA *model.LoRA
	// Seed of the adapters' initial values and of dropout.
	Seed int64
}

// New loads source's weights for training on devices, all of one kind. Each computes a part of every step
// and keeps the optimizer's state for a part of the parameters.
func New(devices []device.Device, source *pretrained.Model, opt Options) (*Trainer, error) {
	n := len(devices)
	if opt.Shards == 0 {
		opt.Shards = n
	}
	switch {
	case opt.TokenBudget < 1:
		return nil, fmt.Errorf("train: token budget is %d, expected at least 1", opt.TokenBudget)
	case opt.Shards < 1 || n > 1 && opt.Shards != n:
		return nil, fmt.Errorf("train: %d shards on %d devices, expected one a device, or one device", opt.Shards, n)
	}
	if source.Adapter != nil && opt.LoRA == nil {
		return nil, fmt.Errorf("train: model %s has adapters, which training in full would leave out: merge them first", source.Name)
	}
	t := &Trainer{shards: opt.Shards, source: source, seed: opt.Seed, budget: opt.TokenBudget}
	for rank, dev := range devices {
		m, err := model.New(dev, source.Config, model.Options{DType: opt.DType, Train: true, Recompute: opt.Recompute, MaxPositions: opt.MaxPositions, LoRA: opt.LoRA})
		if err == nil {
			t.lora = m.Options().LoRA
			err = t.add(m, rank, n, opt.Optimizer)
		}
		if err == nil {
			err = source.Load(m)
		}
		if err == nil && t.lora != nil && source.Adapter == nil {
			err = m.InitAdapter(uint64(opt.Seed))
		}
		if err != nil {
			t.Close()
			return nil, err
		}
	}
	if err := t.connect(devices); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// add puts an optimizer beside a model, for the part of the parameters which rank of n updates. The
// trainer owns the model from then on.
func (t *Trainer) add(m *model.Model, rank, n int, settings optim.Settings) (err error) {
	r := &replica{model: m}
	t.replicas = append(t.replicas, r)
	r.params, r.grads = m.Flat()
	r.from, r.to = parallel.Part(r.params.Cols, rank, n)
	var ranges []optim.Range
	for _, p := range m.Params() {
		from, to := max(p.Offset, r.from), min(p.Offset+p.Len(), r.to)
		if from < to {
			ranges = append(ranges, optim.Range{Name: p.Name, Offset: from - r.from, Len: to - from, Decay: p.Decay})
		}
	}
	r.optimizer, err = optim.New(m.Device(), r.params.ColRange(r.from, r.to), r.grads.ColRange(r.from, r.to), ranges, settings)
	return err
}

// connect allocates what the sum of the shards' gradients needs.
func (t *Trainer) connect(devices []device.Device) (err error) {
	total := t.Parameters()
	switch {
	case len(devices) > 1:
		t.exchange, err = parallel.NewExchange(devices, total)
	case t.shards > 1:
		t.sum, err = devices[0].Alloc(total)
	}
	return err
}

// Close frees the models and the optimizers.
func (t *Trainer) Close() {
	if t.exchange != nil {
		t.exchange.Close()
	}
	for _, r := range t.replicas {
		if t.sum != nil {
			r.model.Device().Free(t.sum)
			t.sum = nil
		}
		if r.optimizer != nil {
			r.optimizer.Close()
		}
		r.model.Close()
	}
}

// Parameters is the number of trained parameters.
func (t *Trainer) Parameters() int { return t.replicas[0].params.Len() }

// Shards is the number of parts of a step that are computed by themselves.
func (t *Trainer) Shards() int { return t.shards }

// Updates is the number of optimizer updates done.
func (t *Trainer) Updates() int64 { return t.replicas[0].optimizer.Steps() }

// microBatch is the part of a step that goes through the model at once.
type microBatch struct {
	shard, device       int // of a shard's micro-batches the order is fixed; shards run at the same time
	pieces              []model.Piece
	packed              *model.Packed
	first               int         // the number in the step of its first completion
	row                 int         // the number in the step of the shard's first row
	masks               uint64      // the seed of what the update drops
	logprobs, entropies [][]float32 // of each completion's tokens, in nats
}

// update makes one optimizer update from the groups: it sends them through the model in micro-batches
// under the token budget, asks loss for the loss gradient of each token's log-probability, and applies
// the optimizer to the sum. loss is called for several shards at the same time. Without groups the
// gradient is zero: momentum and schedule go on, as if completions without a gradient had been sent
// through.
func (t *Trainer) update(groups []model.Group, loss func(microBatch) ([][]float32, error)) (optim.Report, error) {
	if err := t.gradients(groups, loss); err != nil {
		return optim.Report{}, err
	}
	squares, err := t.squares()
	if err != nil {
		return optim.Report{}, err
	}
	reports := make([]optim.Report, len(t.replicas))
	err = parallel.Each(len(t.replicas), func(rank int) (err error) {
		reports[rank], err = t.replicas[rank].optimizer.Step(squares)
		return err
	})
	if err == nil && t.exchange != nil {
		err = t.exchange.Gather(t.tensors(func(r *replica) device.Tensor { return r.params }))
	}
	if err != nil {
		return reports[0], err
	}
	return reports[0], parallel.Each(len(t.replicas), func(rank int) error {
		t.replicas[rank].model.Repack()
		return nil
	})
}

// gradients leaves in each replica's part of its gradients their sum over all shards.
func (t *Trainer) gradients(groups []model.Group, loss func(microBatch) ([][]float32, error)) error {
	sizes := make([]int, len(groups))
	for i, g := range groups {
		sizes[i] = g.Rows()
	}
	bounds := parallel.Shares(sizes, t.shards)
	err := parallel.Each(len(t.replicas), func(rank int) error {
		if t.sum == nil {
			return t.shard(rank, rank, groups, bounds, loss)
		}
		dev, grads := t.replicas[0].model.Device(), t.replicas[0].grads
		sum := device.View(t.sum, 0, 1, grads.Cols)
		for shard := range t.shards {
			if err := t.shard(0, shard, groups, bounds, loss); err != nil {
				return err
			}
			if shard == 0 {
				dev.Copy(sum, grads)
			} else {
				dev.ScatterAddRows(sum, grads, []int32{0})
			}
		}
		dev.Copy(grads, sum)
		return nil
	})
	if err != nil || t.exchange == nil {
		return err
	}
	return t.exchange.Reduce(t.tensors(func(r *replica) device.Tensor { return r.grads }))
}

// shard sets a replica's gradients to those of one shard of the groups.
func (t *Trainer) shard(rank, shard int, groups []model.Group, bounds []int, loss func(microBatch) ([][]float32, error)) error {
	r := t.replicas[rank]
	r.model.ZeroGrads()
	first, row := 0, 0
	for _, g := range groups[:bounds[shard]] {
		first, row = first+len(g.Completions), row+g.Rows()
	}
	part := groups[bounds[shard]:bounds[shard+1]]
	for _, pieces := range model.Split(part, t.budget) {
		n, err := r.accumulate(part, microBatch{shard: shard, device: rank, pieces: pieces, first: first, row: row, masks: t.masks()}, loss)
		if err != nil {
			return err
		}
		first += n
	}
	return r.model.Device().Sync()
}

// accumulate adds one micro-batch's gradients and returns its number of completions.
func (r *replica) accumulate(groups []model.Group, m microBatch, loss func(microBatch) ([][]float32, error)) (int, error) {
	var err error
	if m.packed, err = model.Pack(groups, m.pieces); err != nil {
		return 0, err
	}
	m.packed.Seed = m.masks
	for i := range m.packed.Numbers {
		m.packed.Numbers[i] += int32(m.row)
	}
	pass, err := r.model.Forward(m.packed)
	if err != nil {
		return 0, fmt.Errorf("forward pass of %d tokens: %w", len(m.packed.IDs), err)
	}
	if m.logprobs, err = model.Ragged(groups, m.pieces, pass.LogProbs()); err != nil {
		return 0, err
	}
	if m.entropies, err = model.Ragged(groups, m.pieces, pass.Entropies()); err != nil {
		return 0, err
	}
	grads, err := loss(m)
	if err != nil {
		return 0, err
	}
	if err := r.model.Backward(pass, slices.Concat(grads...)); err != nil {
		return 0, fmt.Errorf("backward pass of %d tokens: %w", len(m.packed.IDs), err)
	}
	return len(m.logprobs), nil
}

// squares is the sum of the squares of all gradients, part by part as there are shards.
func (t *Trainer) squares() (float64, error) {
	parts := make([]float64, t.shards)
	err := parallel.Each(len(t.replicas), func(rank int) (err error) {
		r := t.replicas[rank]
		for i := range parts {
			if t.exchange != nil && i != rank {
				continue
			}
			from, to := parallel.Part(r.grads.Cols, i, len(parts))
			if parts[i], err = r.model.Device().SumSquares(r.grads.ColRange(from, to)); err != nil {
				return fmt.Errorf("norm of the gradients: %w", err)
			}
		}
		return nil
	})
	sum := 0.0
	for _, p := range parts {
		sum += p
	}
	return sum, err
}

// tensors lists one tensor of each replica.
func (t *Trainer) tensors(of func(*replica) device.Tensor) []device.Tensor {
	out := make([]device.Tensor, len(t.replicas))
	for i, r := range t.replicas {
		out[i] = of(r)
	}
	return out
}
