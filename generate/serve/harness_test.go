package serve

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"openrs/generate/engine"
	"openrs/generate/logprobs"
	"openrs/stages/checkpoint"
)

// TestHarnessRequests sends what lm-evaluation-harness sends. Of a scored text it drops the last token, which
// it has let the model sample: that must be there, whatever it is.
func TestHarnessRequests(t *testing.T) {
	alone := openTiny(t, engine.Options{})
	s := start(t, engine.Options{}, nil)
	greedy := alone.expect(t, "1+1", engine.Request{Samples: 1, MaxNewTokens: 60})
	c := greedy.Completions[0]
	if c.FinishReason != engine.FinishStop {
		t.Fatalf("the model does not end: %+v", c)
	}
	ids := append(append([]int32(nil), greedy.Request.Prompt...), c.Tokens[:len(c.Tokens)-1]...)
	status, got := s.post(t, "/v1/completions", body{
		"model": "tiny", "prompt": [][]int32{ids}, "temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": true,
	})
	if status != 200 {
		t.Fatalf("status %d: %v", status, got)
	}
	choice := choices(got)[0]
	l := choice["logprobs"].(body)
	values, tops := l["token_logprobs"].([]any), l["top_logprobs"].([]any)
	if len(values) != len(ids)+1 || len(tops) != len(values) || len(l["tokens"].([]any)) != len(values) || len(l["text_offset"].([]any)) != len(values) {
		t.Fatalf("%d tokens and %d lists of alternatives, want %d", len(values), len(tops), len(ids)+1)
	}
	for i := len(greedy.Request.Prompt); i < len(ids); i++ { // greedy, as the harness tells it
		if v := values[i].(float64); v < float64(c.LogProbs[i-len(greedy.Request.Prompt)])-1e-4 || tops[i].(body)[l["tokens"].([]any)[i].(string)] != values[i] || len(tops[i].(body)) != 1 {
			t.Errorf("token %d: %v among %v", i, v, tops[i])
		}
	}
	if choice["finish_reason"] != "stop" || strings.Contains(choice["text"].(string), l["tokens"].([]any)[len(ids)].(string)) {
		t.Errorf("the text has its end token, or no end: %v", choice)
	}
	status, got = s.post(t, "/v1/chat/completions", body{
		"messages": []body{{"role": "user", "content": "1+1", "type": "text"}}, "model": "tiny", "max_tokens": 60, "temperature": 0,
		"stop": []string{"Question:", "</s>"}, "seed": 1234,
	})
	if status != 200 || chatText(choices(got)[0]) != alone.text(c) {
		t.Errorf("status %d: %v, want %q", status, got, alone.text(c))
	}
}

// TestTinyNumbers asks for sampling that single precision can't tell from greedy.
func TestTinyNumbers(t *testing.T) {
	s := start(t, engine.Options{}, nil)
	ask := body{"messages": user("1+1"), "max_tokens": 60, "temperature": 0, "seed": 1}
	_, got := s.post(t, "/v1/chat/completions", ask)
	want := chatText(choices(got)[0])
	for _, c := range []body{{"temperature": 1e-40}, {"temperature": 1e-6}, {"temperature": 1e-300}, {"temperature": 100, "top_p": 1e-300}, {"temperature": 100, "min_p": 1}, {"temperature": 100, "top_k": 1}} {
		for k, v := range c {
			ask[k] = v
		}
		status, got := s.post(t, "/v1/chat/completions", ask)
		if status != 200 || chatText(choices(got)[0]) != want {
			t.Fatalf("%v: status %d, %v, want %q", c, status, got, want)
		}
		ask = body{"messages": user("1+1"), "max_tokens": 60, "seed": 1}
	}
	suggested := func(v float64) *float64 { return &v }
	odd := start(t, engine.Options{}, func(o *Options) {
		o.Generation = checkpoint.Generation{Temperature: suggested(1e-40), TopP: suggested(1.5), MinP: suggested(2)}
	})
	if status, got := odd.post(t, "/v1/chat/completions", ask); status != 200 || chatText(choices(got)[0]) != want {
		t.Errorf("odd suggestions: status %d, %v, want %q", status, got, want)
	}
}

// TestUnsentBodies are of requests that are refused before anybody reads what they would say.
func TestUnsentBodies(t *testing.T) {
	s := start(t, engine.Options{}, func(o *Options) { o.Key = "secret" })
	s.server.patience = 100 * time.Millisecond
	for _, line := range []string{"POST /v1/completions", "POST /v1/nothing", "GET /health", "PUT /v1/completions"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{", line)
		r, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", line, err)
		} else if _, err := io.Copy(io.Discard, r.Body); err != nil || (r.StatusCode != 401 && line != "GET /health") {
			t.Errorf("%s: status %d, %v", line, r.StatusCode, err)
		}
		conn.Close()
	}
}

// TestModelNames asks for the model by what it is served as and by its folder, vLLM's name for it.
func TestModelNames(t *testing.T) {
	s := start(t, engine.Options{}, func(o *Options) { o.Folder = "/models/tiny" })
	for name, want := range map[string]int{"tiny": 200, "/models/tiny": 200, "": 200, "/models": 404} {
		if status, got := s.post(t, "/v1/completions", body{"model": name, "prompt": "1+1=", "max_tokens": 1}); status != want {
			t.Errorf("%q: status %d, %v, want %d", name, status, got, want)
		}
	}
}

func TestMethodsAndSchemes(t *testing.T) {
	s := start(t, engine.Options{}, func(o *Options) { o.Key = "secret" })
	for _, c := range []struct {
		method, path, key string
		status            int
	}{
		{"GET", "/v1/models", "bearer secret", 200},
		{"HEAD", "/v1/models", "Bearer secret", 200},
		{"GET", "/v1/models", "Basic secret", 401},
		{"GET", "/v1/models", "Bearer  secret", 401},
		{"GET", "/v1/completions", "Bearer secret", 405},
		{"DELETE", "/v1/chat/completions", "Bearer secret", 405},
		{"OPTIONS", "/v1/chat/completions", "", 401},
		{"HEAD", "/health", "", 200},
	} {
		req, _ := http.NewRequest(c.method, s.url+c.path, nil)
		req.Header.Set("Authorization", c.key)
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != c.status {
			t.Errorf("%s %s with %q: %d, want %d", c.method, c.path, c.key, r.StatusCode, c.status)
		}
	}
}

// TestScoresTakeTurns has texts to score while a completion is sampled, which must get on.
func TestScoresTakeTurns(t *testing.T) {
	m := openTiny(t, engine.Options{})
	scorer := logprobs.New(m.Model)
	defer scorer.Close()
	l := newLoop(engine.NewPool(m.Engine), scorer, 10, slog.New(slog.DiscardHandler))
	box := newMailbox(4)
	score := func() *call {
		return &call{ctx: t.Context(), request: engine.Request{Prompt: []int32{1, 2, 3}}, box: box, score: &scores{}, top: 1}
	}
	sample := &call{ctx: t.Context(), request: engine.Request{Prompt: []int32{1}, Samples: 1, MaxNewTokens: 9}, box: box}
	if err := l.submit(sample, score(), score(), score()); err != nil {
		t.Fatal(err)
	}
	for want := 2; want >= 0; want-- {
		if l.admit(map[*call]bool{}); l.length() != want {
			t.Fatalf("%d texts wait between two steps, want %d", l.length(), want)
		}
	}
}

// TestMoreChoicesThanRun asks for more than the engine has room for: no more run at once, and they are the same.
func TestMoreChoicesThanRun(t *testing.T) {
	ask := body{"messages": user("12+7*3"), "n": 7, "max_tokens": 30, "temperature": 2, "seed": 11, "logprobs": true, "top_logprobs": 1}
	_, want := start(t, engine.Options{}, nil).post(t, "/v1/chat/completions", ask)
	s := start(t, engine.Options{MaxSequences: 3}, func(o *Options) { o.Together = 3 })
	status, got := s.post(t, "/v1/chat/completions", ask)
	if status != 200 || len(choices(got)) != 7 {
		t.Fatalf("status %d: %v", status, got)
	}
	for i, c := range choices(got) {
		if w := choices(want)[i]; chatText(c) != chatText(w) || c["finish_reason"] != w["finish_reason"] {
			t.Errorf("choice %d: %v, want %v", i, c, w)
		}
		for k, e := range c["logprobs"].(body)["content"].([]any) {
			e := e.(body)
			if top := e["top_logprobs"].([]any)[0].(body); top["token"] == e["token"] && top["logprob"] != e["logprob"] {
				t.Errorf("choice %d token %d is %v and %v", i, k, e["logprob"], top["logprob"])
			}
		}
	}
	if stats := s.Engine.Stats(); stats.RunningSum > 3*int64(stats.Steps) {
		t.Errorf("%d sequences ran in %d steps", stats.RunningSum, stats.Steps)
	}
}
