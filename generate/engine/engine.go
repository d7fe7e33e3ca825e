package engine

import (
	"errors"
	"fmt"
	"slices"

	"openrs/schemas"
	"openrs/stages/checkpoint"
	"openrs/stages/device"
	"openrs/stages/model"
)

// Why a completion ended; the values of the rollouts' finish_reason.
const (
	FinishStop   = schemas.FinishStop
	FinishLength = schemas.FinishLength
)

// ErrPromptTooLong marks a prompt that leaves no room for a completion: the caller may go on with
// other requests.
var ErrPromptTooLong = errors.New("prompt too long")

// Options size an engine. The zero value of a field means its default.
type Options struct {
	MaxSequences int // sequences that decode together (256)
	CacheTokens  int // positions that the cache holds (MaxSequences × 1024, or the context if that is shorter)
	PageSize     int // positions a page, a multiple of device.KeyBlock (32)
	PrefillChunk int // prompt tokens computed in one step beside the decoding sequences (1024)
	Context      int // longest prompt and completion together (the model's)
}

// Request asks for Samples completions of one prompt.
type Request struct {
	Prompt       []int32
	Samples      int
	MaxNewTokens int     // at least 1; the context may end a completion sooner
	Stop         []int32 // tokens that end a completion; a sampled one is part of it

	Temperature float32 // 0: greedy
	TopK        int     // 0: all
	TopP, MinP  float32 // 0: off

	Seed        int64  // with ProblemID and the sample's number, the source of randomness
	ProblemID   string //
	FirstSample int32  // the number of the first sample

	Tag any // the caller's; comes back with the result

	// Each is told of every token as it is sampled, by the goroutine that steps the engine: it must be quick
	// and, with several engines, safe for concurrent use by different requests. When it returns false the
	// completion ends there, as at a stop token. May be nil.
	Each func(Token) (more bool)
	// TopLogProbs is how many of the most probable tokens Each is told of beside the one sampled.
	TopLogProbs int
}

// Token is one token of a request under way.
type Token struct {
	Sample  int // of the request, from 0
	ID      int32
	LogProb float32
	Top     []Ranked // the most probable tokens, the most probable first
	Finish  string   // with a completion's last token: FinishStop or FinishLength
}

func (r *Request) stops(token int32) bool { return slices.Contains(r.Stop, token) }

// Result is a finished request: its completions, in order of sample.
type Result struct {
	Request     Request
	Completions []Completion
}

// Completion is one sampled sequence.
type Completion struct {
	Tokens       []int32   // without the prompt; with the stop token, if one was sampled
	LogProbs     []float32 // of each token under softmax(logits / temperature), in nats, before truncation
	FinishReason string    // FinishStop or FinishLength
}

// Stats counts what an engine has done.
type Stats struct {
	Steps          int   // forward passes
	PromptTokens   int64 // computed as prompt, recomputation after preemption included
	SampledTokens  int64 // sampled
	Preemptions    int   // sequences that lost their pages
	RunningSum     int64 // sum over steps of the sequences that ran: RunningSum/Steps is the mean batch
	PeakPagesInUse int
}

// Engine samples from one model. It is used by one goroutine.
type Engine struct {
	model *model.Model
	cache device.Cache
	sched scheduler
	opt   Options
	stats Stats
	step  stepBuffers
}

// stepBuffers are reused from step to step.
type stepBuffers struct {
	batch    model.Batch
	owners   []*sequence // of each row of logits
	sampling []device.Sampling
	ids      []int32
	logprobs []float32
}

// Defaults returns the options with every zero filled in for a model of this configuration, or what is
// wrong with them.
func (o Options) Defaults(cfg checkpoint.Config) (Options, error) {
	if o.MaxSequences == 0 {
		o.MaxSequences = 256
	}
	if o.PageSize == 0 {
		o.PageSize = device.KeyBlock
	}
	if o.PageSize%device.KeyBlock != 0 || o.PageSize < 0 {
		return o, fmt.Errorf("engine: page size %d is not a multiple of %d", o.PageSize, device.KeyBlock)
	}
	if o.Context == 0 || o.Context > cfg.MaxPositions {
		o.Context = cfg.MaxPositions
	}
	if o.CacheTokens == 0 {
		o.CacheTokens = o.MaxSequences * min(1024, o.Context)
	}
	if o.PrefillChunk == 0 {
		o.PrefillChunk = 1024
	}
	if o.MaxSequences < 1 || o.PrefillChunk < 1 || o.CacheTokens < o.PageSize {
		return o, fmt.Errorf("engine: %d sequences, %d prompt tokens a step, %d cached tokens: all must be positive and the cache hold a page of %d",
			o.MaxSequences, o.PrefillChunk, o.CacheTokens, o.PageSize)
	}
	return o, nil
}

// Plan estimates the memory that a model and an engine with these options take, defaults filled in.
func (o Options) Plan(cfg checkpoint.Config, dtype device.DType) (model.Memory, error) {
	o, err := o.Defaults(cfg)
	if err != nil {
		return model.Memory{}, err
	}
	return model.Plan(cfg, model.Options{DType: dtype}, model.Workload{
		Rows: o.MaxSequences + o.PrefillChunk, LogitRows: o.MaxSequences,
		Pages: o.CacheTokens / o.PageSize, PerPage: o.PageSize,
	}), nil
}

// New allocates the cache of an engine for m.
func New(m *model.Model, opt Options) (*Engine, error) {
	opt, err := opt.Defaults(m.Config())
	if err != nil {
		return nil, err
	}
	count := opt.CacheTokens / opt.PageSize
	cache, err := m.NewCache(count, opt.PageSize)
	if err != nil {
		return nil, fmt.Errorf("engine: cache of %d tokens: %w", opt.CacheTokens, err)
	}
	return &Engine{
		model: m, cache: cache, opt: opt,
		sched: scheduler{pages: newPages(count, opt.PageSize), maxSeqs: opt.MaxSequences, chunk: opt.PrefillChunk},
	}, nil
}

// Close frees the cache.
func (e *Engine) Close() { e.model.Device().FreeCache(e.cache) }

// Idle reports whether nothing is left to do.
func (e *Engine) Idle() bool { return e.sched.idle() }

// Room is how many more sequences fit in the running batch.
func (e *Engine) Room() int { return max(0, e.opt.MaxSequences-e.sched.width()) }

// Stats returns what has been done so far.
func (e *Engine) Stats() Stats {
	s := e.stats
	s.Preemptions = e.sched.preemptions
	return s
}

// Add queues a request. A prompt that leaves no room for a token in the context is an error, and so
// is one that could outgrow the whole cache; a completion is otherwise cut where the context ends.
func (e *Engine) Add(r Request) error {
	room := e.opt.Context - len(r.Prompt)
	capacity := e.sched.pages.size * len(e.sched.pages.holders)
	switch {
	case len(r.Prompt) == 0:
		return fmt.Errorf("engine: problem %s: empty prompt", r.ProblemID)
	case room < 1:
		return fmt.Errorf("engine: problem %s: %w: %d tokens in a context of %d", r.ProblemID, ErrPromptTooLong, len(r.Prompt), e.opt.Context)
	case r.Samples < 1 || r.MaxNewTokens < 1:
		return fmt.Errorf("engine: problem %s: %d samples of at most %d tokens", r.ProblemID, r.Samples, r.MaxNewTokens)
	case r.TopLogProbs < 0:
		return fmt.Errorf("engine: problem %s: %d most probable tokens", r.ProblemID, r.TopLogProbs)
	case r.Temperature < 0:
		return fmt.Errorf("engine: problem %s: temperature %g", r.ProblemID, r.Temperature)
	}
	vocab := int32(e.model.Config().Vocab)
	for i, id := range r.Prompt {
		if id < 0 || id >= vocab {
			return fmt.Errorf("engine: problem %s: prompt token %d is %d, the vocabulary has %d", r.ProblemID, i, id, vocab)
		}
	}
	r.MaxNewTokens = min(r.MaxNewTokens, room)
	if n := len(r.Prompt) + r.MaxNewTokens; n > capacity {
		return fmt.Errorf("engine: problem %s: prompt and completion of up to %d tokens outgrow the cache of %d tokens", r.ProblemID, n, capacity)
	}
	e.sched.add(&request{Request: r})
	return nil
}

// Step advances everything by one forward pass and returns the requests that it finished. With
// nothing to do it returns nothing. After an error the engine is of no more use.
func (e *Engine) Step() ([]Result, error) {
	plan := e.sched.plan()
	if len(plan) == 0 {
		if !e.sched.idle() {
			return nil, fmt.Errorf("engine: %d sequences wait and none can run", len(e.sched.waiting))
		}
		return nil, nil
	}
	e.fill(plan)
	e.stats.Steps++
	e.stats.RunningSum += int64(len(e.sched.running))
	e.stats.PeakPagesInUse = max(e.stats.PeakPagesInUse, len(e.sched.pages.holders)-e.sched.pages.available())
	logits, err := e.model.Infer(&e.step.batch, e.cache)
	if err != nil {
		return nil, fmt.Errorf("engine: forward pass of %d rows: %w", len(e.step.batch.IDs), err)
	}
	e.sched.computed(plan)
	e.forkPrompts(plan)
	if len(e.step.owners) == 0 {
		return nil, nil
	}
	return e.sample(logits)
}

// fill lays the plan out as the model's batch.
func (e *Engine) fill(plan []work) {
	b := &e.step.batch
	b.IDs, b.Positions, b.Slots, b.Seqs, b.LogitRows = b.IDs[:0], b.Positions[:0], b.Slots[:0], b.Seqs[:0], b.LogitRows[:0]
	size := e.sched.pages.size
	for _, w := range plan {
		row := len(b.IDs)
		for i := w.start; i < w.start+w.n; i++ {
			b.IDs = append(b.IDs, w.seq.tokens[i])
			b.Positions = append(b.Positions, int32(i))
			b.Slots = append(b.Slots, w.seq.pages[i/size]*int32(size)+int32(i%size))
		}
		b.Seqs = append(b.Seqs, device.PagedSeq{Row: row, Len: w.n, Start: w.start, Pages: w.seq.pages})
		if w.sample {
			for range w.seq.width() {
				b.LogitRows = append(b.LogitRows, int32(row+w.n-1))
			}
		} else {
			e.stats.PromptTokens += int64(w.n)
			continue
		}
		if w.n > 1 || w.seq.sample < 0 {
			e.stats.PromptTokens += int64(w.n)
		}
	}
}

// forkPrompts turns computed prompts into samples and lists who owns each row of logits.
func (e *Engine) forkPrompts(plan []work) {
	e.step.owners = e.step.owners[:0]
	for _, w := range plan {
		if !w.sample {
			continue
		}
		if w.seq.sample >= 0 {
			e.step.owners = append(e.step.owners, w.seq)
			continue
		}
		for _, c := range e.sched.fork(w.seq) {
			e.model.Device().CacheCopy(e.cache, c.src, c.dst)
		}
		e.step.owners = append(e.step.owners, w.seq.req.samples...)
	}
}

// sample draws a token for every owner of a row of logits.
func (e *Engine) sample(logits device.Tensor) ([]Result, error) {
	s := &e.step
	n := len(s.owners)
	s.sampling = s.sampling[:0]
	for _, q := range s.owners {
		s.sampling = append(s.sampling, device.Sampling{
			Temperature: q.req.Temperature, TopK: q.req.TopK, TopP: q.req.TopP, MinP: q.req.MinP,
			U: q.key.uniform(len(q.tokens)),
		})
	}
	s.ids = slices.Grow(s.ids[:0], n)[:n]
	s.logprobs = slices.Grow(s.logprobs[:0], n)[:n]
	ranked, err := e.rank(logits)
	if err != nil {
		return nil, err
	}
	if err := e.model.Device().Sample(logits, s.sampling, s.ids, s.logprobs); err != nil {
		return nil, fmt.Errorf("engine: sampling %d tokens: %w", n, err)
	}
	e.stats.SampledTokens += int64(n)
	var done []Result
	for i, q := range s.owners {
		complete := e.sched.sampled(q, s.ids[i], s.logprobs[i])
		if q.req.Each != nil {
			t := Token{Sample: q.sample, ID: s.ids[i], LogProb: s.logprobs[i], Finish: q.finish}
			if ranked != nil {
				t.Top = ranked[i]
			}
			if more := q.req.Each(t); !more && q.finish == "" {
				complete = e.sched.end(q, FinishStop)
			}
		}
		if complete {
			done = append(done, q.req.result())
		}
	}
	return done, nil
}

func (r *request) result() Result {
	res := Result{Request: r.Request}
	for _, q := range r.samples {
		res.Completions = append(res.Completions, Completion{
			Tokens: q.tokens[len(r.Prompt):], LogProbs: q.logprobs, FinishReason: q.finish,
		})
	}
	return res
}
