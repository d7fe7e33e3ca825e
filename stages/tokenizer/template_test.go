package tokenizer

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

// chatML has the constructs of real templates: indented blocks, trimmed tags, namespaces, string
// methods, tests and raise_exception.
const chatML = `{%- set ns = namespace(system=false) %}
{%- if not messages %}
    {{- raise_exception('a conversation needs a message') }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'system' and not loop.first %}
        {{- raise_exception('system must come first, found at ' + loop.index0|string) }}
    {%- endif %}
    {%- set content = message.content %}
    {%- if message.role == 'assistant' and '</think>' in content %}
        {%- set content = content.split('</think>')[-1].lstrip('\n') %}
    {%- endif %}
    {{- '<|' + message.role + '|>' + content | trim + '\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think></think>' }}
    {%- endif %}
{%- endif %}
{{- eos_token if eos_token is defined else '' }}
`

func withTemplate(t *testing.T, template any) *Tokenizer {
	t.Helper()
	config := marshal(t, map[string]any{"chat_template": template, "eos_token": "</s>"})
	return mustLoad(t, fixture(t), string(config))
}

func TestChatTemplate(t *testing.T) {
	tok := withTemplate(t, chatML)
	user := Message{Role: "user", Content: " a{{b}} "}
	for _, c := range []struct {
		messages []Message
		prompt   bool
		extra    map[string]any
		want     string
	}{
		{[]Message{user}, false, nil, "<|user|>a{{b}}\n</s>"},
		{[]Message{user}, true, nil, "<|user|>a{{b}}\n<|assistant|></s>"},
		{[]Message{user}, true, map[string]any{"enable_thinking": false, "eos_token": "!"}, "<|user|>a{{b}}\n<|assistant|><think></think>!"},
		{[]Message{{Role: "system", Content: "s"}, user, {Role: "assistant", Content: "<think>\nx</think>\n\ny"}}, false, nil,
			"<|system|>s\n<|user|>a{{b}}\n<|assistant|>y\n</s>"},
	} {
		got, err := tok.ApplyChatTemplate(c.messages, c.prompt, c.extra)
		if err != nil || got != c.want {
			t.Errorf("expected %q, found %q, %v", c.want, got, err)
		}
	}
	for _, c := range []struct {
		messages []Message
		want     string
	}{
		{nil, "a conversation needs a message"},
		{[]Message{user, {Role: "system"}}, "system must come first, found at 1"},
	} {
		if got, err := tok.ApplyChatTemplate(c.messages, true, nil); err == nil || got != "" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("expected %q, found %q, %v", c.want, got, err)
		}
	}
}

func TestTrimmedBlocks(t *testing.T) {
	tok := withTemplate(t, "{% for m in messages %}\n  {% if true %}\n{{ m.content }}|\n  {% endif %}\n{% endfor %}\nend\n")
	got, err := tok.ApplyChatTemplate([]Message{{Content: "a"}, {Content: "b"}}, false, nil)
	if want := "a|\nb|\nend"; err != nil || got != want {
		t.Errorf("expected %q, found %q, %v", want, got, err)
	}
}

func TestNamedTemplates(t *testing.T) {
	tok := withTemplate(t, []map[string]string{{"name": "default", "template": "d"}, {"name": "tool_use", "template": "t{{ messages[0].extra }}"}})
	for name, want := range map[string]string{"": "d", "tool_use": "t7"} {
		extra := map[string]any{}
		if name != "" {
			extra["template"] = name
		}
		got, err := tok.ApplyChatTemplate([]Message{{Extra: map[string]any{"extra": 7}}}, false, extra)
		if err != nil || got != want {
			t.Errorf("%s: expected %q, found %q, %v", name, want, got, err)
		}
	}
	if _, err := tok.ApplyChatTemplate(nil, false, map[string]any{"template": "rag"}); err == nil || !strings.Contains(err.Error(), "expected one of default, tool_use") {
		t.Errorf("found %v", err)
	}
	if _, err := mustLoad(t, fixture(t), "").ApplyChatTemplate(nil, false, nil); !errors.Is(err, ErrNoTemplate) {
		t.Errorf("expected ErrNoTemplate, found %v", err)
	}
}

func TestTemplateFile(t *testing.T) {
	config, err := json.Marshal(map[string]string{"chat_template": "old"})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := Load(fstest.MapFS{File: {Data: marshal(t, fixture(t))}, ConfigFile: {Data: config}, TemplateFile: {Data: []byte("new")}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tok.ApplyChatTemplate(nil, false, nil); got != "new" || err != nil || !tok.HasChatTemplate() {
		t.Errorf("expected the file's template, found %q, %v", got, err)
	}
}

func TestBrokenTemplates(t *testing.T) {
	for source, want := range map[string]string{
		"{% for x in %}":                `chat template "default"`,
		"some text {% if a %}":          `chat template "default"`,
		"{{ a | nofilter }}":            "nofilter",
		"{% include '/etc/passwd' %}":   `unknown tag "include"`,
		"{{ messages[0].content.x() }}": "chat template",
	} {
		got, err := withTemplate(t, source).ApplyChatTemplate([]Message{{Role: "user", Content: "a"}}, false, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected %q, found %q, %v", source, want, got, err)
		}
	}
}

// One tokenizer serves all requests of a process.
func TestTemplateFromManyGoroutines(t *testing.T) {
	tok := withTemplate(t, chatML)
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 20 {
				content := strings.Repeat("x", 1+g*20+i)
				got, err := tok.ApplyChatTemplate([]Message{{Role: "user", Content: content}}, false, nil)
				if want := "<|user|>" + content + "\n</s>"; err != nil || got != want {
					t.Errorf("expected %q, found %q, %v", want, got, err)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestVariables(t *testing.T) {
	vars, err := Variables([]byte(`{"enable_thinking": false, "tools": [{"b": 1, "a": 2}]}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := withTemplate(t, "{{ enable_thinking }}{{ tools | tojson }}").ApplyChatTemplate(nil, false, vars)
	if want := `False[{"b": 1, "a": 2}]`; err != nil || got != want {
		t.Errorf("expected %q, found %q, %v", want, got, err)
	}
	for _, bad := range []string{"", "[]", `"a"`, "{", "3"} {
		if vars, err := Variables([]byte(bad)); err == nil || !strings.Contains(err.Error(), "chat template variables") {
			t.Errorf("%s: found %v, %v", bad, vars, err)
		}
	}
}
