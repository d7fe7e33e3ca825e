package table

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/parquet-go/parquet-go"

	"openrs/schemas"
)

func openParquetFile(in *input) (*parquet.File, error) {
	f, err := parquet.OpenFile(in.file, in.size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.SkipMagicBytes(false))
	if err != nil {
		return nil, fmt.Errorf("%w: open as Parquet: %w", ErrCorrupt, err)
	}
	return f, nil
}

// parquetRowCount sums the row groups: the total in the footer is missing in files of some old writers.
func parquetRowCount(f *parquet.File) (n int64) {
	for _, g := range f.RowGroups() {
		n += g.NumRows()
	}
	return n
}

// parquetSource reads a kind's columns of a Parquet file; others are not even decompressed.
type parquetSource struct {
	in   *input
	kind schemas.Kind
	b    *array.RecordBuilder
	cols []*parquetColumn
	rows int64 // in the file
	row  int64 // the next one
}

// parquetColumn is one column of the file on its way to one builder.
type parquetColumn struct {
	field  arrow.Field
	b      array.Builder
	leaves []*leafReader // two for a map, else one
	outer  int           // definition level of a value that is not null (empty, for lists and maps)
	words  []string      // what finish_reason may be
}

func openParquet(in *input, kind schemas.Kind, mem memory.Allocator) (source, error) {
	f, err := openParquetFile(in)
	if err != nil {
		return nil, err
	}
	schema, err := arrowSchemaOf(f)
	if err != nil {
		return nil, err
	}
	if err := checkParquet(schema, kind); err != nil {
		return nil, err
	}
	loose, err := looseSchema(kind)
	if err != nil {
		return nil, err
	}
	s := &parquetSource{in: in, kind: kind, b: array.NewRecordBuilder(mem, loose), rows: parquetRowCount(f)}
	for i, field := range loose.Fields() {
		c := f.Root().Column(field.Name)
		pc := &parquetColumn{field: field, b: s.b.Field(i)}
		if c.Optional() {
			pc.outer = 1
		}
		if field.Name == "finish_reason" {
			pc.words = schemas.FinishReasons()
		}
		leaves := []*parquet.Column{c}
		if !c.Leaf() {
			_, leaves = repeatedLeaves(c)
		}
		for _, leaf := range leaves {
			pc.leaves = append(pc.leaves, newLeafReader(f, leaf))
		}
		s.cols = append(s.cols, pc)
	}
	return s, nil
}

func (s *parquetSource) next() (arrow.Record, error) {
	n := min(BatchRows, s.rows-s.row)
	if n == 0 {
		return nil, io.EOF
	}
	for _, c := range s.cols {
		for i := range n {
			if err := c.appendRow(); err != nil {
				return nil, fmt.Errorf("row %d: column %q: %w", s.row+i, c.field.Name, err)
			}
		}
	}
	s.row += n
	loose := s.b.NewRecord()
	defer loose.Release()
	return schemas.Conform(loose, s.kind)
}

func (s *parquetSource) close() error {
	for _, c := range s.cols {
		for _, l := range c.leaves {
			l.close()
		}
	}
	s.b.Release()
	return s.in.close()
}

var errEarlyEnd = fmt.Errorf("%w: the column ends before the file's last row", ErrCorrupt)

func (c *parquetColumn) appendRow() error {
	switch b := c.b.(type) {
	case *array.ListBuilder:
		return c.appendElements(c.leaves[:1], func() { b.Append(true) }, []array.Builder{b.ValueBuilder()})
	case *array.MapBuilder:
		return c.appendElements(c.leaves, func() { b.Append(true) }, []array.Builder{b.KeyBuilder(), b.ItemBuilder()})
	}
	v, err := c.leaves[0].next()
	if err != nil {
		return err
	}
	if v.IsNull() {
		return c.appendNull()
	}
	if c.words != nil && !slices.Contains(c.words, string(v.ByteArray())) {
		return fmt.Errorf("%w: %q is not one of %q", schemas.ErrValue, v.ByteArray(), c.words)
	}
	return appendParquet(c.b, v)
}

func (c *parquetColumn) appendNull() error {
	if !c.field.Nullable {
		return fmt.Errorf("%w: null", schemas.ErrValue)
	}
	c.b.AppendNull()
	return nil
}

// appendElements reads one row of a list (one leaf) or a map (two, in step).
func (c *parquetColumn) appendElements(leaves []*leafReader, open func(), to []array.Builder) error {
	for n := 0; ; n++ {
		var def int
		for k, leaf := range leaves {
			v, err := leaf.next()
			if err != nil {
				return err
			}
			switch {
			case v.RepetitionLevel() != min(n, 1):
				return fmt.Errorf("%w: repetition level %d at element %d", ErrCorrupt, v.RepetitionLevel(), n)
			case k > 0 && (v.DefinitionLevel() > c.outer) != (def > c.outer):
				return fmt.Errorf("%w: keys and values are out of step", ErrCorrupt)
			}
			def = v.DefinitionLevel()
			if n == 0 && k == 0 && def >= c.outer {
				open()
			}
			if def <= c.outer {
				continue
			}
			if v.IsNull() {
				return fmt.Errorf("%w: null inside the value: element %d", schemas.ErrValue, n)
			}
			if err := appendParquet(to[k], v); err != nil {
				return err
			}
		}
		if def < c.outer {
			return c.appendNull()
		}
		more, err := leaves[0].continues()
		if err != nil || !more {
			return err
		}
		if def == c.outer {
			return fmt.Errorf("%w: an empty list goes on", ErrCorrupt)
		}
	}
}

func appendParquet(b array.Builder, v parquet.Value) error {
	switch b := b.(type) {
	case *array.StringBuilder:
		if !utf8.Valid(v.ByteArray()) {
			return fmt.Errorf("%w: text is not valid UTF-8", schemas.ErrValue)
		}
		b.BinaryBuilder.Append(v.ByteArray())
	case *array.Int32Builder:
		b.Append(v.Int32())
	case *array.Int64Builder:
		b.Append(v.Int64())
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.Int64()))
	case *array.Float32Builder:
		b.Append(v.Float())
	case *array.Float64Builder:
		b.Append(v.Double())
	case *array.BooleanBuilder:
		b.Append(v.Boolean())
	default:
		return fmt.Errorf("a column of type %s can't be read from Parquet", b.Type())
	}
	return nil
}

// leafReader gives one leaf's values through all row groups, a page in memory at a time.
type leafReader struct {
	chunks []parquet.ColumnChunk
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buf    [256]parquet.Value
	i, n   int
}

func newLeafReader(f *parquet.File, leaf *parquet.Column) *leafReader {
	l := &leafReader{}
	for _, g := range f.RowGroups() {
		l.chunks = append(l.chunks, g.ColumnChunks()[leaf.Index()])
	}
	return l
}

// next returns the next value, valid until the next call.
func (l *leafReader) next() (parquet.Value, error) {
	v, err := l.peek()
	if err == nil {
		l.i++
	}
	return v, err
}

// peek returns the next value without taking it.
func (l *leafReader) peek() (parquet.Value, error) {
	if err := l.fill(); err == io.EOF {
		return parquet.Value{}, errEarlyEnd
	} else if err != nil {
		return parquet.Value{}, err
	}
	return l.buf[l.i], nil
}

// continues tells whether the next value belongs to the same row.
func (l *leafReader) continues() (bool, error) {
	err := l.fill()
	if err == io.EOF {
		return false, nil
	}
	return err == nil && l.buf[l.i].RepetitionLevel() > 0, err
}

// fill makes sure that buf holds a value, or returns io.EOF.
func (l *leafReader) fill() error {
	for l.i == l.n {
		switch {
		case l.values != nil:
			var err error
			l.i = 0
			l.n, err = l.values.ReadValues(l.buf[:])
			if errors.Is(err, io.EOF) || err == nil && l.n == 0 {
				l.values = nil
			} else if err != nil {
				l.n = 0
				return fmt.Errorf("%w: %w", ErrCorrupt, err)
			}
		case l.pages != nil:
			l.release()
			page, err := l.pages.ReadPage()
			if errors.Is(err, io.EOF) {
				l.pages.Close()
				l.pages = nil
			} else if err != nil {
				return fmt.Errorf("%w: %w", ErrCorrupt, err)
			} else {
				l.page, l.values = page, page.Values()
			}
		case len(l.chunks) > 0:
			l.pages, l.chunks = l.chunks[0].Pages(), l.chunks[1:]
		default:
			return io.EOF
		}
	}
	return nil
}

func (l *leafReader) release() {
	if l.page != nil {
		parquet.Release(l.page)
		l.page = nil
	}
}

func (l *leafReader) close() {
	l.release()
	if l.pages != nil {
		l.pages.Close()
	}
}
