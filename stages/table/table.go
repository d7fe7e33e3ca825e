package table

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
)

// Standard is the path that means standard input or standard output.
const Standard = "-"

// Reasons for refusing an input, for [errors.Is].
var (
	// ErrFormat: the path's ending is not one that this package reads or writes.
	ErrFormat = errors.New("unknown format")
	// ErrTruncated: the input ends before its end mark; its writer was probably stopped.
	ErrTruncated = errors.New("truncated")
	// ErrCorrupt: the bytes are not what the format demands.
	ErrCorrupt = errors.New("corrupt")
	// ErrNoKind: the format carries no kind.
	ErrNoKind = errors.New("the format carries no kind of record")
)

// Reader reads the records of one table. It is used by one goroutine.
type Reader interface {
	// Next returns the next record batch, never an empty one, which the caller releases; [io.EOF] after
	// the last. After an error it returns the same error again.
	Next() (arrow.Record, error)
	// Close gives up the file. Records that were returned stay valid.
	Close() error
}

// Writer writes the records of one table. It is used by one goroutine.
type Writer interface {
	// Write writes a record that [schemas.Conform] accepts for the table's kind; the caller keeps it.
	// A record of rollouts must hold whole groups. After an error the writer only returns that error.
	Write(rec arrow.Record) error
	// Close finishes the table; only then does a file appear under its name. After a failed Write it
	// returns that error and discards what was written.
	Close() error
	// Abort discards what was written; a stream is left without its end mark, so that its reader sees
	// that it is incomplete. It does nothing after Close.
	Abort() error
}

// source gives the conformed batches of one format, of any size; [io.EOF] after the last.
type source interface {
	next() (arrow.Record, error)
	close() error
}

// sink writes conformed batches in one format.
type sink interface {
	write(rec arrow.Record) error
	// finish writes what must come last. It does not close the file.
	finish() error
}

// format is one row of the table of formats.
type format struct {
	ending string
	open   func(in *input, kind schemas.Kind, mem memory.Allocator) (source, error)
	create func(w io.Writer, kind schemas.Kind) (sink, error)
	rows   func(in *input) (RowReader, error)
}

func formats() []format {
	jsonl := format{"", openJSONL, createJSONL, openJSONLRows}
	withEnding := func(f format, ending string) format {
		f.ending = ending
		return f
	}
	return []format{
		{".arrow", openArrow, createArrow, openArrowRows},
		{".parquet", openParquet, createParquet, openParquetRows},
		withEnding(jsonl, ".jsonl"),
		withEnding(jsonl, ".jsonl.gz"),
		withEnding(jsonl, ".jsonl.zst"),
		{".json", nil, nil, openJSONRows},
		{".json.gz", nil, nil, openJSONRows},
		{".json.zst", nil, nil, openJSONRows},
	}
}

func formatOf(path string, usable func(format) bool) (format, error) {
	var endings []string
	for _, f := range formats() {
		if !usable(f) {
			continue
		}
		if strings.HasSuffix(strings.ToLower(path), f.ending) {
			return f, nil
		}
		endings = append(endings, f.ending)
	}
	return format{}, fmt.Errorf("%s: %w: want a path that ends in %s", path, ErrFormat, strings.Join(endings, ", "))
}

// Open opens a table of the given kind. The schema is checked at once, so that nothing has been
// consumed when it is refused; for "-" that means waiting for the stream's first message. Scored
// rollouts are also read where rollouts are wanted. Errors name the path.
func Open(path string, kind schemas.Kind) (Reader, error) {
	return open(path, kind, memory.DefaultAllocator)
}

func open(path string, kind schemas.Kind, mem memory.Allocator) (Reader, error) {
	if path == Standard {
		return openStream("standard input", os.Stdin, kind, mem)
	}
	f, err := formatOf(path, func(f format) bool { return f.open != nil })
	if err != nil {
		return nil, err
	}
	in, err := openInput(path)
	if err != nil {
		return nil, err
	}
	return openFormat(f, in, kind, mem)
}

func openFormat(f format, in *input, kind schemas.Kind, mem memory.Allocator) (Reader, error) {
	src, err := guarded(in.path, func() (source, error) { return f.open(in, kind, mem) })
	if err != nil {
		in.close()
		return nil, err
	}
	return newReader(in.path, src, kind, mem), nil
}

// OpenStream reads an Arrow IPC stream, as [Open] does for "-". Each of the stream's batches must hold
// whole groups: a batch is handed on without waiting for the next one, which may depend on what becomes
// of this one. It does not close r.
func OpenStream(r io.Reader, kind schemas.Kind) (Reader, error) {
	return openStream("stream", r, kind, memory.DefaultAllocator)
}

func openStream(name string, r io.Reader, kind schemas.Kind, mem memory.Allocator) (Reader, error) {
	src, err := guarded(name, func() (source, error) {
		return newArrowSource(streamMessages(r), kind, mem, func() error { return nil })
	})
	if err != nil {
		return nil, err
	}
	reader := newReader(name, src, kind, mem)
	reader.eager = true
	return reader, nil
}

// Create makes a table of the given kind. A file that exists is replaced when Close succeeds.
func Create(path string, kind schemas.Kind) (Writer, error) {
	if path == Standard {
		return createStream("standard output", os.Stdout, kind)
	}
	f, err := formatOf(path, func(f format) bool { return f.create != nil })
	if err != nil {
		return nil, err
	}
	if _, err := schemas.Schema(kind); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return createFile(path, kind, f, func(w io.Writer) io.Writer { return w })
}

// CreateStream writes an Arrow IPC stream, as [Create] does for "-": each record is one message, and is
// flushed when Write returns. It does not close w.
func CreateStream(w io.Writer, kind schemas.Kind) (Writer, error) {
	return createStream("stream", w, kind)
}

// KindOf tells which kind of records a .arrow or .parquet file says it holds. For other formats the
// error wraps [ErrNoKind].
func KindOf(path string) (schemas.Kind, error) {
	f, err := formatOf(path, func(f format) bool { return f.open != nil })
	if err != nil {
		return "", err
	}
	in, err := openInput(path)
	if err != nil {
		return "", err
	}
	defer in.close()
	kind, err := guarded(path, func() (schemas.Kind, error) {
		var schema *arrow.Schema
		var err error
		switch f.ending {
		case ".arrow":
			schema, err = arrowSchema(in)
		case ".parquet":
			schema, err = parquetSchema(in)
		default:
			return "", ErrNoKind
		}
		if err != nil {
			return "", err
		}
		return schemas.KindOf(schema)
	})
	return kind, err
}

// guarded names the place in an error and turns a panic of a library, which bad bytes can cause, into
// an error.
func guarded[T any](place string, do func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %w: %v", place, ErrCorrupt, p)
		} else if err != nil && err != io.EOF {
			err = fmt.Errorf("%s: %w", place, err)
		}
	}()
	return do()
}
