package job

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// scripts are generate and score as shell scripts.
func scripts(t *testing.T, generate, score string) *Local {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("shell scripts")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"generate": generate, "score": score} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	tools, err := FindTools(dir)
	if err != nil {
		t.Fatal(err)
	}
	return &Local{Tools: tools, Dir: filepath.Join(dir, "work"), Log: slog.New(slog.DiscardHandler)}
}

// Whichever child fails, and however, the fault that the other one follows from is named with its last words.
func TestChildrenThatFail(t *testing.T) {
	for _, c := range []struct {
		name, generate, score string
		want, not             string
	}{
		{"generate", "echo first >&2; echo no such model >&2; exit 3", "cat >/dev/null; echo truncated >&2; exit 1", "generate failed (exit status 3); it said last: first | no such model", "truncated"},
		{"score", "exec yes", "head -c 100000 >/dev/null; echo no such profile >&2; exit 1", "score failed (exit status 1); it said last: no such profile", "generate failed"},
		{"score, generate says", "yes || true; echo 'write: broken pipe' >&2; exit 1", "echo no such profile >&2; exit 1", "score failed", "generate failed"},
		{"both", "echo one >&2; exit 1", "echo two >&2; exit 1", "generate failed (exit status 1); it said last: one", "two"},
		{"silent", "exit 7", "cat >/dev/null", "it said last: nothing", ""},
		{"nonsense", "true", "echo this is no table", "stream: ", "failed"},
		{"nothing", "true", "true", "", "failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := scripts(t, c.generate, c.score)
			if err := os.MkdirAll(l.Dir, 0o777); err != nil {
				t.Fatal(err)
			}
			s, _ := open(t, filepath.Join(l.Dir, "samples"))
			err := l.Run(context.Background(), Model{Name: "m", Path: "tiny"}, plan(t, 0, small...), s)
			if err == nil || !strings.HasPrefix(err.Error(), "model m: ") || !strings.Contains(err.Error(), c.want) || c.not != "" && strings.Contains(err.Error(), c.not) {
				t.Errorf("got %v, want an error with %q and without %q", err, c.want, c.not)
			}
			if left, _ := filepath.Glob(filepath.Join(l.Dir, "*.arrow")); len(left) > 0 {
				t.Errorf("%v are left", left)
			}
		})
	}
}

func TestChildrenAreStopped(t *testing.T) {
	l := scripts(t, "exec sleep 60", "exec sleep 60")
	if err := os.MkdirAll(l.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	s, _ := open(t, filepath.Join(l.Dir, "samples"))
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := l.Run(ctx, Model{Name: "m", Path: "tiny"}, plan(t, 0, small...), s); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v after %s", err, time.Since(began))
	}
}

func TestFindTools(t *testing.T) {
	dir := t.TempDir()
	if _, err := FindTools(dir); err == nil || !strings.Contains(err.Error(), "there is no "+filepath.Join(dir, "generate")) || !strings.Contains(err.Error(), "--bin DIR") {
		t.Errorf("in an empty folder: %v", err)
	}
	if _, err := FindTools(""); err == nil || !strings.Contains(err.Error(), "beside it") {
		t.Errorf("beside the test: %v", err)
	}
}

func TestParseModel(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("config.json", "{}")
	write("model.safetensors", "weights")
	before, err := ParseModel("before=" + dir)
	if err != nil || before.Name != "before" || before.Path != dir || len(before.Digest) != 16 {
		t.Fatalf("%+v, %v", before, err)
	}
	write("README.md", "says nothing")
	if same, err := ParseModel(dir); err != nil || same.Digest != before.Digest || same.Name != filepath.Base(dir) {
		t.Errorf("%+v, %v; want digest %s", same, err, before.Digest)
	}
	write("model.safetensors", "weighty")
	if other, err := ParseModel(dir); err != nil || other.Digest == before.Digest {
		t.Errorf("other weights: %+v, %v", other, err)
	}
	for _, spec := range []string{"", "=x", "x=", filepath.Join(dir, "none"), filepath.Join(dir, "config.json")} {
		if m, err := ParseModel(spec); err == nil || !strings.Contains(err.Error(), "--model") {
			t.Errorf("%q: %+v, %v", spec, m, err)
		}
	}
	if m, err := ParseModel("shape:tiny"); err != nil || m.File() != "shape_tiny" {
		t.Errorf("%+v, %v", m, err)
	}
	if err := CheckModels([]Model{{Name: "a:b"}, {Name: "a_b"}}); err == nil {
		t.Error("models whose files are the same are accepted")
	}
}

// While nothing finishes the log is told that it is being worked on, and otherwise how far it is.
func TestProgress(t *testing.T) {
	var mu sync.Mutex
	var b strings.Builder
	log := slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return b.Write(p)
	}), nil))
	p := NewProgress(log, 10, 4)
	stop := p.watch(2*time.Millisecond, func() string { return "loading" })
	for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(time.Millisecond) {
		mu.Lock()
		said := strings.Contains(b.String(), "last=loading")
		mu.Unlock()
		if said {
			break
		}
	}
	stop()
	p.Add(6)
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{"msg=evaluating samples=10 finished=4", "msg=working samples=10 finished=4", "msg=evaluated samples=10 finished=10 share=1", "left=0s"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the log lacks %q\n%s", want, b.String())
		}
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestRemaining(t *testing.T) {
	for _, c := range []struct {
		elapsed    time.Duration
		done, left int
		want       time.Duration
	}{
		{time.Minute, 10, 20, 2 * time.Minute}, {time.Minute, 0, 20, 0}, {time.Minute, 5, 0, 0}, {3 * time.Second, 2, 1, 2 * time.Second},
	} {
		if got := remaining(c.elapsed, c.done, c.left); got != c.want {
			t.Errorf("%d in %s, %d left: %s, want %s", c.done, c.elapsed, c.left, got, c.want)
		}
	}
}
