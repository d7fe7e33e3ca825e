package card

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"maps"
	"math"
	"slices"
	"unicode/utf8"

	"openrs/curate/refine"
	"openrs/curate/rows"
	"openrs/curate/step"
)

// Card is what there is to say about a set of problems.
type Card struct {
	Title       string        `json:"title"`
	Recipe      string        `json:"recipe,omitempty"` // the sources and steps, as written
	Seed        uint64        `json:"seed"`
	Report      refine.Report `json:"report"`
	Fingerprint string        `json:"fingerprint"` // SHA-256 of ids and answers in their order
	Lengths     []Lengths     `json:"lengths"`
	Difficulty  Difficulty    `json:"difficulty"`
	Answers     []Answers     `json:"answers"` // most frequent first
	Levels      []Levels      `json:"levels,omitempty"`
}

// Lengths summarises the lengths of one text of all problems that have it.
type Lengths struct {
	Of     string  `json:"of"`   // "problem"
	Unit   string  `json:"unit"` // "characters", or "tokens"
	Rows   int     `json:"rows"`
	Min    int     `json:"min"`
	P25    int     `json:"p25"`
	Median int     `json:"median"`
	Mean   float64 `json:"mean"`
	P75    int     `json:"p75"`
	P95    int     `json:"p95"`
	Max    int     `json:"max"`
	Bins   []Bin   `json:"bins"`
}

// Bin is one bar of a histogram: how many values are from From to below To.
type Bin struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
	Rows int     `json:"rows"`
}

// Difficulty summarises pass rates.
type Difficulty struct {
	Measured    int     `json:"measured"`
	NotMeasured int     `json:"not_measured"`
	Mean        float64 `json:"mean"`
	Bins        []Bin   `json:"bins"` // tenths; the last with 1
}

// Answers is one kind of answers (expr.Kind).
type Answers struct {
	Kind     string   `json:"kind"`
	Rows     int      `json:"rows"`
	Examples []string `json:"examples"`
}

// Levels counts the values of one key of the metadata that has few values.
type Levels struct {
	Key    string         `json:"key"`
	Counts []refine.Count `json:"counts"`
}

// Options of [Collect].
type Options struct {
	Title  string
	Recipe string
	Seed   uint64
	// Tokens counts the tokens of a text, from several goroutines; nil where there is no tokenizer.
	Tokens    func(string) int
	Tokenizer string // its name
	Threads   int
}

// look is what is computed of one row by itself.
type look struct {
	problem, solution             int // characters; −1: there is none
	problemTokens, solutionTokens int
	kind                          string
}

// Collect looks at all rows of a result, in the first epoch. Memory: 16 bytes a row.
func Collect(ctx context.Context, result *refine.Result, opt Options) (*Card, error) {
	c := &Card{Title: opt.Title, Recipe: opt.Recipe, Seed: opt.Seed, Report: result.Report}
	s := newStats()
	err := refine.Each(ctx, result, opt.Threads, func(r *rows.Row) look { return opt.look(r) }, s.add)
	if err != nil {
		return nil, err
	}
	c.Fingerprint = fmt.Sprintf("%x", s.sum.Sum(nil))
	for _, l := range []struct {
		of, unit string
		values   []int32
	}{
		{"problem", "characters", s.problem}, {"problem", "tokens of " + opt.Tokenizer, s.problemTokens},
		{"solution", "characters", s.solution}, {"solution", "tokens of " + opt.Tokenizer, s.solutionTokens},
	} {
		if len(l.values) > 0 {
			c.Lengths = append(c.Lengths, lengths(l.of, l.unit, l.values))
		}
	}
	c.Difficulty = s.difficulty
	if n := c.Difficulty.Measured; n > 0 {
		c.Difficulty.Mean = s.rates / float64(n)
	}
	for _, kind := range slices.Sorted(maps.Keys(s.answers)) {
		c.Answers = append(c.Answers, *s.answers[kind])
	}
	slices.SortStableFunc(c.Answers, func(a, b Answers) int { return cmp.Compare(b.Rows, a.Rows) })
	c.Levels = s.levels()
	return c, nil
}

func (o Options) look(r *rows.Row) look {
	l := look{problem: utf8.RuneCountInString(r.Problem.Problem), solution: -1, problemTokens: -1, solutionTokens: -1, kind: step.AnswerKind(r.Answer)}
	if r.Solution != nil {
		l.solution = utf8.RuneCountInString(*r.Solution)
	}
	if o.Tokens != nil {
		l.problemTokens = o.Tokens(r.Problem.Problem)
		if r.Solution != nil {
			l.solutionTokens = o.Tokens(*r.Solution)
		}
	}
	return l
}

// Bounds of what is kept of metadata: keys with more values than this are no levels.
const (
	maxLevels = 24
	maxKeys   = 64
)

// stats is the adding side of a card.
type stats struct {
	sum                           hash.Hash
	problem, solution             []int32
	problemTokens, solutionTokens []int32
	difficulty                    Difficulty
	rates                         float64
	answers                       map[string]*Answers
	values                        map[string]map[string]int // of metadata; nil: too many
}

func newStats() *stats {
	s := &stats{sum: sha256.New(), answers: map[string]*Answers{}, values: map[string]map[string]int{"row": nil, "id": nil, "pass-rate samples": nil}}
	for i := range 10 {
		s.difficulty.Bins = append(s.difficulty.Bins, Bin{From: float64(i) / 10, To: float64(i+1) / 10})
	}
	return s
}

// add adds one row.
func (s *stats) add(r *rows.Row, l look) error {
	for _, text := range []string{r.ProblemID, r.Answer} {
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(len(text)))
		s.sum.Write(n[:])
		s.sum.Write([]byte(text))
	}
	for _, v := range []struct {
		to *[]int32
		n  int
	}{{&s.problem, l.problem}, {&s.solution, l.solution}, {&s.problemTokens, l.problemTokens}, {&s.solutionTokens, l.solutionTokens}} {
		if v.n >= 0 {
			*v.to = append(*v.to, int32(min(v.n, math.MaxInt32)))
		}
	}
	if d := r.Difficulty; d == nil {
		s.difficulty.NotMeasured++
	} else {
		s.difficulty.Measured++
		s.rates += float64(*d)
		s.difficulty.Bins[min(max(int(float64(*d)*10+1e-6), 0), 9)].Rows++
	}
	a := s.answers[l.kind]
	if a == nil {
		a = &Answers{Kind: l.kind}
		s.answers[l.kind] = a
	}
	a.Rows++
	if len(a.Examples) < 3 && len(r.Answer) <= 60 && !slices.Contains(a.Examples, r.Answer) {
		a.Examples = append(a.Examples, r.Answer)
	}
	for _, k := range slices.Sorted(maps.Keys(r.Metadata)) { // in order: there is no room for all of very many
		v := r.Metadata[k]
		counts, known := s.values[k]
		switch {
		case !known && len(s.values) < maxKeys:
			s.values[k] = map[string]int{v: 1}
		case counts == nil:
		default:
			if counts[v]++; len(counts) > maxLevels {
				s.values[k] = nil
			}
		}
	}
	return nil
}

// levels are the keys of metadata with few values.
func (s *stats) levels() []Levels {
	var all []Levels
	for _, key := range slices.Sorted(maps.Keys(s.values)) {
		if s.values[key] == nil {
			continue
		}
		l := Levels{Key: key}
		for _, v := range slices.Sorted(maps.Keys(s.values[key])) {
			l.Counts = append(l.Counts, refine.Count{Reason: v, Rows: s.values[key][v]})
		}
		all = append(all, l)
	}
	return all
}

// lengths summarises values, which it sorts. Bins double in width, as lengths do.
func lengths(of, unit string, values []int32) Lengths {
	slices.Sort(values)
	at := func(q float64) int { return int(values[int(q*float64(len(values)-1)+0.5)]) }
	l := Lengths{Of: of, Unit: unit, Rows: len(values), Min: at(0), P25: at(0.25), Median: at(0.5), P75: at(0.75), P95: at(0.95), Max: at(1)}
	sum := 0.0
	for _, v := range values {
		sum += float64(v)
		k := 0
		for lo := 16; int(v) >= lo && lo > 0; lo *= 2 {
			k++
		}
		for len(l.Bins) <= k {
			from, to := 0.0, 16.0
			if n := len(l.Bins); n > 0 {
				from = l.Bins[n-1].To
				to = 2 * from
			}
			l.Bins = append(l.Bins, Bin{From: from, To: to})
		}
		l.Bins[k].Rows++
	}
	for len(l.Bins) > 1 && l.Bins[0].Rows == 0 {
		l.Bins = l.Bins[1:]
	}
	l.Mean = sum / float64(len(values))
	return l
}
