package tokenizer

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/loaders"
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

// chatTemplate is compiled when it is first used: a template that this engine can't read must not
// keep a model from being used without it.
type chatTemplate struct {
	compile func() (*exec.Template, error)
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

// newChatTemplate sets the engine up as the transformers library sets up Jinja: a block takes its line
// with it (trim_blocks, lstrip_blocks), and no other template can be loaded.
func newChatTemplate(name, source string) *chatTemplate {
	return &chatTemplate{compile: sync.OnceValues(func() (tmpl *exec.Template, err error) {
		defer asError(&err)
		settings := config.New()
		settings.TrimBlocks, settings.LeftStripBlocks = true, true
		env := &exec.Environment{
			Context:           exec.EmptyContext().Update(builtins.GlobalFunctions).Update(builtins.GlobalVariables),
			Filters:           builtins.Filters,
			Tests:             builtins.Tests,
			ControlStructures: builtins.ControlStructures,
			Methods:           builtins.Methods,
		}
		tmpl, err = exec.NewTemplate(name, settings, only{name, source}, env)
		if err != nil {
			// The engine's message repeats the whole template; its last part says where and why.
			return nil, fmt.Errorf("chat template %q: %w: %s", name, ErrFormat, lastCause(err, source))
		}
		return tmpl, nil
	})}
}

func (c *chatTemplate) render(vars map[string]any) (text string, err error) {
	tmpl, err := c.compile()
	if err != nil {
		return "", err
	}
	defer asError(&err)
	var raised error
	context := exec.NewContext(vars)
	context.Set("raise_exception", func(message string) (string, error) {
		if raised == nil {
			raised = errors.New(message)
		}
		return "", raised
	})
	context.Set("strftime_now", func(format string) string { return strftime(time.Now(), format) })
	text, err = tmpl.ExecuteToString(context)
	if raised != nil {
		return "", fmt.Errorf("chat template: %w", raised)
	}
	if err != nil {
		return "", fmt.Errorf("chat template: %w", err)
	}
	return text, nil
}

// asError turns a panic of the template engine into an error: templates are input.
func asError(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("chat template: %w: the engine failed: %v", ErrFormat, r)
	}
}

// lastCause drops the template's own text from a message of the engine.
func lastCause(err error, source string) string {
	text := err.Error()
	if i := strings.LastIndex(text, source); source != "" && i >= 0 {
		text = strings.TrimLeft(text[i+len(source):], "': ")
	}
	return text
}

// strftime knows the directives that templates use for dates.
func strftime(now time.Time, format string) string {
	layouts := map[byte]string{'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'B': "January", 'b': "Jan", 'A': "Monday", 'a': "Mon",
		'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM"}
	var out strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			out.WriteByte(format[i])
			continue
		}
		i++
		if layout, ok := layouts[format[i]]; ok {
			out.WriteString(now.Format(layout))
		} else {
			out.WriteByte(format[i])
		}
	}
	return out.String()
}

// only is a loader of one template: include and import find nothing else.
type only struct{ name, source string }

func (o only) Read(path string) (io.Reader, error) {
	if path != o.name {
		return nil, fmt.Errorf("a chat template can't load %q", path)
	}
	return strings.NewReader(o.source), nil
}

func (o only) Resolve(path string) (string, error) { return path, nil }

func (o only) Inherit(string) (loaders.Loader, error) { return o, nil }
