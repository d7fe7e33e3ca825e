package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"openrs/generate/engine"
	"openrs/generate/engine/enginetest"
	"openrs/generate/logprobs"
	"openrs/stages/tokenizer"
)

// tiny is the model of the tests.
type tiny struct{ *enginetest.Tiny }

func openTiny(t *testing.T, opt engine.Options) tiny { return tiny{enginetest.Open(t, opt)} }

// service is a running server.
type service struct {
	tiny
	server *Server
	url    string
	stop   func() error // drains and returns what Run did
}

func start(t *testing.T, sizes engine.Options, change func(*Options)) *service {
	t.Helper()
	m := openTiny(t, sizes)
	scorer := logprobs.New(m.Model)
	opt := Options{
		Name: "tiny", Fingerprint: "openrs-test", Tokenizer: m.Source.Tokenizer, Ends: m.Source.EOS, Vocab: m.Source.Config.Vocab,
		Context: m.Source.Config.MaxPositions, Scorable: 900, MaxChoices: 64, MaxWaiting: 512, MaxBody: 1 << 16, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if change != nil {
		change(&opt)
	}
	s := &service{tiny: m, server: New(opt, engine.NewPool(m.Engine), scorer)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	end := make(chan error, 1)
	go func() { end <- s.server.Run(ctx, listener, 5*time.Second) }()
	s.stop = sync.OnceValue(func() error { cancel(); return <-end })
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		scorer.Close()
	})
	return s
}

type body = map[string]any

// post sends a body and returns the status and the answer.
func (s *service) post(t *testing.T, path string, b any) (int, body) {
	t.Helper()
	status, out, err := s.try(path, b)
	if err != nil {
		t.Fatal(err)
	}
	return status, out
}

func (s *service) try(path string, b any) (int, body, error) {
	text, ok := b.(string)
	if !ok {
		data, err := json.Marshal(b)
		if err != nil {
			return 0, nil, err
		}
		text = string(data)
	}
	r, err := http.Post(s.url+path, "application/json", strings.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	defer r.Body.Close()
	var out body
	err = json.NewDecoder(r.Body).Decode(&out)
	return r.StatusCode, out, err
}

// stream sends a body with stream set and returns the objects of its events.
func (s *service) stream(t *testing.T, path string, b body) []body {
	t.Helper()
	b["stream"] = true
	data, _ := json.Marshal(b)
	r, err := http.Post(s.url+path, "application/json", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if kind := r.Header.Get("Content-Type"); kind != "text/event-stream" || r.StatusCode != 200 {
		t.Fatalf("status %d, content type %s", r.StatusCode, kind)
	}
	var all []body
	done := false
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		text, ok := strings.CutPrefix(lines.Text(), "data: ")
		switch {
		case lines.Text() == "":
		case !ok || done:
			t.Fatalf("line %q", lines.Text())
		case text == "[DONE]":
			done = true
		default:
			var v body
			if err := json.Unmarshal([]byte(text), &v); err != nil {
				t.Fatal(err)
			}
			all = append(all, v)
		}
	}
	if !done {
		t.Fatal("the stream has no end")
	}
	return all
}

func choices(b body) []body {
	var out []body
	for _, c := range b["choices"].([]any) {
		out = append(out, c.(body))
	}
	return out
}

func chatText(c body) string { return c["message"].(body)["content"].(string) }

func user(text string) []body { return []body{{"role": "user", "content": text}} }

// expect samples a chat prompt without the server.
func (m tiny) expect(t *testing.T, prompt string, r engine.Request) engine.Result {
	t.Helper()
	text, err := m.Source.Tokenizer.ApplyChatTemplate([]tokenizer.Message{{Role: "user", Content: prompt}}, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Prompt = m.Source.Tokenizer.Encode(text)
	r.ProblemID, r.Stop = promptID(r.Prompt), m.Source.EOS
	if err := m.Engine.Add(r); err != nil {
		t.Fatal(err)
	}
	for {
		results, err := m.Engine.Step()
		if err != nil {
			t.Fatal(err)
		}
		if len(results) == 1 {
			return results[0]
		}
	}
}

// text is a completion without its stop token.
func (m tiny) text(c engine.Completion) string { return m.Source.Tokenizer.Decode(c.Tokens, true) }

func TestChatIsWhatTheEngineSamples(t *testing.T) {
	alone := openTiny(t, engine.Options{})
	s := start(t, engine.Options{}, nil)
	want := alone.expect(t, "12+7*3", engine.Request{Samples: 4, MaxNewTokens: 60, Temperature: 0.8, TopP: 0.95, Seed: 11})
	ask := body{"model": "tiny", "messages": user("12+7*3"), "n": 4, "max_tokens": 60, "temperature": 0.8, "top_p": 0.95, "seed": 11, "logprobs": true, "top_logprobs": 3}
	status, got := s.post(t, "/v1/chat/completions", ask)
	if status != 200 || len(choices(got)) != 4 || got["object"] != "chat.completion" || got["model"] != "tiny" {
		t.Fatalf("status %d: %v", status, got)
	}
	tokens := 0
	distinct := map[string]bool{}
	for i, c := range choices(got) {
		w := want.Completions[i]
		tokens += len(w.Tokens)
		distinct[chatText(c)] = true
		if chatText(c) != alone.text(w) || c["finish_reason"] != w.FinishReason || c["index"] != float64(i) {
			t.Errorf("choice %d: %q (%v), want %q (%s)", i, chatText(c), c["finish_reason"], alone.text(w), w.FinishReason)
		}
		entries := c["logprobs"].(body)["content"].([]any)
		shown := len(w.Tokens)
		if w.FinishReason == engine.FinishStop {
			shown-- // the end token is no text
		}
		if len(entries) != shown {
			t.Fatalf("choice %d: %d log-probabilities, want %d", i, len(entries), shown)
		}
		for k, e := range entries {
			e := e.(body)
			if float32(e["logprob"].(float64)) != w.LogProbs[k] {
				t.Errorf("choice %d token %d: %v, want %v", i, k, e["logprob"], w.LogProbs[k])
			}
			if top := e["top_logprobs"].([]any); len(top) != 3 || top[0].(body)["logprob"].(float64) < top[1].(body)["logprob"].(float64) {
				t.Errorf("choice %d token %d: alternatives %v", i, k, top)
			}
		}
	}
	if len(distinct) < 2 {
		t.Error("four samples are all the same")
	}
	if u := got["usage"].(body); u["completion_tokens"] != float64(tokens) || u["prompt_tokens"] != float64(len(want.Request.Prompt)) || u["total_tokens"] != float64(tokens+len(want.Request.Prompt)) {
		t.Errorf("usage %v, want %d tokens of a prompt and %d of completions", u, len(want.Request.Prompt), tokens)
	}

	// The same in a stream.
	ask["stream_options"] = body{"include_usage": true}
	texts, entries, finish := map[int]string{}, map[int]int{}, map[int]any{}
	events := s.stream(t, "/v1/chat/completions", ask)
	for i, e := range events {
		if e["object"] != "chat.completion.chunk" || e["id"] != events[0]["id"] {
			t.Fatalf("event %v", e)
		}
		if len(choices(e)) == 0 {
			if i != len(events)-1 || e["usage"].(body)["completion_tokens"] != float64(tokens) {
				t.Errorf("usage in event %d of %d: %v", i, len(events), e)
			}
			continue
		}
		c := choices(e)[0]
		at := int(c["index"].(float64))
		delta := c["delta"].(body)
		if _, seen := texts[at]; !seen && delta["role"] != "assistant" {
			t.Errorf("choice %d begins with %v", at, delta)
		}
		text, _ := delta["content"].(string)
		texts[at] += text
		entries[at] += len(c["logprobs"].(body)["content"].([]any))
		if c["finish_reason"] != nil {
			finish[at] = c["finish_reason"]
		}
	}
	for i, c := range choices(got) {
		if texts[i] != chatText(c) || finish[i] != c["finish_reason"] || entries[i] != len(c["logprobs"].(body)["content"].([]any)) {
			t.Errorf("choice %d streamed: %q (%v, %d), want %q", i, texts[i], finish[i], entries[i], chatText(c))
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	alone := openTiny(t, engine.Options{})
	s := start(t, engine.Options{MaxSequences: 24, CacheTokens: 2048}, nil)
	const clients = 200
	want := make([]string, clients)
	for i := range want {
		want[i] = alone.text(alone.expect(t, fmt.Sprintf("%d+%d", i, i*7), engine.Request{Samples: 1, MaxNewTokens: 48, Temperature: 1, Seed: int64(i)}).Completions[0])
	}
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			status, got, err := s.try("/v1/chat/completions", body{"messages": user(fmt.Sprintf("%d+%d", i, i*7)), "max_completion_tokens": 48, "seed": i, "temperature": 1})
			if err != nil || status != 200 || chatText(choices(got)[0]) != want[i] {
				t.Errorf("client %d: %v, status %d, %v, want %q", i, err, status, got, want[i])
			}
		})
	}
	all.Wait()
}

func TestStopStrings(t *testing.T) {
	s := start(t, engine.Options{}, nil)
	ask := body{"messages": user("12+7*3"), "seed": 5, "temperature": 0.9, "max_tokens": 60}
	_, whole := s.post(t, "/v1/chat/completions", ask)
	text := chatText(choices(whole)[0])
	for n := 1; n < len(text); n += 3 {
		ask["stop"] = []string{text[n:min(n+2, len(text))], "never comes"}
		want, _, _ := strings.Cut(text, ask["stop"].([]string)[0])
		_, got := s.post(t, "/v1/chat/completions", ask)
		if c := choices(got)[0]; chatText(c) != want || c["finish_reason"] != "stop" {
			t.Errorf("stop %q: %q (%v), want %q", ask["stop"], chatText(c), c["finish_reason"], want)
		}
		streamed := ""
		for _, e := range s.stream(t, "/v1/chat/completions", body{"messages": user("12+7*3"), "seed": 5, "temperature": 0.9, "max_tokens": 60, "stop": ask["stop"].([]string)[0]}) {
			part, _ := choices(e)[0]["delta"].(body)["content"].(string)
			streamed += part
		}
		if streamed != want {
			t.Errorf("stop %q streamed: %q, want %q", ask["stop"], streamed, want)
		}
	}
}

func TestCompletions(t *testing.T) {
	s := start(t, engine.Options{}, nil)
	status, got := s.post(t, "/v1/completions", body{"prompt": []string{"1+2=", "3+4="}, "n": 2, "seed": 3, "logprobs": 2, "echo": true, "max_tokens": 7})
	if status != 200 || len(choices(got)) != 4 {
		t.Fatalf("status %d: %v", status, got)
	}
	for i, c := range choices(got) {
		text := c["text"].(string)
		if !strings.HasPrefix(text, []string{"1+2=", "3+4="}[i/2]) {
			t.Errorf("choice %d: %q does not begin with its prompt", i, text)
		}
		l := c["logprobs"].(body)
		tokens, values, offsets, tops := l["tokens"].([]any), l["token_logprobs"].([]any), l["text_offset"].([]any), l["top_logprobs"].([]any)
		if len(tokens) != len(values) || len(tokens) != len(offsets) || len(tokens) != len(tops) || values[0] != nil || tops[0] != nil {
			t.Fatalf("choice %d: %v", i, l)
		}
		joined := ""
		for k, piece := range tokens {
			if offsets[k] != float64(len([]rune(joined))) {
				t.Errorf("choice %d token %d: offset %v, want %d", i, k, offsets[k], len([]rune(joined)))
			}
			joined += piece.(string)
			if k > 0 && tops[k].(body)[piece.(string)] != values[k] {
				t.Errorf("choice %d token %d is not among its alternatives %v", i, k, tops[k])
			}
		}
		if joined != text {
			t.Errorf("choice %d: tokens %q, text %q", i, joined, text)
		}
	}

	// A given text scored token by token is what sampling it would have said.
	_, sampled := s.post(t, "/v1/completions", body{"prompt": "9*9=", "seed": 4, "logprobs": 1, "max_tokens": 12, "temperature": 1})
	c := choices(sampled)[0]
	_, scored := s.post(t, "/v1/completions", body{"prompt": "9*9=" + c["text"].(string), "echo": true, "logprobs": 1, "max_tokens": 0})
	given := choices(scored)[0]
	values := c["logprobs"].(body)["token_logprobs"].([]any)
	known := given["logprobs"].(body)["token_logprobs"].([]any)
	if !slices.Equal(values, known[len(known)-len(values):]) || given["finish_reason"] != "length" {
		t.Errorf("scored %v, sampled %v", known, values)
	}

	// Tokens in place of text.
	ids := s.Source.Tokenizer.Encode("9*9=")
	_, byIDs := s.post(t, "/v1/completions", body{"prompt": ids, "seed": 4, "max_tokens": 12, "temperature": 1})
	if choices(byIDs)[0]["text"] != c["text"] {
		t.Errorf("by tokens %q, by text %q", choices(byIDs)[0]["text"], c["text"])
	}
}

func TestRefusals(t *testing.T) {
	s := start(t, engine.Options{}, nil)
	with := func(more body) body {
		b := body{"messages": user("1+1"), "max_tokens": 4}
		for k, v := range more {
			b[k] = v
		}
		return b
	}
	long := strings.Repeat("1+", 600) + "1"
	for _, c := range []struct {
		path   string
		body   any
		status int
		text   string
	}{
		{"/v1/chat/completions", "", 400, "ends too early"},
		{"/v1/chat/completions", "{", 400, "malformed JSON"},
		{"/v1/chat/completions", "[1]", 400, "expected a JSON object"},
		{"/v1/chat/completions", `{"messages":[]} {}`, 400, "found more after it"},
		{"/v1/chat/completions", body{}, 400, "messages: expected at least one"},
		{"/v1/chat/completions", with(body{"messages": "hello"}), 400, "messages: expected a list"},
		{"/v1/chat/completions", with(body{"messages": []body{{"role": "wizard", "content": "x"}}}), 400, `role of message 1 is "wizard"`},
		{"/v1/chat/completions", with(body{"messages": []body{{"role": "user", "content": 5}}}), 400, "content as a string or a list of parts"},
		{"/v1/chat/completions", with(body{"messages": []body{{"role": "user", "content": []body{{"type": "image_url"}}}}}), 400, `type "image_url" is not supported`},
		{"/v1/chat/completions", with(body{"model": "gpt-4"}), 404, `no model "gpt-4": expected "tiny"`},
		{"/v1/chat/completions", with(body{"temprature": 1}), 400, `unknown parameter "temprature"`},
		{"/v1/chat/completions", with(body{"temperature": -1}), 400, "temperature is -1"},
		{"/v1/chat/completions", with(body{"temperature": "hot"}), 400, "temperature: expected a number, found string"},
		{"/v1/chat/completions", with(body{"top_p": 0}), 400, "top_p is 0"},
		{"/v1/chat/completions", with(body{"top_k": -2}), 400, "top_k is -2"},
		{"/v1/chat/completions", with(body{"min_p": 2}), 400, "min_p is 2"},
		{"/v1/chat/completions", with(body{"n": 0}), 400, "n is 0"},
		{"/v1/chat/completions", with(body{"n": 65}), 400, "n is 65, expected 1 to 64"},
		{"/v1/chat/completions", with(body{"max_tokens": 0}), 400, "max_tokens is 0"},
		{"/v1/chat/completions", with(body{"max_tokens": 5000}), 400, "the longest context is 1024"},
		{"/v1/chat/completions", with(body{"max_tokens": 5, "max_completion_tokens": 6}), 400, "expected one of them"},
		{"/v1/chat/completions", with(body{"messages": user(long)}), 400, "the longest context is 1024"},
		{"/v1/chat/completions", with(body{"stop": 5}), 400, "stop: expected a string or a list"},
		{"/v1/chat/completions", with(body{"stop": []string{""}}), 400, "no empty string"},
		{"/v1/chat/completions", with(body{"stop": make([]string, 65)}), 400, "stop has 65 strings"},
		{"/v1/chat/completions", with(body{"stop_token_ids": make([]int, 65)}), 400, "stop_token_ids has 65 tokens"},
		{"/v1/chat/completions", with(body{"frequency_penalty": 0.5}), 400, "frequency_penalty is not supported"},
		{"/v1/chat/completions", with(body{"logit_bias": body{"5": 1}}), 400, "logit_bias is not supported"},
		{"/v1/chat/completions", with(body{"top_logprobs": 3}), 400, "goes with logprobs"},
		{"/v1/chat/completions", with(body{"logprobs": true, "top_logprobs": 21}), 400, "expected 0 to 20"},
		{"/v1/chat/completions", with(body{"tools": []body{{"type": "function"}}}), 400, "tools are not supported"},
		{"/v1/chat/completions", with(body{"response_format": body{"type": "json_object"}}), 400, `"json_object" is not supported`},
		{"/v1/chat/completions", with(body{"stream_options": body{"include_usage": true}}), 400, "goes with stream: true"},
		{"/v1/chat/completions", with(body{"user": strings.Repeat("x", 1<<17)}), 413, "longer than 65536 bytes"},
		{"/v1/chat/completions", with(body{"chat_template_kwargs": []int{1}}), 400, "expected a JSON object"},
		{"/v1/completions", body{"prompt": strings.Repeat("1", 950), "echo": true, "logprobs": 1, "max_tokens": 0}, 400, "at most 900 fit into memory"},
		{"/v1/completions", body{}, 400, "prompt: expected"},
		{"/v1/completions", body{"prompt": ""}, 400, "prompt 1 is empty"},
		{"/v1/completions", body{"prompt": []string{}}, 400, "0 prompts"},
		{"/v1/completions", body{"prompt": []int{1, 1 << 20}}, 400, "token 1048576"},
		{"/v1/completions", body{"prompt": body{"a": 1}}, 400, "prompt: expected a string"},
		{"/v1/completions", body{"prompt": "1", "suffix": "x"}, 400, "suffix is not supported"},
		{"/v1/completions", body{"prompt": "1", "best_of": 3}, 400, "best_of is not supported"},
		{"/v1/completions", body{"prompt": "1", "logprobs": -1}, 400, "logprobs is -1"},
		{"/v1/completions", body{"prompt": make([]string, 65)}, 400, "empty"},
		{"/v1/embeddings", body{"input": "x"}, 404, "expected POST /v1/chat/completions"},
	} {
		status, got := s.post(t, c.path, c.body)
		failure, _ := got["error"].(body)
		message, _ := failure["message"].(string)
		if status != c.status || !strings.Contains(message, c.text) || failure["type"] == "" {
			t.Errorf("%s %.80v: status %d, %v, want %d with %q", c.path, c.body, status, got, c.status, c.text)
		}
	}
	r, err := http.Post(s.url+"/v1/completions", "text/plain", strings.NewReader("{}"))
	if err != nil || r.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("plain text: %v, %v", r.Status, err)
	}
	r.Body.Close()
	// After all of this the server still answers.
	if status, got := s.post(t, "/v1/chat/completions", with(nil)); status != 200 {
		t.Errorf("status %d: %v", status, got)
	}
}

func TestWhoMayAsk(t *testing.T) {
	get := func(url, host, key string) int {
		t.Helper()
		req, _ := http.NewRequest(http.MethodGet, url, nil)
		if host != "" {
			req.Host = host
		}
		if key != "" {
			req.Header.Set("Authorization", key)
		}
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		return r.StatusCode
	}
	open := start(t, engine.Options{}, nil)
	for host, want := range map[string]int{"": 200, "localhost:80": 200, "[::1]:80": 200, "evil.example": 403, "127.0.0.1.evil.example": 403} {
		if got := get(open.url+"/v1/models", host, ""); got != want {
			t.Errorf("host %q: %d, want %d", host, got, want)
		}
	}
	for path, want := range map[string]int{"/v1/models/tiny": 200, "/v1/models/big": 404, "/health": 200, "/": 404} {
		if got := get(open.url+path, "", ""); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	guarded := start(t, engine.Options{}, func(o *Options) { o.Key = "secret" })
	for key, want := range map[string]int{"": 401, "secret": 401, "Bearer wrong": 401, "Bearer secret": 200} {
		if got := get(guarded.url+"/v1/models", "my.host", key); got != want {
			t.Errorf("key %q: %d, want %d", key, got, want)
		}
	}
	if got := get(guarded.url+"/health", "", ""); got != 200 {
		t.Errorf("health: %d", got)
	}
}
