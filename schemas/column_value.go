package schemas

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// Whether a column may hold nulls.
const (
	required = false
	nullable = true
)

var errTooLarge = fmt.Errorf("%w: the column has 2 GiB or more in one batch; use smaller batches", ErrValue)

// appender and valuer are what Arrow's builders and arrays of one Go type have in common.
type appender[V any] interface{ Append(V) }
type valuer[V any] interface{ Value(int) V }

// valueColumn is a column of numbers or booleans that are always there.
func valueColumn[T, V any](name string, typ arrow.DataType, at func(*T) *V) column[T] {
	return column[T]{
		field: arrow.Field{Name: name, Type: typ},
		add: func(b array.Builder, row *T) error {
			b.(appender[V]).Append(*at(row))
			return nil
		},
		open: func(arr arrow.Array) (func(int, *T) error, error) {
			values := arr.(valuer[V])
			return func(i int, row *T) error {
				*at(row) = values.Value(i)
				return nil
			}, nil
		},
	}
}

// optionalColumn is a column of numbers or booleans that may be null: a nil pointer.
func optionalColumn[T, V any](name string, typ arrow.DataType, at func(*T) **V) column[T] {
	return column[T]{
		field: arrow.Field{Name: name, Type: typ, Nullable: true},
		add: func(b array.Builder, row *T) error {
			if p := *at(row); p != nil {
				b.(appender[V]).Append(*p)
			} else {
				b.AppendNull()
			}
			return nil
		},
		open: func(arr arrow.Array) (func(int, *T) error, error) {
			values := arr.(valuer[V])
			return func(i int, row *T) error {
				if arr.IsValid(i) {
					v := values.Value(i)
					*at(row) = &v
				}
				return nil
			}, nil
		},
	}
}

// timeColumn is a column of times in microseconds, UTC.
func timeColumn[T any](name string, at func(*T) *time.Time) column[T] {
	return column[T]{
		field: arrow.Field{Name: name, Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}},
		add: func(b array.Builder, row *T) error {
			b.(appender[arrow.Timestamp]).Append(arrow.Timestamp(at(row).UnixMicro()))
			return nil
		},
		open: func(arr arrow.Array) (func(int, *T) error, error) {
			values := arr.(valuer[arrow.Timestamp])
			return func(i int, row *T) error {
				*at(row) = time.UnixMicro(int64(values.Value(i))).UTC()
				return nil
			}, nil
		},
	}
}

// textColumn is a column of strings that are always there.
func textColumn[T any](name string, at func(*T) *string) column[T] {
	return column[T]{
		field: arrow.Field{Name: name, Type: arrow.BinaryTypes.String},
		add:   func(b array.Builder, row *T) error { return addText(b.(*array.StringBuilder), *at(row)) },
		open: func(arr arrow.Array) (func(int, *T) error, error) {
			text := copyText(arr.(*array.String))
			return func(i int, row *T) error {
				*at(row) = text(i)
				return nil
			}, nil
		},
	}
}

// optionalTextColumn is a column of strings that may be null: a nil pointer.
func optionalTextColumn[T any](name string, at func(*T) **string) column[T] {
	return column[T]{
		field: arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true},
		add: func(b array.Builder, row *T) error {
			if p := *at(row); p != nil {
				return addText(b.(*array.StringBuilder), *p)
			}
			b.AppendNull()
			return nil
		},
		open: func(arr arrow.Array) (func(int, *T) error, error) {
			text := copyText(arr.(*array.String))
			return func(i int, row *T) error {
				if arr.IsValid(i) {
					s := text(i)
					*at(row) = &s
				}
				return nil
			}, nil
		},
	}
}

// choiceColumn is a column of a few known words. It is written as a dictionary with all the words in
// the given order, whatever words occur, so that all batches have the same dictionary. It is read from
// a dictionary with any type of index, or from plain text.
func choiceColumn[T any](name string, words []string, at func(*T) *string) column[T] {
	check := func(word string) (int32, error) {
		if i := slices.Index(words, word); i >= 0 {
			return int32(i), nil
		}
		return 0, fmt.Errorf("%w: %q, want %s", ErrValue, word, strings.Join(words, " or "))
	}
	return column[T]{
		field: arrow.Field{Name: name, Type: choiceType()},
		add: func(b array.Builder, row *T) error {
			i, err := check(*at(row))
			if err == nil {
				b.(*array.Int32Builder).Append(i)
			}
			return err
		},
		open: func(arr arrow.Array) (func(int, *T) error, error) {
			word, err := choiceReader(arr)
			if err != nil {
				return nil, err
			}
			return func(i int, row *T) error {
				w, err := word(i)
				if err != nil {
					return err
				}
				k, err := check(w)
				if err == nil {
					*at(row) = words[k] // our own constant, not a piece of the record's memory
				}
				return err
			}, nil
		},
	}
}

// choiceType has 32-bit indices because that is what other Arrow libraries make by default.
func choiceType() *arrow.DictionaryType {
	return &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
}

// choiceReader reads words from a dictionary or a plain text column. The words lie in the array's memory.
func choiceReader(arr arrow.Array) (func(i int) (string, error), error) {
	switch arr := arr.(type) {
	case *array.String:
		return func(i int) (string, error) { return arr.Value(i), nil }, nil
	case *array.Dictionary:
		words, ok := arr.Dictionary().(*array.String)
		if !ok {
			return nil, fmt.Errorf("%w: dictionary of %s, want utf8", ErrColumn, arr.Dictionary().DataType())
		}
		return func(i int) (string, error) {
			k := arr.GetValueIndex(i)
			if k < 0 || k >= words.Len() || words.IsNull(k) {
				return "", fmt.Errorf("%w: dictionary index %d is not one of %d words", ErrValue, k, words.Len())
			}
			return words.Value(k), nil
		}, nil
	}
	return nil, fmt.Errorf("%w: %s, want dictionary or utf8", ErrColumn, arr.DataType())
}

// withDictionary makes a dictionary array of indices into words.
func withDictionary(mem memory.Allocator, typ *arrow.DictionaryType, indices arrow.Array, words []string) arrow.Array {
	b := array.NewStringBuilder(mem)
	defer b.Release()
	b.AppendValues(words, nil)
	dict := b.NewArray()
	defer dict.Release()
	return array.NewDictionaryArray(typ, indices, dict)
}

// storageType is the type of the builder of a column: the indices' for a dictionary.
func storageType(typ arrow.DataType) arrow.DataType {
	if d, ok := typ.(*arrow.DictionaryType); ok {
		return d.IndexType
	}
	return typ
}

func addText(b *array.StringBuilder, s string) error {
	switch {
	case !utf8.ValidString(s):
		return fmt.Errorf("%w: text is not valid UTF-8", ErrValue)
	case len(s) > math.MaxInt32-b.DataLen():
		return errTooLarge
	}
	b.Append(s)
	return nil
}

// copyText copies a column's bytes once and returns pieces of the copy.
func copyText(a *array.String) func(i int) string {
	if a.Len() == 0 {
		return func(int) string { return "" }
	}
	all, base := string(a.ValueBytes()), a.ValueOffset(0)
	return func(i int) string {
		from := a.ValueOffset(i) - base
		return all[from : from+a.ValueLen(i)]
	}
}
