package report

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"openrs/evaluate/stats"
	"openrs/schemas"
	"openrs/score/answer"
)

// Model is the figures of one model.
type Model struct {
	Name string `json:"name"`
	Figures

	// Tasks are the figures of each task (source of problems), in the order of
	// the page; Macro is the mean of their accuracies, each task counting the
	// same, when there is more than one.
	Tasks []Task    `json:"tasks,omitempty"`
	Macro *Estimate `json:"macro,omitempty"`

	Repeated int               `json:"repeated"`          // rows that came twice; the second is not used
	Reward   Number            `json:"reward"`            // mean weighted reward
	Format   Number            `json:"format"`            // mean of the reward named format
	Rewards  map[string]Number `json:"rewards,omitempty"` // mean of each reward's raw value

	Levels  []Part `json:"by_level,omitempty"`
	Sources []Part `json:"by_source,omitempty"` // when there is more than one

	// PolicyVersion is the version that all rows were sampled from, if they
	// agree; Versions how many there are.
	PolicyVersion *int64 `json:"policy_version,omitempty"`
	Versions      int    `json:"policy_versions"`
	// Profile is how answers were found and compared, as far as the rows show
	// it: reasons are given by it.
	Profile string `json:"profile,omitempty"`
}

// Task is the figures on the problems of one source.
type Task struct {
	Name string `json:"name"`
	Figures
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
	profile  answer.Profile
	verdicts []verdict // of rows
}

// answered is one problem's samples.
type answered struct {
	source, text string
	task         string    // source, or a name for there being none
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
			p = &answered{source: row.Source, text: row.Problem, task: taskOf(row.Source)}
			a.problems[row.ProblemID] = p
			a.order = append(a.order, row.ProblemID)
		}
		if row.Correct == nil {
			continue
		}
		p.right = append(p.right, indicator(*row.Correct))
		if p.first == nil {
			p.first = row
		}
	}
	return a
}

// judge finds why each row has its verdict, and what it votes for. Without a profile it is the one that
// the rows show.
func (a *answers) judge(p *answer.Profile) {
	a.profile = profileOf(a.rows)
	if p != nil {
		a.profile = *p
	}
	a.verdicts = judge(a.rows, a.profile)
	for i, row := range a.rows {
		if row.Correct != nil {
			p := a.problems[row.ProblemID]
			p.votes = append(p.votes, stats.Vote{Answer: a.verdicts[i].answer, Right: *row.Correct})
		}
	}
}

// taskOf is what the problems of a source are called.
func taskOf(source string) string {
	if source == "" {
		return "unnamed"
	}
	return source
}

// model computes the figures.
func (a *answers) model(tasks []string, draws stats.Options, level func(source, text string) (string, bool)) Model {
	m := Model{Name: a.name, Figures: a.figures("", draws), Repeated: a.repeated, Profile: a.profile.Name}
	levels := map[string][][]float64{}
	for _, id := range a.order {
		p := a.problems[id]
		if l, ok := level(p.source, p.text); ok && len(p.right) > 0 {
			levels[l] = append(levels[l], p.right)
		}
	}
	m.Levels = parts(levels, draws)
	for _, task := range tasks {
		if a.has(task) {
			m.Tasks = append(m.Tasks, Task{task, a.figures(task, draws)})
		}
	}
	if len(m.Tasks) > 1 {
		for _, t := range m.Tasks {
			m.Sources = append(m.Sources, Part{Name: t.Name, Accuracy: t.Accuracy, Problems: t.Problems, Samples: t.Samples})
		}
		if means := a.means(m.Tasks); means != nil {
			e := estimateOf(stats.Macro(means, draws))
			m.Macro = &e
		}
	}
	a.rewarded(&m)
	return m
}

// means are the problem means of each task; nil when a task has none.
func (a *answers) means(tasks []Task) stats.Tasks {
	out := make(stats.Tasks, len(tasks))
	for i, t := range tasks {
		for _, id := range a.order {
			if p := a.problems[id]; p.task == t.Name && len(p.right) > 0 {
				out[i] = append(out[i], stats.Mean(p.right))
			}
		}
		if len(out[i]) == 0 {
			return nil
		}
	}
	return out
}

func (a *answers) has(task string) bool {
	for _, p := range a.problems {
		if p.task == task {
			return true
		}
	}
	return false
}

// rewarded fills what rows say of rewards and of the policy: plain means over all rows that have a completion.
func (a *answers) rewarded(m *Model) {
	var reward []float64
	rewards := make(map[string][]float64)
	versions := make(map[int64]bool)
	for _, row := range a.rows {
		versions[row.PolicyVersion] = true
		if row.Reward != nil {
			reward = append(reward, float64(*row.Reward))
		}
		if row.FinishReason == schemas.FinishError {
			continue
		}
		for name, v := range row.Rewards {
			rewards[name] = append(rewards[name], float64(v))
		}
	}
	m.Reward, m.Format = Number(stats.Mean(reward)), Number(stats.Mean(rewards["format"]))
	m.Rewards = make(map[string]Number)
	for name, v := range rewards {
		m.Rewards[name] = Number(stats.Mean(v))
	}
	if m.Versions = len(versions); m.Versions == 1 {
		for v := range versions {
			m.PolicyVersion = &v
		}
	}
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
	return Part{Name: name, Problems: e.Problems, Samples: e.Samples, Accuracy: estimateOf(e)}
}

func estimateOf(e stats.Estimate) Estimate {
	return Estimate{Mean: Number(e.Mean), SE: Number(e.SE), CI95: [2]Number{Number(e.Interval.Lo), Number(e.Interval.Hi)}}
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
