package table

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

func openJSONLRows(in *input) (RowReader, error) {
	r, err := in.reader()
	if err != nil {
		return nil, err
	}
	return &jsonlRows{lines: newLines(r)}, nil
}

// jsonlRows reads an object from each line.
type jsonlRows struct{ lines *lines }

func (r *jsonlRows) Next() (map[string]any, error) {
	line, err := r.lines.next()
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(line) {
		return nil, fmt.Errorf("line %d: %w: it is not valid UTF-8", r.lines.n, ErrCorrupt)
	}
	row, err := parseRow(line)
	if err != nil {
		return nil, fmt.Errorf("line %d: %w: %w", r.lines.n, ErrCorrupt, err)
	}
	return row, nil
}

func (r *jsonlRows) Close() error { return nil }

// parseRow reads one object.
func parseRow(line []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	var row map[string]any
	if err := dec.Decode(&row); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
			return nil, errors.New("the line ends inside a value")
		}
		return nil, errors.New(jsonFault(line, err))
	}
	if row == nil {
		return nil, errors.New("null, want an object")
	}
	if rest := trimSpace(line[dec.InputOffset():]); len(rest) > 0 {
		return nil, fmt.Errorf("at byte %d: more after the object", len(line)-len(rest)+1)
	}
	exactNumbers(row)
	return row, nil
}

// exactNumbers turns the numbers of a map or a list into int64 where they are written as integers, else
// into float64, in place. Numbers outside both stay as they are written.
func exactNumbers(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			v[k] = exactNumber(x)
		}
	case []any:
		for i, x := range v {
			v[i] = exactNumber(x)
		}
	}
}

func exactNumber(v any) any {
	n, ok := v.(json.Number)
	if !ok {
		exactNumbers(v)
		return v
	}
	if !strings.ContainsAny(string(n), ".eE") {
		if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
			return i
		}
		return n
	}
	if x, err := strconv.ParseFloat(string(n), 64); err == nil {
		return x
	}
	return n
}

func openJSONRows(in *input) (RowReader, error) {
	r, err := in.reader()
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(r)
	dec.UseNumber()
	return &jsonRows{dec: dec}, nil
}

// jsonRows reads the objects of one array without holding the array.
type jsonRows struct {
	dec  *json.Decoder
	row  int
	open bool
}

func (r *jsonRows) Next() (map[string]any, error) {
	if !r.open {
		start, err := r.dec.Token()
		if err != nil {
			return nil, r.fault("at the start", err)
		}
		if start != json.Delim('[') {
			return nil, fmt.Errorf("%w: it starts with %v, want an array of objects (an object a line is .jsonl)", ErrCorrupt, start)
		}
		r.open = true
	}
	if !r.dec.More() {
		return nil, r.end()
	}
	var row map[string]any
	if err := r.dec.Decode(&row); err != nil {
		return nil, r.fault(fmt.Sprintf("row %d", r.row), err)
	}
	if row == nil {
		return nil, fmt.Errorf("row %d: %w: null, want an object", r.row, ErrCorrupt)
	}
	r.row++
	exactNumbers(row)
	return row, nil
}

// end checks that the array is closed and nothing follows.
func (r *jsonRows) end() error {
	if _, err := r.dec.Token(); err != nil {
		return r.fault(fmt.Sprintf("after row %d", r.row-1), err)
	}
	more, err := r.dec.Token()
	switch {
	case err == io.EOF:
		return io.EOF
	case err != nil:
		return r.fault("after the array", err)
	}
	return fmt.Errorf("%w: %v after the array", ErrCorrupt, more)
}

func (r *jsonRows) fault(place string, err error) error {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: %w: the file ends inside the array", place, ErrTruncated)
	case errors.As(err, &syntax):
		return fmt.Errorf("%s: %w: at byte %d: %w", place, ErrCorrupt, syntax.Offset, err)
	case errors.As(err, &typ):
		return fmt.Errorf("%s: %w: found %s, want an object", place, ErrCorrupt, typ.Value)
	}
	return fmt.Errorf("%s: %w", place, err)
}

func (r *jsonRows) Close() error { return nil }
