package report

import (
	"fmt"

	"openrs/evaluate/stats"
)

// Paired compares model B with model A on the problems that both answered.
type Paired struct {
	A string `json:"a"`
	B string `json:"b"`
	Comparison
	OnlyA int `json:"only_a"` // problems that only A has; not used
	OnlyB int `json:"only_b"` // problems that only B has; not used

	// Tasks are the comparisons on each task, Macro that of the mean over tasks,
	// each counting the same, when there is more than one.
	Tasks []TaskComparison `json:"tasks,omitempty"`
	Macro *Comparison      `json:"macro,omitempty"`
}

// Comparison is a paired comparison of two models on some problems.
type Comparison struct {
	Difference Difference `json:"difference"` // accuracy of B minus that of A
	P          Number     `json:"p_value"`    // two-sided sign-flip permutation test
	PExact     bool       `json:"p_exact"`    // all sign patterns were tried
	PHolm      Number     `json:"p_holm"`     // P, corrected for the number of models compared with A
	MDE        Number     `json:"mde"`        // difference that such a comparison finds in four of five cases
	Problems   int        `json:"problems"`   // in both
}

// TaskComparison is a comparison on one task.
type TaskComparison struct {
	Task string `json:"task"`
	Comparison
}

// Difference is a mean difference with its uncertainty.
type Difference struct {
	Mean Number    `json:"mean"`
	CI95 [2]Number `json:"ci95"` // see stats.Compare
	SE   Number    `json:"se"`   // clustered by problem
}

// pair compares two models on the problems that both have.
func pair(a, b *answers, tasks []string, draws stats.Options) (Paired, error) {
	p := Paired{A: a.name, B: b.name}
	var all [2][]float64
	byTask := make(map[string]*[2][]float64)
	for _, id := range a.order {
		mine, theirs := a.problems[id], b.problems[id]
		switch {
		case len(mine.right) > 0 && theirs != nil && len(theirs.right) > 0:
			t := byTask[mine.task]
			if t == nil {
				t = new([2][]float64)
				byTask[mine.task] = t
			}
			for i, q := range []*answered{mine, theirs} {
				mean := stats.Mean(q.right)
				all[i], t[i] = append(all[i], mean), append(t[i], mean)
			}
		case len(mine.right) > 0:
			p.OnlyA++
		}
	}
	for _, id := range b.order {
		if len(b.problems[id].right) > 0 {
			p.OnlyB++
		}
	}
	p.OnlyB -= len(all[0])

	var err error
	if p.Comparison, err = compare(all[0], all[1], draws); err != nil {
		return p, fmt.Errorf("report: %s against %s: %w", b.name, a.name, err)
	}
	var each [2]stats.Tasks
	for _, task := range tasks {
		t := byTask[task]
		if t == nil {
			continue
		}
		c, err := compare(t[0], t[1], draws)
		if err != nil {
			return p, fmt.Errorf("report: %s against %s, task %s: %w", b.name, a.name, task, err)
		}
		p.Tasks = append(p.Tasks, TaskComparison{task, c})
		for i := range each {
			each[i] = append(each[i], t[i])
		}
	}
	if len(p.Tasks) > 1 {
		d, err := stats.CompareMacro(each[0], each[1], draws)
		if err != nil {
			return p, fmt.Errorf("report: %s against %s, mean over tasks: %w", b.name, a.name, err)
		}
		c := comparisonOf(d, len(p.Tasks))
		p.Macro = &c
	}
	return p, nil
}

func compare(a, b []float64, draws stats.Options) (Comparison, error) {
	d, err := stats.Compare(a, b, draws)
	return comparisonOf(d, 1), err
}

// comparisonOf says the same of a difference over the problems of some tasks.
func comparisonOf(d stats.Difference, tasks int) Comparison {
	return Comparison{
		Difference: Difference{Mean: Number(d.Mean), SE: Number(d.SE), CI95: [2]Number{Number(d.Interval.Lo), Number(d.Interval.Hi)}},
		P:          Number(d.P), PExact: d.Exact, PHolm: Number(d.P), Problems: d.Problems,
		MDE: Number(stats.Detectable(d.SE, float64(d.Problems-tasks), 0, 0)),
	}
}

// correct fills the p-values corrected for comparing several models with the first: on each task, on all
// problems and on the mean over tasks, by Holm's method.
func correct(pairs []Paired) {
	families := make(map[string][]*Comparison)
	for i := range pairs {
		p := &pairs[i]
		families["all"] = append(families["all"], &p.Comparison)
		if p.Macro != nil {
			families["macro"] = append(families["macro"], p.Macro)
		}
		for j := range p.Tasks {
			families["task "+p.Tasks[j].Task] = append(families["task "+p.Tasks[j].Task], &p.Tasks[j].Comparison)
		}
	}
	for _, family := range families {
		p := make([]float64, len(family))
		for i, c := range family {
			p[i] = float64(c.P)
		}
		for i, adjusted := range stats.Holm(p) {
			family[i].PHolm = Number(adjusted)
		}
	}
}
