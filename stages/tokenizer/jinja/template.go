package jinja

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Error is what is wrong with a template, or with what it does. Err may be one that a [Func] returned.
type Error struct {
	Line int // from 1; 0 where it is not known
	Err  error
}

// Error says the line and the reason.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("line %d: %v", e.Line, e.Err)
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// Raised is the error of a template that calls raise_exception: the message is its own.
type Raised struct{ Message string }

// Error is the message.
func (r *Raised) Error() string { return r.Message }

// errorf makes an Error; line 0 is filled in by what knows it.
func errorf(line int, format string, args ...any) error {
	return &Error{line, fmt.Errorf(format, args...)}
}

// at gives an error a line, if it has none yet.
func at(line int, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if !errors.As(err, &e) {
		return &Error{line, err}
	}
	if e.Line == 0 {
		return &Error{line, e.Err}
	}
	return err
}

// wrap says what failed.
func wrap(what string, err error) error {
	var e *Error
	if errors.As(err, &e) && e.Line == 0 {
		return &Error{0, fmt.Errorf("%s: %w", what, e.Err)}
	} else if e != nil {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Template is a parsed template. It may be rendered from several goroutines at once.
type Template struct{ body []statement }

// Parse reads a template. Errors are of the type [*Error].
func Parse(source string) (*Template, error) {
	if len(source) > maxSource {
		return nil, errorf(0, "the template has more than %d bytes", maxSource)
	}
	tokens, err := lex(source)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	body, _, err := p.body("")
	if err != nil {
		return nil, err
	}
	return &Template{body}, nil
}

// scope holds the variables of a block; those around it show through.
type scope struct {
	run    *run
	parent *scope
	vars   map[string]any
}

func (s *scope) inner() *scope { return &scope{run: s.run, parent: s} }

func (s *scope) set(name string, v any) {
	if s.vars == nil {
		s.vars = map[string]any{}
	}
	s.vars[name] = v
}

func (s *scope) lookup(name string) any {
	for ; s != nil; s = s.parent {
		if v, ok := s.vars[name]; ok {
			return v
		}
	}
	return undefined{fmt.Sprintf("%q is undefined", name)}
}

// Render renders a template with variables, which [Value] converts (a [Func] is a function). Beside them
// a template has range, namespace, dict, raise_exception, whose error is a [*Raised] inside the
// [*Error], and strftime_now, the local time.
func (t *Template) Render(variables map[string]any) (string, error) {
	r := &run{filters: filters, tests: tests}
	globals := &scope{run: r, vars: map[string]any{
		"range": function(rangeOf), "namespace": function(newNamespace), "dict": function(newDict),
		"raise_exception": function(func(_ *run, args arguments) (any, error) {
			return nil, &Raised{str(args.or(0, "message", ""))}
		}),
		"strftime_now": function(func(_ *run, args arguments) (any, error) {
			return Strftime(time.Now(), str(args.or(0, "format", ""))), nil
		}),
	}}
	s := globals.inner()
	for name, v := range variables {
		s.set(name, Value(v))
	}
	var out strings.Builder
	if _, err := execAll(s.inner(), t.body, &out); err != nil {
		return "", at(0, err)
	}
	return out.String(), at(0, r.check())
}

func rangeOf(r *run, args arguments) (any, error) {
	var bounds []int64
	for _, v := range args.positional {
		n, ok := asInt(v)
		if !ok {
			return nil, fmt.Errorf("range: expected a number, found %s", typeName(v))
		}
		bounds = append(bounds, n)
	}
	start, stop, step := int64(0), int64(0), int64(1)
	switch len(bounds) {
	case 1:
		stop = bounds[0]
	case 2:
		start, stop = bounds[0], bounds[1]
	case 3:
		start, stop, step = bounds[0], bounds[1], bounds[2]
	default:
		return nil, fmt.Errorf("range: expected 1 to 3 numbers, found %d", len(bounds))
	}
	if step == 0 {
		return nil, errors.New("range: the step is 0")
	}
	out := list{}
	const most = 100_000 // as in Jinja's sandbox
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		if len(out) == most {
			return nil, fmt.Errorf("range: more than %d numbers", most)
		}
		out = append(out, i)
	}
	return r.grownList(out)
}

func newDict(_ *run, args arguments) (any, error) {
	d := NewDict()
	if len(args.positional) > 0 {
		from, ok := args.positional[0].(*Dict)
		if !ok {
			return nil, fmt.Errorf("dict: expected a dict, found %s", typeName(args.positional[0]))
		}
		for _, k := range from.keys {
			d.set(k, from.values[k])
		}
	}
	for _, name := range sortedNames(args.named) {
		d.set(name, args.named[name])
	}
	return d, nil
}

func newNamespace(r *run, args arguments) (any, error) {
	d, err := newDict(r, args)
	if err != nil {
		return nil, err
	}
	return &namespace{d.(*Dict)}, nil
}

// Strftime is Python's strftime for the directives that templates use for dates; others stay as they are.
func Strftime(now time.Time, format string) string {
	layouts := map[byte]string{'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'B': "January", 'b': "Jan", 'h': "Jan", 'A': "Monday", 'a': "Mon", 'e': "_2",
		'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'j': "002", 'Z': "MST", 'z': "-0700", 'F': "2006-01-02", 'T': "15:04:05", 'D': "01/02/06",
		'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05", 'R': "15:04"}
	var out strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			out.WriteByte(format[i])
			continue
		}
		i++
		pad := true
		if format[i] == '-' && i+1 < len(format) { // glibc: no zeros in front
			pad = false
			i++
		}
		layout, ok := layouts[format[i]]
		switch {
		case ok && pad:
			out.WriteString(now.Format(layout))
		case ok:
			s := strings.TrimLeft(now.Format(layout), "0 ")
			if s == "" {
				s = "0"
			}
			out.WriteString(s)
		case format[i] == '%':
			out.WriteByte('%')
		case format[i] == 'n':
			out.WriteByte('\n')
		default:
			out.WriteString(format[i-1 : i+1])
		}
	}
	return out.String()
}
