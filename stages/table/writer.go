package table

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"

	"openrs/schemas"
	"openrs/stages/atomicfile"
)

var errClosed = errors.New("write after Close")

// writer is the [Writer] of all formats: it conforms records, hands them to a sink, and keeps the
// file's life in order.
type writer struct {
	name string
	kind schemas.Kind
	sink sink
	buf  *bufio.Writer
	file *atomicfile.File // nil for a stream
	rows int64
	err  error
	done bool
}

// createFile makes a writer of a file. wrap lets tests put a failing disk between.
func createFile(path string, kind schemas.Kind, f format, wrap func(io.Writer) io.Writer) (Writer, error) {
	file, err := atomicfile.Create(path)
	if err != nil {
		return nil, err
	}
	w := &writer{name: path, kind: kind, file: file, buf: bufio.NewWriterSize(wrap(file), 1<<16)}
	out, err := compressTo(path, w.buf)
	if err == nil {
		w.sink, err = f.create(out, kind)
	}
	if err != nil {
		file.Discard()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	w.sink = closing{w.sink, out}
	return w, nil
}

// closing ends the compressed data after the format's own end.
type closing struct {
	sink
	out io.Closer
}

func (c closing) finish() error {
	if err := c.sink.finish(); err != nil {
		return err
	}
	return c.out.Close()
}

func createStream(name string, out io.Writer, kind schemas.Kind) (Writer, error) {
	schema, err := schemas.Schema(kind)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	buf := bufio.NewWriterSize(out, 1<<16)
	return &writer{name: name, kind: kind, buf: buf, sink: streamSink{ipc.NewWriter(buf, ipc.WithSchema(schema))}}, nil
}

// streamSink writes an Arrow IPC stream.
type streamSink struct{ w *ipc.Writer }

func (s streamSink) write(rec arrow.Record) error { return s.w.Write(rec) }
func (s streamSink) finish() error                { return s.w.Close() }

func (w *writer) Write(rec arrow.Record) error {
	if w.err == nil && w.done {
		return fmt.Errorf("%s: %w", w.name, errClosed)
	}
	if w.err == nil {
		_, w.err = guarded(w.name, func() (struct{}, error) { return struct{}{}, w.write(rec) })
	}
	return w.err
}

func (w *writer) write(rec arrow.Record) error {
	own, err := schemas.Conform(rec, w.kind)
	if err != nil {
		return fmt.Errorf("record that starts at row %d: %w", w.rows, err)
	}
	defer own.Release()
	w.rows += rec.NumRows()
	if err := w.sink.write(own); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if w.file == nil {
		if err := w.buf.Flush(); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

func (w *writer) Close() error {
	if w.done {
		return w.err
	}
	if w.err != nil {
		w.Abort()
		return w.err
	}
	_, w.err = guarded(w.name, func() (struct{}, error) {
		err := w.sink.finish()
		if err == nil {
			err = w.buf.Flush()
		}
		if err != nil {
			err = fmt.Errorf("write: %w", err)
		}
		return struct{}{}, err
	})
	if w.err != nil {
		w.Abort()
		return w.err
	}
	w.done = true
	if w.file != nil {
		w.err = w.file.Commit()
	}
	return w.err
}

func (w *writer) Abort() error {
	if w.done {
		return nil
	}
	w.done = true
	// The Arrow and Parquet writers give their memory back when they finish; what they write then must
	// not arrive anywhere.
	w.buf.Reset(io.Discard)
	guarded(w.name, func() (struct{}, error) { return struct{}{}, w.sink.finish() })
	if w.file == nil {
		return nil
	}
	return w.file.Discard()
}
