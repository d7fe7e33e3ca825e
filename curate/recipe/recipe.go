package recipe

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"openrs/curate/load"
	"openrs/stages/suggest"
)

// Source is one entry of `sources`.
type Source struct {
	Path     string // a file, a folder or a pattern, as load.Find takes it
	Name     string // of its rows; "" for the data set's own or the file's
	Columns  load.Columns
	Optional bool // no file at all is no error
	Strict   bool // a row that can't be used is an error
}

// sourceKeys are the keys of a source.
var sourceKeys = []string{"path", "name", "columns", "optional", "strict"}

// ReadSources reads the list `sources`. A source is a path or a mapping.
func ReadSources(n *yaml.Node) ([]Source, error) {
	items, err := sequence(n)
	if err != nil {
		return nil, fmt.Errorf("sources: %w", err)
	}
	var sources []Source
	for _, item := range items {
		s, err := readSource(item)
		if err != nil {
			return nil, fmt.Errorf("sources: %w", err)
		}
		sources = append(sources, s)
	}
	return sources, nil
}

func readSource(n *yaml.Node) (s Source, err error) {
	if n.Kind == yaml.ScalarNode {
		s.Path, err = scalar(n)
	} else {
		var entries []entry
		if entries, err = mapping(n); err != nil {
			return s, err
		}
		for _, e := range entries {
			if err := s.set(e); err != nil {
				return s, err
			}
		}
	}
	if err == nil && s.Path == "" {
		err = fmt.Errorf("line %d: a source needs a path", n.Line)
	}
	// A name is the name of all rows, unless a column was asked for, too.
	if s.Name != "" && s.Columns.Source == "" {
		s.Columns.Source = "-"
	}
	return s, err
}

func (s *Source) set(e entry) (err error) {
	switch e.key {
	case "path":
		s.Path, err = scalar(e.value)
	case "name":
		s.Name, err = scalar(e.value)
	case "columns":
		s.Columns, err = readColumns(e.value)
	case "optional":
		s.Optional, err = boolean(e)
	case "strict":
		s.Strict, err = boolean(e)
	default:
		err = fmt.Errorf("line %d: unknown key %q of a source%s", e.line, e.key, suggest.From(e.key, sourceKeys))
	}
	return err
}

func boolean(e entry) (bool, error) {
	v := newValues(nil)
	err := v.set(Option{Name: e.key, Type: Bool}, e.value)
	return v.Bool(e.key), err
}

func readColumns(n *yaml.Node) (c load.Columns, err error) {
	entries, err := mapping(n)
	if err != nil {
		return c, err
	}
	names := map[string]*string{"problem": &c.Problem, "answer": &c.Answer, "solution": &c.Solution, "source": &c.Source, "id": &c.ID}
	for _, e := range entries {
		switch to, known := names[e.key]; {
		case known:
			*to, err = scalar(e.value)
		case e.key == "metadata":
			c.Metadata, err = scalars(e.value)
		default:
			known := []string{"problem", "answer", "solution", "source", "id", "metadata"}
			err = fmt.Errorf("line %d: unknown column %q%s, expected some of problem, answer, solution, source, id, metadata", e.line, e.key, suggest.From(e.key, known))
		}
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// Step is one entry of `steps`.
type Step struct {
	Name   string   // of its Spec
	Label  string   // its name in reports, different from that of all other steps
	Only   []string // the sources whose rows it looks at; nil: all
	Values Values
	Line   int
}

// common are the options that every step has.
func common(spec Spec) []Option {
	options := []Option{{Name: "label", Type: Text, Usage: "its name in reports"}}
	if !spec.Whole {
		options = append(options, Option{Name: "only", Type: List, Usage: "sources whose rows it looks at; others pass"})
	}
	return options
}

// ReadSteps reads the list `steps`. A step is a name, or a name with a mapping of options, or a name with
// the value of its main option.
func ReadSteps(n *yaml.Node, specs []Spec) ([]Step, error) {
	items, err := sequence(n)
	if err != nil {
		return nil, fmt.Errorf("steps: %w", err)
	}
	var steps []Step
	labels := map[string]bool{}
	for _, item := range items {
		s, err := readStep(item, specs)
		if err != nil {
			return nil, fmt.Errorf("steps: %w", err)
		}
		given := s.Label != ""
		if !given {
			s.Label = s.Name
			for i := 2; labels[s.Label]; i++ {
				s.Label = fmt.Sprintf("%s#%d", s.Name, i)
			}
		}
		if labels[s.Label] {
			return nil, fmt.Errorf("steps: line %d: the label %q is taken by another step", s.Line, s.Label)
		}
		labels[s.Label] = true
		steps = append(steps, s)
	}
	return steps, nil
}

func readStep(n *yaml.Node, specs []Spec) (Step, error) {
	name, line, body := "", n.Line, (*yaml.Node)(nil)
	if n.Kind == yaml.ScalarNode {
		var err error
		if name, err = scalar(n); err != nil {
			return Step{}, err
		}
	} else {
		entries, err := mapping(n)
		if err != nil {
			return Step{}, err
		}
		if len(entries) != 1 {
			return Step{}, fmt.Errorf("line %d: expected the name of a step and its options, found %d names", n.Line, len(entries))
		}
		name, line, body = entries[0].key, entries[0].line, entries[0].value
	}
	at := slices.IndexFunc(specs, func(s Spec) bool { return s.Name == name })
	if at < 0 {
		var names []string
		for _, s := range specs {
			names = append(names, s.Name)
		}
		return Step{}, fmt.Errorf("line %d: unknown step %q%s", line, name, suggest.From(name, names))
	}
	return specs[at].read(line, body)
}

// read reads the options of a step of this kind.
func (spec Spec) read(line int, body *yaml.Node) (Step, error) {
	options := append(slices.Clone(spec.Options), common(spec)...)
	s := Step{Name: spec.Name, Line: line, Values: newValues(options)}
	option := func(name string) (Option, bool) {
		at := slices.IndexFunc(options, func(o Option) bool { return o.Name == name })
		if at < 0 {
			return Option{}, false
		}
		return options[at], true
	}
	given := map[string]bool{}
	switch {
	case isNull(body):
	case body.Kind == yaml.ScalarNode, body.Kind == yaml.SequenceNode:
		o, ok := option(spec.Main)
		if !ok {
			return s, fmt.Errorf("line %d: step %s: expected options, found %s", body.Line, spec.Name, kindName(body))
		}
		if err := s.Values.set(o, body); err != nil {
			return s, fmt.Errorf("step %s: %w", spec.Name, err)
		}
		given[o.Name] = true
	default:
		entries, err := mapping(body)
		if err != nil {
			return s, fmt.Errorf("step %s: %w", spec.Name, err)
		}
		for _, e := range entries {
			o, ok := option(e.key)
			if !ok {
				var names []string
				for _, o := range options {
					names = append(names, o.Name)
				}
				return s, fmt.Errorf("line %d: unknown option %q of step %s%s", e.line, e.key, spec.Name, suggest.From(e.key, names))
			}
			if err := s.Values.set(o, e.value); err != nil {
				return s, fmt.Errorf("step %s: %w", spec.Name, err)
			}
			given[o.Name] = true
		}
	}
	for _, o := range options {
		if o.Required && !given[o.Name] {
			return s, fmt.Errorf("line %d: step %s needs %s (%s)", line, spec.Name, o.Name, o.Usage)
		}
	}
	s.Label, s.Only = s.Values.Text("label"), s.Values.List("only")
	delete(s.Values.texts, "label")
	delete(s.Values.lists, "only")
	if s.Only != nil && len(s.Only) == 0 {
		return s, fmt.Errorf("line %d: step %s: only: expected names of sources, found an empty list", line, spec.Name)
	}
	return s, nil
}
