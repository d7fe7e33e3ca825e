package report

import (
	"fmt"
	"math"
	"slices"

	"openrs/evaluate/stats"
)

// Selection is what the best of several models is worth. That it was picked for its score makes the
// score too high: the more candidates and the fewer problems, the more.
type Selection struct {
	Task       string    `json:"task,omitempty"` // empty: all problems, each task counting the same
	Candidates int       `json:"candidates"`     // all models but the first
	Problems   int       `json:"problems"`       // that all of them answered
	Best       string    `json:"best"`
	Mean       Number    `json:"mean"`         // of the best, the luck of being picked included
	HeldOut    Number    `json:"held_out"`     // of picking on one half of the problems, measured on the other
	CI95       [2]Number `json:"ci95"`         // of the best; holds for all candidates together
	Gain       Number    `json:"gain"`         // of the best over the first model, luck included
	GainHeld   Number    `json:"gain_heldout"` // of picking, over the first model on the same halves
	GainCI95   [2]Number `json:"gain_ci95"`    // holds for all candidates together
	P          Number    `json:"p_value"`      // that the best is no better, corrected for the number of candidates
}

// selection compares the best of the models after the first with the first, on each task and over all,
// when there are two such candidates at least. Only problems that every model answered take part.
func (r *Report) selection(draws stats.Options) []Selection {
	if len(r.answers) < 3 {
		return nil
	}
	all := make([]stats.Tasks, len(r.answers)) // by model
	var names []string
	for _, task := range r.tasks {
		var ids []string
		for _, id := range r.answers[0].order {
			if p := r.answers[0].problems[id]; p.task == task && r.everyone(id) {
				ids = append(ids, id)
			}
		}
		if len(ids) < 2 {
			continue
		}
		names = append(names, task)
		for i, a := range r.answers {
			var means []float64
			for _, id := range ids {
				means = append(means, stats.Mean(a.problems[id].right))
			}
			all[i] = append(all[i], means)
		}
	}
	var out []Selection
	add := func(task string, of func(stats.Tasks) stats.Tasks) {
		var candidates []stats.Tasks
		for _, t := range all[1:] {
			candidates = append(candidates, of(t))
		}
		b, err := stats.BestOf(of(all[0]), candidates, draws)
		if err != nil {
			return // tasks too small to be halved
		}
		n := 0
		for _, t := range candidates[0] {
			n += len(t)
		}
		pair := func(i stats.Interval) [2]Number { return [2]Number{Number(i.Lo), Number(i.Hi)} }
		out = append(out, Selection{
			Task: task, Candidates: len(candidates), Problems: n, Best: r.answers[1+b.Index].name,
			Mean: Number(b.Mean), HeldOut: Number(b.HeldOut), CI95: pair(b.Intervals[b.Index]),
			Gain: Number(b.Difference), GainHeld: Number(b.HeldOutGain), GainCI95: pair(b.Differences[b.Index]), P: Number(b.P[b.Index]),
		})
	}
	if len(names) > 1 {
		add("", func(t stats.Tasks) stats.Tasks { return t })
	}
	for i, name := range names {
		add(name, func(t stats.Tasks) stats.Tasks { return t[i : i+1] })
	}
	return out
}

// everyone reports whether every model has a judged sample of a problem.
func (r *Report) everyone(id string) bool {
	return !slices.ContainsFunc(r.answers, func(a *answers) bool {
		p := a.problems[id]
		return p == nil || len(p.right) == 0
	})
}

// selectionTable has a row for each selection; nil without any.
func (r *Report) selectionTable() [][]string {
	if len(r.Selection) == 0 {
		return nil
	}
	table := [][]string{{"task", "best", "score", "gain", "gain held out", "95 % interval", "p"}}
	for _, s := range r.Selection {
		task := s.Task
		if task == "" {
			task = "mean over tasks"
		}
		table = append(table, []string{task, s.Best, percent(s.Mean), points(s.Gain), points(s.GainHeld), signed(s.GainCI95),
			bareP(pValue(s.P, false, r.options.Resamples))})
	}
	return table
}

// selectionNote says in words what picking the best is worth; "" without a selection.
func (r *Report) selectionNote() string {
	if len(r.Selection) == 0 {
		return ""
	}
	s := r.Selection[0]
	verdict := "no gain is shown"
	switch lo := float64(s.GainCI95[0]); {
	case math.IsNaN(lo):
		return ""
	case lo > 0:
		verdict = "it is better than " + r.Models[0].Name
	}
	return fmt.Sprintf("%s is the best of %d and was picked for its score, so its gain of %s points includes luck. Picked on one half of the problems and measured on the other it is %s; for all %d together the 95 %% interval is %s: %s.",
		s.Best, s.Candidates, points(s.Gain), points(s.GainHeld), s.Candidates, signed(s.GainCI95), verdict)
}
