package benchmark

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"openrs/stages/table"
)

// item is one row of a benchmark's file, read.
type item struct {
	file     string
	row      int // from 1
	question string
	answer   string   // the gold answer that answers are judged by
	golds    []string // the gold answers as published, each in its plain form
	choices  []string // options, the right one first; nil: none
	solution string
	meta     map[string]string
	note     string // what was put right in the row; "" for nothing
}

// rows is where rows come from: table.OpenRows and the CSV reader.
type rows interface {
	Next() (map[string]any, error) // io.EOF after the last
	Close() error
}

// readFile reads every row of a file.
func (b Benchmark) readFile(path string) ([]item, error) {
	in, err := openRows(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var items []item
	for {
		values, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", err, ErrData)
		}
		r := row{file: path, n: len(items) + 1, values: values}
		it, err := b.read(r)
		if err != nil {
			return nil, err
		}
		it.file, it.row = r.file, r.n
		if len(it.golds) == 0 {
			it.golds = []string{it.answer}
		}
		it.meta = r.metadata(it.meta)
		items = append(items, it)
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("%s: no rows: %w", path, ErrData)
	}
	return items, nil
}

func openRows(path string) (rows, error) {
	if strings.HasSuffix(path, ".csv") {
		return openCSV(path)
	}
	in, err := table.OpenRows(path)
	if errors.Is(err, table.ErrTruncated) || errors.Is(err, table.ErrCorrupt) {
		err = fmt.Errorf("%w: %w", err, ErrData)
	}
	return in, err
}

// row is a row of a file, and where it is.
type row struct {
	file   string
	n      int
	values map[string]any
}

// fault is an error about a column of the row.
func (r row) fault(column, format string, args ...any) error {
	return fmt.Errorf("%s: row %d: column %q: %s: %w", r.file, r.n, column, fmt.Sprintf(format, args...), ErrData)
}

// column finds the first of the named columns that the row has with a value.
func (r row) column(names ...string) (string, any, error) {
	for _, name := range names {
		if v, ok := r.values[name]; ok && v != nil {
			return name, v, nil
		}
	}
	for _, name := range names {
		if _, ok := r.values[name]; ok {
			return name, nil, r.fault(name, "null, want a value")
		}
	}
	return "", nil, fmt.Errorf("%s: row %d: no column %s: it has %s: %w", r.file, r.n,
		strings.Join(names, " or "), strings.Join(slices.Sorted(maps.Keys(r.values)), ", "), ErrData)
}

// text is a column that must have text which is not blank, without white space
// around it.
func (r row) text(names ...string) (string, error) {
	name, v, err := r.column(names...)
	if err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", r.fault(name, "found %s, want text", kind(v))
	}
	if s = strings.TrimSpace(s); s == "" {
		return "", r.fault(name, "empty, want text")
	}
	return s, nil
}

// optional is a column's text, or "" where there is none or it is no text.
func (r row) optional(name string) string {
	switch v := r.values[name].(type) {
	case string:
		return strings.TrimSpace(v)
	case []any: // OlympiadBench has its solutions in a list
		var parts []string
		for _, x := range v {
			if s, ok := x.(string); ok {
				parts = append(parts, strings.TrimSpace(s))
			}
		}
		return strings.Join(parts, "\n\n")
	}
	return ""
}

// carried are the columns that are kept as metadata.
var carried = []string{"id", "unique_id", "idx", "url", "year", "subject", "level", "type", "subfield", "difficulty", "answer_type", "unit", "error", "Record ID", "Subdomain", "High-level domain"}

// metadata adds the row's number and what is worth keeping of it to m.
func (r row) metadata(m map[string]string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	m["row"] = strconv.Itoa(r.n)
	for _, name := range carried {
		switch v := r.values[name].(type) {
		case string:
			if s := strings.TrimSpace(v); s != "" {
				m[name] = s
			}
		case int64, float64, bool:
			m[name] = fmt.Sprint(v)
		}
	}
	return m
}

// kind names the type of a value for a reader of data files.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return "text " + strconv.Quote(short(v))
	case int64, float64, json.Number:
		return fmt.Sprintf("the number %v", v)
	case bool:
		return fmt.Sprintf("%v", v)
	case []any:
		return fmt.Sprintf("a list of %d", len(v))
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("%T", v)
}

func short(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// whole is a number that has no fraction, as its digits.
func whole(v any) (string, bool) {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return strconv.FormatInt(int64(v), 10), true
		}
	case json.Number:
		return v.String(), !strings.ContainsAny(v.String(), ".eE")
	}
	return "", false
}
