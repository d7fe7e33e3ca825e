package recipe

import (
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"openrs/curate/load"
)

// parse reads a text of YAML, nil for an empty one.
func parse(t testing.TB, text string) *yaml.Node {
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(text), &node); err != nil {
		t.Skip(err)
	}
	if len(node.Content) == 0 {
		return nil
	}
	return node.Content[0]
}

func TestReadSources(t *testing.T) {
	for _, c := range []struct {
		text string
		want []Source
		err  string
	}{
		{text: ""},
		{text: "null"},
		{text: "[a.jsonl, b/]", want: []Source{{Path: "a.jsonl"}, {Path: "b/"}}},
		{
			text: "- {path: x, name: n, optional: true, strict: true, columns: {problem: q, answer: a.b, solution: '-', id: i, metadata: [l, t]}}",
			want: []Source{{Path: "x", Name: "n", Optional: true, Strict: true, Columns: load.Columns{Problem: "q", Answer: "a.b", Solution: "-", Source: "-", ID: "i", Metadata: []string{"l", "t"}}}},
		},
		{text: "- {path: x, name: n, columns: {source: from}}", want: []Source{{Path: "x", Name: "n", Columns: load.Columns{Source: "from"}}}},
		{text: "- {path: x, columns: {metadata: []}}", want: []Source{{Path: "x", Columns: load.Columns{Metadata: []string{}}}}},
		{text: "a.jsonl", err: `sources: line 1: expected a list, found "a.jsonl"`},
		{text: "- a\n- {pth: b}", err: `line 2: unknown key "pth" of a source (did you mean "path"?)`},
		{text: "- {name: n}", err: "line 1: a source needs a path"},
		{text: "- {path: x, path: y}", err: `line 1: "path" is set twice`},
		{text: "- {path: [x]}", err: "expected a value, found a list"},
		{text: "- {path: x, strict: yes please}", err: `strict: "yes please", expected true or false`},
		{text: "- {path: x, columns: {problm: q}}", err: `unknown column "problm" (did you mean "problem"?)`},
		{text: "- {path: x, columns: [q]}", err: "expected keys and values, found a list"},
		{text: "- ~", err: "expected a value, found nothing"},
		{text: "- &a {path: x}\n- *a", err: "found an alias"},
		{text: "- {[x]: y}", err: "expected a name"},
	} {
		got, err := ReadSources(parse(t, c.text))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %q", c.text, err, c.err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, want %+v (%v)", c.text, got, c.want, err)
		}
	}
}

var specs = []Spec{
	{Name: "plain"},
	{Name: "length", Main: "max", Options: []Option{
		{Name: "max", Type: Count}, {Name: "share", Type: Number, Default: "0.5"}, {Name: "of", Type: Choice, Among: []string{"problem", "answer"}, Default: "problem"}, {Name: "whole", Type: Bool},
	}},
	{Name: "files", Main: "against", Options: []Option{{Name: "against", Type: List, Required: true, Usage: "where"}, {Name: "how", Type: List, Among: []string{"near", "far"}, Default: "near,far"}}},
	{Name: "mix", Whole: true, Options: []Option{{Name: "counts", Type: Numbers}}},
}

func TestReadSteps(t *testing.T) {
	for _, c := range []struct {
		text string
		want string // each step's label and values
		err  string
	}{
		{text: "", want: ""},
		{text: "[plain, length]", want: "plain{} length{of: problem, share: 0.5}"},
		{text: "- plain:\n- plain: {}\n- plain", want: "plain{} plain#2{} plain#3{}"},
		{text: "- length: 5", want: "length{max: 5, of: problem, share: 0.5}"},
		{text: "- length: {max: 5e2, share: 1, of: answer, whole: true, label: short}", want: "short{max: 5e2, of: answer, share: 1, whole: true}"},
		{text: "- files: a", want: "files{against: [a], how: [near, far]}"},
		{text: "- files: {against: [a, b], how: [far], only: [s, t]}", want: "files{against: [a, b], how: [far]}only s t"},
		{text: "- mix: {counts: {b: 3000, a: 0.5}}", want: "mix{counts: {b: 3000, a: 0.5}}"},
		{text: "plain", err: "steps: line 1: expected a list"},
		{text: "- plain\n- lenght", err: `steps: line 2: unknown step "lenght" (did you mean "length"?)`},
		{text: "- {plain: , length: }", err: "expected the name of a step and its options, found 2 names"},
		{text: "- {}", err: "found 0 names"},
		{text: "- plain: 5", err: `step plain: expected options, found "5"`},
		{text: "- plain: [x]", err: "expected options, found a list"},
		{text: "- length: {mx: 5}", err: `unknown option "mx" of step length (did you mean "max"?)`},
		{text: "- length: 5.5", err: `max: "5.5", expected a whole number`},
		{text: "- length: -1", err: "expected a whole number from 0"},
		{text: "- length: {share: nan}", err: "expected a number"},
		{text: "- length: {share: 1e999}", err: "expected a number"},
		{text: "- length: {share: 0x10}", err: "expected a number"},
		{text: "- length: {of: anser}", err: `of: "anser" (did you mean "answer"?), expected problem, answer`},
		{text: "- length: {whole: 1}", err: "expected true or false"},
		{text: "- length: {max: 1, max: 2}", err: "set twice"},
		{text: "- length: {max: ~}", err: "expected a value, found nothing"},
		{text: "- files", err: "line 1: step files needs against (where)"},
		{text: "- files: {against: [[a]]}", err: "expected a value, found a list"},
		{text: "- files: {against: a, how: [fa]}", err: `how: "fa" (did you mean "far"?)`},
		{text: "- mix: {counts: {a: -1}}", err: `counts: a: "-1", expected a number from 0`},
		{text: "- mix: {counts: 5}", err: "expected keys and values"},
		{text: "- mix: {only: [a]}", err: `unknown option "only"`},
		{text: "- plain: {only: []}", err: "found an empty list"},
		{text: "- plain: {label: x}\n- length: {label: x}", err: `line 2: the label "x" is taken`},
		{text: "- plain: {label: plain#2}\n- plain\n- plain", want: "plain#2{} plain{} plain#3{}"},
	} {
		steps, err := ReadSteps(parse(t, c.text), specs)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %q", c.text, err, c.err)
			}
			continue
		}
		var got []string
		for _, s := range steps {
			text := s.Label + "{" + s.Values.String() + "}"
			if s.Only != nil {
				text += "only " + strings.Join(s.Only, " ")
			}
			got = append(got, text)
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %s, want %s (%v)", c.text, strings.Join(got, " "), c.want, err)
		}
	}
}

func TestValues(t *testing.T) {
	steps, err := ReadSteps(parse(t, "- length: {max: 7, share: 0.25, whole: true}\n- mix: {counts: {b: 2, a: 1}}"), specs)
	if err != nil {
		t.Fatal(err)
	}
	v := steps[0].Values
	if v.Count("max", 0) != 7 || v.Number("share", 0) != 0.25 || !v.Bool("whole") || v.Text("of") != "problem" {
		t.Errorf("values %s", v)
	}
	if v.Count("absent", 9) != 9 || v.Number("absent", 0.5) != 0.5 || v.Has("absent") || !v.Has("max") {
		t.Errorf("absent values of %s", v)
	}
	if got := steps[1].Values.Numbers("counts"); !reflect.DeepEqual(got, []NamedNumber{{"b", 2}, {"a", 1}}) {
		t.Errorf("counts %v", got)
	}
}

func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"- plain\n- length: 5\n- files: {against: [a], only: [b]}", "- {path: x, columns: {problem: q}}", "- mix: {counts: {a: 1}}", "- &a b\n- *a", "- plain: {label: x}", "{a: b}", "[[[]]]", "- ? [a]\n  : b",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n := parse(t, text)
		if sources, err := ReadSources(n); err == nil {
			for _, s := range sources {
				if s.Path == "" {
					t.Errorf("a source without a path: %+v", s)
				}
			}
		}
		steps, err := ReadSteps(n, specs)
		if err != nil {
			return
		}
		labels := map[string]bool{}
		for _, s := range steps {
			if labels[s.Label] || s.Label == "" {
				t.Errorf("label %q", s.Label)
			}
			labels[s.Label] = true
			if s.Name == "files" && s.Values.List("against") == nil {
				t.Errorf("files without against: %s", s.Values)
			}
		}
	})
}
