package table

import (
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"openrs/schemas"
)

// rowGroupBytes is about how much is kept in memory before a row group is written.
const rowGroupBytes = 32 << 20

// parquetSink writes Parquet column by column: each Arrow column becomes the values of one leaf (two
// for a map) with their repetition and definition levels.
type parquetSink struct {
	w       *parquet.GenericWriter[any]
	size    int64 // of the current row group, about
	written int64 // rows
	values  []parquet.Value
}

func createParquet(w io.Writer, kind schemas.Kind) (sink, error) {
	schema, err := schemas.Schema(kind)
	if err != nil {
		return nil, err
	}
	ps, err := parquetSchemaOf(string(kind), schema)
	if err != nil {
		return nil, err
	}
	opts := append(kindMetadata(kind), ps, parquet.Compression(&zstd.Codec{}), parquet.CreatedBy("openrs", fmt.Sprint(schemas.Version), ""))
	return &parquetSink{w: parquet.NewGenericWriter[any](w, opts...)}, nil
}

func (s *parquetSink) write(rec arrow.Record) error {
	leaf := 0
	for i, col := range rec.Columns() {
		f := rec.Schema().Field(i)
		n, err := s.writeColumn(leaf, f, col)
		if err != nil {
			return fmt.Errorf("column %q: %w", f.Name, err)
		}
		leaf += n
	}
	s.written += rec.NumRows()
	if s.size >= rowGroupBytes {
		s.size = 0
		return s.w.Flush()
	}
	return nil
}

func (s *parquetSink) finish() error { return s.w.Close() }

// writeColumn writes one column from a leaf on and returns how many leaves it has.
func (s *parquetSink) writeColumn(leaf int, f arrow.Field, col arrow.Array) (int, error) {
	def := 0 // definition level of a value that is there
	if f.Nullable {
		def = 1
	}
	switch col := col.(type) {
	case *array.List:
		return 1, s.writeRepeated(leaf, def, col, col.ListValues(), col.ValueOffsets, true)
	case *array.Map:
		if err := s.writeRepeated(leaf, def, col, col.Keys(), col.ValueOffsets, false); err != nil {
			return 2, err
		}
		return 2, s.writeRepeated(leaf+1, def, col, col.Items(), col.ValueOffsets, true)
	}
	value, err := parquetValues(col)
	if err != nil {
		return 1, err
	}
	s.values = s.values[:0]
	for i := range col.Len() {
		if col.IsNull(i) {
			s.put(parquet.NullValue().Level(0, 0, leaf))
		} else {
			s.put(value(i).Level(0, def, leaf))
		}
	}
	return 1, s.flush(leaf, col.Len())
}

// writeRepeated writes one leaf of a list or a map. def is the definition level of an empty one; an
// element that is there is one above, or two where elements may be null.
func (s *parquetSink) writeRepeated(leaf, def int, col, elems arrow.Array, offsets func(int) (int64, int64), optional bool) error {
	value, err := parquetValues(elems)
	if err != nil {
		return err
	}
	s.values = s.values[:0]
	there := def + 1
	if optional {
		there++
	}
	for i := range col.Len() {
		from, to := offsets(i)
		switch {
		case col.IsNull(i):
			s.put(parquet.NullValue().Level(0, def-1, leaf))
		case from == to:
			s.put(parquet.NullValue().Level(0, def, leaf))
		default:
			for k := from; k < to; k++ {
				rep := min(1, int(k-from))
				if elems.IsNull(int(k)) {
					return fmt.Errorf("%w: row %d: null inside the value", schemas.ErrValue, s.written+int64(i))
				}
				s.put(value(int(k)).Level(rep, there, leaf))
			}
		}
	}
	return s.flush(leaf, col.Len())
}

func (s *parquetSink) put(v parquet.Value) { s.values = append(s.values, v) }

func (s *parquetSink) flush(leaf, rows int) error {
	if rows == 0 {
		return nil
	}
	for _, v := range s.values {
		s.size += 8
		if v.Kind() == parquet.ByteArray {
			s.size += int64(len(v.ByteArray()))
		}
	}
	_, err := s.w.ColumnWriters()[leaf].WriteRowValues(s.values)
	return err
}

// parquetValues returns the function that reads one value, not null, of a column.
func parquetValues(arr arrow.Array) (func(i int) parquet.Value, error) {
	switch arr := arr.(type) {
	case *array.String:
		return func(i int) parquet.Value { return parquet.ByteArrayValue([]byte(arr.Value(i))) }, nil
	case *array.Dictionary:
		words, ok := arr.Dictionary().(*array.String)
		if !ok {
			break
		}
		return func(i int) parquet.Value { return parquet.ByteArrayValue([]byte(words.Value(arr.GetValueIndex(i)))) }, nil
	case *array.Boolean:
		return func(i int) parquet.Value { return parquet.BooleanValue(arr.Value(i)) }, nil
	case *array.Int32:
		return func(i int) parquet.Value { return parquet.Int32Value(arr.Value(i)) }, nil
	case *array.Int64:
		return func(i int) parquet.Value { return parquet.Int64Value(arr.Value(i)) }, nil
	case *array.Timestamp:
		return func(i int) parquet.Value { return parquet.Int64Value(int64(arr.Value(i))) }, nil
	case *array.Float32:
		return func(i int) parquet.Value { return parquet.FloatValue(arr.Value(i)) }, nil
	case *array.Float64:
		return func(i int) parquet.Value { return parquet.DoubleValue(arr.Value(i)) }, nil
	}
	return nil, fmt.Errorf("a column of type %s can't be written as Parquet", arr.DataType())
}
