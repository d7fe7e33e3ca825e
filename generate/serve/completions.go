package serve

import (
	"encoding/json"
	"net/http"
	"time"
	"unicode/utf8"
)

// completionRequest is the body of POST /v1/completions.
type completionRequest struct {
	common
	Prompt   json.RawMessage `json:"prompt"`
	LogProbs *int            `json:"logprobs"`
	Echo     bool            `json:"echo"`
	BestOf   *int            `json:"best_of"`
	Suffix   *string         `json:"suffix"`
}

// maxPrompts is how many prompts one request may have.
const maxPrompts = 1024

func (p *completionRequest) check(maxChoices int) error {
	if err := p.common.check(maxChoices); err != nil {
		return err
	}
	n := 1
	if p.N != nil {
		n = *p.N
	}
	switch {
	case p.LogProbs != nil && (*p.LogProbs < 0 || *p.LogProbs > maxTopLogProbs):
		return invalid("logprobs", "logprobs is %d, expected 0 to %d", *p.LogProbs, maxTopLogProbs)
	case p.BestOf != nil && *p.BestOf != n:
		return invalid("best_of", "best_of is not supported: expected n or nothing")
	case p.Suffix != nil && *p.Suffix != "":
		return invalid("suffix", "suffix is not supported")
	}
	return nil
}

// prompts reads the four forms of a prompt: a text, texts, tokens, lists of tokens.
func (s *Server) prompts(raw json.RawMessage) ([][]int32, error) {
	var texts []string
	var text string
	var ids []int32
	var many, lists [][]int32
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil, invalid("prompt", "prompt: expected a text or tokens")
	case json.Unmarshal(raw, &text) == nil:
		lists = s.encode(text)
	case json.Unmarshal(raw, &texts) == nil:
		lists = s.encode(texts...)
	case json.Unmarshal(raw, &ids) == nil:
		lists = [][]int32{ids}
	case json.Unmarshal(raw, &many) == nil:
		lists = many
	default:
		return nil, invalid("prompt", "prompt: expected a string, a list of strings, a list of token ids or a list of such lists")
	}
	if len(lists) == 0 || len(lists) > maxPrompts {
		return nil, invalid("prompt", "prompt: %d prompts, expected 1 to %d", len(lists), maxPrompts)
	}
	for i, list := range lists {
		if len(list) == 0 {
			return nil, invalid("prompt", "prompt %d is empty", i+1)
		}
		for _, id := range list {
			if id < 0 || int(id) >= s.opt.Vocab {
				return nil, invalid("prompt", "prompt %d has the token %d, the vocabulary %d", i+1, id, s.opt.Vocab)
			}
		}
	}
	return lists, nil
}

func (s *Server) encode(texts ...string) [][]int32 {
	var out [][]int32
	for _, t := range texts {
		out = append(out, s.opt.Tokenizer.EncodeSpecial(t))
	}
	return out
}

// ordinaryNewTokens is the API's default of max_tokens at this endpoint.
const ordinaryNewTokens = 16

func (s *Server) completions(w http.ResponseWriter, r *http.Request) error {
	var p completionRequest
	if err := s.decode(w, r, &p); err != nil {
		return err
	}
	if err := p.check(s.opt.MaxChoices); err != nil {
		return err
	}
	prompts, err := s.prompts(p.Prompt)
	if err != nil {
		return err
	}
	// vLLM lists the end token here, and lm-evaluation-harness counts on as many tokens as it has asked for.
	ask := question{common: p.common, prompts: prompts, newTokens: ordinaryNewTokens, echo: p.Echo, endToken: true}
	if p.LogProbs != nil {
		ask.logprobs, ask.top = true, *p.LogProbs
	}
	return s.answer(w, r, &ask, &textFormat{id: newID("cmpl-"), created: time.Now().Unix(), server: s, logprobs: ask.logprobs})
}

// length counts characters, as text_offset does.
func length(text string) int { return utf8.RuneCountInString(text) }
