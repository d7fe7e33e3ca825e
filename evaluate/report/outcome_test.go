package report

import (
	"math"
	"strings"
	"testing"

	"openrs/evaluate/stats"
	"openrs/schemas"
	"openrs/score/answer"
)

func judged(completion, gold string, correct *bool, extracted string, finish string) *schemas.Scored {
	r := row("p", 0, correct, 5)
	r.Completion, r.Answer, r.FinishReason = completion, gold, finish
	if extracted != "" {
		r.Extracted = &extracted
	}
	return &r
}

func TestOutcomes(t *testing.T) {
	stop, length := schemas.FinishStop, schemas.FinishLength
	for _, c := range []struct {
		name    string
		row     *schemas.Scored
		outcome outcome
		reason  string
	}{
		{"right", judged(`so \boxed{0.5}`, `\frac12`, yes(), "0.5", stop), outcomeRight, "equal: "},
		{"wrong", judged(`so \boxed{3}`, "4", no(), "3", stop), outcomeWrong, "different: "},
		{"wrong and cut", judged(`so \boxed{3} and`, "4", no(), "3", length), outcomeWrong, "different: "},
		{"unreadable", judged(`so \boxed{\begin{x}}`, "4", no(), `\begin{x}`, stop), outcomeUnreadable, "unreadable: "},
		{"no answer", judged("I give up", "4", no(), "", stop), outcomeNoAnswer, answer.ReasonNoAnswer},
		{"cut", judged("so many", "4", no(), "", length), outcomeCut, "cut at the limit"},
		{"right by another rule", judged(`so \boxed{3}`, "4", yes(), "3", stop), outcomeRight, "as recorded; judged again by profile benchmark: different"},
		{"unreadable gold", judged("4", "", nil, "", stop), outcomeUnjudged, "answer: unreadable gold answer"},
		{"not judged", judged("4", "4", nil, "", stop), outcomeUnjudged, "no verdict was recorded"},
		{"failed", judged("", "4", nil, "", schemas.FinishError), outcomeFailed, "no completion"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := judge([]*schemas.Scored{c.row}, answer.Benchmark())[0]
			if v.outcome != c.outcome || !strings.HasPrefix(v.reason, c.reason) {
				t.Errorf("got %s (%s), want %s (%s)", v.outcome.spec().Key, v.reason, c.outcome.spec().Key, c.reason)
			}
		})
	}
}

// Rows don't say by which profile they were judged; their verdicts do.
func TestProfileIsFoundOut(t *testing.T) {
	texts := []string{"The answer is 4.", `so \boxed{4}`, "x = 4", "**4**"}
	for _, p := range []answer.Profile{answer.Benchmark(), answer.Reward()} {
		g, err := answer.ReadGold("4", p)
		if err != nil {
			t.Fatal(err)
		}
		var rows []*schemas.Scored
		for _, text := range texts {
			v := g.Verify(text)
			rows = append(rows, judged(text, "4", &v.Equal, v.Extracted, schemas.FinishStop))
		}
		if got := profileOf(rows); got.Name != p.Name {
			t.Errorf("got %s, want %s", got.Name, p.Name)
		}
	}
	if got := profileOf(nil); got.Name != "benchmark" {
		t.Errorf("of nothing: %s", got.Name)
	}
}

func TestReasonKinds(t *testing.T) {
	for reason, want := range map[string]string{
		`unreadable: "\\frac" without a name`:         "unreadable",
		"unreadable: 5000 bytes, expected at most 10": "unreadable: 5000 bytes, expected",
		"unreadable: not UTF-8":                       "unreadable: not UTF-8",
		"cut at the limit of tokens":                  "cut at the limit of tokens",
	} {
		if got := reasonKind(reason); got != want {
			t.Errorf("%q: got %q, want %q", reason, got, want)
		}
	}
}

// Answers vote by what they mean, not by how they are written.
func TestVotesAreByMeaning(t *testing.T) {
	var rows []schemas.Scored
	for i, text := range []string{"0.5", "0.50", "7", "7"} {
		r := row("p", int32(i), new(i < 2), 1)
		r.Completion, r.Answer, r.Extracted = `\boxed{`+text+`}`, "1/2", &text
		rows = append(rows, r)
	}
	m := mustBuild(t, []Input{{"m", rows}}, Options{}).Models[0]
	near(t, "maj@4 of two halves and two sevens", m.MajAtK["4"], 0.5)
}

func TestTasksAndTheirMean(t *testing.T) {
	rows := func(right map[string][]bool) (out []schemas.Scored) {
		for task, all := range right {
			for i, ok := range all {
				r := row(task+string(rune('a'+i)), 0, new(ok), 3)
				r.Source = task
				out = append(out, r)
			}
		}
		return out
	}
	a := rows(map[string][]bool{"small": {true, false}, "large": {true, true, true, false}, "lone": {true, true}})
	b := rows(map[string][]bool{"small": {true, true}, "large": {true, true, false, false}})
	r := mustBuild(t, []Input{{"a", a}, {"b", b}}, Options{})
	near(t, "accuracy over problems", r.Models[0].Accuracy.Mean, 6.0/8)
	near(t, "mean over tasks", r.Models[0].Macro.Mean, (0.5+0.75+1)/3)
	near(t, "large", r.Models[0].task("large").Accuracy.Mean, 0.75)
	p := r.Paired[0]
	if len(p.Tasks) != 2 || p.Tasks[0].Task != "large" || p.OnlyA != 2 || p.OnlyB != 0 {
		t.Fatalf("paired: %+v", p)
	}
	near(t, "difference on large", p.Tasks[0].Difference.Mean, -0.25)
	near(t, "difference on small", p.Tasks[1].Difference.Mean, 0.5)
	near(t, "difference of the means", p.Macro.Difference.Mean, 0.125)
	want, err := stats.CompareMacro(stats.Tasks{{1, 1, 1, 0}, {1, 0}}, stats.Tasks{{1, 1, 0, 0}, {1, 1}}, stats.Options{})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "its standard error", p.Macro.Difference.SE, want.SE)
	near(t, "its p", p.Macro.P, want.P)
	if f := r.forests(); len(f) != 4 || f[0].Title != "Mean over tasks" || len(f[0].Rows) != 1 || len(f[1].Rows) != 2 {
		t.Errorf("plots: %+v", f)
	}
}

func TestManyModelsAreCorrectedFor(t *testing.T) {
	var inputs []Input
	for i := range 6 {
		inputs = append(inputs, student(t, "m"+string(rune('0'+i)), 60, 2, 0.6, int64(i)))
	}
	r := mustBuild(t, inputs, Options{Seed: 2})
	for _, p := range r.Paired {
		if p.PHolm < p.P || p.PHolm > min(1, 5*p.P)+1e-12 {
			t.Errorf("%s: p %v, corrected %v", p.B, p.P, p.PHolm)
		}
		if !(p.MDE > 0) || math.IsInf(float64(p.MDE), 0) {
			t.Errorf("%s: detectable %v", p.B, p.MDE)
		}
	}
	if len(r.Selection) != 1 {
		t.Fatalf("selection: %+v", r.Selection)
	}
	s := r.Selection[0]
	best := 0.0
	for _, m := range r.Models[1:] {
		best = max(best, float64(m.Accuracy.Mean))
	}
	near(t, "the best", s.Mean, best)
	if s.Candidates != 5 || s.Problems != 60 || s.GainHeld > s.Gain || !(s.GainCI95[0] < s.Gain && s.Gain < s.GainCI95[1]) {
		t.Errorf("selection: %+v", s)
	}
	if !strings.Contains(r.lead(), "Of 5 models compared with m0") {
		t.Errorf("lead: %s", r.lead())
	}
	if note := r.selectionNote(); !strings.Contains(note, "best of 5") {
		t.Errorf("note: %s", note)
	}
}

func TestByVersion(t *testing.T) {
	var rows []schemas.Scored
	for _, v := range []int64{100, 50, 100} {
		r := row("p", 0, yes(), 1)
		r.PolicyVersion = v
		rows = append(rows, r)
	}
	got := ByVersion([]Input{{"run", rows}, {"base", rows[:1]}})
	if len(got) != 3 || got[0].Name != "run@50" || len(got[0].Rows) != 1 || got[1].Name != "run@100" || len(got[1].Rows) != 2 || got[2].Name != "base" {
		t.Errorf("got %+v", got)
	}
	mixed := mustBuild(t, []Input{{"run", rows}}, Options{})
	if notes := strings.Join(mixed.allNotes(), " "); !strings.Contains(notes, "2 versions of the policy") {
		t.Errorf("notes: %s", notes)
	}
}
