package report

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"openrs/evaluate/stats"
	"openrs/schemas"
)

// Model is the figures of one model.
type Model struct {
	Name     string   `json:"name"`
	Accuracy Estimate `json:"accuracy"` // mean over problems of the mean over samples

	Problems          int    `json:"problems"` // with at least one judged sample
	Samples           int    `json:"samples"`  // judged
	SamplesPerProblem [2]int `json:"samples_per_problem"`
	Unjudged          int    `json:"unjudged"` // rows whose correct is null; in no figure of right and wrong
	Failed            int    `json:"failed"`   // rows without a completion (finish_reason error)
	Repeated          int    `json:"repeated"` // rows that came twice; the second is not used

	// PassAtK is the unbiased pass@k for k of 1, 2, 4, … up to the smallest
	// number of samples of a problem; MajAtK the majority vote of all samples,
	// when every problem has the same number and that is at least 3.
	PassAtK map[string]Number `json:"pass_at_k"`
	MajAtK  map[string]Number `json:"maj_at_k,omitempty"`

	Lengths   Lengths `json:"lengths"`
	Truncated Number  `json:"truncated"` // share of completions cut at the limit
	// WithoutReasoning is the share of completions with nothing inside
	// <think></think>; null when no completion has such a part.
	WithoutReasoning Number `json:"without_reasoning"`

	Reward  Number            `json:"reward"`            // mean weighted reward
	Format  Number            `json:"format"`            // mean of the reward named format
	Rewards map[string]Number `json:"rewards,omitempty"` // mean of each reward's raw value

	Levels  []Part `json:"by_level,omitempty"`
	Sources []Part `json:"by_source,omitempty"` // when there is more than one

	// PolicyVersion is the version that all rows were sampled from, if they
	// agree.
	PolicyVersion *int64 `json:"policy_version,omitempty"`

	lengths []int
}

// Estimate is an accuracy with its uncertainty.
type Estimate struct {
	Mean Number    `json:"mean"`
	CI95 [2]Number `json:"ci95"` // bootstrap percentile interval over problems (Wilson's at 0 and 1)
	SE   Number    `json:"se"`   // clustered by problem
}

// Lengths are of completions, in tokens.
type Lengths struct {
	Mean   Number `json:"mean"`
	Median Number `json:"median"`
	Min    int    `json:"min"`
	Max    int    `json:"max"`
}

// Part is the accuracy on some of the problems.
type Part struct {
	Name     string   `json:"name"`
	Accuracy Estimate `json:"accuracy"`
	Problems int      `json:"problems"`
	Samples  int      `json:"samples"`
}

// answers is a model's rows by problem.
type answers struct {
	name     string
	rows     []*schemas.Scored // in order, without repeats
	repeated int
	order    []string // problem ids, sorted
	problems map[string]*answered
}

// answered is one problem's samples.
type answered struct {
	source, text string
	right        []float64 // of judged samples: 1 or 0
	votes        []stats.Vote
	first        *schemas.Scored // the judged sample with the lowest number
}

// gather puts rows into one order, whatever order they came in (it depends on
// who worked on what), so that the same rows give the same report to the bit.
func gather(in Input) *answers {
	a := &answers{name: in.Name, problems: make(map[string]*answered)}
	rows := make([]*schemas.Scored, len(in.Rows))
	for i := range in.Rows {
		rows[i] = &in.Rows[i]
	}
	same := func(x, y *schemas.Scored) int {
		return cmp.Or(
			cmp.Compare(x.ProblemID, y.ProblemID), cmp.Compare(x.Sample, y.Sample), cmp.Compare(x.GroupID, y.GroupID),
			cmp.Compare(x.Seed, y.Seed), cmp.Compare(x.PolicyVersion, y.PolicyVersion),
		)
	}
	slices.SortStableFunc(rows, func(x, y *schemas.Scored) int {
		return cmp.Or(same(x, y), cmp.Compare(x.Completion, y.Completion))
	})
	for _, row := range rows {
		// Rows without a group were not made by generate; nothing says then
		// that two of them are the same sample.
		if n := len(a.rows); n > 0 && row.GroupID != "" && same(a.rows[n-1], row) == 0 {
			a.repeated++
			continue
		}
		a.rows = append(a.rows, row)
		p := a.problems[row.ProblemID]
		if p == nil {
			p = &answered{source: row.Source, text: row.Problem}
			a.problems[row.ProblemID] = p
			a.order = append(a.order, row.ProblemID)
		}
		if row.Correct == nil {
			continue
		}
		vote := stats.Vote{Right: *row.Correct}
		if row.Extracted != nil {
			vote.Answer = *row.Extracted
		}
		p.right = append(p.right, indicator(*row.Correct))
		p.votes = append(p.votes, vote)
		if p.first == nil {
			p.first = row
		}
	}
	return a
}

// model computes the figures.
func (a *answers) model(draws stats.Options, level func(source, text string) (string, bool)) Model {
	m := Model{Name: a.name, Repeated: a.repeated}

	var groups [][]float64
	levels, sources := map[string][][]float64{}, map[string][][]float64{}
	for _, id := range a.order {
		p := a.problems[id]
		if len(p.right) == 0 {
			continue
		}
		groups = append(groups, p.right)
		sources[p.source] = append(sources[p.source], p.right)
		if l, ok := level(p.source, p.text); ok {
			levels[l] = append(levels[l], p.right)
		}
	}
	all := estimate("", groups, draws)
	m.Accuracy, m.Problems, m.Samples = all.Accuracy, all.Problems, all.Samples
	m.Levels = parts(levels, draws)
	if len(sources) > 1 {
		m.Sources = parts(sources, draws)
	}
	a.sampled(&m)
	a.written(&m)
	return m
}

// sampled fills what needs several samples a problem.
func (a *answers) sampled(m *Model) {
	least, most := 0, 0
	for _, p := range a.problems {
		if n := len(p.right); n > 0 {
			if least == 0 || n < least {
				least = n
			}
			most = max(most, n)
		}
	}
	m.SamplesPerProblem = [2]int{least, most}
	m.PassAtK = make(map[string]Number)
	for k := 1; k <= least; k *= 2 {
		m.PassAtK[strconv.Itoa(k)] = a.mean(func(p *answered) float64 {
			right := 0
			for _, v := range p.right {
				right += int(v)
			}
			return stats.PassAtK(len(p.right), right, k)
		})
	}
	if least == most && least >= 3 {
		m.MajAtK = map[string]Number{strconv.Itoa(least): a.mean(func(p *answered) float64 { return stats.Majority(p.votes) })}
	}
}

// mean is the mean of a figure over the problems with judged samples.
func (a *answers) mean(of func(*answered) float64) Number {
	var values []float64
	for _, id := range a.order {
		if p := a.problems[id]; len(p.right) > 0 {
			values = append(values, of(p))
		}
	}
	return Number(stats.Mean(values))
}

// written fills what is said of completions, right or wrong: plain means over
// all rows that have one.
func (a *answers) written(m *Model) {
	var truncated, idle, reasoned, reward []float64
	rewards := make(map[string][]float64)
	versions := make(map[int64]bool)
	for _, row := range a.rows {
		versions[row.PolicyVersion] = true
		if row.Correct == nil {
			m.Unjudged++
		}
		if row.Reward != nil {
			reward = append(reward, float64(*row.Reward))
		}
		if row.FinishReason == schemas.FinishError {
			m.Failed++
			continue
		}
		for name, v := range row.Rewards {
			rewards[name] = append(rewards[name], float64(v))
		}
		m.lengths = append(m.lengths, len(row.CompletionIDs))
		truncated = append(truncated, indicator(row.FinishReason == schemas.FinishLength))
		work, tagged := reasoning(row.Completion)
		idle = append(idle, indicator(work == ""))
		if tagged {
			reasoned = append(reasoned, 1)
		}
	}
	m.Reward, m.Truncated = Number(stats.Mean(reward)), Number(stats.Mean(truncated))
	m.WithoutReasoning = Number(stats.Mean(idle))
	if len(reasoned) == 0 {
		m.WithoutReasoning = Number(stats.Mean(nil))
	}
	m.Format = Number(stats.Mean(rewards["format"]))
	m.Rewards = make(map[string]Number)
	for name, v := range rewards {
		m.Rewards[name] = Number(stats.Mean(v))
	}
	if len(versions) == 1 {
		for v := range versions {
			m.PolicyVersion = &v
		}
	}
	m.Lengths = lengthsOf(m.lengths)
}

func lengthsOf(tokens []int) Lengths {
	values := make([]float64, len(tokens))
	for i, n := range tokens {
		values[i] = float64(n)
	}
	slices.Sort(values)
	l := Lengths{Mean: Number(stats.Mean(values)), Median: Number(stats.Quantile(values, 0.5))}
	if len(tokens) > 0 {
		l.Min, l.Max = slices.Min(tokens), slices.Max(tokens)
	}
	return l
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// reasoning is what a completion has before </think>; tagged is false when it
// has neither tag. The opening tag may be in the prompt, the closing one cut off.
func reasoning(completion string) (work string, tagged bool) {
	work, _, closed := strings.Cut(completion, "</think>")
	_, inside, opened := strings.Cut(work, "<think>")
	if opened {
		work = inside
	}
	if !closed && !opened {
		return "", false
	}
	return strings.TrimSpace(work), true
}

// estimate is the accuracy on a set of problems.
func estimate(name string, groups [][]float64, draws stats.Options) Part {
	e := stats.Accuracy(groups, draws)
	return Part{
		Name: name, Problems: e.Problems, Samples: e.Samples,
		Accuracy: Estimate{Mean: Number(e.Mean), SE: Number(e.SE), CI95: [2]Number{Number(e.Interval.Lo), Number(e.Interval.Hi)}},
	}
}

// parts estimates each set of problems, in order of name: numbers by value.
func parts(sets map[string][][]float64, draws stats.Options) []Part {
	names := slices.SortedFunc(maps.Keys(sets), func(a, b string) int {
		x, errX := strconv.Atoi(a)
		y, errY := strconv.Atoi(b)
		if errX == nil && errY == nil {
			return cmp.Compare(x, y)
		}
		return cmp.Compare(a, b)
	})
	var out []Part
	for _, name := range names {
		out = append(out, estimate(name, sets[name], draws))
	}
	return out
}
