package stages

import (
	"context"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"

	"openrs/schemas"
	"openrs/stages/table"
)

// fileSource reads batches from a file or standard input.
type fileSource struct {
	reader table.Reader
	path   string
	seq    uint64
	rows   int64
}

func openFile(path string, kind schemas.Kind) (*fileSource, error) {
	r, err := table.Open(path, kind)
	if err != nil {
		return nil, err
	}
	return &fileSource{reader: r, path: path}, nil
}

func (s *fileSource) Next(ctx context.Context) (*Delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rec, err := s.reader.Next()
	if err != nil {
		return nil, err // io.EOF, or an error that names the file
	}
	s.seq++
	d := &Delivery{Record: rec, ID: fmt.Sprintf("%s/%d", s.path, s.seq), Seq: s.seq, First: s.rows}
	s.rows += rec.NumRows()
	return d, nil
}

// TryNext reads like Next: a file never makes its reader wait long, and a pipe's writer is the
// stage before, whose batches are worth waiting for.
func (s *fileSource) TryNext(ctx context.Context) (*Delivery, error) { return s.Next(ctx) }

func (s *fileSource) Close() error { return s.reader.Close() }

// fileSink writes batches to a file, which appears when it is finished, or to standard output.
type fileSink struct {
	writer   table.Writer
	path     string
	finished bool
	abort    func() error
}

func (s *fileSink) Write(_ context.Context, rec arrow.Record, _ string) error {
	return s.writer.Write(rec)
}

// Dead has nowhere to keep a copy: the rows themselves go on, marked, and the stage has logged why.
func (s *fileSink) Dead(context.Context, *Delivery, string) error { return nil }

func (s *fileSink) Finish(context.Context) error {
	s.finished = true
	return s.writer.Close()
}

func (s *fileSink) Close() error {
	if s.finished {
		return nil
	}
	return s.abort()
}
