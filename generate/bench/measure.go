package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"openrs/generate/engine"
	"openrs/stages/device"
	"openrs/stages/model"
)

// Options say what to measure.
type Options struct {
	Batch        int // sequences that decode together
	PromptTokens int // of each
	NewTokens    int // decode steps that are timed
	PrefillChunk int // the engine's; 0: its default
	Seed         int64
}

const (
	defaultChunk = 1024 // the engine's
	warmSteps    = 2    // decode steps before those that are timed
	prefillTime  = time.Second
	prefillMost  = 5
)

// lead is how many tokens the first sequence may have sampled before all of them decode and the engine
// is warm: one for each step that computes prompts, and the warm-up.
func (o Options) lead() int {
	chunk := o.PrefillChunk
	if chunk == 0 {
		chunk = defaultChunk
	}
	return (o.Batch*o.PromptTokens+chunk-1)/chunk + 1 + warmSteps
}

// length is how long a sequence may get.
func (o Options) length() int { return o.PromptTokens + o.lead() + o.NewTokens }

// engine are the options of an engine with a cache for exactly the batch.
func (o Options) engine() engine.Options {
	pages := (o.length() + device.KeyBlock - 1) / device.KeyBlock
	return engine.Options{
		MaxSequences: o.Batch, PageSize: device.KeyBlock, PrefillChunk: o.PrefillChunk,
		CacheTokens: (o.Batch*pages + 1) * device.KeyBlock,
	}
}

// check checks the options for a model of the given context.
func (o Options) check(context int) error {
	for _, v := range []struct {
		name  string
		value int
	}{{"batch", o.Batch}, {"prompt-tokens", o.PromptTokens}, {"new-tokens", o.NewTokens}} {
		if v.value < 1 {
			return fmt.Errorf("--%s is %d, expected at least 1", v.name, v.value)
		}
	}
	if o.PrefillChunk < 0 {
		return fmt.Errorf("--prefill-chunk is %d, expected at least 0", o.PrefillChunk)
	}
	if n := o.length(); n > context {
		return fmt.Errorf("--prompt-tokens %d and --new-tokens %d, and %d to get a batch of %d going, are %d positions, the model has %d",
			o.PromptTokens, o.NewTokens, o.lead(), o.Batch, n, context)
	}
	return nil
}

// Measurement is what one batch size took.
type Measurement struct {
	Prefill time.Duration // to compute all prompts and sample a token of each
	Decode  time.Duration // of a step
	Keys    float64       // keys that all sequences together attended to in a step, the mean over steps
}

// errShort says that the sequences ended before there were enough steps to time.
var errShort = errors.New("too few steps with the whole batch")

// Measure measures generation with m, on an engine with a cache for exactly the batch. It ends early
// with the context's error.
func Measure(ctx context.Context, m *model.Model, opt Options) (Measurement, error) {
	if err := opt.check(m.Config().MaxPositions); err != nil {
		return Measurement{}, err
	}
	eng, err := engine.New(m, opt.engine())
	if err != nil {
		return Measurement{}, err
	}
	defer eng.Close()
	b := &bench{engine: eng, opt: opt, prompts: prompts(opt, m.Config().Vocab)}
	var out Measurement
	if out.Prefill, err = b.prefill(ctx); err != nil {
		return Measurement{}, fmt.Errorf("prefill: %w", err)
	}
	if out.Decode, out.Keys, err = b.decode(ctx); err != nil {
		return Measurement{}, fmt.Errorf("decode: %w", err)
	}
	return out, nil
}

// bench is one measurement under way.
type bench struct {
	engine  *engine.Engine
	opt     Options
	prompts [][]int32
}

// prompts makes one prompt of random tokens for each sequence.
func prompts(opt Options, vocab int) [][]int32 {
	r := rand.New(rand.NewPCG(uint64(opt.Seed), uint64(opt.Batch)))
	out := make([][]int32, opt.Batch)
	for i := range out {
		out[i] = make([]int32, opt.PromptTokens)
		for j := range out[i] {
			out[i][j] = int32(r.IntN(vocab))
		}
	}
	return out
}

// add queues some prompts. Nothing stops a completion but its length.
func (b *bench) add(prompts [][]int32, newTokens int) error {
	for i, prompt := range prompts {
		err := b.engine.Add(engine.Request{
			Prompt: prompt, Samples: 1, MaxNewTokens: newTokens,
			Temperature: 1, Seed: b.opt.Seed, ProblemID: strconv.Itoa(i),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pass computes some prompts and returns the time it took.
func (b *bench) pass(ctx context.Context, prompts [][]int32) (time.Duration, error) {
	if err := b.add(prompts, 1); err != nil {
		return 0, err
	}
	began := time.Now()
	for !b.engine.Idle() {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if _, err := b.engine.Step(); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

// prefill returns the median time of up to prefillMost passes, as many as prefillTime has room for. A
// step of prompts comes first, so that memory is in place.
func (b *bench) prefill(ctx context.Context) (time.Duration, error) {
	chunk := b.opt.PrefillChunk
	if chunk == 0 {
		chunk = defaultChunk
	}
	warm := slices.Clone(b.prompts[:min(b.opt.Batch, 1+(chunk-1)/b.opt.PromptTokens)])
	warm[0] = warm[0][:min(b.opt.PromptTokens, chunk)]
	if _, err := b.pass(ctx, warm); err != nil {
		return 0, err
	}
	var times []time.Duration
	var spent time.Duration
	for len(times) == 0 || len(times) < prefillMost && spent < prefillTime {
		took, err := b.pass(ctx, b.prompts)
		if err != nil {
			return 0, err
		}
		times, spent = append(times, took), spent+took
	}
	return median(times), nil
}

// decode returns the median time of NewTokens steps in which every sequence got one token and nothing
// else was done, and the mean number of keys they attended to.
func (b *bench) decode(ctx context.Context) (time.Duration, float64, error) {
	if err := b.add(b.prompts, b.opt.lead()+b.opt.NewTokens); err != nil {
		return 0, 0, err
	}
	start := b.engine.Stats()
	before, warm, keys := start, 0, 0.0
	var times []time.Duration
	for len(times) < b.opt.NewTokens {
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		if b.engine.Idle() {
			return 0, 0, fmt.Errorf("%w: %d of %d", errShort, len(times), b.opt.NewTokens)
		}
		began := time.Now()
		if _, err := b.engine.Step(); err != nil {
			return 0, 0, err
		}
		took := time.Since(began)
		after := b.engine.Stats()
		whole := after.PromptTokens == before.PromptTokens && after.SampledTokens == before.SampledTokens+int64(b.opt.Batch)
		switch {
		case !whole:
		case warm < warmSteps:
			warm++
		default:
			times = append(times, took)
			// Each sequence attends to its prompt and to all it had sampled before the step.
			keys += float64(int64(b.opt.Batch*b.opt.PromptTokens) + before.SampledTokens - start.SampledTokens)
		}
		before = after
	}
	return median(times), keys / float64(len(times)), nil
}

// median returns the middle one of times, or the mean of the two in the middle. It sorts them.
func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	n := len(times)
	return max(1, (times[(n-1)/2]+times[n/2])/2)
}
