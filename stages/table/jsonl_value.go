package table

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"openrs/schemas"
)

// appendJSON appends one JSON value, known to be well formed, to a column's builder.
func appendJSON(b array.Builder, f arrow.Field, raw json.RawMessage) error {
	if raw[0] == 'n' { // null
		if !f.Nullable {
			return mistyped(raw, f.Type)
		}
		b.AppendNull()
		return nil
	}
	return appendValue(b, f.Type, raw)
}

func appendValue(b array.Builder, typ arrow.DataType, raw json.RawMessage) error {
	switch b := b.(type) {
	case *array.StringBuilder:
		s, err := jsonText(raw, typ)
		if err != nil {
			return err
		}
		b.Append(s)
	case *array.Int32Builder:
		n, err := jsonInt(raw, typ, 32)
		if err != nil {
			return err
		}
		b.Append(int32(n))
	case *array.Int64Builder:
		n, err := jsonInt(raw, typ, 64)
		if err != nil {
			return err
		}
		b.Append(n)
	case *array.Float32Builder:
		x, err := jsonFloat(raw, typ, 32)
		if err != nil {
			return err
		}
		b.Append(float32(x))
	case *array.Float64Builder:
		x, err := jsonFloat(raw, typ, 64)
		if err != nil {
			return err
		}
		b.Append(x)
	case *array.BooleanBuilder:
		if raw[0] != 't' && raw[0] != 'f' {
			return mistyped(raw, typ)
		}
		b.Append(raw[0] == 't')
	case *array.TimestampBuilder:
		s, err := jsonText(raw, typ)
		if err != nil {
			return err
		}
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return mistyped(raw, typ)
		}
		b.Append(arrow.Timestamp(t.UnixMicro()))
	case *array.ListBuilder:
		return appendList(b, typ, raw)
	case *array.MapBuilder:
		return appendMap(b, typ.(*arrow.MapType), raw)
	default:
		return fmt.Errorf("a column of type %s can't be read from JSON", typ)
	}
	return nil
}

// appendList splits an array of numbers at its commas, without a value for each element: lists of
// tokens are most of what there is to read. Elements that hold commas of their own begin with a
// character that no number begins with, so their first piece is refused.
func appendList(b *array.ListBuilder, typ arrow.DataType, raw json.RawMessage) error {
	if raw[0] != '[' {
		return mistyped(raw, typ)
	}
	b.Append(true)
	rest, elem := trimSpace(raw[1:len(raw)-1]), typ.(*arrow.ListType).Elem()
	for n := 0; len(rest) > 0; n++ {
		end := bytes.IndexByte(rest, ',')
		if end < 0 {
			end = len(rest)
		}
		if err := appendValue(b.ValueBuilder(), elem, json.RawMessage(trimSpace(rest[:end]))); err != nil {
			return fmt.Errorf("element %d: %w", n, err)
		}
		rest = trimSpace(rest[min(end+1, len(rest)):])
	}
	return nil
}

func appendMap(b *array.MapBuilder, typ *arrow.MapType, raw json.RawMessage) error {
	var m map[string]json.RawMessage
	if raw[0] != '{' {
		return mistyped(raw, typ)
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return err
	}
	b.Append(true)
	for _, k := range slices.Sorted(maps.Keys(m)) {
		b.KeyBuilder().(*array.StringBuilder).Append(k)
		if err := appendValue(b.ItemBuilder(), typ.ItemType(), m[k]); err != nil {
			return fmt.Errorf("key %q: %w", k, err)
		}
	}
	return nil
}

func jsonText(raw json.RawMessage, typ arrow.DataType) (string, error) {
	var s string
	if raw[0] != '"' {
		return "", mistyped(raw, typ)
	}
	err := json.Unmarshal(raw, &s)
	return s, err
}

// jsonInt reads an integer exactly. A number with a point or an exponent is not one, even 1.0: reading
// it through floating point would lose digits of large ones.
func jsonInt(raw json.RawMessage, typ arrow.DataType, bits int) (int64, error) {
	n, err := strconv.ParseInt(borrow(raw), 10, bits)
	if err != nil {
		return 0, mistyped(raw, typ)
	}
	return n, nil
}

// jsonFloat reads a number to the nearest value of its type, and the three words for those that JSON
// does not have.
func jsonFloat(raw json.RawMessage, typ arrow.DataType, bits int) (float64, error) {
	switch {
	case raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9':
		if x, err := strconv.ParseFloat(borrow(raw), bits); err == nil {
			return x, nil
		}
	case string(raw) == `"NaN"`:
		return math.NaN(), nil
	case string(raw) == `"Infinity"`:
		return math.Inf(1), nil
	case string(raw) == `"-Infinity"`:
		return math.Inf(-1), nil
	}
	return 0, mistyped(raw, typ)
}

// borrow sees bytes as a string for a call that does not keep it.
func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// mistyped says what was found, cut short, and what the column holds.
func mistyped(raw []byte, want arrow.DataType) error {
	found := string(raw)
	if len(found) > 40 {
		found = strings.ToValidUTF8(found[:40], "") + "…"
	}
	return fmt.Errorf("%w: found %s, want %s", schemas.ErrValue, found, jsonTypeName(want))
}

func jsonTypeName(typ arrow.DataType) string {
	switch typ.ID() {
	case arrow.STRING:
		return "a string"
	case arrow.BOOL:
		return "true or false"
	case arrow.INT32, arrow.INT64:
		return "an integer (" + typ.String() + ")"
	case arrow.FLOAT32, arrow.FLOAT64:
		return "a number (" + typ.String() + ")"
	case arrow.TIMESTAMP:
		return "a time like " + timeLayout
	case arrow.LIST:
		return "an array of " + typ.(*arrow.ListType).Elem().String()
	case arrow.MAP:
		return "an object of " + typ.(*arrow.MapType).ItemType().String()
	}
	return typ.String()
}
