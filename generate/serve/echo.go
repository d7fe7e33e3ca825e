package serve

import (
	"context"

	"openrs/generate/engine"
)

// echoes returns what each choice begins with: nothing, or its prompt.
func (s *Server) echoes(ctx context.Context, q *question, samples int) ([]part, error) {
	begin := make([]part, len(q.prompts)*samples)
	if !q.echo {
		return begin, nil
	}
	var calls []*call
	box := newMailbox(len(q.prompts))
	for _, prompt := range q.prompts {
		if q.logprobs && len(prompt) > s.opt.Scorable {
			e := invalid("prompt", "the prompt has %d tokens; the log-probabilities of at most %d fit into memory", len(prompt), s.opt.Scorable)
			e.Code = "context_length_exceeded"
			return nil, e
		}
		calls = append(calls, &call{ctx: ctx, request: engine.Request{Prompt: prompt}, box: box, score: &scores{}, top: q.top})
	}
	if q.logprobs {
		if err := s.loop.submit(calls...); err != nil {
			return nil, err
		}
		if _, _, err := box.take(ctx); err != nil {
			return nil, err
		}
	}
	scoring := q.MaxTokens != nil && *q.MaxTokens == 0
	for i := range begin {
		prompt := q.prompts[i/samples]
		p := part{text: s.opt.Tokenizer.Decode(prompt, true)}
		if scoring {
			p.finish = "length"
		}
		if q.logprobs {
			p.tokens = s.echoed(prompt, calls[i/samples].score)
		}
		begin[i] = p
	}
	return begin, nil
}

// echoed are the tokens of a scored prompt. The first has nothing before it and so no probability.
func (s *Server) echoed(prompt []int32, known *scores) []tokenInfo {
	decoder := s.opt.Tokenizer.NewDecoder(true)
	var out []tokenInfo
	offset := 0
	for i, id := range prompt {
		t := tokenInfo{id: id, offset: offset}
		if i > 0 {
			t.logprob = &known.logprobs[i-1]
			if known.top != nil {
				t.top = known.top[i-1]
			}
		}
		offset += length(decoder.Next(id))
		out = append(out, t)
	}
	return out
}
