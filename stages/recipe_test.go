package stages

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestParseRecipe(t *testing.T) {
	flags := []string{"config", "run", "seed", "temperature", "reward", "steps"}
	for _, c := range []struct {
		name, text string
		want       map[string][]string
		err        string
	}{
		{name: "empty", text: "", want: nil},
		{name: "only a comment", text: "# nothing\n", want: nil},
		{
			name: "own section and common",
			text: "common:\n  run: r1\n  seed: 1\n  group-size: 8\nscore:\n  seed: 7\n  reward: [accuracy=1, format=0.1]\ngenerate:\n  whatever: 1\n",
			want: map[string][]string{"run": {"r1"}, "seed": {"7"}, "reward": {"accuracy=1", "format=0.1"}},
		},
		{name: "own section first", text: "score: {seed: 7}\ncommon: {seed: 1}\n", want: map[string][]string{"seed": {"7"}}},
		{name: "numbers stay as written", text: "score: {temperature: 1e-4}", want: map[string][]string{"temperature": {"1e-4"}}},
		{name: "empty section", text: "score:\n", want: map[string][]string{}},
		{name: "unknown key", text: "score:\n  temprature: 1\n", err: `line 2: unknown key "temprature" in section score (did you mean "temperature"?)`},
		{name: "unknown section", text: "scores:\n  x: 1\n", err: `line 1: unknown section "scores" (did you mean "score"?)`},
		{name: "not shared", text: "common:\n  temperature: 1\n", err: `line 2: unknown key "temperature" in section common`},
		{name: "no recipe in a recipe", text: "score: {config: x}", err: "unknown key"},
		{name: "twice", text: "score:\n  seed: 1\n  seed: 2\n", err: `line 3: "seed" is set twice`},
		{name: "nested", text: "score:\n  seed: {a: 1}\n", err: "line 2: seed: expected a value"},
		{name: "null", text: "score:\n  seed:\n", err: "line 2: seed: expected a value"},
		{
			name: "a flag with a nested value", text: "score:\n  steps: # in order\n    - a\n    - b: {x: [1, '2']}\n      c: |\n        two\n        lines\n",
			want: map[string][]string{"steps": {`[a, {b: {x: [1, '2']}, c: "two\nlines\n"}]`}},
		},
		{name: "a list at the top", text: "- a\n", err: "line 1: expected keys and values"},
		{name: "two documents", text: "score: {seed: 1}\n---\nscore: {seed: 2}\n", err: "one YAML document"},
		{name: "not YAML", text: "score: [", err: "line 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseRecipe(strings.NewReader(c.text), "score", flags, "steps")
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want one with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !maps.EqualFunc(got, c.want, slices.Equal) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func FuzzRecipe(f *testing.F) {
	f.Add("common:\n  run: r1\nscore:\n  reward: [a, b]\n")
	f.Add("score: &x {seed: 1}\ngenerate: *x\n")
	f.Add("a: b: c")
	f.Fuzz(func(t *testing.T, text string) {
		values, err := parseRecipe(strings.NewReader(text), "score", []string{"run", "seed", "reward"}, "reward")
		if err != nil {
			return
		}
		for key, list := range values {
			if key == "" || !slices.Contains([]string{"run", "seed", "reward"}, key) {
				t.Errorf("key %q with values %v", key, list)
			}
		}
	})
}

func TestParseEndpoint(t *testing.T) {
	for _, c := range []struct {
		value, run string
		want       Endpoint
		err        string
	}{
		{"", "", Endpoint{Pipe, "-"}, ""},
		{"", "r", Endpoint{NATS, ""}, ""},
		{"-", "r", Endpoint{Pipe, "-"}, ""},
		{"nats:", "", Endpoint{}, "needs --run"},
		{"a/b.jsonl", "r", Endpoint{File, "a/b.jsonl"}, ""},
		{"b.jsonl.gz", "", Endpoint{File, "b.jsonl.gz"}, ""},
		{"b.parquet", "", Endpoint{File, "b.parquet"}, ""},
		{"b.csv", "", Endpoint{}, "expected nats:"},
	} {
		got, err := ParseEndpoint(c.value, c.run)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("ParseEndpoint(%q, %q): error %v, want %q", c.value, c.run, err, c.err)
			}
		} else if err != nil || got != c.want {
			t.Errorf("ParseEndpoint(%q, %q) = %v, %v, want %v", c.value, c.run, got, err, c.want)
		}
	}
}
