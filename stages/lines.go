package stages

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"openrs/stages/atomicfile"
)

// maxLine bounds one line of a JSON lines input, in bytes.
const maxLine = 64 << 20

// Object is one line of JSON lines, its values not yet read.
type Object map[string]json.RawMessage

// Get decodes the value under key into v; what says what was expected.
func (o Object) Get(key, what string, v any) error {
	raw, ok := o[key]
	if !ok {
		return fmt.Errorf("expected the key %q with %s", key, what)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%s: expected %s: %w", key, what, err)
	}
	return nil
}

// Set stores a value under key.
func (o Object) Set(key string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	o[key] = raw
	return nil
}

// Lines reads JSON objects, one a line, lets edit change each, and writes them in the same order with
// their keys sorted. Paths may be "-" for standard input and output; an output file appears when all
// is written. Errors name the file and the line.
func Lines(in, out string, edit func(Object) error) error {
	return withLines(in, out, func(r io.Reader, w io.Writer) error { return editLines(in, r, w, edit) })
}

// withLines opens the input and the output of a command on JSON lines.
func withLines(in, out string, work func(io.Reader, io.Writer) error) error {
	r := io.Reader(os.Stdin)
	if in != "-" {
		f, err := os.Open(in)
		if err != nil {
			return err
		}
		defer f.Close()
		r = f
	}
	if out == "-" {
		return work(r, os.Stdout)
	}
	return atomicfile.Write(out, func(w io.Writer) error { return work(r, w) })
}

func editLines(name string, r io.Reader, w io.Writer, edit func(Object) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	buffered := bufio.NewWriter(w)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		line, err := editLine(lines.Bytes(), edit)
		if err != nil {
			return errors.Join(fmt.Errorf("%s:%d: %w", name, n, err), buffered.Flush())
		}
		if _, err := buffered.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", name, err), buffered.Flush())
	}
	return buffered.Flush()
}

func editLine(line []byte, edit func(Object) error) ([]byte, error) {
	var o Object
	if err := json.Unmarshal(line, &o); err != nil {
		return nil, fmt.Errorf("expected a JSON object: %w", err)
	}
	if o == nil {
		return nil, errors.New("expected a JSON object, found null")
	}
	if err := edit(o); err != nil {
		return nil, err
	}
	return json.Marshal(o)
}
