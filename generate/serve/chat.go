package serve

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"time"

	"openrs/stages/tokenizer"
)

// chatRequest is the body of POST /v1/chat/completions.
type chatRequest struct {
	common
	Messages            []chatMessage   `json:"messages"`
	MaxCompletionTokens *int            `json:"max_completion_tokens"`
	LogProbs            bool            `json:"logprobs"`
	TopLogProbs         int             `json:"top_logprobs"`
	TemplateVariables   json.RawMessage `json:"chat_template_kwargs"` // vLLM's name

	ResponseFormat    *struct{ Type string } `json:"response_format"`
	Tools             []json.RawMessage      `json:"tools"`
	Functions         []json.RawMessage      `json:"functions"`
	ToolChoice        json.RawMessage        `json:"tool_choice"`
	ParallelToolCalls json.RawMessage        `json:"parallel_tool_calls"`
	Modalities        []string               `json:"modalities"`
}

// chatMessage is a turn. Content is a string, null, or a list of text parts.
type chatMessage struct {
	Role      string            `json:"role"`
	Type      json.RawMessage   `json:"type"` // "text", from lm-evaluation-harness
	Content   content           `json:"content"`
	Name      *string           `json:"name"`
	Reasoning *string           `json:"reasoning_content"`
	ToolCalls []json.RawMessage `json:"tool_calls"`
	Refusal   json.RawMessage   `json:"refusal"`
	Audio     json.RawMessage   `json:"audio"`
	// Fields that clients send back as they got them.
	FunctionCall json.RawMessage `json:"function_call"`
	Annotations  json.RawMessage `json:"annotations"`
}

type content string

func (c *content) UnmarshalJSON(data []byte) error {
	var text *string
	if json.Unmarshal(data, &text) == nil {
		if text != nil {
			*c = content(*text)
		}
		return nil
	}
	var parts []struct{ Type, Text string }
	if json.Unmarshal(data, &parts) != nil {
		return invalid("messages", "messages: expected the content as a string or a list of parts")
	}
	var all strings.Builder
	for _, p := range parts {
		if p.Type != "text" {
			return invalid("messages", "messages: a content part of type %q is not supported: expected text", p.Type)
		}
		all.WriteString(p.Text)
	}
	*c = content(all.String())
	return nil
}

// maxTopLogProbs is how many alternatives a token may be asked with.
const maxTopLogProbs = 20

func (p *chatRequest) check(maxChoices int) error {
	if err := p.common.check(maxChoices); err != nil {
		return err
	}
	switch {
	case len(p.Messages) == 0:
		return invalid("messages", "messages: expected at least one")
	case p.TopLogProbs < 0 || p.TopLogProbs > maxTopLogProbs:
		return invalid("top_logprobs", "top_logprobs is %d, expected 0 to %d", p.TopLogProbs, maxTopLogProbs)
	case p.TopLogProbs > 0 && !p.LogProbs:
		return invalid("top_logprobs", "top_logprobs goes with logprobs: true")
	case p.ResponseFormat != nil && p.ResponseFormat.Type != "text":
		return invalid("response_format", "response_format %q is not supported: expected text", p.ResponseFormat.Type)
	case len(p.Tools) > 0:
		return invalid("tools", "tools are not supported")
	case len(p.Functions) > 0:
		return invalid("functions", "functions are not supported")
	case len(p.Modalities) > 1 || len(p.Modalities) == 1 && p.Modalities[0] != "text":
		return invalid("modalities", "modalities: expected text alone")
	case p.MaxTokens != nil && p.MaxCompletionTokens != nil && *p.MaxTokens != *p.MaxCompletionTokens:
		return invalid("max_completion_tokens", "max_tokens is %d and max_completion_tokens %d: expected one of them", *p.MaxTokens, *p.MaxCompletionTokens)
	}
	for i, m := range p.Messages {
		switch m.Role {
		case "system", "developer", "user", "assistant":
		default:
			return invalid("messages", "messages: the role of message %d is %q, expected system, user or assistant", i+1, m.Role)
		}
		if len(m.ToolCalls) > 0 {
			return invalid("messages", "messages: message %d has tool_calls, which are not supported", i+1)
		}
	}
	return nil
}

// turns are the messages as the chat template takes them.
func (p *chatRequest) turns() []tokenizer.Message {
	var out []tokenizer.Message
	for _, m := range p.Messages {
		t := tokenizer.Message{Role: m.Role, Content: string(m.Content)}
		if m.Role == "developer" { // what newer clients call the system's
			t.Role = "system"
		}
		if m.Reasoning != nil {
			t.Extra = map[string]any{"reasoning_content": *m.Reasoning}
		}
		out = append(out, t)
	}
	return out
}

func (s *Server) chat(w http.ResponseWriter, r *http.Request) error {
	var p chatRequest
	if err := s.decode(w, r, &p); err != nil {
		return err
	}
	if err := p.check(s.opt.MaxChoices); err != nil {
		return err
	}
	variables, err := s.variables(p.TemplateVariables)
	if err != nil {
		return err
	}
	text, err := s.opt.Tokenizer.ApplyChatTemplate(p.turns(), true, variables)
	if err != nil {
		return invalid("messages", "%v", err)
	}
	if p.MaxTokens == nil {
		p.MaxTokens = p.MaxCompletionTokens
	}
	ask := question{
		common: p.common, prompts: [][]int32{s.opt.Tokenizer.Encode(text)},
		logprobs: p.LogProbs, top: p.TopLogProbs, newTokens: s.opt.Context,
	}
	return s.answer(w, r, &ask, &chatFormat{id: newID("chatcmpl-"), created: time.Now().Unix(), server: s, logprobs: p.LogProbs})
}

// variables are the template's: the server's own, and over them those of a request.
func (s *Server) variables(raw json.RawMessage) (map[string]any, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return s.opt.Template, nil
	}
	own, err := tokenizer.Variables(raw)
	if err != nil {
		return nil, invalid("chat_template_kwargs", "chat_template_kwargs: %v", err)
	}
	all := maps.Clone(s.opt.Template)
	if all == nil {
		return own, nil
	}
	maps.Copy(all, own)
	return all, nil
}
