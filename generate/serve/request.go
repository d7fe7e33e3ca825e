package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"
)

// apiError is a failure as the OpenAI API reports it.
type apiError struct {
	Status  int    `json:"-"`
	Message string `json:"message"`
	Type    string `json:"type"`
	Param   string `json:"param,omitempty"`
	Code    string `json:"code,omitempty"`
}

func (e *apiError) Error() string { return e.Message }

// invalid is a 400 about a parameter.
func invalid(param, format string, args ...any) *apiError {
	return &apiError{Status: http.StatusBadRequest, Type: "invalid_request_error", Param: param, Message: fmt.Sprintf(format, args...)}
}

// common are the parameters of both endpoints. Names and defaults are OpenAI's; top_k, min_p,
// stop_token_ids and repetition_penalty are vLLM's.
type common struct {
	Model         string         `json:"model"`
	MaxTokens     *int           `json:"max_tokens"`
	Temperature   *float64       `json:"temperature"`
	TopP          *float64       `json:"top_p"`
	TopK          *int           `json:"top_k"`
	MinP          *float64       `json:"min_p"`
	N             *int           `json:"n"`
	Stop          stops          `json:"stop"`
	StopTokenIDs  []int32        `json:"stop_token_ids"`
	Seed          *int64         `json:"seed"`
	Stream        bool           `json:"stream"`
	StreamOptions *streamOptions `json:"stream_options"`

	// Parameters that change nothing here when they have their neutral value, and are refused otherwise.
	FrequencyPenalty  *float64           `json:"frequency_penalty"`
	PresencePenalty   *float64           `json:"presence_penalty"`
	RepetitionPenalty *float64           `json:"repetition_penalty"`
	LogitBias         map[string]float64 `json:"logit_bias"`

	// Parameters that are about the caller and not about the answer.
	User             json.RawMessage `json:"user"`
	Metadata         json.RawMessage `json:"metadata"`
	Store            json.RawMessage `json:"store"`
	ServiceTier      json.RawMessage `json:"service_tier"`
	SafetyIdentifier json.RawMessage `json:"safety_identifier"`
	PromptCacheKey   json.RawMessage `json:"prompt_cache_key"`
}

type streamOptions struct {
	IncludeUsage       bool            `json:"include_usage"`
	IncludeObfuscation json.RawMessage `json:"include_obfuscation"`
}

// stops is one stop string or a list of them.
type stops []string

func (s *stops) UnmarshalJSON(data []byte) error {
	*s = nil
	if string(data) == "null" {
		return nil
	}
	var one string
	if json.Unmarshal(data, &one) == nil {
		*s = stops{one}
		return nil
	}
	var many []string
	if json.Unmarshal(data, &many) != nil {
		return invalid("stop", "stop: expected a string or a list of strings")
	}
	*s = many
	return nil
}

// maxStops is how many stop strings, and how many stop tokens, a request may have; OpenAI takes 4 strings.
const maxStops = 64

// check refuses values that mean nothing, and parameters that this server does not have.
func (p *common) check(maxChoices int) error {
	number := func(name string, v *float64, low, high float64) error {
		if v != nil && !(*v >= low && *v <= high) {
			return invalid(name, "%s is %v, expected a number from %v to %v", name, *v, low, high)
		}
		return nil
	}
	neutral := func(name string, v *float64, value float64) error {
		if v != nil && *v != value {
			return invalid(name, "%s is not supported: expected %v or nothing", name, value)
		}
		return nil
	}
	err := errors.Join(
		number("temperature", p.Temperature, 0, 100), number("min_p", p.MinP, 0, 1),
		neutral("frequency_penalty", p.FrequencyPenalty, 0), neutral("presence_penalty", p.PresencePenalty, 0),
		neutral("repetition_penalty", p.RepetitionPenalty, 1),
	)
	switch {
	case err != nil:
		return err
	case p.TopP != nil && !(*p.TopP > 0 && *p.TopP <= 1):
		return invalid("top_p", "top_p is %v, expected a number above 0 and up to 1", *p.TopP)
	case p.TopK != nil && (*p.TopK < -1 || *p.TopK > math.MaxInt32):
		return invalid("top_k", "top_k is %d, expected a count, or -1 or 0 for all", *p.TopK)
	case p.N != nil && (*p.N < 1 || *p.N > maxChoices):
		return invalid("n", "n is %d, expected 1 to %d", *p.N, maxChoices)
	case len(p.LogitBias) > 0:
		return invalid("logit_bias", "logit_bias is not supported")
	case len(p.Stop) > maxStops:
		return invalid("stop", "stop has %d strings, expected at most %d", len(p.Stop), maxStops)
	case len(p.StopTokenIDs) > maxStops:
		return invalid("stop_token_ids", "stop_token_ids has %d tokens, expected at most %d", len(p.StopTokenIDs), maxStops)
	case p.StreamOptions != nil && !p.Stream:
		return invalid("stream_options", "stream_options goes with stream: true")
	}
	for _, s := range p.Stop {
		if s == "" {
			return invalid("stop", "stop: expected no empty string")
		}
	}
	return nil
}

// decode reads a body, within the server's patience, that is one JSON object without members that v does not have.
func (s *Server) decode(w http.ResponseWriter, r *http.Request, v any) error {
	limit := s.opt.MaxBody
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
		return &apiError{Status: http.StatusUnsupportedMediaType, Type: "invalid_request_error",
			Message: fmt.Sprintf("content type %q: expected application/json", r.Header.Get("Content-Type"))}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return &apiError{Status: http.StatusRequestEntityTooLarge, Type: "invalid_request_error",
			Message: fmt.Sprintf("the body is longer than %d bytes", limit)}
	case err != nil:
		return invalid("", "reading the body: %v", err)
	}
	// What is read from now on is whether the client is still there: that has no deadline.
	if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	return unmarshal(string(body), v)
}

// unmarshal is decode on a text.
func unmarshal(text string, v any) error {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return badJSON(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return invalid("", "expected one JSON object, found more after it")
	}
	return nil
}

// badJSON says what is wrong with a body in the words of the API.
func badJSON(err error) error {
	var known *apiError
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); {
	case errors.As(err, &known):
		return known
	case unknown:
		name = strings.Trim(name, `"`)
		return invalid(name, "unknown parameter %q", name)
	case errors.As(err, &kind) && kind.Field != "":
		return invalid(kind.Field, "%s: expected %s, found %s", kind.Field, jsonName(kind.Type.Kind().String()), kind.Value)
	case errors.As(err, &syntax):
		return invalid("", "malformed JSON at byte %d: %v", syntax.Offset, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return invalid("", "malformed JSON: the body ends too early")
	}
	return invalid("", "expected a JSON object of parameters: %v", err)
}

// jsonName is how JSON calls a kind of Go value.
func jsonName(kind string) string {
	switch {
	case strings.HasPrefix(kind, "int"):
		return "a whole number"
	case strings.HasPrefix(kind, "float"):
		return "a number"
	case kind == "slice":
		return "a list"
	case kind == "struct", kind == "map":
		return "an object"
	case kind == "bool":
		return "true or false"
	}
	return "a " + kind
}
