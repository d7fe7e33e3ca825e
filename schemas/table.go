package schemas

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// Table is one kind of record: its schema, and the conversion between record batches and rows.
// A Table is immutable and may be used by several goroutines at once.
type Table[T any] struct {
	kind   Kind
	schema *arrow.Schema
	cols   []column[T]
}

// column is one column of a table whose rows are T.
type column[T any] struct {
	field arrow.Field
	// add appends one row's value to the column's builder. It fails on a value that the column can't
	// hold; it does not know the row's number.
	add func(b array.Builder, row *T) error
	// open prepares a column that Check and checkNulls accepted and returns the function that sets one
	// row's value, in order of rows.
	open func(arr arrow.Array) (func(i int, row *T) error, error)
}

func newTable[T any](kind Kind, cols []column[T]) Table[T] {
	fields := make([]arrow.Field, len(cols))
	for i, c := range cols {
		fields[i] = c.field
	}
	return Table[T]{kind: kind, schema: arrow.NewSchema(fields, metadataOf(kind)), cols: cols}
}

// Kind is the kind of the table's records.
func (t Table[T]) Kind() Kind { return t.kind }

// Schema is the Arrow schema of the table's records, with kind and version in its metadata.
func (t Table[T]) Schema() *arrow.Schema { return t.schema }

// Encode makes a record batch of rows. Equal rows give equal bytes: the keys of maps are sorted and
// the dictionary of finish_reason is always the same. It fails, naming row (from 0) and column, on
// text that is not UTF-8, on an unknown finish_reason and on a column of 2 GiB or more.
// The caller releases the record.
func (t Table[T]) Encode(mem memory.Allocator, rows []T) (arrow.Record, error) {
	arrays := make([]arrow.Array, 0, len(t.cols))
	defer func() {
		for _, a := range arrays {
			a.Release()
		}
	}()
	for _, c := range t.cols {
		a, err := c.encode(mem, rows)
		if err != nil {
			return nil, err
		}
		arrays = append(arrays, a)
	}
	return array.NewRecord(t.schema, arrays, int64(len(rows))), nil
}

func (c column[T]) encode(mem memory.Allocator, rows []T) (arrow.Array, error) {
	b := array.NewBuilder(mem, storageType(c.field.Type))
	defer b.Release()
	b.Reserve(len(rows))
	for i := range rows {
		if err := c.add(b, &rows[i]); err != nil {
			return nil, fmt.Errorf("row %d: column %q: %w", i, c.field.Name, err)
		}
	}
	a := b.NewArray()
	if d, ok := c.field.Type.(*arrow.DictionaryType); ok {
		defer a.Release()
		return withDictionary(mem, d, a, FinishReasons()), nil
	}
	return a, nil
}

// Decode makes rows of a record batch. It first does what [Check] does, and refuses nulls in columns
// that are not nullable, naming the first row (from 0). Columns that the kind does not have are
// ignored, and the order of columns is free. The rows share no memory with the record.
//
// Decode trusts the record's buffers, as all of Arrow does; stages/table checks them for records that
// come from outside.
func (t Table[T]) Decode(rec arrow.Record) ([]T, error) {
	if err := Check(rec.Schema(), t.kind); err != nil {
		return nil, err
	}
	rows := make([]T, rec.NumRows())
	for _, c := range t.cols {
		arr := rec.Column(rec.Schema().FieldIndices(c.field.Name)[0])
		if err := checkNulls(c.field, arr); err != nil {
			return nil, err
		}
		set, err := c.open(arr)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", c.field.Name, err)
		}
		for i := range rows {
			if err := set(i, &rows[i]); err != nil {
				return nil, fmt.Errorf("row %d: column %q: %w", i, c.field.Name, err)
			}
		}
	}
	return rows, nil
}

// within makes a column of an outer row of a column of the row that lies in it.
func within[Outer, Inner any](c column[Inner], at func(*Outer) *Inner) column[Outer] {
	return column[Outer]{
		field: c.field,
		add:   func(b array.Builder, row *Outer) error { return c.add(b, at(row)) },
		open: func(arr arrow.Array) (func(int, *Outer) error, error) {
			set, err := c.open(arr)
			if err != nil {
				return nil, err
			}
			return func(i int, row *Outer) error { return set(i, at(row)) }, nil
		},
	}
}
