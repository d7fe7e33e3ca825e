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
			p.B, p.A, points(p.Difference.Mean), signed(p.Difference.CI95), pValue(p.P, p.PExact, r.options.Resamples), p.Problems)
		if c := p.Macro; c != nil {
			fmt.Fprintf(&b, "  mean over %d tasks: %s points, 95 %% interval %s, %s\n",
				len(p.Tasks), points(c.Difference.Mean), signed(c.Difference.CI95), pValue(c.P, c.PExact, r.options.Resamples))
		}
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
	if len(r.tasks) > 1 && len(r.Paired) > 0 {
		b.WriteString("\n" + align(r.pairTable()))
	}
	if t := r.failureTable(); t != nil {
		t[0][0] = "no answer because"
		b.WriteString("\n" + align(t))
	}
	if note := r.selectionNote(); note != "" {
		b.WriteString("\n" + note + "\n")
	}
	for _, note := range r.allNotes() {
		fmt.Fprintf(&b, "\n%s\n", note)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// columns of the headline table. A column is left out when no model has a
// figure for it.
type headColumn struct {
	title string
	cell  func(Model) string
}

func (r *Report) headColumns() []headColumn {
	var cols []headColumn
	if len(r.tasks) > 1 {
		cols = append(cols, headColumn{"mean over tasks", func(m Model) string {
			if m.Macro == nil {
				return missing
			}
			return estimateText(*m.Macro)
		}})
	}
	cols = append(cols, []headColumn{
		{"accuracy", func(m Model) string { return percent(m.Accuracy.Mean) }},
		{"95 % interval", func(m Model) string { return span(m.Accuracy.CI95) }},
		{"std. error", func(m Model) string {
			if !m.Accuracy.SE.finite() {
				return missing
			}
			return tenths(m.Accuracy.SE)
		}},
	}...)
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

// majorityK is the largest k for which any model has a maj@k; "" without.
func (r *Report) majorityK() string {
	most := 0
	for _, m := range r.Models {
		for key := range m.MajAtK {
			if n, err := strconv.Atoi(key); err == nil {
				most = max(most, n)
			}
		}
	}
	if most == 0 {
		return ""
	}
	return strconv.Itoa(most)
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
