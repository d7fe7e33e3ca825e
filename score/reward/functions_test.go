package reward

import (
	"errors"
	"math"
	"strings"
	"testing"

	"openrs/schemas"
)

func TestTextRewards(t *testing.T) {
	for _, tc := range []struct {
		prefix, completion           string
		finish                       string
		format, tags, closed, answer float64
	}{
		{"", "<think>\n7*8=56\n12+56=68\n68-30=38\n</think>\n\\boxed{38}", "stop", 1, 1, 1, 1},
		{"", "<think>\n</think>\n\\boxed{38}", "stop", 1, 1, 1, 1},
		{"", "<think>\n38\n</think>\n\\boxed{38}", "length", 0, 1, 1, 1},
		{"", "<think>\n38\n</think>\n\n\\boxed{39}\nmore", "stop", 1, 1, 1, 0},
		{"", "<think>\n38\n</think>\n", "stop", 0, 1, 1, 0},
		{"", "<think>\n38\n</think>\n \n", "stop", 0, 1, 1, 0},
		{"", "<think>\n38\n</think>", "stop", 0, 0.5, 0, 0},
		{"", "<think>38</think>\n\\boxed{38}", "stop", 0, 0, 0, 1},
		{"", "<think>\n38</think>\n\\boxed{38}", "stop", 0, 0.5, 0, 1},
		{"", "so <think>\n38\n</think>\n\\boxed{38}", "stop", 0, 1, 1, 1},
		{"", "<think>\n<think>\n38\n</think>\n\\boxed{38}", "stop", 0, 0.5, 1, 1},
		{"", "<think>\n38\n</think>\n</think>\n\\boxed{38}", "stop", 0, 1, 1, 1},
		{"", "<think>\n38\n</think>\n\n</think>\n\\boxed{38}", "stop", 0, 0.5, 0, 1},
		{"", "38\n</think>\n\\boxed{38}", "stop", 0, 0.5, 1, 1},
		{"<think>\n", "38\n</think>\n\\boxed{38}", "stop", 1, 1, 1, 1},
		{"<think>\n", "<think>\n38\n</think>\n\\boxed{38}", "stop", 0, 0.5, 1, 1},
		{"", "", "stop", 0, 0, 0, 0},
		{"", "\\boxed{38}", "stop", 0, 0, 0, 1},
	} {
		g := &Group{prefix: tc.prefix, Rollouts: []schemas.Rollout{{Completion: tc.completion, FinishReason: tc.finish, Answer: "38"}}}
		for name, want := range map[string]float64{"format": tc.format, "tag_count": tc.tags, "think_closed": tc.closed, "accuracy": tc.answer} {
			for _, d := range Definitions() {
				if d.Name != name {
					continue
				}
				got, err := d.Func(g)
				if err != nil || len(got) != 1 || float64(got[0]) != want {
					t.Errorf("%s of %q (%s) = %v, %v, want %v", name, tc.prefix+tc.completion, tc.finish, got, err, want)
				}
			}
		}
	}
}

func TestDefinitions(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range Definitions() {
		if d.Name == "" || d.Doc == "" || d.Func == nil || seen[d.Name] || strings.ContainsAny(d.Name, ",:= ") {
			t.Errorf("definition %+v", d)
		}
		seen[d.Name] = true
	}
}

func TestParse(t *testing.T) {
	got, err := Parse("accuracy:1,format=0.1", " tag_count = -2 ", "think_closed")
	want := []Weighted{{"accuracy", 1}, {"format", 0.1}, {"tag_count", -2}, {"think_closed", 1}}
	if err != nil || len(got) != len(want) {
		t.Fatalf("%v, %v", got, err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got[i], want[i])
		}
	}
	for _, tc := range []struct {
		says  string
		specs []string
	}{
		{`did you mean "accuracy"`, []string{"acuracy"}}, {`did you mean "format"`, []string{"Formt=2"}}, {`did you mean "tag_count"`, []string{"tags_count"}},
		{"given twice", []string{"format", "format=2"}}, {"expected a number", []string{"format=x"}}, {"expected a number", []string{"format="}},
		{"finite", []string{"format=inf"}}, {"finite", []string{"format=NaN"}}, {"empty name", []string{"format,"}}, {"empty name", []string{""}}, {"no reward function", nil},
		{"no reward function", []string{"=1"}},
	} {
		if got, err := Parse(tc.specs...); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("Parse(%q) = %v, %v, want an error with %q", tc.specs, got, err, tc.says)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("accuracy=1,format:0.1")
	f.Add("tag_count")
	f.Fuzz(func(t *testing.T, spec string) {
		got, err := Parse(spec)
		if (err == nil) != (len(got) > 0) || err != nil && !errors.Is(err, ErrConfig) {
			t.Fatalf("Parse(%q) = %v, %v", spec, got, err)
		}
		for _, w := range got {
			if math.IsNaN(w.Weight) || math.IsInf(w.Weight, 0) {
				t.Errorf("Parse(%q): weight %v", spec, w.Weight)
			}
		}
	})
}
