package tokenizer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"openrs/stages/tokenizer/jinja"
)

// ErrNoTemplate is returned when a chat template is applied and the model folder has none.
var ErrNoTemplate = errors.New("the model has no chat template")

// Message is one turn of a conversation.
type Message struct {
	// Role is "system", "user", "assistant" or what else the template knows.
	Role string
	// Content is the text of the turn.
	Content string
	// Extra are further fields that a template may look at, such as reasoning_content.
	Extra map[string]any
}

// chatTemplate is parsed when it is first used: a template that is broken must not keep a model from
// being used without it.
type chatTemplate struct {
	parse func() (*jinja.Template, error)
}

// Variables reads the extra variables of [Tokenizer.ApplyChatTemplate] from a JSON object such as
// {"enable_thinking": false}, for a flag or a request.
func Variables(text []byte) (map[string]any, error) {
	v, err := jinja.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("chat template variables: %w", err)
	}
	d, ok := v.(*jinja.Dict)
	if !ok {
		return nil, fmt.Errorf("chat template variables: expected a JSON object, found %.40s", text)
	}
	return d.Map(), nil
}

// HasChatTemplate reports whether there is a default chat template.
func (t *Tokenizer) HasChatTemplate() bool { return t.config.templates["default"] != nil }

// ApplyChatTemplate renders messages as the model's chat template writes them, with its tokens as
// text, for [Tokenizer.Encode]. With addGenerationPrompt the text ends where the assistant begins to
// write. extra are further variables of the template (enable_thinking), and "template" chooses one of
// several by name. An error of the template itself (raise_exception) is returned with its message.
func (t *Tokenizer) ApplyChatTemplate(messages []Message, addGenerationPrompt bool, extra map[string]any) (string, error) {
	vars := map[string]any{}
	for _, key := range []string{"bos_token", "eos_token", "pad_token", "unk_token"} {
		if text, ok := t.config.tokens[key]; ok {
			vars[key] = text
		}
	}
	maps.Copy(vars, extra)
	name := "default"
	if v, ok := vars["template"]; ok {
		if name, ok = v.(string); !ok {
			return "", fmt.Errorf("chat template: expected a name as the variable template, found %v", v)
		}
		delete(vars, "template")
	}
	tmpl := t.config.templates[name]
	switch {
	case tmpl == nil && len(t.config.templates) == 0:
		return "", fmt.Errorf("%s: %w", ConfigFile, ErrNoTemplate)
	case tmpl == nil:
		names := strings.Join(slices.Sorted(maps.Keys(t.config.templates)), ", ")
		return "", fmt.Errorf("%s: no chat template %q: expected one of %s", ConfigFile, name, names)
	}
	list := make([]any, len(messages))
	for i, m := range messages {
		fields := map[string]any{}
		maps.Copy(fields, m.Extra)
		fields["role"], fields["content"] = m.Role, m.Content
		list[i] = fields
	}
	vars["messages"] = list
	vars["add_generation_prompt"] = addGenerationPrompt
	return tmpl.render(vars)
}

func newChatTemplate(name, source string) *chatTemplate {
	return &chatTemplate{parse: sync.OnceValues(func() (*jinja.Template, error) {
		t, err := jinja.Parse(source)
		if err != nil {
			return nil, fmt.Errorf("chat template %q: %w: %w", name, ErrFormat, err)
		}
		return t, nil
	})}
}

func (c *chatTemplate) render(vars map[string]any) (string, error) {
	t, err := c.parse()
	if err != nil {
		return "", err
	}
	text, err := t.Render(vars)
	if raised := (*jinja.Raised)(nil); errors.As(err, &raised) {
		return "", fmt.Errorf("chat template: %w", raised)
	}
	if err != nil {
		return "", fmt.Errorf("chat template: %w", err)
	}
	return text, nil
}
