package table

import (
	"fmt"
	"io"
)

// RowReader reads a table of any columns row by row, for data sets that are not yet records of this
// project. Values are string, int64, float64, bool, nil, []any, map[string]any and, for JSON numbers
// that neither int64 nor float64 can hold, and decimals of Parquet, [encoding/json.Number]. Times are
// text as in RFC 3339, and bytes are a string, text or not. It is used by one goroutine.
type RowReader interface {
	// Next returns the next row, which belongs to the caller; [io.EOF] after the last. Errors name the
	// file and the row: its line in .jsonl, its number from 0 elsewhere.
	Next() (map[string]any, error)
	// Close gives up the file.
	Close() error
}

// OpenRows opens a file by its ending: .jsonl (an object a line), .json (one array of objects), both
// also with .gz or .zst after it, .parquet, and .arrow. JSON is read as a stream, so memory does not grow
// with the file.
func OpenRows(path string) (RowReader, error) {
	f, err := formatOf(path, func(f format) bool { return f.rows != nil })
	if err != nil {
		return nil, err
	}
	in, err := openInput(path)
	if err != nil {
		return nil, err
	}
	r, err := guarded(path, func() (RowReader, error) { return f.rows(in) })
	if err != nil {
		in.close()
		return nil, err
	}
	return &namedRows{path: path, rows: r, in: in}, nil
}

// namedRows adds the path to errors, and keeps the first one.
type namedRows struct {
	path string
	rows RowReader
	in   *input
	err  error
}

func (r *namedRows) Next() (map[string]any, error) {
	if r.err != nil {
		return nil, r.err
	}
	row, err := guarded(r.path, r.rows.Next)
	r.err = err
	return row, err
}

func (r *namedRows) Close() error {
	if r.in == nil {
		return nil
	}
	if r.err == nil || r.err == io.EOF {
		r.err = fmt.Errorf("%s: read after Close", r.path)
	}
	_, err := guarded(r.path, func() (struct{}, error) { return struct{}{}, r.rows.Close() })
	if err2 := r.in.close(); err == nil {
		err = err2
	}
	r.in = nil
	return err
}
