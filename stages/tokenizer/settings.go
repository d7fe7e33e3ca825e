package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
)

// settings is what tokenizer_config.json and chat_template.jinja say.
type settings struct {
	// tokens are the texts of bos_token, eos_token, pad_token and unk_token, where given.
	tokens map[string]string
	// Llama's classes put tokens around a text by these settings, whatever tokenizer.json says.
	llama          bool
	addBOS, addEOS bool
	templates      map[string]*chatTemplate // by name; the usual one is "default"
}

// readSettings reads the files as far as they exist. Keys that only matter to Python are ignored.
func readSettings(fsys fs.FS) (settings, error) {
	s := settings{tokens: map[string]string{}, templates: map[string]*chatTemplate{}}
	sources := map[string]string{}
	data, err := fs.ReadFile(fsys, ConfigFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return s, err
	default:
		if sources, err = s.parse(data); err != nil {
			return s, fmt.Errorf("%s: %w", ConfigFile, err)
		}
	}
	// A template in a file of its own wins, as in the transformers library.
	data, err = fs.ReadFile(fsys, TemplateFile)
	switch {
	case err == nil:
		sources["default"] = string(data)
	case !errors.Is(err, fs.ErrNotExist):
		return s, err
	}
	for name, source := range sources {
		s.templates[name] = newChatTemplate(name, source)
	}
	return s, nil
}

// parse reads tokenizer_config.json and returns the sources of the chat templates by name.
func (s *settings) parse(data []byte) (map[string]string, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("%w: expected a JSON object: %w", ErrFormat, err)
	}
	for _, key := range []string{"bos_token", "eos_token", "pad_token", "unk_token"} {
		text, err := tokenText(raw[key])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		if text != "" {
			s.tokens[key] = text
		}
	}
	var class string
	s.addBOS = true // unless it says otherwise
	for key, dst := range map[string]any{"tokenizer_class": &class, "add_bos_token": &s.addBOS, "add_eos_token": &s.addEOS} {
		if isNull(raw[key]) {
			continue
		}
		if err := json.Unmarshal(raw[key], dst); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrFormat, key, err)
		}
	}
	s.llama = class == "LlamaTokenizer" || class == "LlamaTokenizerFast"
	templates, err := templateSources(raw["chat_template"])
	if err != nil {
		return nil, fmt.Errorf("chat_template: %w", err)
	}
	return templates, nil
}

// tokenText reads a token that is given as a string, as an object with its content, or as null.
func tokenText(data json.RawMessage) (string, error) {
	if isNull(data) {
		return "", nil
	}
	var text string
	if json.Unmarshal(data, &text) == nil {
		return text, nil
	}
	var object struct{ Content *string }
	if err := json.Unmarshal(data, &object); err != nil || object.Content == nil {
		return "", fmt.Errorf("%w: expected a string or an object with content, found %s", ErrFormat, data)
	}
	return *object.Content, nil
}

// templateSources reads one template as a string, or several as a list of names and templates.
func templateSources(data json.RawMessage) (map[string]string, error) {
	out := map[string]string{}
	if isNull(data) {
		return out, nil
	}
	var one string
	if json.Unmarshal(data, &one) == nil {
		out["default"] = one
		return out, nil
	}
	var list []struct{ Name, Template string }
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("%w: expected a string or a list of named templates: %w", ErrFormat, err)
	}
	for i, t := range list {
		if t.Name == "" {
			return nil, fmt.Errorf("%w: [%d]: expected a name, found none", ErrFormat, i)
		}
		out[t.Name] = t.Template
	}
	return out, nil
}

func isNull(data json.RawMessage) bool {
	return len(data) == 0 || bytes.Equal(data, []byte("null"))
}
