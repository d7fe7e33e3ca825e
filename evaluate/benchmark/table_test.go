package benchmark

import (
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"openrs/score/answer"
	"openrs/stages/synth"
)

func TestEveryRow(t *testing.T) {
	names := map[string]string{} // every name in its plain form, and whose it is
	for _, b := range All() {
		t.Run(b.Name, func(t *testing.T) {
			if b.Name == "" || b.Summary == "" || b.Rows <= 0 || b.BuiltIn() == (b.read != nil) {
				t.Fatalf("incomplete row: %+v", b)
			}
			for _, name := range append([]string{b.Name}, b.Aliases...) {
				if other := names[plain(name)]; other != "" && other != b.Name {
					t.Errorf("%q names %s too", name, other)
				}
				names[plain(name)] = b.Name
				for _, spelled := range []string{name, strings.ToUpper(name), "lighteval|" + name + "|0|0", "custom|" + name + "|0", name + "|0"} {
					if found, err := Lookup(spelled); err != nil || found.Name != b.Name {
						t.Errorf("%q is %q (%v)", spelled, found.Name, err)
					}
				}
			}
			if _, err := LookupPrompt(b.Prompt); err != nil {
				t.Error(err)
			}
			// `score --profile NAME` must judge as the table says.
			mine, err := b.Metric.Answer()
			named, err2 := answer.ProfileByName(b.Metric.Profile)
			if err != nil || err2 != nil || mine != named {
				t.Errorf("profile %+v (%v), by name %+v (%v)", mine, err, named, err2)
			}
			if !b.BuiltIn() {
				if stem, ok := stem(fileLike(b.Name) + ".jsonl"); !ok || !regexp.MustCompile(b.files.stem).MatchString(stem) {
					t.Errorf("its own name is not among its files' names")
				}
				if _, err := Load(b.Name, Options{}); !errors.Is(err, ErrNoData) || !strings.Contains(err.Error(), "--data") {
					t.Errorf("without data: %v", err)
				}
			}
		})
	}
}

func TestLookupRefusals(t *testing.T) {
	for name, want := range map[string]string{
		"aime99":                  `"aime99" (did you mean "aime24"?): want one of synth, aime24`,
		"sinth":                   `did you mean "synth"`,
		"":                        "want one of synth",
		"|||":                     "unknown benchmark",
		"lighteval|aime24|5|0":    "5 worked examples",
		"custom|math_500|few|0":   "few worked examples",
		"a|b|0|0|0":               "suite|task|examples|cut",
		"lighteval|aime98|0|0":    `did you mean "aime24"`,
		"HuggingFaceH4/aime_2042": "want one of",
	} {
		if b, err := Lookup(name); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %q, %v, want an error with %q", name, b.Name, err, want)
		}
	}
}

func TestSynthIsHeldOut(t *testing.T) {
	a, err := Problems("synth", Options{N: 64, Seed: 1, Levels: []int{2, 4}})
	if err != nil || len(a) != 64 {
		t.Fatalf("%d problems, %v", len(a), err)
	}
	levels := map[string]int{}
	for _, p := range a {
		if synth.InSplit(p.Problem) != synth.Test {
			t.Errorf("%s is a training problem", p.Problem)
		}
		l, ok := Level(p.Source, p.Problem)
		if !ok || l != p.Metadata["level"] {
			t.Errorf("%s: level %q (%v), want %q", p.Problem, l, ok, p.Metadata["level"])
		}
		levels[l]++
	}
	if len(levels) != 2 || levels["2"] == 0 || levels["4"] == 0 {
		t.Errorf("levels %v, want 2 and 4", levels)
	}
	b, err := Problems("synth", Options{N: 64, Seed: 2, Levels: []int{2, 4}})
	if err != nil || reflect.DeepEqual(a, b) {
		t.Errorf("another seed gave the same problems (%v)", err)
	}
	again, err := Problems("synth", Options{})
	same, err2 := Problems("synth", Options{})
	if err != nil || err2 != nil || len(again) != 512 || !reflect.DeepEqual(again, same) {
		t.Errorf("asked again, other problems came (%d, %v, %v)", len(again), err, err2)
	}
}

// A prompt around a drawn problem changes its text, not its id or its level.
func TestSynthWithPrompt(t *testing.T) {
	bare, err := Problems("synth", Options{N: 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, prompt := range PromptNames() {
		set, err := Load("synth", Options{N: 20, Prompt: prompt})
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range set.Problems {
			l, ok := Level(p.Source, p.Problem)
			if p.ProblemID != bare[i].ProblemID || !strings.Contains(p.Problem, bare[i].Problem) || !ok || l != bare[i].Metadata["level"] {
				t.Fatalf("%s: problem %d: %+v, level %q (%v)", prompt, i, p, l, ok)
			}
		}
	}
}

func TestOptionRefusals(t *testing.T) {
	for _, opt := range []Options{{N: -1}, {Levels: []int{9}}, {N: 100_000, Levels: []int{1}}, {Prompt: "none"}} {
		if _, err := Problems("synth", opt); err == nil || !strings.Contains(err.Error(), "benchmark synth: ") {
			t.Errorf("%+v: got %v", opt, err)
		}
	}
	if _, err := Load("aime24", Options{Levels: []int{1}}); err == nil || !strings.Contains(err.Error(), "no levels") {
		t.Errorf("levels of a benchmark without: %v", err)
	}
	if _, err := Load("aime24", Options{Prompt: "lightevil"}); !errors.Is(err, ErrPrompt) || !strings.Contains(err.Error(), `did you mean "lighteval"`) {
		t.Errorf("mistyped prompt: %v", err)
	}
	if _, ok := Level("aime99", "1+2"); ok {
		t.Error("an unknown source has a level")
	}
	if _, ok := Level("aime24", "1+2"); ok {
		t.Error("a source without levels has one")
	}
	if _, ok := Level("synth", "what is 1+2?"); ok {
		t.Error("a text that is no expression has a level")
	}
}
