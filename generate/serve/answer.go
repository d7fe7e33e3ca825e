package serve

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"

	"openrs/generate/engine"
)

// question is what both endpoints come down to.
type question struct {
	common
	prompts   [][]int32
	newTokens int // max_tokens where the request has none
	logprobs  bool
	top       int  // alternatives of each token
	echo      bool // the answer begins with the prompt
	endToken  bool // the token that ends a completion is among those with log-probabilities
}

// tokenInfo is what an answer says of one of its tokens.
type tokenInfo struct {
	id      int32
	logprob *float32 // nil: nothing precedes it
	top     []engine.Ranked
	offset  int // in characters from the beginning of the answer's text
}

// usage counts tokens as the API does.
type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

// part is a choice's text and tokens: all of them, or what is new in a stream.
type part struct {
	index  int
	text   string
	tokens []tokenInfo
	finish string // "" while it goes on
	first  bool   // of a stream
}

// format writes answers in the form of an endpoint.
type format interface {
	whole(parts []part, u usage) any
	chunk(p part) any
	counts(u usage) any // the last chunk of a stream whose client wants its usage
}

// answer puts a question to the engine and writes what comes.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, q *question, f format) error {
	ctx, cancel := s.alive(r.Context())
	defer cancel(nil)
	asked, err := s.prepare(ctx, q)
	if err != nil {
		return err
	}
	parts, err := s.echoes(ctx, q, asked.samples)
	if err != nil {
		return err
	}
	if len(asked.calls) > 0 {
		err = s.loop.submit(asked.calls...)
	}
	if err != nil {
		return err
	}
	out := collector{format: f}
	if q.Stream {
		out.stream = newEvents(w)
	}
	for i := range asked.choices {
		if err := out.add(parts[i], true); err != nil {
			return err
		}
	}
	for {
		events, more, err := asked.box.take(ctx)
		if err == nil {
			err = out.take(asked, events, q)
		}
		switch {
		case err != nil && out.stream != nil: // too late for a status
			if r.Context().Err() == nil {
				_ = out.stream.send(object{"error": s.asAPIError(err)}) // the client may be gone
			}
			return nil
		case err != nil:
			return err
		case !more:
			return out.end(w, asked, q)
		}
	}
}

// asked is a question on its way through the engine.
type asked struct {
	samples int // choices of each prompt
	calls   []*call
	choices []*choice // of the first prompt, then of the second, …
	box     *mailbox
	prompt  int // tokens of all prompts
}

// prepare makes calls of a question, or says why it can't be answered.
func (s *Server) prepare(ctx context.Context, q *question) (*asked, error) {
	if q.Model != "" && q.Model != s.opt.Name && q.Model != s.opt.Folder {
		return nil, s.noModel(q.Model)
	}
	n := 1
	if q.N != nil {
		n = *q.N
	}
	if len(q.prompts)*n > s.opt.MaxChoices {
		return nil, invalid("n", "%d prompts with n = %d: expected at most %d choices together", len(q.prompts), n, s.opt.MaxChoices)
	}
	a := &asked{samples: n}
	template, err := s.sampling(q)
	if err != nil {
		return nil, err
	}
	together := n
	if s.opt.Together > 0 {
		together = min(n, s.opt.Together)
	}
	a.box = newMailbox(len(q.prompts) * ((n + together - 1) / together))
	scoring := q.echo && q.MaxTokens != nil && *q.MaxTokens == 0
	if scoring {
		a.box = newMailbox(0)
	}
	for i, prompt := range q.prompts {
		a.prompt += len(prompt)
		req := template
		if req.MaxNewTokens, err = s.room(q, len(prompt), scoring); err != nil {
			return nil, err
		}
		req.Prompt, req.ProblemID = prompt, promptID(prompt)
		base := i * n
		for range n {
			a.choices = append(a.choices, &choice{decoder: s.opt.Tokenizer.NewDecoder(true), stop: stopper{stops: q.Stop}, ends: req.Stop})
		}
		if scoring {
			for _, c := range a.choices[base:] {
				c.finish = "length"
			}
			continue
		}
		for first := 0; first < n; first += together {
			req.Samples, req.FirstSample = min(together, n-first), int32(first)
			req.Each = func(t engine.Token) bool {
				at := base + first + t.Sample
				a.box.put(event{choice: at, token: t})
				return !a.choices[at].halt.Load() && ctx.Err() == nil
			}
			a.calls = append(a.calls, &call{ctx: ctx, request: req, box: a.box})
		}
	}
	return a, nil
}

// greedyBelow is the temperature below which the most probable token is taken, as in vLLM: logits divided
// by much less are no numbers any more.
const greedyBelow = 1e-5

// sampling is the request of a question without its prompt. What the question leaves open is as the
// model's authors suggest, then as the API has it.
func (s *Server) sampling(q *question) (engine.Request, error) {
	pick := func(asked, suggested *float64, otherwise float64) float32 {
		switch {
		case asked != nil:
			return float32(*asked)
		case suggested != nil:
			return float32(*suggested)
		}
		return float32(otherwise)
	}
	g := s.opt.Generation
	r := engine.Request{
		Temperature: pick(q.Temperature, g.Temperature, 1), TopP: min(1, pick(q.TopP, g.TopP, 1)), MinP: min(1, pick(q.MinP, g.MinP, 0)),
		Stop: append(append([]int32(nil), s.opt.Ends...), q.StopTokenIDs...),
	}
	if r.Temperature < greedyBelow {
		r.Temperature = 0
	}
	if r.TopP == 0 { // which the engine takes for off
		r.TopP = math.SmallestNonzeroFloat32
	}
	switch {
	case q.TopK != nil:
		r.TopK = max(0, *q.TopK)
	case g.TopK != nil:
		r.TopK = *g.TopK
	}
	if q.logprobs {
		r.TopLogProbs = q.top
	}
	if q.Seed != nil {
		r.Seed = *q.Seed
	} else {
		r.Seed = rand.Int64()
	}
	return r, nil
}

// room is how many tokens a completion of a prompt may have.
func (s *Server) room(q *question, prompt int, scoring bool) (int, error) {
	room := s.opt.Context - prompt
	tooLong := func(format string, args ...any) error {
		e := invalid("max_tokens", format, args...)
		e.Code = "context_length_exceeded"
		return e
	}
	switch {
	case scoring && room >= 0:
		return 0, nil
	case room < 1:
		return 0, tooLong("the prompt has %d tokens, the longest context is %d", prompt, s.opt.Context)
	case q.MaxTokens == nil:
		return min(q.newTokens, room), nil
	case *q.MaxTokens < 1:
		return 0, invalid("max_tokens", "max_tokens is %d, expected at least 1", *q.MaxTokens)
	case *q.MaxTokens > room:
		return 0, tooLong("the prompt has %d tokens and max_tokens is %d, the longest context is %d", prompt, *q.MaxTokens, s.opt.Context)
	}
	return *q.MaxTokens, nil
}

// promptID keys the random numbers of a prompt.
func promptID(prompt []int32) string {
	h := sha256.New()
	var b [4]byte
	for _, id := range prompt {
		binary.LittleEndian.PutUint32(b[:], uint32(id))
		h.Write(b[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// collector gathers an answer, or streams it.
type collector struct {
	format  format
	parts   []part
	stream  *events            // nil: the answer is written at once
	written []int              // characters of each choice so far
	texts   []*strings.Builder // of each choice, unless they are streamed
}

// add appends to a choice's part; in a stream it goes out.
func (o *collector) add(p part, begin bool) error {
	if begin {
		p.index = len(o.parts)
		o.parts = append(o.parts, part{index: p.index})
		o.written = append(o.written, length(p.text))
		o.texts = append(o.texts, &strings.Builder{})
	}
	all := &o.parts[p.index]
	all.finish = p.finish
	if o.stream != nil {
		p.first = begin
		return o.stream.send(o.format.chunk(p))
	}
	o.texts[p.index].WriteString(p.text)
	all.tokens = append(all.tokens, p.tokens...)
	return nil
}

// take adds what events bring, one part for each choice that they touch.
func (o *collector) take(a *asked, events []event, q *question) error {
	fresh := map[int]*part{}
	var order []*part
	for _, e := range events {
		c := a.choices[e.choice]
		if c.finish != "" {
			continue
		}
		p := fresh[e.choice]
		if p == nil {
			p = &part{index: e.choice}
			fresh[e.choice] = p
			order = append(order, p)
		}
		at := o.written[e.choice]
		text, shown := c.next(e.token)
		p.text += text
		o.written[e.choice] += length(text)
		p.finish = c.finish
		if q.logprobs && (shown || q.endToken) {
			lp := e.token.LogProb
			p.tokens = append(p.tokens, tokenInfo{id: e.token.ID, logprob: &lp, top: e.token.Top, offset: at})
		}
	}
	for _, p := range order {
		if p.text == "" && len(p.tokens) == 0 && p.finish == "" {
			continue
		}
		if err := o.add(*p, false); err != nil {
			return err
		}
	}
	return nil
}

// end writes the answer, or the end of the stream.
func (o *collector) end(w http.ResponseWriter, a *asked, q *question) error {
	u := usage{Prompt: a.prompt}
	for i, c := range a.choices {
		u.Completion += c.tokens
		o.parts[i].text, o.parts[i].finish = o.texts[i].String(), c.finish
	}
	u.Total = u.Prompt + u.Completion
	if o.stream == nil {
		return writeJSON(w, http.StatusOK, o.format.whole(o.parts, u))
	}
	if q.StreamOptions != nil && q.StreamOptions.IncludeUsage {
		if err := o.stream.send(o.format.counts(u)); err != nil {
			return err
		}
	}
	return o.stream.done()
}

// alive is a request's context that ends with the server too.
func (s *Server) alive(parent context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	stop := context.AfterFunc(s.life, func() { cancel(errGone) })
	return ctx, func(cause error) { stop(); cancel(cause) }
}

// newID names an answer.
func newID(prefix string) string {
	return fmt.Sprintf("%s%016x%016x", prefix, rand.Uint64(), rand.Uint64())
}

// statusClientGone is what web servers note of a request that its client has left; nobody gets it.
const statusClientGone = 499

// asAPIError is how the API reports err.
func (s *Server) asAPIError(err error) *apiError {
	var known *apiError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.Canceled):
		return &apiError{Status: statusClientGone, Type: "invalid_request_error", Message: "the client has gone"}
	case errors.Is(err, errBusy):
		return &apiError{Status: http.StatusTooManyRequests, Type: "rate_limit_error", Code: "queue_full",
			Message: fmt.Sprintf("%v: at most %d", errBusy, s.opt.MaxWaiting)}
	case errors.Is(err, errGone):
		return &apiError{Status: http.StatusServiceUnavailable, Type: "server_error", Message: "the server is stopping"}
	}
	return &apiError{Status: http.StatusInternalServerError, Type: "server_error", Message: strings.ReplaceAll(err.Error(), "\n", "; ")}
}
