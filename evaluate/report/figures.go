package report

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"openrs/evaluate/stats"
	"openrs/schemas"
)

// Figures are what is found on a set of a model's samples: all of them, or those of one task.
type Figures struct {
	Accuracy Estimate `json:"accuracy"` // mean over problems of the mean over samples: avg@k

	Problems          int    `json:"problems"` // with at least one judged sample
	Samples           int    `json:"samples"`  // judged
	SamplesPerProblem [2]int `json:"samples_per_problem"`
	Unjudged          int    `json:"unjudged"` // rows whose correct is null; in no figure of right and wrong
	Failed            int    `json:"failed"`   // rows without a completion (finish_reason error)

	// PassAtK is the unbiased pass@k for k of 1, 2, 4, … up to the smallest
	// number of samples of a problem; MajAtK the majority vote of k of them, for
	// k of 4, 8, … and of all, when every problem has the same number and that
	// is at least 3.
	PassAtK map[string]Number `json:"pass_at_k"`
	MajAtK  map[string]Number `json:"maj_at_k,omitempty"`
	// Estimates has the same figures with their uncertainty, by names such as
	// pass@4 and maj@4.
	Estimates map[string]Estimate `json:"estimates,omitempty"`

	Lengths   Lengths `json:"lengths"`
	Truncated Number  `json:"truncated"` // share of completions cut at the limit
	// WithoutReasoning is the share of completions with nothing inside
	// <think></think>; null when no completion has such a part.
	WithoutReasoning Number `json:"without_reasoning"`

	// Outcomes counts every row by what became of it; Failures those without
	// an answer that could be read, by the reason.
	Outcomes []Count `json:"outcomes,omitempty"`
	Failures []Count `json:"extraction_failures,omitempty"`

	lengths     [2][]int // of wrong and right completions, in tokens
	completions int      // rows that have one
}

// Estimate is an accuracy with its uncertainty.
type Estimate struct {
	Mean Number    `json:"mean"`
	CI95 [2]Number `json:"ci95"` // see stats.Accuracy
	SE   Number    `json:"se"`   // clustered by problem
}

// Count is how many samples are of a kind.
type Count struct {
	Name    string `json:"name"`
	Samples int    `json:"samples"`
	Share   Number `json:"share"` // of all rows
}

// Lengths are of completions, in tokens.
type Lengths struct {
	Mean   Number `json:"mean"`
	Median Number `json:"median"`
	Min    int    `json:"min"`
	Max    int    `json:"max"`
	// Quantiles are those of 5, 25, 75 and 95 %.
	Quantiles Quantiles `json:"quantiles"`
	Right     *Lengths  `json:"right,omitempty"` // of right completions
	Wrong     *Lengths  `json:"wrong,omitempty"` // of completions that were judged and are not right
}

// Quantiles of a distribution besides its median.
type Quantiles struct {
	P05 Number `json:"p05"`
	P25 Number `json:"p25"`
	P75 Number `json:"p75"`
	P95 Number `json:"p95"`
}

// figures computes the figures of the problems of a task, or of all for "".
func (a *answers) figures(task string, draws stats.Options) Figures {
	var f Figures
	var problems []*answered
	var groups [][]float64
	for _, id := range a.order {
		if p := a.problems[id]; len(p.right) > 0 && (task == "" || p.task == task) {
			problems = append(problems, p)
			groups = append(groups, p.right)
		}
	}
	all := estimate("", groups, draws)
	f.Accuracy, f.Problems, f.Samples = all.Accuracy, all.Problems, all.Samples
	f.sampled(problems, draws)
	f.written(a, task)
	return f
}

// sampled fills what needs several samples a problem.
func (f *Figures) sampled(problems []*answered, draws stats.Options) {
	least, most := 0, 0
	for _, p := range problems {
		if n := len(p.right); least == 0 || n < least {
			least = n
		}
		most = max(most, len(p.right))
	}
	f.SamplesPerProblem = [2]int{least, most}
	f.PassAtK = make(map[string]Number)
	over := func(name string, of func(*answered) float64) Number {
		values := make([]float64, len(problems))
		for i, p := range problems {
			values[i] = of(p)
		}
		e := estimateOf(stats.Share(values, draws))
		if f.Estimates == nil {
			f.Estimates = make(map[string]Estimate)
		}
		f.Estimates[name] = e
		return e.Mean
	}
	for k := 1; k <= least; k *= 2 {
		key := strconv.Itoa(k)
		if k == 1 {
			f.PassAtK[key] = f.Accuracy.Mean // pass@1 is the mean over samples
			continue
		}
		f.PassAtK[key] = over("pass@"+key, func(p *answered) float64 {
			right := 0
			for _, v := range p.right {
				right += int(v)
			}
			return stats.PassAtK(len(p.right), right, k)
		})
	}
	if least != most {
		return
	}
	for k := 4; k <= 2*least; k *= 2 {
		if k = min(k, least); k < 3 {
			return
		}
		key := strconv.Itoa(k)
		if f.MajAtK == nil {
			f.MajAtK = make(map[string]Number)
		}
		f.MajAtK[key] = over("maj@"+key, func(p *answered) float64 { return stats.MajorityAtK(p.votes, k) })
		if k == least {
			return
		}
	}
}

// written fills what is said of completions, right or wrong.
func (f *Figures) written(a *answers, task string) {
	var truncated, idle []float64
	var all []int
	tagged := false
	var counts [outcomes]int
	reasons := make(map[string]int)
	rows := 0
	for i, row := range a.rows {
		if task != "" && taskOf(row.Source) != task {
			continue
		}
		rows++
		v := a.verdicts[i]
		counts[v.outcome]++
		if v.outcome.lacksAnswer() {
			reasons[reasonKind(v.reason)]++
		}
		if row.Correct == nil {
			f.Unjudged++
		}
		if row.FinishReason == schemas.FinishError {
			f.Failed++
			continue
		}
		all = append(all, len(row.CompletionIDs))
		if row.Correct != nil {
			kind := int(indicator(*row.Correct))
			f.lengths[kind] = append(f.lengths[kind], len(row.CompletionIDs))
		}
		truncated = append(truncated, indicator(row.FinishReason == schemas.FinishLength))
		work, has := reasoning(row.Completion)
		idle = append(idle, indicator(work == ""))
		tagged = tagged || has
	}
	f.Truncated, f.WithoutReasoning = Number(stats.Mean(truncated)), Number(stats.Mean(idle))
	if !tagged {
		f.WithoutReasoning = Number(stats.Mean(nil))
	}
	f.Lengths, f.completions = lengthsOf(all), len(all)
	for i, to := range []**Lengths{&f.Lengths.Wrong, &f.Lengths.Right} {
		if len(f.lengths[i]) > 0 {
			l := lengthsOf(f.lengths[i])
			*to = &l
		}
	}
	for o, n := range counts {
		if n > 0 {
			f.Outcomes = append(f.Outcomes, Count{outcome(o).spec().Key, n, share(n, rows)})
		}
	}
	for name, n := range reasons {
		f.Failures = append(f.Failures, Count{name, n, share(n, rows)})
	}
	slices.SortFunc(f.Failures, func(x, y Count) int {
		return cmp.Or(cmp.Compare(y.Samples, x.Samples), cmp.Compare(x.Name, y.Name))
	})
}

func share(n, of int) Number {
	if of == 0 {
		return Number(math.NaN())
	}
	return Number(float64(n) / float64(of))
}

func lengthsOf(tokens []int) Lengths {
	values := make([]float64, len(tokens))
	for i, n := range tokens {
		values[i] = float64(n)
	}
	slices.Sort(values)
	q := func(at float64) Number { return Number(stats.Quantile(values, at)) }
	l := Lengths{Mean: Number(stats.Mean(values)), Median: q(0.5), Quantiles: Quantiles{q(0.05), q(0.25), q(0.75), q(0.95)}}
	if len(tokens) > 0 {
		l.Min, l.Max = slices.Min(tokens), slices.Max(tokens)
	}
	return l
}
