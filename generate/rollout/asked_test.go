package rollout

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"openrs/schemas"
	"openrs/stages"
)

func TestAsks(t *testing.T) {
	opt := Options{GroupSize: 8, MaxNewTokens: 512, Temperature: 1, TopK: 5, TopP: 0.5, MinP: 0.1, Seed: 3}
	for _, c := range []struct {
		meta map[string]string
		want asked
	}{
		{nil, asked{count: 8, maxNewTokens: 512, temperature: 1, topK: 5, topP: 0.5, minP: 0.1, seed: 3}},
		{map[string]string{"level": "2", "seed": "x"}, asked{count: 8, maxNewTokens: 512, temperature: 1, topK: 5, topP: 0.5, minP: 0.1, seed: 3}},
		{map[string]string{"sample": "4"}, asked{first: 4, count: 8, maxNewTokens: 512, temperature: 1, topK: 5, topP: 0.5, minP: 0.1, seed: 3}},
		{
			map[string]string{
				"sample": "7", "samples": "1", "sampling.temperature": "0", "sampling.top_p": "0.95", "sampling.top_k": "0",
				"sampling.min_p": "0", "sampling.max_new_tokens": "32768", "sampling.seed": "-9",
			},
			asked{first: 7, count: 1, maxNewTokens: 32768, topP: 0.95, seed: -9},
		},
	} {
		got, err := opt.asks(schemas.Problem{ProblemID: "p", Metadata: c.meta})
		if err != nil || got != c.want {
			t.Errorf("%v asks for %+v, %v; want %+v", c.meta, got, err, c.want)
		}
	}
	for _, c := range []struct{ key, value, want string }{
		{"sample", "x", "expected a whole number from 0"},
		{"sample", "-1", "expected a whole number from 0"},
		{"samples", "0", "expected a whole number from 1"},
		{"samples", "99999999999", "expected a whole number from 1"},
		{"samples", "many", "expected a whole number from 1"},
		{"sampling.temperature", "-1", "expected a number from 0"},
		{"sampling.temperature", "NaN", "expected a number from 0"},
		{"sampling.top_p", "1.5", "expected a number from 0 to 1"},
		{"sampling.max_new_tokens", "0", "expected a whole number from 1"},
		{"sampling.seed", "1.5", "expected a whole number"},
	} {
		_, err := opt.asks(schemas.Problem{ProblemID: "p", Metadata: map[string]string{c.key: c.value}})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.key) {
			t.Errorf("%s %q: %v, want an error with %q", c.key, c.value, err, c.want)
		}
	}
}

// A row's own way of sampling gives what a worker with such options gives.
func TestRowsSayHowTheyAreSampled(t *testing.T) {
	list := problems(t, 3)
	opt := options
	opt.Temperature, opt.TopP, opt.MaxNewTokens, opt.Seed, opt.GroupSize = 0.7, 0.9, 9, 42, 2
	run := func(opt Options, system string, list []schemas.Problem) []schemas.Rollout {
		w, _ := newWorker(t, opt)
		w.Policies, w.Prompter.System = nil, system
		out := newSink(t)
		if err := w.Run(context.Background(), newSource(t, list, 3), out); err != nil {
			t.Fatal(err)
		}
		return out.all()
	}
	want := run(opt, "be brief", list)
	var rows []schemas.Problem
	for _, p := range list {
		p = stages.NumberSample(p, 0)
		for key, value := range map[string]string{
			stages.MetaSamples: "2", stages.MetaTemperature: "0.7", stages.MetaTopP: "0.9", stages.MetaMaxNewTokens: "9", stages.MetaSeed: "42", stages.MetaSystem: "be brief",
		} {
			p.Metadata[key] = value
		}
		rows = append(rows, p)
	}
	if got := run(options, "", rows); !reflect.DeepEqual(got, want) {
		t.Errorf("rows that ask for it are sampled as\n%+v\nwant\n%+v", got, want)
	}
	// The other way round: with the worker's own options they differ.
	if got := run(options, "", list); reflect.DeepEqual(got, want) {
		t.Error("the options make no difference: the test shows nothing")
	}
}
