package job

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strconv"

	"openrs/schemas"
	"openrs/stages"
)

// ErrPlan says that what was asked for can't be planned.
var ErrPlan = errors.New("evaluation")

// Sampling is how the completions of a task are sampled. What a "seed" is elsewhere is one more sample
// here: a completion's random numbers are keyed by (seed, problem, sample), so the samples of one seed
// are as independent of each other as one sample of each of several seeds. One seed for all is what lets
// more samples be added to an evaluation later.
type Sampling struct {
	Temperature float64 // 0 is greedy
	TopP        float64 // 0 or 1: off
	MaxTokens   int     // longest completion
	Seed        int64
}

// Task is a benchmark as it is to be answered.
type Task struct {
	Name     string
	Problems []schemas.Problem // each once
	Samples  int               // of each problem
	Sampling Sampling
	System   string // system message; "" for none
}

// Key names a sample.
type Key struct {
	ProblemID string
	Sample    int32
}

// Piece is samples of one problem that are made together: finished, or not.
type Piece struct {
	problem      int // of the plan
	First, Count int // sample numbers
}

// pieceTokens is how much sampling a piece may be, in tokens of its longest completions, unless it is
// one sample: what a kill throws away is of this order. Long completions are pieces of their own.
const pieceTokens = 2048

// rowBytes bounds what a sample takes in a message with this many tokens, where text has at most 24 bytes
// a token; the most frequent tokens of current vocabularies have 3 to 5.
func rowBytes(p schemas.Problem, tokens int) int64 {
	return 32*int64(tokens) + 8*int64(len(p.Problem)) + int64(len(p.Answer)) + 1024
}

// Plan is the samples of an evaluation in their order: by task, problem and number.
type Plan struct {
	tasks    []Task
	problems []planned
	places   map[string]int // problem id → index of problems
	pieces   []Piece
	samples  int
}

type planned struct {
	schemas.Problem
	task int
}

// NewPlan plans the samples of tasks. A message with a piece's samples stays below limit bytes
// (0: no limit).
func NewPlan(tasks []Task, limit int64) (*Plan, error) {
	p := &Plan{tasks: tasks, places: map[string]int{}}
	names := map[string]bool{}
	for t, task := range tasks {
		s := task.Sampling
		switch {
		case task.Name == "" || names[task.Name]:
			return nil, fmt.Errorf("%w: task %q: expected each task to have a name of its own", ErrPlan, task.Name)
		case len(task.Problems) == 0:
			return nil, fmt.Errorf("%w: task %s has no problems", ErrPlan, task.Name)
		case task.Samples < 1:
			return nil, fmt.Errorf("%w: task %s: %d samples of a problem, expected at least 1", ErrPlan, task.Name, task.Samples)
		case s.MaxTokens < 1 || !(s.Temperature >= 0) || !(s.TopP >= 0 && s.TopP <= 1):
			return nil, fmt.Errorf("%w: task %s: temperature %g, top-p %g, %d tokens: expected at least 0, 0 to 1, at least 1", ErrPlan, task.Name, s.Temperature, s.TopP, s.MaxTokens)
		}
		names[task.Name] = true
		for _, q := range task.Problems {
			if at, twice := p.places[q.ProblemID]; twice {
				if p.problems[at].task != t {
					return nil, fmt.Errorf("%w: problem %s is in tasks %s and %s", ErrPlan, q.ProblemID, tasks[p.problems[at].task].Name, task.Name)
				}
				continue // a benchmark that has a problem twice: its answers would be the same
			}
			count, err := pieceSamples(q, task, limit)
			if err != nil {
				return nil, err
			}
			p.places[q.ProblemID] = len(p.problems)
			for first := 0; first < task.Samples; first += count {
				p.pieces = append(p.pieces, Piece{problem: len(p.problems), First: first, Count: min(count, task.Samples-first)})
			}
			p.problems = append(p.problems, planned{Problem: q, task: t})
			p.samples += task.Samples
		}
	}
	if p.samples == 0 {
		return nil, fmt.Errorf("%w: no tasks", ErrPlan)
	}
	return p, nil
}

// pieceSamples is how many samples of a problem go into one piece.
func pieceSamples(q schemas.Problem, t Task, limit int64) (int, error) {
	count := max(1, pieceTokens/t.Sampling.MaxTokens)
	if limit > 0 {
		one := rowBytes(q, t.Sampling.MaxTokens)
		if one > limit {
			return 0, fmt.Errorf("%w: task %s: a completion of %d tokens may take %d bytes, the server accepts messages of %d: raise its max_payload", ErrPlan, t.Name, t.Sampling.MaxTokens, one, limit)
		}
		count = min(count, int(limit/one))
	}
	return min(count, t.Samples), nil
}

// Tasks are the plan's tasks in order.
func (p *Plan) Tasks() []Task { return p.tasks }

// Samples is how many samples there are in all.
func (p *Plan) Samples() int { return p.samples }

// Pieces are the pieces in order.
func (p *Plan) Pieces() []Piece { return p.pieces }

// Keys are the samples of a piece.
func (p *Plan) Keys(piece Piece) []Key {
	keys := make([]Key, piece.Count)
	for i := range keys {
		keys[i] = Key{p.problems[piece.problem].ProblemID, int32(piece.First + i)}
	}
	return keys
}

// Missing cuts the plan down to what has is false for. Of a piece that is there in part, what is
// missing is asked for in as few pieces as possible.
func (p *Plan) Missing(has func(Key) bool) []Piece {
	var missing []Piece
	for _, piece := range p.pieces {
		open := false
		for i, k := range p.Keys(piece) {
			switch {
			case has(k):
				open = false
			case open:
				missing[len(missing)-1].Count++
			default:
				missing = append(missing, Piece{problem: piece.problem, First: piece.First + i, Count: 1})
				open = true
			}
		}
	}
	return missing
}

// Row is the row of a problems table that asks a sampler for a piece; it says how to sample, so that all
// samplers do it alike.
func (p *Plan) Row(piece Piece) schemas.Problem {
	q := p.problems[piece.problem]
	row := stages.NumberSample(q.Problem, piece.First)
	row.Metadata[stages.MetaSamples] = strconv.Itoa(piece.Count)
	maps.Copy(row.Metadata, p.tasks[q.task].asks())
	return row
}

// asks is what a task's rows say about how they are to be sampled.
func (t Task) asks() map[string]string {
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	return map[string]string{
		stages.MetaTemperature:  number(t.Sampling.Temperature),
		stages.MetaTopP:         number(t.Sampling.TopP),
		stages.MetaTopK:         "0",
		stages.MetaMinP:         "0",
		stages.MetaMaxNewTokens: strconv.Itoa(t.Sampling.MaxTokens),
		stages.MetaSeed:         strconv.FormatInt(t.Sampling.Seed, 10),
		stages.MetaSystem:       t.System,
	}
}

// digest of a task's problems: what is asked, and what the answers are compared with.
func (t Task) digest() string {
	h := sha256.New()
	for _, q := range t.Problems {
		fmt.Fprintf(h, "%s %d %s %d %s\n", q.ProblemID, len(q.Problem), q.Problem, len(q.Answer), q.Answer)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
