package rollout

import (
	"fmt"
	"strconv"

	"openrs/schemas"
	"openrs/stages"
	"openrs/stages/tokenizer"
)

// Prompter turns a problem into the tokens that the model sees.
type Prompter struct {
	Tokenizer *tokenizer.Tokenizer
	System    string         // system message; "" for none
	Template  map[string]any // extra variables of the chat template
}

// Prompt renders p's text with the chat template, or returns its own tokens when it brings some.
func (r Prompter) Prompt(p schemas.Problem) ([]int32, error) {
	if p.PromptIDs != nil {
		return p.PromptIDs, nil
	}
	var messages []tokenizer.Message
	if r.System != "" {
		messages = append(messages, tokenizer.Message{Role: "system", Content: r.System})
	}
	messages = append(messages, tokenizer.Message{Role: "user", Content: p.Problem})
	text, err := r.Tokenizer.ApplyChatTemplate(messages, true, r.Template)
	if err != nil {
		return nil, fmt.Errorf("problem %s: %w", p.ProblemID, err)
	}
	return r.Tokenizer.Encode(text), nil
}

// samplesOf returns the first sample's number and the number of samples of a problem.
func samplesOf(p schemas.Problem, groupSize int) (first int32, samples int, err error) {
	samples = groupSize
	read := func(key string, lowest int) (int, error) {
		n, err := strconv.ParseInt(p.Metadata[key], 10, 32)
		if err != nil || int(n) < lowest {
			return 0, fmt.Errorf("problem %s: metadata %s is %q, expected a whole number from %d", p.ProblemID, key, p.Metadata[key], lowest)
		}
		return int(n), nil
	}
	if _, ok := p.Metadata[stages.MetaSample]; ok {
		n, err := read(stages.MetaSample, 0)
		if err != nil {
			return 0, 0, err
		}
		first = int32(n)
	}
	if _, ok := p.Metadata[stages.MetaSamples]; ok {
		if samples, err = read(stages.MetaSamples, 1); err != nil {
			return 0, 0, err
		}
	}
	return first, samples, nil
}
