package table

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
)

// A .arrow file is usually an IPC file: the magic word, the messages of a stream, and a footer that
// says where each message lies. It is read from front to back as the stream that it contains, so that
// there is one way in for bytes from outside; the footer is only used to know that the file is whole.
// Files that hold a bare stream are read too (some data-set libraries write those).

const magicLen = 6 // of ipc.Magic, padded to 8 bytes at the start of the file

// arrowMessages finds the messages of a .arrow file.
func arrowMessages(in *input) (*messages, error) {
	head := make([]byte, 8)
	if n, err := io.ReadFull(io.NewSectionReader(in.file, 0, in.size), head); err != nil {
		return nil, fmt.Errorf("%w: %d bytes, want an Arrow file", ErrTruncated, n)
	}
	if !bytes.Equal(head[:magicLen], ipc.Magic) {
		if binary.LittleEndian.Uint32(head) != continuation {
			return nil, fmt.Errorf("%w: it starts with bytes % x, want an Arrow file (%q) or stream", ErrCorrupt, head[:magicLen], ipc.Magic)
		}
		return streamMessages(io.NewSectionReader(in.file, 0, in.size)), nil
	}
	tail := make([]byte, 4+magicLen)
	if in.size < int64(8+len(tail)) {
		return nil, fmt.Errorf("%w: %d bytes, want an Arrow file", ErrTruncated, in.size)
	}
	if _, err := in.file.ReadAt(tail, in.size-int64(len(tail))); err != nil {
		return nil, fmt.Errorf("read the end: %w", err)
	}
	if !bytes.Equal(tail[4:], ipc.Magic) {
		return nil, fmt.Errorf("%w: it does not end with %q; its writer was probably stopped", ErrTruncated, ipc.Magic)
	}
	footer := in.size - int64(len(tail)) - int64(int32(binary.LittleEndian.Uint32(tail)))
	if footer < 8 || footer > in.size-int64(len(tail)) {
		return nil, fmt.Errorf("%w: its footer would start at byte %d of %d", ErrCorrupt, footer, in.size)
	}
	msgs := streamMessages(io.NewSectionReader(in.file, 8, footer-8))
	msgs.endless = true
	return msgs, nil
}

func arrowSchema(in *input) (*arrow.Schema, error) {
	msgs, err := arrowMessages(in)
	if err != nil {
		return nil, err
	}
	r, err := newRecordReader(msgs, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	defer r.close()
	return r.schema, nil
}

func openArrow(in *input, kind schemas.Kind, mem memory.Allocator) (source, error) {
	msgs, err := arrowMessages(in)
	if err != nil {
		return nil, err
	}
	return newArrowSource(msgs, kind, mem, func() error { return in.close() })
}

// arrowSource reads the batches of an IPC stream.
type arrowSource struct {
	records *recordReader
	kind    schemas.Kind
	row     int64 // rows of the batches before
	done    func() error
}

func newArrowSource(msgs *messages, kind schemas.Kind, mem memory.Allocator, done func() error) (source, error) {
	r, err := newRecordReader(msgs, mem)
	if err != nil {
		return nil, err
	}
	if err := schemas.Check(r.schema, kind); err != nil {
		r.close()
		return nil, err
	}
	return &arrowSource{records: r, kind: kind, done: done}, nil
}

func (s *arrowSource) next() (arrow.Record, error) {
	rec, err := s.records.next()
	if err != nil {
		return nil, err
	}
	defer rec.Release()
	own, err := schemas.Conform(rec, s.kind)
	if err != nil {
		return nil, fmt.Errorf("batch that starts at row %d: %w", s.row, err)
	}
	s.row += rec.NumRows()
	return own, nil
}

func (s *arrowSource) close() error {
	s.records.close()
	return s.done()
}

// createArrow writes an IPC file.
func createArrow(w io.Writer, kind schemas.Kind) (sink, error) {
	schema, err := schemas.Schema(kind)
	if err != nil {
		return nil, err
	}
	fw, err := ipc.NewFileWriter(&tellWriter{w: w}, ipc.WithSchema(schema))
	if err != nil {
		return nil, err
	}
	return &arrowSink{w: fw}, nil
}

// arrowSink writes all batches with one dictionary of its own: a file may only have one, and the
// library's file writer never releases the one that it was given.
type arrowSink struct {
	w    *ipc.FileWriter
	dict arrow.Array
}

func (s *arrowSink) write(rec arrow.Record) error {
	rec.Retain()
	defer func() { rec.Release() }()
	for i, col := range rec.Columns() {
		d, ok := col.(*array.Dictionary)
		if !ok {
			continue
		}
		if s.dict == nil {
			var err error
			if s.dict, err = array.Concatenate([]arrow.Array{d.Dictionary()}, memory.DefaultAllocator); err != nil {
				return err
			}
		}
		own := array.NewDictionaryArray(d.DataType(), d.Indices(), s.dict)
		with, err := rec.SetColumn(i, own)
		own.Release()
		if err != nil {
			return err
		}
		rec.Release()
		rec = with
	}
	return s.w.Write(rec)
}

func (s *arrowSink) finish() error { return s.w.Close() }

// tellWriter lets the Arrow library, which asks for a position but never changes it, write to a buffer.
type tellWriter struct {
	w io.Writer
	n int64
}

func (t *tellWriter) Write(b []byte) (int, error) {
	n, err := t.w.Write(b)
	t.n += int64(n)
	return n, err
}

func (t *tellWriter) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return 0, errors.New("an Arrow file is written from front to back")
	}
	return t.n, nil
}
