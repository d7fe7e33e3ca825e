package table

import (
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
)

const (
	// BatchRows is the number of rows that a batch of rollouts has at most, unless one group has more.
	BatchRows = 64
	// plainRows is the same for records that have no groups.
	plainRows = 1024
	// maxGroup is the largest group that is kept together in memory.
	maxGroup = 1 << 16
)

// reader is the [Reader] of all formats: it cuts and joins a source's batches so that none splits a
// group.
type reader struct {
	name    string
	src     source
	mem     memory.Allocator
	grouped bool
	// eager: batches are cut but never joined, and the end of a batch is taken to be the end of its last
	// group, because waiting for the next batch could wait for ever.
	eager bool

	pending []arrow.Record  // read and not yet given out
	runs    []schemas.Range // their groups; only the lengths and ids matter
	lastID  string          // of the last row given out, when eager
	started bool
	eof     bool
	err     error
}

func newReader(name string, src source, kind schemas.Kind, mem memory.Allocator) *reader {
	return &reader{name: name, src: src, mem: mem, grouped: kind.Grouped()}
}

func (r *reader) Next() (arrow.Record, error) {
	if r.err != nil {
		return nil, r.err
	}
	rec, err := guarded(r.name, r.next)
	if err != nil {
		r.err = err
		r.drop()
	}
	return rec, err
}

func (r *reader) Close() error {
	r.drop()
	if r.src == nil {
		return nil
	}
	err := r.src.close()
	r.src = nil
	if r.err == nil {
		r.err = fmt.Errorf("%s: read after Close", r.name)
	}
	return err
}

func (r *reader) drop() {
	for _, rec := range r.pending {
		rec.Release()
	}
	r.pending, r.runs = nil, nil
}

func (r *reader) next() (arrow.Record, error) {
	for {
		if n := ready(r.runs, r.eof || r.eager || !r.grouped, r.target()); n > 0 {
			return r.take(n)
		}
		if r.eof {
			return nil, io.EOF
		}
		if n := len(r.runs); n > 0 && r.runs[n-1].Len() > maxGroup {
			return nil, fmt.Errorf("group %q has more than %d rows", r.runs[n-1].GroupID, maxGroup)
		}
		rec, err := r.src.next()
		switch {
		case err == io.EOF:
			r.eof = true
		case err != nil:
			return nil, err
		case rec.NumRows() == 0:
			rec.Release()
		default:
			if err := r.add(rec); err != nil {
				rec.Release()
				return nil, err
			}
		}
	}
}

func (r *reader) target() int {
	if r.grouped {
		return BatchRows
	}
	return plainRows
}

// add appends a source's batch to what is pending.
func (r *reader) add(rec arrow.Record) error {
	runs := make([]schemas.Range, 0, 1)
	if r.grouped {
		var err error
		if runs, err = schemas.GroupRanges(rec); err != nil {
			return err
		}
	} else {
		// Each row may stand alone; runs of the target's size cut just as well.
		for from := 0; from < int(rec.NumRows()); from += plainRows {
			runs = append(runs, schemas.Range{Start: from, End: min(from+plainRows, int(rec.NumRows()))})
		}
	}
	if r.grouped && r.eager && r.started && runs[0].GroupID == r.lastID {
		return fmt.Errorf("%w: group %q is split over two batches of the stream, want whole groups in each", ErrCorrupt, r.lastID)
	}
	if n := len(r.runs); n > 0 && r.grouped && r.runs[n-1].GroupID == runs[0].GroupID {
		r.runs[n-1].End += runs[0].Len()
		runs = runs[1:]
	}
	r.runs = append(r.runs, runs...)
	r.pending = append(r.pending, rec)
	return nil
}

// ready says how many rows can be given out: whole groups up to target rows, but at least one group;
// 0 when more must be read first. The last group is only known to be whole when whole is true.
func ready(runs []schemas.Range, whole bool, target int) int {
	complete := len(runs)
	if !whole {
		complete--
	}
	rows := 0
	for i := 0; i < complete; i++ {
		if rows > 0 && rows+runs[i].Len() > target {
			return rows
		}
		rows += runs[i].Len()
	}
	if whole || rows >= target {
		return rows
	}
	return 0
}

// take cuts n rows off what is pending, at the end of a group.
func (r *reader) take(n int) (arrow.Record, error) {
	for left := n; left > 0; {
		left -= r.runs[0].Len()
		r.lastID, r.started = r.runs[0].GroupID, true
		r.runs = r.runs[1:]
	}
	var parts []arrow.Record
	defer func() {
		for _, p := range parts {
			p.Release()
		}
	}()
	for left := int64(n); left > 0; {
		first := r.pending[0]
		if first.NumRows() <= left {
			parts, r.pending = append(parts, first), r.pending[1:]
			left -= first.NumRows()
			continue
		}
		parts = append(parts, first.NewSlice(0, left))
		r.pending[0] = first.NewSlice(left, first.NumRows())
		first.Release()
		left = 0
	}
	if len(parts) == 1 {
		parts[0].Retain()
		return parts[0], nil
	}
	return join(parts, r.mem)
}

// join copies several records of one schema into one.
func join(parts []arrow.Record, mem memory.Allocator) (arrow.Record, error) {
	schema, rows := parts[0].Schema(), int64(0)
	for _, p := range parts {
		rows += p.NumRows()
	}
	cols := make([]arrow.Array, 0, schema.NumFields())
	defer func() {
		for _, c := range cols {
			c.Release()
		}
	}()
	pieces := make([]arrow.Array, len(parts))
	for i := range schema.NumFields() {
		for k, p := range parts {
			pieces[k] = p.Column(i)
		}
		col, err := array.Concatenate(pieces, mem)
		if err != nil {
			return nil, fmt.Errorf("join batches: column %q: %w", schema.Field(i).Name, err)
		}
		cols = append(cols, col)
	}
	return array.NewRecord(schema, cols, rows), nil
}
