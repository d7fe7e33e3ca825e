package stages

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
)

// A block of lines is what one worker takes at a time: few enough lines that the workers share the
// work, and few enough bytes that what is in memory stays small.
const (
	blockLines = 64
	blockBytes = 1 << 20
)

// block is some lines of the input, and what becomes of them.
type block struct {
	lines [][]byte
	first int // number of the first line
	done  chan struct{}
	out   []byte
	err   error // of the first line that failed; out holds the lines before it
}

// ParallelLines is [Lines] with edit called from several goroutines at once, 0 workers meaning one for
// each core. The order of lines is kept, and at most two blocks of lines a worker are in memory.
func ParallelLines(in, out string, workers int, edit func(Object) error) error {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	return withLines(in, out, func(r io.Reader, w io.Writer) error { return editBlocks(in, r, w, workers, edit) })
}

func editBlocks(name string, r io.Reader, w io.Writer, workers int, edit func(Object) error) error {
	todo := make(chan *block)
	order := make(chan *block, workers) // in the order of the input; its capacity bounds what is in memory
	stop := make(chan struct{})         // closed when no more is wanted
	var readErr error                   // set before order is closed
	go func() {
		defer close(order)
		defer close(todo)
		readErr = readBlocks(r, func(b *block) bool {
			select {
			case order <- b:
			case <-stop:
				return false
			}
			select {
			case todo <- b:
			case <-stop:
				return false
			}
			return true
		})
	}()
	for range workers {
		go func() {
			for b := range todo {
				b.work(edit)
				close(b.done)
			}
		}()
	}
	defer close(stop)
	buffered := bufio.NewWriter(w)
	for b := range order {
		<-b.done
		if _, err := buffered.Write(b.out); err != nil {
			return err
		}
		if b.err != nil {
			return errors.Join(fmt.Errorf("%s:%w", name, b.err), buffered.Flush())
		}
	}
	if readErr != nil {
		return errors.Join(fmt.Errorf("%s: %w", name, readErr), buffered.Flush())
	}
	return buffered.Flush()
}

// readBlocks reads lines and passes them on in blocks until there are no more or pass returns false.
func readBlocks(r io.Reader, pass func(*block) bool) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	b := &block{first: 1, done: make(chan struct{})}
	size := 0
	for n := 1; lines.Scan(); n++ {
		b.lines = append(b.lines, bytes.Clone(lines.Bytes()))
		size += len(lines.Bytes())
		if len(b.lines) == blockLines || size >= blockBytes {
			if !pass(b) {
				return nil
			}
			b, size = &block{first: n + 1, done: make(chan struct{})}, 0
		}
	}
	if len(b.lines) > 0 && !pass(b) {
		return nil
	}
	return lines.Err()
}

// work edits the lines of a block.
func (b *block) work(edit func(Object) error) {
	for i, text := range b.lines {
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		line, err := editLine(text, edit)
		if err != nil {
			b.err = fmt.Errorf("%d: %w", b.first+i, err)
			return
		}
		b.out = append(append(b.out, line...), '\n')
	}
	b.lines = nil
}
