package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"openrs/generate/engine"
)

// endlessly makes a server of a model that never ends a completion by itself.
func endlessly(o *Options) { o.Ends = nil }

// endless is a request for as much as fits.
func endless() body {
	return body{"prompt": "1", "max_tokens": 1000, "seed": 1, "temperature": 3, "n": 8, "stream": true}
}

func (s *service) open(t *testing.T, ctx context.Context, b body) *http.Response {
	t.Helper()
	data, _ := json.Marshal(b)
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/completions", bytes.NewReader(data))
	req.Header.Set("Content-Type", "application/json")
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// idle waits until the engine has nothing to do.
func (s *service) idle(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		// A score goes through the loop's goroutine, between steps.
		status, _ := s.post(t, "/v1/completions", body{"prompt": "11", "echo": true, "logprobs": 0, "max_tokens": 0})
		if status == 200 && s.running() == 0 {
			return
		}
	}
	t.Fatal("the engine is still at work")
}

func (s *service) running() int {
	s.server.loop.mu.Lock()
	defer s.server.loop.mu.Unlock()
	return s.server.loop.running
}

func TestClientsThatGoAway(t *testing.T) {
	s := start(t, engine.Options{MaxSequences: 16}, endlessly)
	for range 6 { // more than run at once
		ctx, cancel := context.WithCancel(t.Context())
		r := s.open(t, ctx, endless())
		if _, err := bufio.NewReader(r.Body).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		cancel()
		r.Body.Close()
	}
	s.idle(t)
	// Waiting requests go too, before they cost anything.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	box := newMailbox(1)
	if err := s.server.loop.submit(&call{ctx: ctx, request: engine.Request{Prompt: []int32{1}, Samples: 1, MaxNewTokens: 5}, box: box}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := box.take(t.Context()); err == nil {
		t.Error("a call that nobody waits for was answered")
	}
}

func TestFullQueue(t *testing.T) {
	s := start(t, engine.Options{MaxSequences: 8}, func(o *Options) { endlessly(o); o.MaxWaiting = 1 })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 2 { // one runs, one waits
		r := s.open(t, ctx, endless())
		defer r.Body.Close()
		if _, err := bufio.NewReader(r.Body).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	r := s.open(t, ctx, endless())
	text, _ := io.ReadAll(r.Body)
	r.Body.Close()
	if r.StatusCode != http.StatusTooManyRequests || r.Header.Get("Retry-After") == "" || !bytes.Contains(text, []byte("at most 1")) {
		t.Errorf("status %d: %s", r.StatusCode, text)
	}
	cancel()
	s.idle(t)
}

func TestDrain(t *testing.T) {
	s := start(t, engine.Options{}, nil)
	r := s.open(t, t.Context(), body{"prompt": "1+1=", "max_tokens": 400, "temperature": 3, "seed": 1, "n": 4, "stream": true})
	defer r.Body.Close()
	lines := bufio.NewReader(r.Body) // which may have read on
	first, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	end := make(chan error)
	go func() { end <- s.stop() }()
	rest, err := io.ReadAll(lines)
	if err != nil || !strings.HasSuffix(string(rest), "data: [DONE]\n\n") {
		t.Errorf("%v; the stream that began with %q ended with %q", err, first, rest[max(0, len(rest)-80):])
	}
	if err := <-end; err != nil {
		t.Error(err)
	}
	if _, err := http.Get(s.url + "/health"); err == nil {
		t.Error("a server that has stopped answers")
	}
}

func TestEngineFailure(t *testing.T) {
	s := start(t, engine.Options{}, nil)
	box := newMailbox(1)
	// No request gets this far: the engine refuses it when it samples.
	bad := &call{ctx: t.Context(), request: engine.Request{Prompt: []int32{1}, Samples: 1, MaxNewTokens: 5, Temperature: 1, TopP: 7}, box: box}
	if err := s.server.loop.submit(bad); err != nil {
		t.Fatal(err)
	}
	if _, _, err := box.take(t.Context()); err == nil || !strings.Contains(err.Error(), "top-p 7") {
		t.Errorf("got %v", err)
	}
	if err := s.stop(); err == nil || !strings.Contains(err.Error(), "top-p 7") {
		t.Errorf("the server ended with %v", err)
	}
	s.stop = func() error { return nil }
}

// TestSlowClients gives a client little time to ask, which must not shorten the answer.
func TestSlowClients(t *testing.T) {
	s := start(t, engine.Options{}, endlessly)
	s.server.patience = 100 * time.Millisecond
	ask := endless()
	ask["prompt"] = []string{"1", "2"}
	r := s.open(t, t.Context(), ask)
	defer r.Body.Close()
	began := time.Now()
	text, err := io.ReadAll(r.Body)
	if err != nil || !strings.HasSuffix(string(text), "[DONE]\n\n") {
		t.Errorf("after %s: %v, %q", time.Since(began), err, text[max(0, len(text)-80):])
	}
	if time.Since(began) < 2*s.server.patience {
		t.Skip("the answer came too soon to tell")
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || answer.StatusCode != 400 {
		t.Errorf("half a request: %v, %v", answer, err)
	}
}
