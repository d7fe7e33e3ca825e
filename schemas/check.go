package schemas

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// Check tells whether records of a schema can be read as kind want. The metadata must name want, or a
// kind that want accepts ([Kind.Accepts]: scored rollouts where rollouts are wanted, their further
// columns then being ignored), in a version up to [Version]; otherwise the error wraps [ErrKind] or
// [ErrVersion]. Every column of want must be there once with its type, or the error wraps [ErrColumn]
// and names the column. Columns may come in any order and further ones may be there. The schema's own
// mark of what is nullable does not matter, as other writers mark everything; only actual nulls are
// refused, by [Table.Decode] and [Conform].
func Check(schema *arrow.Schema, want Kind) error {
	wanted, err := Schema(want)
	if err != nil {
		return err
	}
	got, err := KindOf(schema)
	if err != nil {
		return err
	}
	if !want.Accepts(got) {
		return fmt.Errorf("%w: found %s, want %s", ErrKind, got, want)
	}
	return CheckColumns(schema, wanted)
}

// CheckColumns is the part of [Check] that compares columns, for formats that carry no metadata.
func CheckColumns(schema, wanted *arrow.Schema) error {
	for _, f := range wanted.Fields() {
		at := schema.FieldIndices(f.Name)
		switch len(at) {
		case 0:
			return fmt.Errorf("%w: %q (%s) is missing", ErrColumn, f.Name, f.Type)
		case 1:
			if t := schema.Field(at[0]).Type; !readable(f.Type, t) {
				return fmt.Errorf("%w: %q is %s, want %s", ErrColumn, f.Name, t, f.Type)
			}
		default:
			return fmt.Errorf("%w: %q occurs %d times", ErrColumn, f.Name, len(at))
		}
	}
	return nil
}

// readable tells whether a column of type got can be read where want is wanted. Names of list elements
// and map entries differ between writers and don't matter.
func readable(want, got arrow.DataType) bool {
	switch want := want.(type) {
	case *arrow.ListType:
		got, ok := got.(*arrow.ListType)
		return ok && readable(want.Elem(), got.Elem())
	case *arrow.MapType:
		got, ok := got.(*arrow.MapType)
		return ok && readable(want.KeyType(), got.KeyType()) && readable(want.ItemType(), got.ItemType())
	case *arrow.DictionaryType:
		if d, ok := got.(*arrow.DictionaryType); ok {
			got = d.ValueType
		}
		return arrow.TypeEqual(want.ValueType, got)
	case *arrow.TimestampType:
		got, ok := got.(*arrow.TimestampType)
		return ok && got.Unit == want.Unit && isUTC(got.TimeZone)
	}
	return arrow.TypeEqual(want, got)
}

func isUTC(zone string) bool {
	switch zone {
	case "UTC", "Etc/UTC", "Z", "+00:00":
		return true
	}
	return false
}

// checkNulls refuses nulls in a column that is not nullable.
func checkNulls(field arrow.Field, arr arrow.Array) error {
	if field.Nullable {
		return nil
	}
	if i := firstNull(arr, 0, int64(arr.Len())); i >= 0 {
		return fmt.Errorf("%w: row %d: column %q is null", ErrValue, i, field.Name)
	}
	return nil
}

// Conform turns a record that [Check] accepts for want into one with exactly want's schema: its
// columns in order, its metadata, and nothing else. Buffers are shared, not copied, except that a
// finish_reason with another dictionary is written anew. Nulls where there must be none are refused as
// in [Table.Decode]. The caller releases the result; rec stays the caller's.
func Conform(rec arrow.Record, want Kind) (arrow.Record, error) {
	if err := Check(rec.Schema(), want); err != nil {
		return nil, err
	}
	wanted, err := Schema(want)
	if err != nil {
		return nil, err
	}
	return conform(rec, wanted)
}

func conform(rec arrow.Record, wanted *arrow.Schema) (arrow.Record, error) {
	cols := make([]arrow.Array, 0, wanted.NumFields())
	defer func() {
		for _, c := range cols {
			c.Release()
		}
	}()
	for _, f := range wanted.Fields() {
		arr := rec.Column(rec.Schema().FieldIndices(f.Name)[0])
		if err := checkNulls(f, arr); err != nil {
			return nil, err
		}
		col, err := retype(f, arr)
		if err != nil {
			return nil, err
		}
		cols = append(cols, col)
	}
	return array.NewRecord(wanted, cols, rec.NumRows()), nil
}

// retype gives an array the type of a field that it is readable as.
func retype(f arrow.Field, arr arrow.Array) (arrow.Array, error) {
	if d, ok := f.Type.(*arrow.DictionaryType); ok {
		return redictionary(f.Name, d, arr)
	}
	if arrow.TypeEqual(f.Type, arr.DataType(), arrow.CheckMetadata()) {
		arr.Retain()
		return arr, nil
	}
	data := retypeData(arr.Data(), f.Type)
	defer data.Release()
	return array.MakeFromData(data), nil
}

func retypeData(data arrow.ArrayData, want arrow.DataType) arrow.ArrayData {
	var inner []arrow.DataType
	switch want := want.(type) {
	case *arrow.ListType:
		inner = []arrow.DataType{want.Elem()}
	case *arrow.MapType:
		inner = []arrow.DataType{want.Elem()}
	case *arrow.StructType:
		for _, f := range want.Fields() {
			inner = append(inner, f.Type)
		}
	}
	children := make([]arrow.ArrayData, len(inner))
	for i, t := range inner {
		children[i] = retypeData(data.Children()[i], t)
		defer children[i].Release()
	}
	return array.NewData(want, data.Len(), data.Buffers(), children, data.NullN(), data.Offset())
}
