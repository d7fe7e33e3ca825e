package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// WriteText writes the report as tables for a terminal.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	b.WriteString(align(r.headline()))
	for _, p := range r.Paired {
		fmt.Fprintf(&b, "\n%s − %s: %s points, 95 %% interval %s, %s, %d problems\n",
			p.B, p.A, points(p.Difference.Mean), signed(p.Difference.CI95), pValue(p.P, p.PExact, r.resamples), p.Problems)
		if p.OnlyA+p.OnlyB > 0 {
			fmt.Fprintf(&b, "  not compared: %d problems of %s and %d of %s that the other lacks\n", p.OnlyA, p.A, p.OnlyB, p.B)
		}
	}
	if t := r.partsTable("level", func(m Model) []Part { return m.Levels }); t != nil {
		b.WriteString("\n" + align(t))
	}
	if t := r.partsTable("source", func(m Model) []Part { return m.Sources }); t != nil {
		b.WriteString("\n" + align(t))
	}
	for _, m := range r.Models {
		for _, note := range m.notes() {
			fmt.Fprintf(&b, "\n%s: %s\n", m.Name, note)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// notes say what a reader must know about the rows behind the figures.
func (m Model) notes() []string {
	var notes []string
	if m.Unjudged > 0 {
		notes = append(notes, fmt.Sprintf("%d rows were not judged and are in no figure of right and wrong (%d of them have no completion)", m.Unjudged, m.Failed))
	}
	if m.Repeated > 0 {
		notes = append(notes, fmt.Sprintf("%d rows came twice and were counted once", m.Repeated))
	}
	if m.SamplesPerProblem[0] != m.SamplesPerProblem[1] {
		notes = append(notes, fmt.Sprintf("problems have %d to %d samples; each problem counts once", m.SamplesPerProblem[0], m.SamplesPerProblem[1]))
	}
	return notes
}

// columns of the headline table. A column is left out when no model has a
// figure for it.
type headColumn struct {
	title string
	cell  func(Model) string
}

func (r *Report) headColumns() []headColumn {
	cols := []headColumn{
		{"accuracy", func(m Model) string { return percent(m.Accuracy.Mean) }},
		{"95 % interval", func(m Model) string { return span(m.Accuracy.CI95) }},
		{"std. error", func(m Model) string {
			if !m.Accuracy.SE.finite() {
				return missing
			}
			return strconv.FormatFloat(100*float64(m.Accuracy.SE), 'f', 1, 64)
		}},
	}
	if k := r.largestK(); k > 1 {
		key := strconv.Itoa(k)
		cols = append(cols, headColumn{"pass@" + key, func(m Model) string {
			if v, ok := m.PassAtK[key]; ok {
				return percent(v)
			}
			return missing
		}})
	}
	if k := r.majorityK(); k != "" {
		cols = append(cols, headColumn{"maj@" + k, func(m Model) string {
			if v, ok := m.MajAtK[k]; ok {
				return percent(v)
			}
			return missing
		}})
	}
	for _, c := range []headColumn{
		{"problems", func(m Model) string { return strconv.Itoa(m.Problems) }},
		{"samples", func(m Model) string { return strconv.Itoa(m.Samples) }},
		{"tokens", func(m Model) string {
			if !m.Lengths.Mean.finite() {
				return missing
			}
			return fmt.Sprintf("%s (%d–%d)", compact(m.Lengths.Mean), m.Lengths.Min, m.Lengths.Max)
		}},
		{"truncated", func(m Model) string { return percent(m.Truncated) }},
		{"no reasoning", func(m Model) string { return percent(m.WithoutReasoning) }},
		{"format", func(m Model) string { return compact(m.Format) }},
		{"reward", func(m Model) string { return compact(m.Reward) }},
	} {
		for _, m := range r.Models {
			if c.cell(m) != missing {
				cols = append(cols, c)
				break
			}
		}
	}
	return cols
}

// largestK is the largest k for which any model has a pass@k.
func (r *Report) largestK() int {
	k := 0
	for _, m := range r.Models {
		for key := range m.PassAtK {
			if n, err := strconv.Atoi(key); err == nil {
				k = max(k, n)
			}
		}
	}
	return k
}

// majorityK is the k of the first model that has a maj@k.
func (r *Report) majorityK() string {
	for _, m := range r.Models {
		for k := range m.MajAtK {
			return k
		}
	}
	return ""
}

func (r *Report) headline() [][]string {
	cols := r.headColumns()
	head := []string{"model"}
	for _, c := range cols {
		head = append(head, c.title)
	}
	table := [][]string{head}
	for _, m := range r.Models {
		row := []string{m.Name}
		for _, c := range cols {
			row = append(row, c.cell(m))
		}
		table = append(table, row)
	}
	return table
}

// partsTable has one row a part and one column a model; nil without parts.
func (r *Report) partsTable(title string, of func(Model) []Part) [][]string {
	head := []string{title, "problems"}
	var names []string
	cells := make(map[string][]string)
	count := make(map[string]int)
	for i, m := range r.Models {
		head = append(head, m.Name+" (95 % interval)")
		for _, p := range of(m) {
			if cells[p.Name] == nil {
				names = append(names, p.Name)
				cells[p.Name] = make([]string, len(r.Models))
			}
			count[p.Name] = max(count[p.Name], p.Problems)
			cells[p.Name][i] = percent(p.Accuracy.Mean) + " (" + span(p.Accuracy.CI95) + ")"
		}
	}
	if len(names) == 0 {
		return nil
	}
	table := [][]string{head}
	for _, name := range names {
		row := []string{name, strconv.Itoa(count[name])}
		for _, c := range cells[name] {
			if c == "" {
				c = missing
			}
			row = append(row, c)
		}
		table = append(table, row)
	}
	return table
}

// align pads the cells of a table: the first column to the right, the others
// to the left.
func align(table [][]string) string {
	width := make([]int, len(table[0]))
	for _, row := range table {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range table {
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString(cell + pad)
			} else {
				b.WriteString("  " + pad + cell)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
