package table

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
)

// maxLine is the longest line that is read: a guard against files that are not lines at all.
const maxLine = 256 << 20

// lines reads a text line by line, counting from 1, and skips empty ones.
type lines struct {
	r    *bufio.Reader
	n    int
	buf  []byte
	seen bool // any byte at all
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, 1<<16)} }

// next returns the next line that is not blank; it is valid until the next call. io.EOF at the end. The
// last line may lack its line feed.
func (l *lines) next() ([]byte, error) {
	for {
		l.buf = l.buf[:0]
		l.n++
		for {
			part, err := l.r.ReadSlice('\n')
			l.buf = append(l.buf, part...)
			l.seen = l.seen || len(part) > 0
			if len(l.buf) > maxLine {
				return nil, fmt.Errorf("line %d: it is longer than %d MiB", l.n, maxLine>>20)
			}
			if err == bufio.ErrBufferFull {
				continue
			}
			if err != nil && err != io.EOF {
				return nil, fmt.Errorf("line %d: %w", l.n, err)
			}
			if line := trimSpace(l.buf); len(line) > 0 {
				return line, nil
			}
			if err == io.EOF {
				if !l.seen {
					return nil, fmt.Errorf("%w: it is empty (0 bytes)", ErrTruncated)
				}
				return nil, io.EOF
			}
			break
		}
	}
}

func trimSpace(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// jsonlSource reads JSON lines as records of a kind. A key that the kind does not have is ignored, as
// a further column is in Arrow; a nullable column may be missing; anything else is an error with the
// line's number and the column's name.
type jsonlSource struct {
	in     *input
	lines  *lines
	kind   schemas.Kind
	fields []arrow.Field
	b      *array.RecordBuilder
	err    error
}

func openJSONL(in *input, kind schemas.Kind, mem memory.Allocator) (source, error) {
	r, err := in.reader()
	if err != nil {
		return nil, err
	}
	schema, err := looseSchema(kind)
	if err != nil {
		return nil, err
	}
	s := &jsonlSource{in: in, lines: newLines(r), kind: kind, fields: schema.Fields(), b: array.NewRecordBuilder(mem, schema)}
	// The first line says whether this is the wanted kind of table at all, so it is read at once.
	if s.err = s.add(); s.err != nil && s.err != io.EOF {
		s.b.Release()
		return nil, s.err
	}
	return s, nil
}

// looseSchema is a kind's schema with finish_reason as text, which [schemas.Conform] turns into the
// dictionary.
func looseSchema(kind schemas.Kind) (*arrow.Schema, error) {
	schema, err := schemas.Schema(kind)
	if err != nil {
		return nil, err
	}
	fields := schema.Fields()
	for i, f := range fields {
		if f.Type.ID() == arrow.DICTIONARY {
			fields[i].Type = arrow.BinaryTypes.String
		}
	}
	meta := schema.Metadata()
	return arrow.NewSchema(fields, &meta), nil
}

func (s *jsonlSource) next() (arrow.Record, error) {
	for s.err == nil && s.b.Field(0).Len() < BatchRows {
		s.err = s.add()
	}
	if s.err != nil && (s.err != io.EOF || s.b.Field(0).Len() == 0) {
		return nil, s.err
	}
	loose := s.b.NewRecord()
	defer loose.Release()
	return schemas.Conform(loose, s.kind)
}

// add appends the next line's row to the builders.
func (s *jsonlSource) add() error {
	line, err := s.lines.next()
	if err != nil {
		return err
	}
	var row map[string]json.RawMessage
	if err := json.Unmarshal(line, &row); err != nil {
		return fmt.Errorf("line %d: %w: %s", s.lines.n, ErrCorrupt, jsonFault(line, err))
	}
	if row == nil {
		return fmt.Errorf("line %d: %w: null, want an object", s.lines.n, ErrCorrupt)
	}
	if !utf8.Valid(line) {
		return fmt.Errorf("line %d: %w: it is not valid UTF-8", s.lines.n, ErrCorrupt)
	}
	for i, f := range s.fields {
		raw, ok := row[f.Name]
		switch {
		case !ok && !f.Nullable:
			return fmt.Errorf("line %d: %w: %q (%s) is missing", s.lines.n, schemas.ErrColumn, f.Name, f.Type)
		case !ok:
			s.b.Field(i).AppendNull()
			continue
		}
		if err := appendJSON(s.b.Field(i), f, raw); err != nil {
			return fmt.Errorf("line %d: column %q: %w", s.lines.n, f.Name, err)
		}
	}
	return nil
}

func (s *jsonlSource) close() error {
	s.b.Release()
	return s.in.close()
}

// jsonFault says where a line stops being JSON.
func jsonFault(line []byte, err error) string {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax) && syntax.Offset >= int64(len(line)):
		return "the line ends inside a value: " + err.Error()
	case errors.As(err, &syntax):
		return fmt.Sprintf("at byte %d: %v", syntax.Offset, err)
	case errors.As(err, &typ):
		return fmt.Sprintf("found %s, want an object", typ.Value)
	}
	return err.Error()
}
