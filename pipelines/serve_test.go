package pipelines

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// awaitLog waits for a line of a process's log that matches and returns the first group of it.
func (p *process) awaitLog(pattern string) string {
	p.t.Helper()
	want := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline) && !p.exited(); time.Sleep(10 * time.Millisecond) {
		if m := want.FindStringSubmatch(p.stderr()); m != nil {
			return m[1]
		}
	}
	p.t.Fatalf("no line %q: %s", pattern, p.tail())
	return ""
}

// TestServe drives a server as its own process: it says where it listens, answers, and finishes what it
// has begun after a signal.
func TestServe(t *testing.T) {
	p := start(t, t.TempDir(), nil, "generate", "serve", "--model", "tiny", "--listen", "127.0.0.1:0", "--api-key", "k")
	url := p.awaitLog(`url=(http\S+)`)
	ask := func(path string, body any) *http.Response {
		t.Helper()
		data, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest(http.MethodPost, url+path, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer k")
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Body.Close() })
		return r
	}
	r := ask("/chat/completions", map[string]any{"messages": []map[string]string{{"role": "user", "content": "2+3"}}, "temperature": 0})
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != 200 || !strings.Contains(string(text), `\\boxed{`) {
		t.Errorf("status %d: %s, %v", r.StatusCode, text, err)
	}
	stream := bufio.NewReader(ask("/completions", map[string]any{"prompt": "1", "max_tokens": 700, "temperature": 3, "n": 8, "stream": true}).Body)
	if _, err := stream.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(stream)
	if err != nil || !strings.HasSuffix(string(rest), "data: [DONE]\n\n") {
		t.Errorf("%v; the stream ended with %q", err, rest[max(0, len(rest)-80):])
	}
	if code := p.status(); code != 0 {
		t.Errorf("status %d: %s", code, p.tail())
	}
}

// TestChat gives a conversation by a pipe.
func TestChat(t *testing.T) {
	out := start(t, t.TempDir(), strings.NewReader("2+3\n/new\n4+4\n"), "generate", "chat", "--model", "tiny", "--temperature", "0").ok()
	if strings.Count(out, `\boxed{`) != 2 || strings.Contains(out, "> ") || strings.Contains(out, "\x1b") {
		t.Errorf("%q", out)
	}
}
