package rollout

import (
	"fmt"

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
	system, ok := p.Metadata[stages.MetaSystem]
	if !ok {
		system = r.System
	}
	if system != "" {
		messages = append(messages, tokenizer.Message{Role: "system", Content: system})
	}
	messages = append(messages, tokenizer.Message{Role: "user", Content: p.Problem})
	text, err := r.Tokenizer.ApplyChatTemplate(messages, true, r.Template)
	if err != nil {
		return nil, fmt.Errorf("problem %s: %w", p.ProblemID, err)
	}
	return r.Tokenizer.Encode(text), nil
}
