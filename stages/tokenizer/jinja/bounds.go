package jinja

import "strings"

// Bounds on a template and on one rendering: a template is input, and a loop in a loop takes long.
const (
	maxSource = 1 << 20 // bytes of a template, and so how deep an expression can be
	maxSteps  = 2_000_000
	maxBytes  = 1 << 26 // of all texts and lists made on the way
	// maxCharacters bounds a text whose characters are wanted one by one.
	maxCharacters = 1 << 20
)

// What is looked at for one step: elements of a list, bytes of a text, bytes of a text that is taken apart.
const (
	elementsPerStep   = 16
	bytesPerStep      = 1 << 10
	charactersPerStep = 64
)

// run is one rendering.
type run struct {
	steps, bytes, depth int
	filters             map[string]filterFunc
	tests               map[string]testFunc
}

// step counts what a rendering does.
func (r *run) step() error {
	r.steps++
	return r.check()
}

// check is an error once too much has been done.
func (r *run) check() error {
	if r.steps > maxSteps {
		return errorf(0, "the template takes more than %d steps", maxSteps)
	}
	return nil
}

// look counts the steps of going through all of a value.
func (r *run) look(v any) error {
	switch v := v.(type) {
	case string:
		r.steps += len(v) / bytesPerStep
	case list:
		r.steps += len(v) / elementsPerStep
	case tuple:
		r.steps += len(v) / elementsPerStep
	case *Dict:
		r.steps += len(v.keys) / elementsPerStep
	}
	return r.check()
}

// items is the function of that name, counted: the characters of a text are made anew each time.
func (r *run) items(v any) ([]any, error) {
	if s, ok := v.(string); ok {
		r.steps += len(s) / charactersPerStep
		if err := r.check(); err != nil {
			return nil, err
		}
	}
	return items(v)
}

func (r *run) use(n int) error {
	if r.bytes += n; r.bytes > maxBytes || n > maxBytes {
		return errorf(0, "the template makes more than %d bytes of text", maxBytes)
	}
	return nil
}

// grown counts a text that was made.
func (r *run) grown(s string) (any, error) { return s, r.use(len(s)) }

func (r *run) grownList(l list) (any, error) { return l, r.use(16 * len(l)) }

// text is str, counted where a text is made.
func (r *run) text(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	s := str(v)
	return s, r.use(len(s))
}

func (r *run) repeat(s string, n int64) (any, error) {
	n = max(n, 0)
	if n > maxBytes || r.use(int(n)*len(s)) != nil {
		return nil, errorf(0, "the template makes more than %d bytes of text", maxBytes)
	}
	return strings.Repeat(s, int(n)), nil
}

// call runs a function, within the bounds.
func (r *run) call(f function, args arguments) (any, error) {
	if err := r.step(); err != nil {
		return nil, err
	}
	if r.depth++; r.depth > maxDepth {
		return nil, errorf(0, "more than %d calls in one another", maxDepth)
	}
	defer func() { r.depth-- }()
	return f(r, args)
}
