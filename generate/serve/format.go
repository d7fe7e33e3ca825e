package serve

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"openrs/generate/engine"
)

// object is a JSON object of an answer.
type object = map[string]any

// finishReason is null while a choice goes on.
func finishReason(finish string) any {
	if finish == "" {
		return nil
	}
	return finish
}

// spell writes a token as the API does: as text, or as bytes where it is no whole characters.
func (s *Server) spell(id int32) (text string, raw []int) {
	piece, _, _ := s.opt.Tokenizer.Token(id)
	for _, b := range []byte(piece) {
		raw = append(raw, int(b))
	}
	if utf8.ValidString(piece) {
		return piece, raw
	}
	var out strings.Builder
	out.WriteString("bytes:")
	for _, b := range []byte(piece) {
		fmt.Fprintf(&out, "\\x%02x", b)
	}
	return out.String(), raw
}

// chatFormat writes chat.completion and chat.completion.chunk objects.
type chatFormat struct {
	id       string
	created  int64 // Unix time, the same in all chunks
	server   *Server
	logprobs bool
}

func (f *chatFormat) object(kind string, choices []object) object {
	return object{"id": f.id, "object": kind, "created": f.created, "model": f.server.opt.Name, "system_fingerprint": f.server.opt.Fingerprint, "choices": choices}
}

func (f *chatFormat) whole(parts []part, u usage) any {
	var choices []object
	for _, p := range parts {
		choices = append(choices, object{
			"index": p.index, "message": object{"role": "assistant", "content": p.text, "refusal": nil},
			"logprobs": f.tokens(p), "finish_reason": finishReason(p.finish),
		})
	}
	out := f.object("chat.completion", choices)
	out["usage"] = u
	return out
}

func (f *chatFormat) chunk(p part) any {
	delta := object{}
	if p.first {
		delta["role"] = "assistant"
		delta["content"] = ""
	}
	if p.text != "" {
		delta["content"] = p.text
	}
	return f.object("chat.completion.chunk", []object{{
		"index": p.index, "delta": delta, "logprobs": f.tokens(p), "finish_reason": finishReason(p.finish),
	}})
}

func (f *chatFormat) counts(u usage) any {
	out := f.object("chat.completion.chunk", []object{})
	out["usage"] = u
	return out
}

func (f *chatFormat) tokens(p part) any {
	if !f.logprobs {
		return nil
	}
	entry := func(id int32, logprob float32) object {
		text, raw := f.server.spell(id)
		return object{"token": text, "bytes": raw, "logprob": logprob}
	}
	list := []object{}
	for _, t := range p.tokens {
		e := entry(t.id, *t.logprob)
		top := []object{}
		for _, r := range t.top {
			if r.ID == t.id { // worked out twice, which shows in the last bits
				r.LogProb = *t.logprob
			}
			top = append(top, entry(r.ID, r.LogProb))
		}
		e["top_logprobs"] = top
		list = append(list, e)
	}
	return object{"content": list, "refusal": nil}
}

// textFormat writes text_completion objects, which are the same whole and in a stream.
type textFormat struct {
	id       string
	created  int64 // Unix time, the same in all chunks
	server   *Server
	logprobs bool
}

func (f *textFormat) object(parts []part) object {
	choices := []object{}
	for _, p := range parts {
		choices = append(choices, object{"index": p.index, "text": p.text, "logprobs": f.tokens(p), "finish_reason": finishReason(p.finish)})
	}
	return object{"id": f.id, "object": "text_completion", "created": f.created, "model": f.server.opt.Name, "system_fingerprint": f.server.opt.Fingerprint, "choices": choices}
}

func (f *textFormat) whole(parts []part, u usage) any {
	out := f.object(parts)
	out["usage"] = u
	return out
}

func (f *textFormat) chunk(p part) any { return f.object([]part{p}) }

func (f *textFormat) counts(u usage) any {
	out := f.object(nil)
	out["usage"] = u
	return out
}

func (f *textFormat) tokens(p part) any {
	if !f.logprobs {
		return nil
	}
	var (
		tokens   = []string{}
		logprobs = []*float32{}
		tops     = []map[string]float32{}
		offsets  = []int{}
	)
	for _, t := range p.tokens {
		text, _ := f.server.spell(t.id)
		tokens, logprobs, offsets = append(tokens, text), append(logprobs, t.logprob), append(offsets, t.offset)
		tops = append(tops, f.alternatives(t, text))
	}
	return object{"tokens": tokens, "token_logprobs": logprobs, "top_logprobs": tops, "text_offset": offsets}
}

// alternatives are the most probable tokens and the one that stands there; null for a first token.
func (f *textFormat) alternatives(t tokenInfo, text string) map[string]float32 {
	if t.logprob == nil {
		return nil
	}
	out := map[string]float32{}
	for _, r := range t.top {
		f.spelled(out, r)
	}
	out[text] = *t.logprob
	return out
}

func (f *textFormat) spelled(out map[string]float32, r engine.Ranked) {
	text, _ := f.server.spell(r.ID)
	if _, taken := out[text]; !taken { // an added token may be spelt like an ordinary one
		out[text] = r.LogProb
	}
}
