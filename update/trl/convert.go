package trl

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"openrs/stages/suggest"
)

// maxFile is the longest file that is read.
const maxFile = 1 << 18

// ErrFile marks a file that is not a configuration of a TRL script: no YAML, no mapping, a value of the wrong type, or
// values that contradict each other.
var ErrFile = errors.New("trl: bad file")

// Options of a conversion.
type Options struct {
	Name      string // of the file, for the recipe's first line
	Version   string // TRL whose defaults fill what the file leaves out; "": [Study]
	Processes int    // training processes, accelerate's num_processes; 0: 1
	Rows      int64  // problems in the data set; 0: not known
}

// Note is a key that is not in the recipe, and why.
type Note struct {
	Key, Value, Why string
}

func (n Note) String() string {
	s := n.Key
	if n.Value != "" {
		s += ": " + n.Value
	}
	return s + " (" + n.Why + ")"
}

// Result is a converted file.
type Result struct {
	Ignored     []Note // nothing is lost
	Unsupported []Note // something is

	sections []section
	head     []string // the first lines of comment
}

// section is a command's part of the recipe.
type section struct {
	name    string
	entries []entry
	remarks []string // comments at its end
}

// entry is a flag with its values.
type entry struct {
	name    string
	values  []string
	list    bool
	comment string
}

// conversion is the state of [Convert].
type conversion struct {
	opt     Options
	version version
	table   []row
	preset  map[string][]changed
	given   map[string]*value
	result  *Result
	// What derivations tell each other.
	steps, groups int64 // of the run, of a step; steps 0: not known
}

// Convert reads a file. An error wraps [ErrFile] or is about the options; keys that are not supported are no error.
func Convert(r io.Reader, opt Options) (*Result, error) {
	if opt.Version == "" {
		opt.Version = Study
	}
	v, err := parseVersion(opt.Version)
	if err != nil {
		return nil, err
	}
	if opt.Processes == 0 {
		opt.Processes = 1
	}
	if opt.Processes < 1 || opt.Rows < 0 {
		return nil, fmt.Errorf("trl: %d processes and %d rows, expected no negative number", opt.Processes, opt.Rows)
	}
	values, err := parse(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if supervised(values) {
		return nil, fmt.Errorf("%w: a configuration of supervised training (update sft has flags for that), expected one of GRPO", ErrFile)
	}
	c := &conversion{opt: opt, version: v, table: table(), preset: defaults(), given: map[string]*value{}, result: &Result{}}
	for _, name := range []string{"common", "curate", "generate", "score", "update"} {
		c.result.sections = append(c.result.sections, section{name: name})
	}
	if err := c.direct(values); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	for _, derive := range derivations() {
		if err := derive(c); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFile, err)
		}
	}
	c.heading(len(values))
	return c.result, nil
}

// supervised reports whether the keys are those of TRL's SFTConfig and not of its GRPOConfig.
func supervised(values []*value) bool {
	has := func(keys ...string) bool {
		return slices.ContainsFunc(values, func(v *value) bool { return slices.Contains(keys, v.key) })
	}
	return has("packing", "max_length", "max_seq_length", "dataset_text_field", "completion_only_loss", "assistant_only_loss", "padding_free") &&
		!has("num_generations", "reward_funcs", "max_completion_length", "beta", "use_vllm")
}

// direct deals with the keys that need no other, and keeps those that a derivation reads.
func (c *conversion) direct(values []*value) error {
	rows := map[string]row{}
	var known []string
	for _, r := range c.table {
		rows[r.key] = r
		known = append(known, r.key)
	}
	for _, v := range values {
		r, ok := rows[v.key]
		switch {
		case !ok:
			c.unsupported(v, "an unknown key"+suggest.From(v.key, known))
		case v.null:
			c.ignore(v, "null: as if left out")
		default:
			if err := v.check(r.kind); err != nil {
				return err
			}
			switch {
			case r.part != "":
				c.given[v.key] = v
			case r.to != "":
				c.emit(r.to, v.key, r.why, v.text)
			case r.off != nil && !slices.Contains(r.off, strings.ToLower(v.text)):
				c.unsupported(v, r.why)
			case r.off != nil:
				c.ignore(v, "off")
			default:
				c.ignore(v, r.why)
			}
		}
	}
	return nil
}

// emit sets a flag, given as "section.flag". key is where the value comes from; why may add a remark.
func (c *conversion) emit(to, key, why, value string) {
	name, flag, _ := strings.Cut(to, ".")
	if why != "" {
		key += ": " + why
	}
	s := c.section(name)
	s.entries = append(s.entries, entry{name: flag, values: []string{value}, comment: key})
}

// emitList sets a flag several times.
func (c *conversion) emitList(to, key string, values []string) {
	name, flag, _ := strings.Cut(to, ".")
	s := c.section(name)
	s.entries = append(s.entries, entry{name: flag, values: values, list: true, comment: key})
}

// section is the recipe's section of this name; rows and derivations name no other.
func (c *conversion) section(name string) *section {
	for i := range c.result.sections {
		if s := &c.result.sections[i]; s.name == name {
			return s
		}
	}
	panic("trl: no section " + name)
}

// remark adds a comment to the end of a section.
func (c *conversion) remark(name, text string) {
	s := c.section(name)
	s.remarks = append(s.remarks, text)
}

func (c *conversion) ignore(v *value, why string) {
	c.result.Ignored = append(c.result.Ignored, Note{v.key, v.shown(), why})
}

func (c *conversion) unsupported(v *value, why string) {
	c.result.Unsupported = append(c.result.Unsupported, Note{v.key, v.shown(), why})
}

// get is the value of a key that a derivation reads, or its default, and what to call it in a comment.
func (c *conversion) get(key string) (v *value, cite string) {
	if v := c.given[key]; v != nil {
		return v, key
	}
	return &value{key: key, text: c.version.pick(c.preset[key])}, key + "'s default in TRL " + c.version.String()
}

// number is get for a finite number; "" is 0.
func (c *conversion) number(key string) (float64, string, error) {
	v, cite := c.get(key)
	if v.text == "" {
		return 0, cite, nil
	}
	f, err := strconv.ParseFloat(v.text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, cite, v.wrong("a number")
	}
	return f, cite, nil
}

// count is get for a whole number of at least low.
func (c *conversion) count(key string, low int64) (int64, string, error) {
	v, cite := c.get(key)
	n, err := strconv.ParseInt(v.text, 10, 64)
	if err != nil || n < low || n > math.MaxInt32 {
		return 0, cite, v.wrong(fmt.Sprintf("a whole number from %d", low))
	}
	return n, cite, nil
}

// value is a key of the file with what stands behind it.
type value struct {
	key  string
	line int
	node *yaml.Node // nil: a default
	text string     // of a scalar
	list []string   // of a list of scalars, or the one scalar
	null bool
}

// parse reads the keys of a YAML mapping, in order.
func parse(r io.Reader) ([]*value, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("more than %d bytes", maxFile)
	}
	var root yaml.Node
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	if err := dec.Decode(&root); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("an empty file")
		}
		return nil, err
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("expected one YAML document, found more")
	}
	top := root.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: expected keys and values", top.Line)
	}
	var values []*value
	seen := map[string]bool{}
	for i := 0; i+1 < len(top.Content); i += 2 {
		k, n := top.Content[i], top.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d: expected a name as key", k.Line)
		}
		if seen[k.Value] {
			return nil, fmt.Errorf("line %d: %q is set twice", k.Line, k.Value)
		}
		seen[k.Value] = true
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		v := &value{key: k.Value, line: k.Line, node: n}
		switch n.Kind {
		case yaml.ScalarNode:
			v.text, v.list, v.null = n.Value, []string{n.Value}, n.Tag == "!!null"
		case yaml.SequenceNode:
			for _, item := range n.Content {
				if item.Kind != yaml.ScalarNode {
					v.list = nil
					break
				}
				v.list = append(v.list, item.Value)
			}
			if len(n.Content) == 0 {
				v.text = "[]"
			}
		case yaml.MappingNode:
			if len(n.Content) == 0 {
				v.text = "{}"
			}
		}
		values = append(values, v)
	}
	return values, nil
}

// check brings a value of the file into the form in which it is written, or says that it is of the wrong kind.
func (v *value) check(k kind) error {
	if k == anything {
		if v.node.Kind != yaml.ScalarNode && v.text == "" {
			v.text = v.shown() // so that it is none of the values that ask for nothing
		}
		return nil
	}
	if k == words {
		if v.node.Kind != yaml.ScalarNode && v.list == nil {
			return v.wrong("a list of names")
		}
		return nil
	}
	if v.node.Kind != yaml.ScalarNode {
		return v.wrong("one value")
	}
	switch k {
	case number:
		if f, err := strconv.ParseFloat(v.text, 64); err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return v.wrong("a number")
		}
	case whole, natural:
		n, err := strconv.ParseInt(v.text, 10, 64)
		if err != nil {
			f, err := strconv.ParseFloat(v.text, 64)
			if n = int64(f); err != nil || f != math.Trunc(f) || math.Abs(f) > math.MaxInt32 {
				return v.wrong("a whole number")
			}
		}
		if k == natural && n < 0 {
			return v.wrong("a whole number from 0")
		}
		v.text = strconv.FormatInt(n, 10)
	case truth:
		var b bool
		if err := v.node.Decode(&b); err != nil {
			return v.wrong("true or false")
		}
		v.text = strconv.FormatBool(b)
	}
	return nil
}

func (v *value) wrong(want string) error {
	if v.node == nil {
		return fmt.Errorf("%s is %s, expected %s", v.key, v.text, want)
	}
	return fmt.Errorf("line %d: %s is %s, expected %s", v.line, v.key, v.shown(), want)
}

// shown is the value on one short line.
func (v *value) shown() string {
	s := v.text
	if v.node != nil && v.node.Kind != yaml.ScalarNode {
		if v.list != nil {
			s = "[" + strings.Join(v.list, ", ") + "]"
		} else if data, err := yaml.Marshal(v.node); err == nil {
			s = string(data)
		}
	}
	return oneLine(s, 72)
}

// oneLine is s without line breaks and control characters, cut to so many characters.
func oneLine(s string, most int) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return !printable(r) || r == ' ' }), " ")
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most-1]) + "…"
	}
	return s
}
