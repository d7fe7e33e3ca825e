package schemas

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

var errNullElement = errors.New("null inside the value")

// listColumn is a column of lists of int32 or float32. In a nullable column a nil slice is null and an
// empty slice is an empty list; in a required one both are an empty list, read as an empty slice.
func listColumn[T any, V int32 | float32](name string, elem arrow.DataType, null bool, at func(*T) *[]V) column[T] {
	return column[T]{
		field: arrow.Field{Name: name, Type: arrow.ListOf(elem), Nullable: null},
		add: func(b array.Builder, row *T) error {
			list, values := b.(*array.ListBuilder), *at(row)
			if values == nil && null {
				list.AppendNull()
				return nil
			}
			elems := list.ValueBuilder()
			if len(values) > math.MaxInt32/4-elems.Len() {
				return errTooLarge
			}
			list.Append(true)
			elems.(interface{ AppendValues([]V, []bool) }).AppendValues(values, nil)
			return nil
		},
		open: func(arr arrow.Array) (func(int, *T) error, error) {
			list := arr.(*array.List)
			slice := copyList[V](list)
			return func(i int, row *T) error {
				if list.IsNull(i) {
					return nil
				}
				from, to := list.ValueOffsets(i)
				if k := firstNull(list.ListValues(), from, to); k >= 0 {
					return fmt.Errorf("%w: %w: element %d", ErrValue, errNullElement, k-from)
				}
				*at(row) = slice(from, to)
				return nil
			}, nil
		},
	}
}

// copyList copies the elements of a whole column once and returns pieces of the copy, each with its
// capacity cut so that appending to one row never writes into the next.
func copyList[V int32 | float32](list *array.List) func(from, to int64) []V {
	if list.Len() == 0 {
		return nil
	}
	base, _ := list.ValueOffsets(0)
	_, end := list.ValueOffsets(list.Len() - 1)
	var all []V
	switch values := list.ListValues().(type) {
	case *array.Int32:
		all = any(slices.Clone(values.Int32Values()[base:end])).([]V)
	case *array.Float32:
		all = any(slices.Clone(values.Float32Values()[base:end])).([]V)
	}
	if all == nil {
		all = []V{}
	}
	return func(from, to int64) []V { return all[from-base : to-base : to-base] }
}

// textMapColumn is a nullable column of maps from text to text; a nil map is null.
func textMapColumn[T any](name string, at func(*T) *map[string]string) column[T] {
	return mapColumn(name, arrow.BinaryTypes.String, nullable, at,
		func(b array.Builder, v string) error { return addText(b.(*array.StringBuilder), v) },
		func(arr arrow.Array) func(int) string {
			values := arr.(*array.String)
			// Keys and values are cloned one by one: the array may hold far more than this record's slice.
			return func(i int) string { return string([]byte(values.Value(i))) }
		})
}

// numberMapColumn is a required column of maps from text to float32; a nil map is an empty one.
func numberMapColumn[T any](name string, at func(*T) *map[string]float32) column[T] {
	return mapColumn(name, arrow.PrimitiveTypes.Float32, required, at,
		func(b array.Builder, v float32) error {
			b.(*array.Float32Builder).Append(v)
			return nil
		},
		func(arr arrow.Array) func(int) float32 { return arr.(*array.Float32).Value })
}

func mapColumn[T, V any](name string, item arrow.DataType, null bool, at func(*T) *map[string]V,
	add func(array.Builder, V) error, open func(arrow.Array) func(int) V) column[T] {
	return column[T]{
		field: arrow.Field{Name: name, Type: arrow.MapOf(arrow.BinaryTypes.String, item), Nullable: null},
		add: func(b array.Builder, row *T) error {
			mb, m := b.(*array.MapBuilder), *at(row)
			if m == nil && null {
				mb.AppendNull()
				return nil
			}
			mb.Append(true)
			for _, k := range slices.Sorted(maps.Keys(m)) {
				if err := addText(mb.KeyBuilder().(*array.StringBuilder), k); err != nil {
					return err
				}
				if err := add(mb.ItemBuilder(), m[k]); err != nil {
					return err
				}
			}
			return nil
		},
		open: func(arr arrow.Array) (func(int, *T) error, error) {
			ma := arr.(*array.Map)
			keys, items := ma.Keys().(*array.String), ma.Items()
			item := open(items)
			return func(i int, row *T) error {
				if ma.IsNull(i) {
					return nil
				}
				from, to := ma.ValueOffsets(i)
				if k := firstNull(keys, from, to); k >= 0 {
					return fmt.Errorf("%w: %w: key %d", ErrValue, errNullElement, k-from)
				}
				m := make(map[string]V, to-from)
				for k := from; k < to; k++ {
					key := string([]byte(keys.Value(int(k))))
					if items.IsNull(int(k)) {
						return fmt.Errorf("%w: %w: key %q", ErrValue, errNullElement, key)
					}
					if _, twice := m[key]; twice {
						return fmt.Errorf("%w: key %q occurs twice", ErrValue, key)
					}
					m[key] = item(int(k))
				}
				*at(row) = m
				return nil
			}, nil
		},
	}
}

// firstNull returns the index of the first null in arr[from:to], or -1.
func firstNull(arr arrow.Array, from, to int64) int64 {
	if arr.NullN() == 0 {
		return -1
	}
	for i := from; i < to; i++ {
		if arr.IsNull(int(i)) {
			return i
		}
	}
	return -1
}
