package study

import (
	"bytes"
	"embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"openrs/stages/suggest"
)

// ErrScores is returned for a table that can't be read as scores.
var ErrScores = errors.New("malformed scores")

// Score is one row of a table of scores.
type Score struct {
	Model     string
	Step      int     // of training; -1 for a model that is no checkpoint
	Benchmark string  // any name
	Score     float64 // share of right answers, 0 to 1
	Problems  int     // of the benchmark
	Samples   int     // answers to each problem that Score is the mean of
	SD        float64 // deviation of the score between runs of one sample a problem each; NaN where it is not known
}

// columns of a table; those without a default must be there. score and sd are
// in percent.
var columns = []struct{ name, missing string }{
	{"model", ""}, {"benchmark", ""}, {"score", ""}, {"problems", ""},
	{"step", "-1"}, {"samples", "1"}, {"sd", "NaN"},
}

// mostAnswers bounds the answers that a score is the mean of, and with it the
// work that a line of a table can cause.
const mostAnswers = 10_000_000

// Read reads comma-separated scores. The first line that is not a comment (#)
// names the columns: model, benchmark, score and problems, and where they are
// known step, samples and sd. Errors name the line and the column.
func Read(name string, in io.Reader) ([]Score, error) {
	r := csv.NewReader(in)
	r.Comment = '#'
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: empty: %w", name, ErrScores)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, ErrScores, err)
	}
	place, err := placeOf(header)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var out []Score
	seen := map[string]int{}
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", name, ErrScores, err)
		}
		line, _ := r.FieldPos(0)
		s, err := parse(fields, place)
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", name, line, err)
		}
		key := fmt.Sprintf("%s\x00%d\x00%s", s.Model, s.Step, s.Benchmark)
		if first := seen[key]; first > 0 {
			return nil, fmt.Errorf("%s: line %d: model %s has a score on %s at this step already, in line %d: %w", name, line, s.Model, s.Benchmark, first, ErrScores)
		}
		seen[key] = line
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no rows: %w", name, ErrScores)
	}
	return out, nil
}

// placeOf finds each column in the header.
func placeOf(header []string) (map[string]int, error) {
	var known []string
	for _, c := range columns {
		known = append(known, c.name)
	}
	place := map[string]int{}
	for i, h := range header {
		h = strings.TrimSpace(strings.TrimPrefix(h, "\ufeff"))
		if !slices.Contains(known, h) {
			return nil, fmt.Errorf("column %q%s: want %s: %w", h, suggest.From(h, known), strings.Join(known, ", "), ErrScores)
		}
		if _, twice := place[h]; twice {
			return nil, fmt.Errorf("column %q twice: %w", h, ErrScores)
		}
		place[h] = i
	}
	for _, c := range columns {
		if _, ok := place[c.name]; !ok && c.missing == "" {
			return nil, fmt.Errorf("no column %q: it has %s: %w", c.name, strings.Join(header, ", "), ErrScores)
		}
	}
	return place, nil
}

// parse reads a row.
func parse(fields []string, place map[string]int) (Score, error) {
	var first error
	text := func(column string) string {
		for _, c := range columns {
			if c.name != column {
				continue
			}
			if i, ok := place[column]; ok {
				if s := strings.TrimSpace(fields[i]); s != "" {
					return s
				}
			}
			if c.missing != "" {
				return c.missing
			}
		}
		if first == nil {
			first = fmt.Errorf("column %q: empty: %w", column, ErrScores)
		}
		return ""
	}
	fault := func(column, found, want string) {
		if first == nil {
			first = fmt.Errorf("column %q: %q, want %s: %w", column, found, want, ErrScores)
		}
	}
	whole := func(column string, least int) int {
		s := text(column)
		n, err := strconv.Atoi(s)
		if err != nil || n < least {
			fault(column, s, fmt.Sprintf("a whole number of at least %d", max(least, 0)))
		}
		return n
	}
	percent := func(column string) float64 {
		s := text(column)
		x, err := strconv.ParseFloat(s, 64)
		if err != nil || x < 0 || x > 100 || math.IsNaN(x) && s != "NaN" {
			fault(column, s, "a number from 0 to 100 (percent)")
		}
		return x / 100
	}
	s := Score{
		Model: text("model"), Benchmark: text("benchmark"), Step: whole("step", -1),
		Score: percent("score"), Problems: whole("problems", 1), Samples: whole("samples", 1), SD: percent("sd"),
	}
	if s.Samples > 0 && s.Problems > mostAnswers/s.Samples {
		fault("problems", strconv.Itoa(s.Problems), fmt.Sprintf("at most %d answers in all", mostAnswers))
	}
	if math.IsNaN(s.Score) {
		fault("score", "NaN", "a number from 0 to 100 (percent)")
	}
	return s, first
}

//go:embed data
var data embed.FS

// Examples are the names of the embedded tables.
func Examples() []string { return []string{"open-rs", "sober"} }

// Example returns the text of an embedded table, which is also an example of the
// format.
func Example(name string) ([]byte, error) {
	if !slices.Contains(Examples(), name) {
		return nil, fmt.Errorf("no example %q%s: want one of %s", name, suggest.From(name, Examples()), strings.Join(Examples(), ", "))
	}
	return data.ReadFile("data/" + name + ".csv")
}

// ReadExample reads an embedded table.
func ReadExample(name string) ([]Score, error) {
	text, err := Example(name)
	if err != nil {
		return nil, err
	}
	return Read(name, bytes.NewReader(text))
}
