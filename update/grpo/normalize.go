package grpo

// Totals counts the completions that one mean is taken over.
type Totals struct {
	Sequences int // completions
	Tokens    int // their tokens
}

// Count returns the totals of a batch.
func Count(batch []Completion) Totals {
	t := Totals{Sequences: len(batch)}
	for i := range batch {
		t.Tokens += len(batch[i].LogProbs)
	}
	return t
}

// Add returns the sum of two totals.
func (t Totals) Add(u Totals) Totals {
	return Totals{Sequences: t.Sequences + u.Sequences, Tokens: t.Tokens + u.Tokens}
}

// Normalizer says how the token losses of one micro-batch enter the loss of its optimizer step. The
// loss of the step is the plain sum over its micro-batches of what [Objective.Compute] returns.
type Normalizer struct {
	own   Totals  // the mean of grpo, bnpo and dr_grpo is over these
	step  Totals  // that of dapo over these, whatever the micro-batch
	scale float64 // factor of grpo, bnpo and dr_grpo
}

// StepWide takes each mean over everything in the optimizer step, so that loss and gradients do not
// depend on how the step was split into micro-batches (nor on the order of its completions, but for
// rounding of the loss). This is what the trainer uses. total counts every completion of the step,
// also those that are never computed because their gradient is known to be zero.
func StepWide(total Totals) Normalizer {
	return Normalizer{own: total, step: total, scale: 1}
}

// PerMicroBatch is what TRL does under gradient accumulation: the means of grpo, bnpo and dr_grpo are
// over the micro-batch and are then divided by the number of micro-batches, so that a token in a
// micro-batch of short completions counts for more; dapo's is over the whole step.
func PerMicroBatch(micro, step Totals, microBatches int) Normalizer {
	return Normalizer{own: micro, step: step, scale: 1 / float64(max(1, microBatches))}
}

// lossType is one way to average token losses: the weight of each token of a completion of n tokens.
type lossType struct {
	weight         func(n Normalizer, tokens, maxLength int) float64
	needsMaxLength bool
}

var lossTypes = map[string]lossType{
	// The mean over completions of each one's token mean (DeepSeekMath). An empty completion counts as
	// one without loss.
	"grpo": {weight: func(n Normalizer, tokens, _ int) float64 {
		return n.scale / atLeastOne(n.own.Sequences) / atLeastOne(tokens)
	}},
	// The mean over tokens.
	"bnpo": {weight: func(n Normalizer, _, _ int) float64 {
		return n.scale / atLeastOne(n.own.Tokens)
	}},
	// The sum over tokens by a constant (Liu et al., arXiv 2503.20783), without a bias towards long
	// wrong completions.
	"dr_grpo": {needsMaxLength: true, weight: func(n Normalizer, _, maxLength int) float64 {
		return n.scale / (atLeastOne(n.own.Sequences) * float64(maxLength))
	}},
	// The mean over the tokens of the optimizer step.
	"dapo": {weight: func(n Normalizer, _, _ int) float64 {
		return 1 / atLeastOne(n.step.Tokens)
	}},
}

func atLeastOne(n int) float64 { return float64(max(1, n)) }
