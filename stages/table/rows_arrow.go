package table

import (
	"fmt"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

func openArrowRows(in *input) (RowReader, error) {
	msgs, err := arrowMessages(in)
	if err != nil {
		return nil, err
	}
	r, err := newRecordReader(msgs, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	return &arrowRows{records: r}, nil
}

// arrowRows reads the rows of an Arrow file with any schema.
type arrowRows struct {
	records *recordReader
	rec     arrow.Record
	i       int   // row within rec
	row     int64 // row within the file
}

func (r *arrowRows) Next() (map[string]any, error) {
	for r.rec == nil || r.i == int(r.rec.NumRows()) {
		rec, err := r.records.next()
		if err != nil {
			return nil, err
		}
		r.drop()
		r.rec, r.i = rec, 0
	}
	row := make(map[string]any, r.rec.NumCols())
	for c, col := range r.rec.Columns() {
		v, err := arrowValue(col, r.i)
		if err != nil {
			return nil, fmt.Errorf("row %d: column %q: %w", r.row, r.rec.ColumnName(c), err)
		}
		row[r.rec.ColumnName(c)] = v
	}
	r.i++
	r.row++
	return row, nil
}

func (r *arrowRows) drop() {
	if r.rec != nil {
		r.rec.Release()
		r.rec = nil
	}
}

func (r *arrowRows) Close() error {
	r.drop()
	r.records.close()
	return nil
}

// arrowValue copies one value out of an array.
func arrowValue(arr arrow.Array, i int) (any, error) {
	if arr.IsNull(i) {
		return nil, nil
	}
	switch arr := arr.(type) {
	case *array.String:
		return string([]byte(arr.Value(i))), nil
	case *array.LargeString:
		return string([]byte(arr.Value(i))), nil
	case *array.Binary:
		return string(arr.Value(i)), nil
	case *array.LargeBinary:
		return string(arr.Value(i)), nil
	case *array.Boolean:
		return arr.Value(i), nil
	case *array.Int8:
		return int64(arr.Value(i)), nil
	case *array.Int16:
		return int64(arr.Value(i)), nil
	case *array.Int32:
		return int64(arr.Value(i)), nil
	case *array.Int64:
		return arr.Value(i), nil
	case *array.Uint8:
		return int64(arr.Value(i)), nil
	case *array.Uint16:
		return int64(arr.Value(i)), nil
	case *array.Uint32:
		return int64(arr.Value(i)), nil
	case *array.Uint64:
		if v := arr.Value(i); v <= 1<<63-1 {
			return int64(v), nil
		}
		return nil, fmt.Errorf("%d is too large for a 64-bit signed integer", arr.Value(i))
	case *array.Float16:
		return float64(arr.Value(i).Float32()), nil
	case *array.Float32:
		return float64(arr.Value(i)), nil
	case *array.Float64:
		return arr.Value(i), nil
	case *array.Dictionary:
		return arrowValue(arr.Dictionary(), arr.GetValueIndex(i))
	case *array.Struct:
		m := make(map[string]any, arr.NumField())
		for k, f := range arr.DataType().(*arrow.StructType).Fields() {
			v, err := arrowValue(arr.Field(k), i)
			if err != nil {
				return nil, err
			}
			m[f.Name] = v
		}
		return m, nil
	case *array.Map: // before lists: it is one too
		from, to := arr.ValueOffsets(i)
		m := make(map[string]any, to-from)
		for k := from; k < to; k++ {
			key, err := arrowValue(arr.Keys(), int(k))
			if err != nil {
				return nil, err
			}
			if m[fmt.Sprint(key)], err = arrowValue(arr.Items(), int(k)); err != nil {
				return nil, err
			}
		}
		return m, nil
	case *array.List:
		return arrowList(arr, i)
	case *array.LargeList:
		return arrowList(arr, i)
	case *array.FixedSizeList:
		return arrowList(arr, i)
	case *array.Timestamp:
		return arr.Value(i).ToTime(arr.DataType().(*arrow.TimestampType).Unit).Format(time.RFC3339Nano), nil
	case *array.Date32:
		return arr.Value(i).FormattedString(), nil
	case *array.Date64:
		return arr.Value(i).FormattedString(), nil
	}
	return nil, fmt.Errorf("columns of type %s are not supported", arr.DataType())
}

func arrowList(arr array.ListLike, i int) (any, error) {
	from, to := arr.ValueOffsets(i)
	list := make([]any, 0, to-from)
	for k := from; k < to; k++ {
		v, err := arrowValue(arr.ListValues(), int(k))
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}
