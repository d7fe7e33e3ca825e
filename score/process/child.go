package process

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os/exec"
	"sync"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
)

// child is one running process.
type child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	out    *bufio.Writer // on stdin
	writer *ipc.Writer
	stdout io.ReadCloser
	reader *ipc.Reader // nil before the first answer

	exited chan struct{} // closed when the process is gone
	status error         // of the process, once exited
	once   sync.Once
}

func startChild(command string, log *slog.Logger) (*child, error) {
	c := &child{cmd: exec.Command("sh", "-c", command), exited: make(chan struct{})}
	ownGroup(c.cmd)
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("process: %w", err)
	}
	if c.stdout, err = c.cmd.StdoutPipe(); err != nil {
		return nil, fmt.Errorf("process: %w", err)
	}
	stderr, err := c.cmd.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("process: %w", err)
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("process: %w", err)
	}
	c.out = bufio.NewWriterSize(c.stdin, 1<<16)
	go logLines(stderr, log.With("command", command))
	go func() {
		// Not cmd.Wait, which would close stdout before what is in it was read.
		state, err := c.cmd.Process.Wait()
		if err == nil && !state.Success() {
			err = errors.New(state.String())
		}
		c.status = err
		close(c.exited)
	}()
	return c, nil
}

// logLines logs what the process writes to standard error, until it ends. Long lines are cut.
func logLines(r io.ReadCloser, log *slog.Logger) {
	defer r.Close()
	lines := bufio.NewReaderSize(r, 4096)
	for {
		line, more, err := lines.ReadLine()
		if err != nil {
			return
		}
		if len(line) > 0 {
			log.Info("reward process", "says", string(line))
		}
		for more && err == nil {
			_, more, err = lines.ReadLine()
		}
	}
}

// score sends a group and reads its rewards.
func (c *child) score(group []schemas.Rollout) (values []float32, err error) {
	defer func() {
		if r := recover(); r != nil { // Arrow's reader panics on some malformed input
			err = fmt.Errorf("%w: %v", ErrProtocol, r)
		}
	}()
	rec, err := schemas.Rollouts().Encode(memory.DefaultAllocator, group)
	if err != nil {
		return nil, err
	}
	defer rec.Release()
	if c.writer == nil {
		c.writer = ipc.NewWriter(c.out, ipc.WithSchema(rec.Schema()))
	}
	if err := c.writer.Write(rec); err != nil {
		return nil, fmt.Errorf("process: writing a group: %w", err)
	}
	if err := c.out.Flush(); err != nil {
		return nil, fmt.Errorf("process: writing a group: %w", err)
	}
	if c.reader == nil {
		// Its schema comes with its first batch, so not before it has read one.
		if c.reader, err = ipc.NewReader(bufio.NewReader(c.stdout)); err != nil {
			return nil, fmt.Errorf("process: reading an answer: %w", err)
		}
	}
	if !c.reader.Next() {
		if err := c.reader.Err(); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("process: reading an answer: %w", err)
		}
		return nil, fmt.Errorf("%w: its output ended, expected a batch of %d rewards", ErrProtocol, len(group))
	}
	return column(c.reader.Record(), len(group))
}

// column is the one float32 column of an answer; nulls are NaN.
func column(rec arrow.Record, rows int) ([]float32, error) {
	if rec.NumCols() != 1 {
		return nil, fmt.Errorf("%w: %d columns, expected one of float32", ErrProtocol, rec.NumCols())
	}
	values, ok := rec.Column(0).(*array.Float32)
	if !ok {
		return nil, fmt.Errorf("%w: column %q of %s, expected float32", ErrProtocol, rec.ColumnName(0), rec.Column(0).DataType())
	}
	if values.Len() != rows {
		return nil, fmt.Errorf("%w: %d rewards, expected %d", ErrProtocol, values.Len(), rows)
	}
	out := make([]float32, rows)
	for i := range out {
		if out[i] = values.Value(i); values.IsNull(i) {
			out[i] = float32(math.NaN())
		}
	}
	return out, nil
}

// explain adds to an error how the process ended, if it did.
func (c *child) explain(err error) error {
	select {
	case <-c.exited:
	case <-time.After(100 * time.Millisecond):
		return err
	}
	if c.status != nil {
		return fmt.Errorf("%w (the process ended: %w)", err, c.status)
	}
	return fmt.Errorf("%w (the process ended)", err)
}

// kill ends the process and what it started at once.
func (c *child) kill() {
	c.once.Do(func() {
		killGroup(c.cmd.Process)
		c.stdin.Close()
		c.stdout.Close()
		<-c.exited
	})
}

// end lets the process end by itself, for a while.
func (c *child) end(wait time.Duration) error {
	defer c.kill()
	if c.writer != nil {
		c.writer.Close()
		c.out.Flush()
	}
	c.stdin.Close()
	limit := time.NewTimer(wait)
	defer limit.Stop()
	select {
	case <-c.exited:
		if c.status != nil {
			return fmt.Errorf("process: at its end: %w", c.status)
		}
		return nil
	case <-limit.C:
		return fmt.Errorf("process: still running %v after its input ended; killed", wait)
	}
}
