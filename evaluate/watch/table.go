package watch

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"openrs/evaluate/stats"
	"openrs/schemas"
)

// ScoreRows computes the figures of one task from its samples. Samples that could not be judged (an
// unreadable gold answer, a prompt that did not fit) are left out.
func ScoreRows(task string, rows []schemas.Scored) Score {
	var order []string
	right := map[string][]float64{}
	s := Score{Task: task}
	tokens, cut := 0, 0
	for _, r := range rows {
		if r.Source != task || r.Correct == nil || r.FinishReason == schemas.FinishError {
			continue
		}
		if _, seen := right[r.ProblemID]; !seen {
			order = append(order, r.ProblemID)
		}
		value := 0.0
		if *r.Correct {
			value = 1
		}
		right[r.ProblemID] = append(right[r.ProblemID], value)
		s.Samples++
		tokens += len(r.CompletionIDs)
		if r.FinishReason == schemas.FinishLength {
			cut++
		}
	}
	if s.Samples == 0 {
		return s
	}
	groups := make([][]float64, len(order))
	for i, id := range order {
		groups[i] = right[id]
	}
	e := stats.Accuracy(groups, stats.Options{Seed: 1})
	s.Problems = e.Problems
	s.Accuracy, s.Interval = e.Mean, [2]float64{finite(e.Interval.Lo, 0), finite(e.Interval.Hi, 1)}
	s.Tokens, s.Truncated = float64(tokens)/float64(s.Samples), float64(cut)/float64(s.Samples)
	return s
}

// finite is x, or where there is none (the interval of a single problem) the value that says nothing.
func finite(x, otherwise float64) float64 {
	if x != x {
		return otherwise
	}
	return x
}

// WriteTable writes accuracy over steps as a Markdown table, which reads well as text too.
func (l *Ledger) WriteTable(w io.Writer) error {
	var tasks []string
	for _, e := range l.Evaluated {
		for _, s := range e.Scores {
			if !slices.Contains(tasks, s.Task) {
				tasks = append(tasks, s.Task)
			}
		}
	}
	table := [][]string{{"step"}}
	for _, t := range tasks {
		table[0] = append(table[0], t, "95 % interval", "samples", "tokens", "truncated")
	}
	for _, e := range l.Evaluated {
		row := []string{fmt.Sprint(e.Version)}
		for _, t := range tasks {
			cells := []string{"", "", "", "", ""}
			for _, s := range e.Scores {
				if s.Task == t {
					cells = []string{
						percent(s.Accuracy), fmt.Sprintf("%.1f to %.1f", 100*s.Interval[0], 100*s.Interval[1]),
						fmt.Sprint(s.Samples), fmt.Sprintf("%.1f", s.Tokens), percent(s.Truncated),
					}
				}
			}
			row = append(row, cells...)
		}
		table = append(table, row)
	}
	var b strings.Builder
	writeMarkdown(&b, table)
	if len(l.Evaluated) > 1 {
		b.WriteString("\nThe best of several steps looks better than it is: it was chosen on these very problems. The report says by how much.\n")
	}
	if len(l.Skipped) > 0 {
		b.WriteString("\nSkipped:\n")
		for _, s := range l.Skipped {
			fmt.Fprintf(&b, "- step %d: %s\n", s.Version, s.Reason)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func percent(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) }

// writeMarkdown writes a table whose first row is its head, every column as wide as its widest cell and aligned
// to the right.
func writeMarkdown(b *strings.Builder, table [][]string) {
	widths := make([]int, len(table[0]))
	for _, row := range table {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for n, row := range table {
		for i, cell := range row {
			fmt.Fprintf(b, "| %*s ", widths[i], cell)
		}
		b.WriteString("|\n")
		if n == 0 {
			for _, width := range widths {
				fmt.Fprintf(b, "|%s:", strings.Repeat("-", width+1))
			}
			b.WriteString("|\n")
		}
	}
}
