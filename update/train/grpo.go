package train

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"openrs/schemas"
	"openrs/stages"
	"openrs/stages/model"
	"openrs/stages/summary"
	"openrs/update/grpo"
	"openrs/update/steps"
)

// ErrOffPolicy says that a token that was sampled from the very weights being trained does not have
// the log-probability that was recorded for it.
var ErrOffPolicy = errors.New("recorded and computed log-probabilities of on-policy tokens differ")

// GRPO makes optimizer steps from scored groups.
type GRPO struct {
	Trainer   *Trainer
	Objective *grpo.Objective
	// Reference supplies the log-probabilities of the divergence term, on each of the trainer's devices; nil
	// when beta is 0.
	Reference []Scorer
	// Iterations is how many updates are made from the same groups (TRL's num_iterations).
	Iterations int
	// Temperature at which log-probabilities are taken; 0: the one each completion was sampled at.
	Temperature float32
	// Live says that completions come from a run's own policies: one sampled from the version of its
	// step was sampled from the very weights that are trained. In recorded files it says nothing about
	// these weights, and the recorded log-probabilities are those of the old policy.
	Live bool
	// MicroBatch is how many completions, in the order of the step, the means of grpo, bnpo and dr_grpo are
	// taken over, before the mean over these micro-batches: TRL's per_device_train_batch_size. 0: they are taken
	// over the whole step.
	MicroBatch int
	// OnPolicy demands, of a live run, that tokens sampled from the weights being trained have exactly
	// their recorded log-probabilities. Adapters with dropout are scored a second time for that, without it; the
	// old policy's log-probabilities are those of the pass that drops, as in TRL.
	OnPolicy bool
}

// batch is a step's completions that go through the model.
type batch struct {
	groups   []model.Group
	rows     []grpo.Completion // in order of the groups' completions; LogProbs and Entropy filled in later
	sampling [][]float32       // recorded by the sampler, at the temperature of training
	onPolicy []bool
	total    grpo.Totals // of the step, completions without a gradient included
	skipped  []int       // lengths of those
}

// Step makes the updates of one step and returns its metrics under TRL's names.
func (g *GRPO) Step(step steps.Step) ([]stages.Value, error) {
	b := g.collect(step)
	var stats grpo.Stats
	var agreed agreement
	values := rewardMetrics(step)
	for iteration := range max(1, g.Iterations) {
		observed := make([]grpo.Stats, g.Trainer.Shards())
		agreements := make([]agreement, g.Trainer.Shards())
		report, err := g.Trainer.update(b.groups, func(m microBatch) ([][]float32, error) {
			rows := b.rows[m.first : m.first+len(m.logprobs)]
			agreement := &agreements[m.shard]
			scored := m.logprobs
			if iteration == 0 && g.OnPolicy && g.Trainer.drops() {
				var err error
				if scored, err = g.score(m); err != nil {
					return nil, err
				}
			}
			for i := range rows {
				rows[i].LogProbs, rows[i].Entropies = m.logprobs[i], m.entropies[i]
				if iteration == 0 {
					agreement.add(b.sampling[m.first+i], scored[i], b.onPolicy[m.first+i])
				}
			}
			if g.OnPolicy && agreement.broken { // before the weights change
				return nil, fmt.Errorf("%w: by up to %v; generate and update must run the same kernels on the same weights (--on-policy-check=false allows others)",
					ErrOffPolicy, agreement.worst)
			}
			if err := g.reference(m, rows); err != nil {
				return nil, err
			}
			grads, err := g.Objective.Compute(rows, grpo.StepWide(b.total), &observed[m.shard])
			if err != nil {
				return nil, err
			}
			for i := range rows {
				if rows[i].Old == nil { // what the next iteration is measured against
					rows[i].Old = slices.Clone(m.logprobs[i])
				}
			}
			return grads, nil
		})
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", step.Number, err)
		}
		values = append(values, stages.Value{Name: "grad_norm", Value: report.GradNorm}, stages.Value{Name: "learning_rate", Value: report.LR})
		stats = observed[0]
		for i := range observed[1:] {
			stats.Add(&observed[1+i])
		}
		if iteration == 0 {
			agreed = agreements[0]
			for _, a := range agreements[1:] {
				agreed.merge(a)
			}
		}
	}
	stats.Skip(b.skipped...)
	values = append(values, agreed.metrics()...)
	for _, m := range stats.Metrics() { // with truncated importance sampling its ratios are the ones used
		values = append(values, stages.Value{Name: m.Name, Value: m.Value})
	}
	return last(values), nil
}

// collect sorts a step's completions into those that go through the model and those that need not:
// without a divergence term a completion whose advantage is zero has no gradient.
func (g *GRPO) collect(step steps.Step) *batch {
	b := &batch{}
	var lengths, places []int // of all of the step's completions; of b.rows among them
	for _, group := range step.Groups {
		var in model.Group
		flush := func() {
			if len(in.Completions) > 0 {
				b.groups = append(b.groups, in)
			}
			in = model.Group{}
		}
		for _, r := range group.Rows {
			n := len(r.CompletionIDs)
			lengths = append(lengths, n)
			if n == 0 {
				continue // never sampled
			}
			b.total = b.total.Add(grpo.Totals{Sequences: 1, Tokens: n})
			if r.Advantage == 0 && g.Reference == nil {
				b.skipped = append(b.skipped, n)
				continue
			}
			temperature := r.Temperature
			if g.Temperature > 0 {
				temperature = g.Temperature
			}
			if temperature != in.Temperature || !slices.Equal(r.PromptIDs, in.Prompt) {
				flush() // the model's groups have one of each
			}
			in.Prompt, in.Temperature = r.PromptIDs, temperature
			in.Completions = append(in.Completions, r.CompletionIDs)
			row := grpo.Completion{Advantage: r.Advantage}
			var sampling []float32
			if temperature == r.Temperature {
				sampling = r.LogProbs
			}
			onPolicy := g.Live && r.PolicyVersion == step.Number
			if !onPolicy {
				row.Old = sampling
			}
			if g.Objective.Config().TruncatedIS > 0 {
				row.Sampling = sampling
			}
			b.rows = append(b.rows, row)
			places = append(places, len(lengths)-1)
			b.sampling = append(b.sampling, sampling)
			b.onPolicy = append(b.onPolicy, onPolicy)
		}
		flush()
	}
	if g.MicroBatch > 0 {
		b.divide(g.MicroBatch, lengths, places)
	}
	return b
}

// divide tells each row which of the step's micro-batches of so many completions it is in. Micro-batches in
// which nothing was sampled don't count.
func (b *batch) divide(size int, lengths, places []int) {
	micro := make([]grpo.Micro, (len(lengths)+size-1)/size)
	sampled := 0
	for i, n := range lengths {
		if m := &micro[i/size]; n > 0 {
			if m.Sequences == 0 {
				sampled++
			}
			m.Totals = m.Totals.Add(grpo.Totals{Sequences: 1, Tokens: n})
		}
	}
	for i, place := range places {
		b.rows[i].Micro = micro[place/size]
		b.rows[i].Micro.Of = sampled
	}
}

// score returns a micro-batch's log-probabilities as they are sampled, without dropout.
func (g *GRPO) score(m microBatch) ([][]float32, error) {
	logprobs, _, err := g.Trainer.replicas[m.device].model.LogProbs(m.packed)
	if err != nil {
		return nil, fmt.Errorf("scoring without dropout: %w", err)
	}
	out := make([][]float32, len(m.logprobs))
	for i, own := range m.logprobs {
		out[i], logprobs = logprobs[:len(own)], logprobs[len(own):]
	}
	return out, nil
}

// reference fills in the reference model's log-probabilities of a micro-batch's rows, once.
func (g *GRPO) reference(m microBatch, rows []grpo.Completion) error {
	if g.Reference == nil || rows[0].Ref != nil {
		return nil
	}
	logprobs, _, err := g.Reference[m.device].LogProbs(m.packed)
	if err != nil {
		return fmt.Errorf("reference model: %w", err)
	}
	for i := range rows { // in the order of the rows
		n := len(rows[i].LogProbs)
		rows[i].Ref, logprobs = logprobs[:n:n], logprobs[n:]
	}
	return nil
}

// rewardMetrics are the step's rewards and lengths, which are known before training.
func rewardMetrics(step steps.Step) []stages.Value {
	var rows []schemas.Scored
	for _, g := range step.Groups {
		rows = append(rows, g.Rows...)
	}
	return summary.Scored(rows)
}

// last keeps the last value of each name, in the order of first appearance.
func last(values []stages.Value) []stages.Value {
	var out []stages.Value
	at := map[string]int{}
	for _, v := range values {
		if i, seen := at[v.Name]; seen {
			out[i] = v
			continue
		}
		at[v.Name] = len(out)
		out = append(out, v)
	}
	return out
}

// agreement compares the log-probabilities that the sampler recorded with those the trainer computes
// before its first update of a step. For tokens sampled from the same weights they are the same bits.
type agreement struct {
	tokens             int
	sumDiff, maxDiff   float64
	minRatio, maxRatio float64
	sumRatio           float64
	broken             bool    // some on-policy token differs
	worst              float64 // the largest difference of one
}

func (a *agreement) add(sampled, computed []float32, onPolicy bool) {
	for i := range sampled {
		diff := float64(computed[i]) - float64(sampled[i])
		ratio := math.Exp(diff)
		a.tokens++
		a.sumDiff += math.Abs(diff)
		a.maxDiff = max(a.maxDiff, math.Abs(diff))
		if a.tokens == 1 {
			a.minRatio, a.maxRatio = ratio, ratio
		}
		a.minRatio, a.maxRatio = min(a.minRatio, ratio), max(a.maxRatio, ratio)
		a.sumRatio += ratio
		if onPolicy && computed[i] != sampled[i] {
			a.broken, a.worst = true, max(a.worst, math.Abs(diff))
		}
	}
}

// merge adds what b has seen.
func (a *agreement) merge(b agreement) {
	switch {
	case b.tokens == 0:
		return
	case a.tokens == 0:
		*a = b
		return
	}
	a.tokens += b.tokens
	a.sumDiff, a.maxDiff = a.sumDiff+b.sumDiff, max(a.maxDiff, b.maxDiff)
	a.minRatio, a.maxRatio = min(a.minRatio, b.minRatio), max(a.maxRatio, b.maxRatio)
	a.sumRatio += b.sumRatio
	a.broken, a.worst = a.broken || b.broken, max(a.worst, b.worst)
}

// metrics are TRL's names for the distance between sampler and trainer.
func (a *agreement) metrics() []stages.Value {
	if a.tokens == 0 {
		return nil
	}
	n := float64(a.tokens)
	return []stages.Value{
		{Name: "sampling/sampling_logp_difference/mean", Value: a.sumDiff / n},
		{Name: "sampling/sampling_logp_difference/max", Value: a.maxDiff},
		{Name: "sampling/importance_sampling_ratio/min", Value: a.minRatio},
		{Name: "sampling/importance_sampling_ratio/mean", Value: a.sumRatio / n},
		{Name: "sampling/importance_sampling_ratio/max", Value: a.maxRatio},
	}
}
