package table

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"openrs/schemas"
)

// JSON lines: one object a row with the columns' names as keys, in order. Lists are arrays, maps are
// objects, nulls are null, times are RFC 3339 in UTC with microseconds. Numbers are written with the
// digits that read back to the same bits, those of floating point always with a point or an exponent,
// so that other readers see one type in a column. JSON has no NaN and no infinities: they are the strings
// "NaN", "Infinity" and "-Infinity". A table without rows is one empty line.

const timeLayout = "2006-01-02T15:04:05.000000Z"

// jsonlSink writes JSON lines.
type jsonlSink struct {
	w     io.Writer
	buf   bytes.Buffer
	lines int
}

func createJSONL(w io.Writer, _ schemas.Kind) (sink, error) { return &jsonlSink{w: w}, nil }

func (s *jsonlSink) write(rec arrow.Record) error {
	s.buf.Reset()
	put := make([]func(i int) error, rec.NumCols())
	keys := make([][]byte, rec.NumCols())
	for c, col := range rec.Columns() {
		var err error
		if put[c], err = s.putter(col); err != nil {
			return fmt.Errorf("column %q: %w", rec.ColumnName(c), err)
		}
		key, err := json.Marshal(rec.ColumnName(c))
		if err != nil {
			return err
		}
		keys[c] = append(key, ':')
	}
	for i := range int(rec.NumRows()) {
		for c, col := range rec.Columns() {
			s.buf.WriteByte("{,"[min(c, 1)])
			s.buf.Write(keys[c])
			if col.IsNull(i) {
				s.buf.WriteString("null")
			} else if err := put[c](i); err != nil {
				return fmt.Errorf("row %d: column %q: %w", s.lines, rec.ColumnName(c), err)
			}
		}
		s.buf.WriteString("}\n")
		s.lines++
	}
	_, err := s.w.Write(s.buf.Bytes())
	return err
}

func (s *jsonlSink) finish() error {
	if s.lines > 0 {
		return nil
	}
	_, err := s.w.Write([]byte{'\n'})
	return err
}

// putter returns the function that appends one value, not null, of a column.
func (s *jsonlSink) putter(col arrow.Array) (func(i int) error, error) {
	number := func(b []byte) error {
		s.buf.Write(b)
		return nil
	}
	switch col := col.(type) {
	case *array.String:
		return func(i int) error { return s.putText(col.Value(i)) }, nil
	case *array.Dictionary:
		words, ok := col.Dictionary().(*array.String)
		if !ok {
			break
		}
		return func(i int) error { return s.putText(words.Value(col.GetValueIndex(i))) }, nil
	case *array.Int32:
		return func(i int) error { return number(strconv.AppendInt(s.buf.AvailableBuffer(), int64(col.Value(i)), 10)) }, nil
	case *array.Int64:
		return func(i int) error { return number(strconv.AppendInt(s.buf.AvailableBuffer(), col.Value(i), 10)) }, nil
	case *array.Float32:
		return func(i int) error { return number(appendFloat(s.buf.AvailableBuffer(), float64(col.Value(i)), 32)) }, nil
	case *array.Float64:
		return func(i int) error { return number(appendFloat(s.buf.AvailableBuffer(), col.Value(i), 64)) }, nil
	case *array.Boolean:
		return func(i int) error { return number(strconv.AppendBool(s.buf.AvailableBuffer(), col.Value(i))) }, nil
	case *array.Timestamp:
		return func(i int) error {
			t := time.UnixMicro(int64(col.Value(i))).UTC()
			if t.Year() < 0 || t.Year() > 9999 {
				return fmt.Errorf("%w: the year %d can't be written", schemas.ErrValue, t.Year())
			}
			return s.putText(t.Format(timeLayout))
		}, nil
	case *array.List:
		elem, err := s.putter(col.ListValues())
		if err != nil {
			return nil, err
		}
		return func(i int) error {
			from, to := col.ValueOffsets(i)
			s.buf.WriteByte('[')
			for k := from; k < to; k++ {
				if k > from {
					s.buf.WriteByte(',')
				}
				if err := s.putValue(col.ListValues(), int(k), elem); err != nil {
					return err
				}
			}
			s.buf.WriteByte(']')
			return nil
		}, nil
	case *array.Map:
		keys, items := col.Keys().(*array.String), col.Items()
		item, err := s.putter(items)
		if err != nil {
			return nil, err
		}
		return func(i int) error {
			from, to := col.ValueOffsets(i)
			s.buf.WriteByte('{')
			for k := from; k < to; k++ {
				if k > from {
					s.buf.WriteByte(',')
				}
				if err := s.putText(keys.Value(int(k))); err != nil {
					return err
				}
				s.buf.WriteByte(':')
				if err := s.putValue(items, int(k), item); err != nil {
					return err
				}
			}
			s.buf.WriteByte('}')
			return nil
		}, nil
	}
	return nil, fmt.Errorf("a column of type %s can't be written as JSON", col.DataType())
}

func (s *jsonlSink) putValue(arr arrow.Array, i int, put func(int) error) error {
	if arr.IsNull(i) {
		return fmt.Errorf("%w: null inside a list or a map", schemas.ErrValue)
	}
	return put(i)
}

func (s *jsonlSink) putText(text string) error {
	enc := json.NewEncoder(&s.buf)
	enc.SetEscapeHTML(false) // < and > are plain in mathematics
	if err := enc.Encode(text); err != nil {
		return err
	}
	s.buf.Truncate(s.buf.Len() - 1) // the encoder's line feed
	return nil
}

func appendFloat(b []byte, x float64, bits int) []byte {
	switch {
	case math.IsNaN(x):
		return append(b, `"NaN"`...)
	case math.IsInf(x, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(x, -1):
		return append(b, `"-Infinity"`...)
	}
	from := len(b)
	b = strconv.AppendFloat(b, x, 'g', -1, bits)
	if !bytes.ContainsAny(b[from:], ".e") {
		b = append(b, '.', '0')
	}
	return b
}
