package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"openrs/stages/tokenizer/jinja"
)

// conversation is one entry of testdata/templates/conversations.json.
type conversation struct {
	Name      string
	Prompt    bool
	Messages  []map[string]any
	Variables json.RawMessage
}

func conversations(t *testing.T) []conversation {
	t.Helper()
	var all []conversation
	readJSON(t, filepath.Join("testdata", "templates", "conversations.json"), &all)
	return all
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		t.Fatal(path, err)
	}
}

// messages are the conversation's turns as callers give them.
func (c conversation) messages() []Message {
	var out []Message
	for _, m := range c.Messages {
		extra := map[string]any{}
		for k, v := range m {
			if k != "role" && k != "content" {
				extra[k] = v
			}
		}
		out = append(out, Message{Role: m["role"].(string), Content: m["content"].(string), Extra: extra})
	}
	return out
}

// variables are the conversation's, with their keys in order, and a fixed date.
func (c conversation) variables(t *testing.T) map[string]any {
	t.Helper()
	vars := map[string]any{"strftime_now": jinja.Func(func(args []any, _ map[string]any) (any, error) {
		return jinja.Strftime(time.Date(2025, 3, 9, 14, 5, 7, 0, time.UTC), args[0].(string)), nil
	})}
	if c.Variables == nil {
		return vars
	}
	given, err := Variables(c.Variables)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range given {
		vars[k] = v
	}
	return vars
}

// TestReferenceRenderings compares the templates of Qwen2.5, Qwen3 (Apache 2.0) and DeepSeek-R1-Distill-Qwen
// (MIT) with what Jinja2 made of them, set up as transformers does it: testdata/templates/render.py.
func TestReferenceRenderings(t *testing.T) {
	var want struct {
		Templates map[string]map[string]json.RawMessage
	}
	dir := filepath.Join("testdata", "templates")
	readJSON(t, filepath.Join(dir, "expected.json"), &want)
	tokens := map[string]map[string]string{
		"qwen2.5": {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}, "qwen3": {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
		"deepseek-r1-distill-qwen": {"bos_token": "<｜begin▁of▁sentence｜>", "eos_token": "<｜end▁of▁sentence｜>"},
	}
	if len(want.Templates) != len(tokens) {
		t.Errorf("expected references of %d templates, found %d", len(tokens), len(want.Templates))
	}
	for name, texts := range want.Templates {
		source, err := os.ReadFile(filepath.Join(dir, name+".jinja"))
		if err != nil {
			t.Fatal(err)
		}
		tok := Tokenizer{config: settings{tokens: tokens[name], templates: map[string]*chatTemplate{"default": newChatTemplate(name, string(source))}}}
		for _, c := range conversations(t) {
			got, err := tok.ApplyChatTemplate(c.messages(), c.Prompt, c.variables(t))
			var text string
			if json.Unmarshal(texts[c.Name], &text) != nil { // {"error": …}
				if err == nil {
					t.Errorf("%s: %s: expected %s, found %q", name, c.Name, texts[c.Name], got)
				}
			} else if err != nil || got != text {
				t.Errorf("%s: %s:\nexpected %q\n   found %q, %v", name, c.Name, text, got, err)
			}
		}
	}
}

// TestTemplatesWithHuggingFace renders the templates of real model folders, those of Llama among them, and
// compares with Hugging Face's own engine for JavaScript.
func TestTemplatesWithHuggingFace(t *testing.T) {
	dir := npmFolder(t, t.Context())
	for _, model := range []string{"qwen2_5", "qwen3", "deepseek_v3", "llama3", "llama3_1", "llama3_2"} {
		t.Run(model, func(t *testing.T) {
			tok, err := Load(os.DirFS(npmModel(dir, model)))
			if err != nil {
				t.Fatal(err)
			}
			cmd := node(t, t.Context(), dir, "render.js", npmModel(dir, model), filepath.Join("testdata", "templates", "conversations.json"))
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			var want map[string]*string
			if err := json.Unmarshal(out, &want); err != nil {
				t.Fatal(err)
			}
			same := 0
			for _, c := range conversations(t) {
				vars := c.variables(t)
				if vars["date_string"] == nil {
					vars["date_string"] = "09 Mar 2025"
				}
				got, err := tok.ApplyChatTemplate(c.messages(), c.Prompt, vars)
				w, ok := want[c.Name]
				switch {
				case !ok:
					t.Errorf("%s: no reference", c.Name)
				case w == nil && err == nil:
					t.Errorf("%s: expected an error, found %q", c.Name, got)
				case w != nil && (err != nil || got != *w):
					t.Errorf("%s:\nexpected %q\n   found %q, %v", c.Name, *w, got, err)
				default:
					same++
				}
			}
			t.Logf("%d conversations", same)
		})
	}
}
