package benchmark

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// csvRows reads comma-separated values whose first line names the columns, as
// GPQA is published. Every value is text.
type csvRows struct {
	path    string
	file    *os.File
	csv     *csv.Reader
	columns []string
	n       int
}

func openCSV(path string) (rows, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReader(f)
	if mark, err := in.Peek(3); err == nil && string(mark) == "\ufeff" {
		in.Discard(3)
	}
	r := &csvRows{path: path, file: f, csv: csv.NewReader(in)}
	if r.columns, err = r.csv.Read(); err != nil {
		f.Close()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s: empty, want a line with the names of columns: %w", path, ErrData)
		}
		return nil, fmt.Errorf("%s: names of columns: %w: %w", path, err, ErrData)
	}
	seen := map[string]bool{}
	for i, name := range r.columns {
		name = strings.TrimSpace(name)
		if seen[name] && name != "" {
			f.Close()
			return nil, fmt.Errorf("%s: two columns are called %q: %w", path, name, ErrData)
		}
		r.columns[i], seen[name] = name, true
	}
	return r, nil
}

func (r *csvRows) Next() (map[string]any, error) {
	values, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	r.n++
	if err != nil {
		return nil, fmt.Errorf("%s: row %d: %w", r.path, r.n, err)
	}
	out := make(map[string]any, len(values))
	for i, v := range values {
		out[r.columns[i]] = v
	}
	return out, nil
}

func (r *csvRows) Close() error { return r.file.Close() }
