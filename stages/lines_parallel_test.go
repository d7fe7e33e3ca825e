package stages

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// TestParallelLines: whatever the number of workers, the output is that of Lines.
func TestParallelLines(t *testing.T) {
	var in strings.Builder
	for n := range 3000 {
		fmt.Fprintf(&in, "{\"n\": %d, \"pad\": %q}\n", n, strings.Repeat("x", n%50*20))
		if n%7 == 0 {
			in.WriteString("\n")
		}
	}
	edit := func(o Object) error {
		var n int
		if err := o.Get("n", "a number", &n); err != nil {
			return err
		}
		return o.Set("square", n*n)
	}
	var want bytes.Buffer
	if err := editLines("in", strings.NewReader(in.String()), &want, edit); err != nil {
		t.Fatal(err)
	}
	for _, workers := range []int{1, 2, 7, 64} {
		var got bytes.Buffer
		if err := editBlocks("in", strings.NewReader(in.String()), &got, workers, edit); err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Errorf("%d workers: %v, %d bytes, want %d", workers, err, got.Len(), want.Len())
		}
	}
	dir := t.TempDir()
	from, to := filepath.Join(dir, "in.jsonl"), filepath.Join(dir, "out.jsonl")
	if err := os.WriteFile(from, []byte(in.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ParallelLines(from, to, 0, edit); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestParallelLinesErrors: the first bad line is named, and what comes before it is written.
func TestParallelLinesErrors(t *testing.T) {
	lines := strings.Repeat("{}\n", 500)
	nothing := func(Object) error { return nil }
	for _, workers := range []int{1, 5} {
		var out bytes.Buffer
		err := editBlocks("file", strings.NewReader(lines+"\nnope\n"+lines+"nope\n"), &out, workers, nothing)
		if err == nil || !strings.HasPrefix(err.Error(), "file:502: ") || out.String() != lines {
			t.Errorf("%v, %d bytes", err, out.Len())
		}
		failed := errors.New("no")
		if err := editBlocks("file", strings.NewReader(lines), io.Discard, workers, func(Object) error { return failed }); !errors.Is(err, failed) || !strings.HasPrefix(err.Error(), "file:1: ") {
			t.Error(err)
		}
		if err := editBlocks("file", io.MultiReader(strings.NewReader(lines), broken{}), &out, workers, nothing); !errors.Is(err, errBroken) {
			t.Error(err)
		}
		if err := editBlocks("file", strings.NewReader(strings.Repeat(lines, 20)), broken{}, workers, nothing); !errors.Is(err, errBroken) {
			t.Error(err)
		}
	}
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Read([]byte) (int, error)  { return 0, errBroken }
func (broken) Write([]byte) (int, error) { return 0, errBroken }

// TestParallelLinesMemory: a slow output stops the input.
func TestParallelLinesMemory(t *testing.T) {
	const workers = 3
	var read, written atomic.Int64
	in := readerFunc(func(p []byte) (int, error) {
		if read.Load() > 400*blockLines {
			return 0, io.EOF
		}
		n := copy(p[:3], "{}\n")
		read.Add(1)
		return n, nil
	})
	out := writerFunc(func(p []byte) (int, error) {
		n := written.Add(int64(bytes.Count(p, []byte("\n"))))
		// In the channels, at the workers, at the reader, in its buffer, and in the writer's buffer of 4 KiB.
		if ahead := read.Load() - n; ahead > (2*workers+3)*blockLines+4096 {
			t.Errorf("%d lines were read ahead", ahead)
		}
		return len(p), nil
	})
	if err := editBlocks("in", in, out, workers, func(Object) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
