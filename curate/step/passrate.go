package step

import (
	"fmt"
	"strings"

	"openrs/curate/recipe"
	"openrs/curate/rows"
	"openrs/schemas"
)

// passRate measures difficulty as the share of a reference model's samples that were right, or their mean
// reward. Memory: about 60 bytes a problem with samples.
type passRate struct {
	byReward bool
	rates    map[id]tally
	bounds   bounds
	least    int
	missing  string
	files    []string
}

type tally struct {
	samples int
	sum     float64
}

func newPassRate(v recipe.Values, env *Env) (Filter, error) {
	p := &passRate{byReward: v.Text("by") == "reward", rates: map[id]tally{}, bounds: readBounds(v), least: v.Count("min-samples", 1), missing: v.Text("missing")}
	unjudged := 0
	files, err := eachSample(env, v.List("scored"), schemas.KindScored, func(s sampled) error {
		value := s.reward
		if !p.byReward {
			value = nil
			if s.correct != nil {
				x := 0.0
				if *s.correct {
					x = 1
				}
				value = &x
			}
		}
		if value == nil {
			unjudged++
			return nil
		}
		key := idOf(s.problem)
		t := p.rates[key]
		t.samples++
		t.sum += *value
		p.rates[key] = t
		return nil
	})
	if err != nil {
		return nil, err
	}
	p.files = files
	if len(p.rates) == 0 {
		return nil, fmt.Errorf("%s: no sample says whether it is right (%d do not): score them with --reward accuracy", strings.Join(files, ", "), unjudged)
	}
	if unjudged > 0 && env.Warn != nil {
		env.Warn(fmt.Sprintf("%d samples were not judged and don't count", unjudged))
	}
	return p, nil
}

func (p *passRate) Look(r *rows.Row) (*Removal, error) {
	t := p.rates[idOf(r.Problem.Problem)]
	if t.samples < p.least {
		reason := "no samples"
		if t.samples > 0 {
			reason = "too few samples"
		}
		switch p.missing {
		case "drop":
			return removal(reason, fmt.Sprintf("%d, want %d", t.samples, p.least)), nil
		case "fail":
			return nil, fmt.Errorf("problem %s (%s): %s: %d, want %d", r.ProblemID, r.Source, reason, t.samples, p.least)
		}
		if t.samples == 0 {
			return nil, nil
		}
	}
	rate := float32(t.sum / float64(t.samples))
	r.Difficulty = &rate
	r.SetMeta("pass-rate samples", fmt.Sprint(t.samples))
	if out := p.bounds.outside(decimal(rate)); out != "" && t.samples >= p.least {
		reason := "too hard"
		if out == "too large" {
			reason = "too easy"
		}
		return removal(reason, fmt.Sprintf("pass rate %.3g of %d samples", rate, t.samples)), nil
	}
	return nil, nil
}

// Notes implements [Noter].
func (p *passRate) Notes() []string {
	return []string{
		fmt.Sprintf("samples of %d problems in %s", len(p.rates), strings.Join(p.files, ", ")),
		fmt.Sprintf("rows with fewer than %d samples are %s", p.least, map[string]string{"drop": "dropped", "keep": "kept", "fail": "an error"}[p.missing]),
	}
}
