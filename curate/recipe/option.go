package recipe

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"openrs/stages/suggest"
)

// Type is the type of an option's value.
type Type string

// The types of options.
const (
	Text    Type = "text"
	Choice  Type = "choice"  // one of Option.Among
	Number  Type = "number"  // any finite one
	Count   Type = "count"   // a whole number from 0
	Bool    Type = "bool"    // true or false
	List    Type = "list"    // of texts; one text alone is a list of one
	Numbers Type = "numbers" // names with numbers from 0
)

// Option is one option of a step.
type Option struct {
	Name     string
	Type     Type
	Among    []string // of a Choice, or of a List when not empty
	Default  string   // as it would be written; "" is none
	Required bool
	Usage    string
}

// Spec is one kind of step: its name, what it does in a line, and its options. Main is the option that
// is meant when the step is given a plain value or a list instead of options, "" if none.
type Spec struct {
	Name    string
	Usage   string
	Main    string
	Options []Option
	// Whole steps look at all rows at once and can't be limited to some sources.
	Whole bool
}

// NamedNumber is one element of a value of type [Numbers].
type NamedNumber struct {
	Name  string
	Value float64
}

// Values are the options of one step, checked, defaults filled in.
type Values struct {
	texts   map[string]string
	lists   map[string][]string
	numbers map[string][]NamedNumber
}

// Has tells whether an option has a value, its own or a default.
func (v Values) Has(name string) bool {
	_, text := v.texts[name]
	return text || v.lists[name] != nil || v.numbers[name] != nil
}

// Text is a value of type Text or Choice, as it is written; also of the others but List and Numbers.
func (v Values) Text(name string) string { return v.texts[name] }

// Number is a value of type Number or Count, or otherwise if there is none.
func (v Values) Number(name string, otherwise float64) float64 {
	x, err := strconv.ParseFloat(v.texts[name], 64)
	if err != nil { // only where there is none: the text was checked
		return otherwise
	}
	return x
}

// Count is a value of type Count, or otherwise if there is none.
func (v Values) Count(name string, otherwise int) int { return int(v.Number(name, float64(otherwise))) }

// Bool is a value of type Bool.
func (v Values) Bool(name string) bool { return v.texts[name] == "true" }

// List is a value of type List.
func (v Values) List(name string) []string { return v.lists[name] }

// Numbers is a value of type Numbers, in the order of the recipe.
func (v Values) Numbers(name string) []NamedNumber { return v.numbers[name] }

// String is all values in the order of names, as options would be written.
func (v Values) String() string {
	var parts []string
	for name, text := range v.texts {
		parts = append(parts, name+": "+text)
	}
	for name, list := range v.lists {
		parts = append(parts, name+": ["+strings.Join(list, ", ")+"]")
	}
	for name, list := range v.numbers {
		var pairs []string
		for _, n := range list {
			pairs = append(pairs, n.Name+": "+strconv.FormatFloat(n.Value, 'f', -1, 64))
		}
		parts = append(parts, name+": {"+strings.Join(pairs, ", ")+"}")
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func newValues(options []Option) Values {
	v := Values{texts: map[string]string{}, lists: map[string][]string{}, numbers: map[string][]NamedNumber{}}
	for _, o := range options {
		switch {
		case o.Default == "":
		case o.Type == List:
			v.lists[o.Name] = strings.Split(o.Default, ",")
		default:
			v.texts[o.Name] = o.Default
		}
	}
	return v
}

// set reads the value of an option.
func (v Values) set(o Option, n *yaml.Node) error {
	switch o.Type {
	case List:
		list, err := scalars(n)
		if err != nil {
			return err
		}
		for _, text := range list {
			if len(o.Among) > 0 && !slices.Contains(o.Among, text) {
				return fmt.Errorf("line %d: %s: %q%s, expected some of %s", n.Line, o.Name, text, suggest.From(text, o.Among), strings.Join(o.Among, ", "))
			}
		}
		v.lists[o.Name] = list
		return nil
	case Numbers:
		entries, err := mapping(n)
		if err != nil {
			return err
		}
		list := make([]NamedNumber, 0, len(entries))
		for _, e := range entries {
			text, err := scalar(e.value)
			if err != nil {
				return err
			}
			x, err := number(text)
			if err != nil || x < 0 {
				return fmt.Errorf("line %d: %s: %s: %q, expected a number from 0", e.line, o.Name, e.key, text)
			}
			list = append(list, NamedNumber{e.key, x})
		}
		v.numbers[o.Name] = list
		return nil
	}
	text, err := scalar(n)
	if err != nil {
		return err
	}
	switch o.Type {
	case Choice:
		if !slices.Contains(o.Among, text) {
			return fmt.Errorf("line %d: %s: %q%s, expected %s", n.Line, o.Name, text, suggest.From(text, o.Among), strings.Join(o.Among, ", "))
		}
	case Number:
		if _, err := number(text); err != nil {
			return fmt.Errorf("line %d: %s: %q, expected a number", n.Line, o.Name, text)
		}
	case Count:
		if x, err := number(text); err != nil || x < 0 || x != math.Trunc(x) || x > 1<<40 {
			return fmt.Errorf("line %d: %s: %q, expected a whole number from 0", n.Line, o.Name, text)
		}
	case Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("line %d: %s: %q, expected true or false", n.Line, o.Name, text)
		}
	}
	v.texts[o.Name] = text
	return nil
}

// number reads a decimal number; the forms that only programs write (hexadecimal, underscores, NaN) are
// refused.
func number(text string) (float64, error) {
	if strings.Trim(text, "0123456789+-.eE") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(text, 64)
}
