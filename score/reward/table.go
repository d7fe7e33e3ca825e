package reward

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"openrs/stages/suggest"
)

// Definition is a row of the table of reward functions.
type Definition struct {
	Name   string
	Doc    string  // the formula, in one line for help texts
	Range  string  // of its values
	Source string  // where it comes from
	Params []Param // in the order in which they are documented

	// build makes the function for settled parameters. In compatible mode (compat) it does what open-rs did.
	build func(a args, compat bool) (Func, error)
}

// Param is a parameter of a reward function: a number, or one of some words.
type Param struct {
	Name    string
	Doc     string
	Default string
	Compat  string // the default in compatible mode; "" is Default
	// Words are the values that it may have; nil: it is a number of at least Min and at most Max.
	Words    []string
	Min, Max float64
	Whole    bool // it is an integer
}

// args are the values of all parameters of a function.
type args map[string]string

// number is the value of a numeric parameter, which was checked.
func (a args) number(name string) float64 {
	v, _ := strconv.ParseFloat(a[name], 64)
	return v
}

// Definitions returns the table of reward functions, sorted by name.
func Definitions() []Definition {
	d := slices.Concat(correctness(), forms(), lengths())
	slices.SortFunc(d, func(a, b Definition) int { return strings.Compare(a.Name, b.Name) })
	return d
}

func definition(name string) (Definition, bool) {
	for _, d := range Definitions() {
		if d.Name == name {
			return d, true
		}
	}
	return Definition{}, false
}

func (d *Definition) param(name string) (Param, error) {
	var known []string
	for _, p := range d.Params {
		if p.Name == name {
			return p, nil
		}
		known = append(known, p.Name)
	}
	if known == nil {
		return Param{}, fmt.Errorf("%w: parameter %q of reward %s, which has none%s", ErrConfig, name, d.Name, suggest.From(name, names()))
	}
	return Param{}, fmt.Errorf("%w: reward %s has no parameter %q%s, expected one of %s", ErrConfig, d.Name, name, suggest.From(name, append(known, names()...)), strings.Join(known, ", "))
}

// make checks parameters and makes the function.
func (d *Definition) make(given map[string]string, compat bool) (Func, error) {
	a := args{}
	for _, p := range d.Params {
		a[p.Name] = p.Default
		if compat && p.Compat != "" {
			a[p.Name] = p.Compat
		}
	}
	for name, value := range given {
		p, err := d.param(name)
		if err != nil {
			return nil, err
		}
		if err := p.check(value); err != nil {
			return nil, fmt.Errorf("%w: %s of reward %s: %w", ErrConfig, name, d.Name, err)
		}
		a[name] = value
	}
	f, err := d.build(a, compat)
	if err != nil {
		return nil, fmt.Errorf("%w: reward %s: %w", ErrConfig, d.Name, err)
	}
	return f, nil
}

func (p *Param) check(value string) error {
	if p.Words != nil {
		if !slices.Contains(p.Words, value) {
			return fmt.Errorf("%q%s, expected one of %s", value, suggest.From(value, p.Words), strings.Join(p.Words, ", "))
		}
		return nil
	}
	v, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(v) || v < p.Min || v > p.Max || p.Whole && v != math.Trunc(v) {
		kind := "a number"
		if p.Whole {
			kind = "an integer"
		}
		return fmt.Errorf("%q, expected %s from %v to %v", value, kind, p.Min, p.Max)
	}
	return nil
}

// Help lists the reward functions for a help text.
func Help() string {
	var rows []string
	for _, d := range Definitions() {
		row := d.Name + ": " + d.Doc
		var params []string
		for _, p := range d.Params {
			params = append(params, p.Name+"="+p.Default)
		}
		if params != nil {
			row += " (" + strings.Join(params, ",") + ")"
		}
		rows = append(rows, row)
	}
	return strings.Join(append(rows, external+":COMMAND: computed by another process"), "; ")
}
