package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
)

// EncodeIPC makes one message of a record: an Arrow IPC stream of its schema and one batch, plain.
// Equal records with equal schemas give equal bytes.
func EncodeIPC(rec arrow.Record) ([]byte, error) {
	return guarded("encode message", func() ([]byte, error) {
		var b bytes.Buffer
		w := ipc.NewWriter(&b, ipc.WithSchema(rec.Schema()))
		if err := w.Write(rec); err != nil {
			w.Close()
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		return b.Bytes(), nil
	})
}

// DecodeIPC reads the message that [EncodeIPC] makes, or any Arrow IPC stream of exactly one plain
// batch. Whatever the bytes are, it neither panics nor takes more memory than a small multiple of
// len(b); every value of the record that it returns can be read. Flipped bits in values themselves stay
// unseen: that is for a digest to find. The caller releases the record, which shares nothing with b.
// Errors wrap [ErrTruncated], [ErrCorrupt] or, for types that no kind of record has, [schemas.ErrColumn].
func DecodeIPC(b []byte, mem memory.Allocator) (arrow.Record, error) {
	return guarded("message of an Arrow stream", func() (arrow.Record, error) {
		r, err := newRecordReader(bytesMessages(b), mem)
		if err != nil {
			return nil, err
		}
		defer r.close()
		rec, err := r.next()
		if err == io.EOF {
			return nil, fmt.Errorf("%w: no record batch", ErrCorrupt)
		}
		if err != nil {
			return nil, err
		}
		if more, err := r.next(); err != io.EOF {
			rec.Release()
			if err != nil {
				return nil, err
			}
			more.Release()
			return nil, fmt.Errorf("%w: more than one record batch", ErrCorrupt)
		}
		if rest, err := r.msgs.take(1); err != io.EOF {
			rec.Release()
			return nil, fmt.Errorf("%w: bytes after the end mark, from % x", ErrCorrupt, rest)
		}
		return rec, nil
	})
}

// recordReader is the Arrow library's stream reader with its input verified, its output validated and
// its memory accounted for.
type recordReader struct {
	msgs   *messages
	mem    *guard
	ipc    *ipc.Reader
	schema *arrow.Schema
}

func newRecordReader(msgs *messages, mem memory.Allocator) (*recordReader, error) {
	r := &recordReader{msgs: msgs, mem: &guard{mem: mem}}
	msgs.limit = r.mem.allow
	var err error
	r.mem.begin()
	defer r.mem.keep()
	if r.ipc, err = ipc.NewReaderFromMessageReader(msgs, ipc.WithAllocator(r.mem)); err != nil {
		msgs.Release()
		if errors.Is(err, io.EOF) && msgs.err == nil {
			return nil, fmt.Errorf("%w: it ends before its schema", ErrTruncated)
		}
		return nil, r.explain(err)
	}
	r.schema = r.ipc.Schema()
	for _, f := range r.schema.Fields() {
		if err := supported(f.Type); err != nil {
			r.close()
			return nil, fmt.Errorf("%w: %q: %w", schemas.ErrColumn, f.Name, err)
		}
	}
	return r, nil
}

// next returns the next batch, which the caller releases.
func (r *recordReader) next() (rec arrow.Record, err error) {
	r.mem.begin()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: message %d: %v", ErrCorrupt, r.msgs.count-1, p)
		}
		if err != nil && err != io.EOF {
			r.mem.undo()
		}
		r.mem.keep()
	}()
	if !r.ipc.Next() {
		if err := r.ipc.Err(); err != nil {
			return nil, r.explain(err)
		}
		if r.msgs.err != nil {
			return nil, r.msgs.err
		}
		return nil, io.EOF
	}
	rec = r.ipc.Record()
	if err := validateRecord(rec); err != nil {
		return nil, fmt.Errorf("message %d: %w", r.msgs.count-1, err)
	}
	rec.Retain()
	return rec, nil
}

// explain prefers our own account of a failure to the library's.
func (r *recordReader) explain(err error) error {
	if r.msgs.err != nil {
		return r.msgs.err
	}
	return fmt.Errorf("%w: message %d: %w", ErrCorrupt, r.msgs.count-1, err)
}

func (r *recordReader) close() { r.ipc.Release() }
