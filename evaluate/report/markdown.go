package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// WriteMarkdown writes the figures as Markdown tables: to be pasted into an issue or a model card.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	title := r.Title
	if title == "" {
		title = "Evaluation report"
	}
	fmt.Fprintf(&b, "# %s\n\n%s\n\n", cell(title), cell(r.lead()))
	b.WriteString(markdownTable(r.headline()))
	if tasks := r.taskTable(); tasks != nil {
		b.WriteString("\n## Tasks\n\nAccuracy (avg@k) with its 95 % interval.\n\n" + markdownTable(tasks))
	}
	if pairs := r.pairTable(); pairs != nil {
		fmt.Fprintf(&b, "\n## Differences from %s\n\nIn percentage points, paired by problem.\n\n", cell(r.Models[0].Name))
		b.WriteString(markdownTable(pairs))
	}
	if t := r.outcomeTable(); len(t) > 1 {
		b.WriteString("\n## What became of the samples\n\n" + markdownTable(t))
	}
	if t := r.failureTable(); t != nil {
		b.WriteString("\n## Samples without a readable answer\n\n" + markdownTable(t))
	}
	if t := r.selectionTable(); t != nil {
		b.WriteString("\n## The best of several\n\n" + cell(r.selectionNote()) + "\n\n" + markdownTable(t))
	}
	for _, n := range r.allNotes() {
		b.WriteString("\n> " + cell(n) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// markdownTable writes a table: the first column to the left, the others to the right.
func markdownTable(table [][]string) string {
	var b strings.Builder
	for i, row := range table {
		b.WriteByte('|')
		for _, c := range row {
			b.WriteString(" " + cell(c) + " |")
		}
		b.WriteByte('\n')
		if i == 0 {
			b.WriteString("|---|" + strings.Repeat("---:|", len(row)-1) + "\n")
		}
	}
	return b.String()
}

// cell makes a text safe for one line of Markdown: names come from files and may be anything.
func cell(s string) string {
	s = strings.Join(strings.Fields(valid(s)), " ")
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "< ", "< ", "<", "&lt;", "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`).Replace(s)
}

// taskTable has a row for each model and a column for each task; nil with fewer than two tasks.
func (r *Report) taskTable() [][]string {
	if len(r.tasks) < 2 {
		return nil
	}
	table := [][]string{append([]string{"model"}, append(r.tasks[:len(r.tasks):len(r.tasks)], "mean over tasks")...)}
	for _, m := range r.Models {
		row := []string{m.Name}
		for _, name := range r.tasks {
			row = append(row, accuracyText(m.task(name)))
		}
		macro := missing
		if m.Macro != nil {
			macro = estimateText(*m.Macro)
		}
		table = append(table, append(row, macro))
	}
	return table
}

// task finds the figures of a task; nil when the model has none.
func (m Model) task(name string) *Figures {
	for i := range m.Tasks {
		if m.Tasks[i].Name == name {
			return &m.Tasks[i].Figures
		}
	}
	return nil
}

func accuracyText(f *Figures) string {
	if f == nil {
		return missing
	}
	return estimateText(f.Accuracy)
}

func estimateText(e Estimate) string {
	if !e.Mean.finite() {
		return missing
	}
	return percent(e.Mean) + " (" + span(e.CI95) + ")"
}

// pairTable has a row for each model and task that is compared with the first model; nil without.
func (r *Report) pairTable() [][]string {
	table := [][]string{{"model", "task", "difference", "95 % interval", "p", "p (Holm)", "detectable", "problems"}}
	for _, p := range r.Paired {
		add := func(task string, c Comparison) {
			table = append(table, []string{p.B, task, points(c.Difference.Mean), signed(c.Difference.CI95),
				bareP(pValue(c.P, c.PExact, r.options.Resamples)), bareP(pValue(c.PHolm, true, 0)),
				size(c.MDE), strconv.Itoa(c.Problems)})
		}
		if len(p.Tasks) > 1 {
			for _, t := range p.Tasks {
				add(t.Task, t.Comparison)
			}
		}
		if p.Macro != nil {
			add("mean over tasks", *p.Macro)
		}
		add("all problems", p.Comparison)
	}
	if len(table) == 1 {
		return nil
	}
	return table
}

// size writes a difference that has no sign, in percentage points.
func size(n Number) string {
	if !n.finite() {
		return missing
	}
	return tenths(n)
}

// outcomeTable counts what became of each model's samples.
func (r *Report) outcomeTable() [][]string {
	head := []string{"outcome"}
	for _, m := range r.Models {
		head = append(head, m.Name)
	}
	table := [][]string{head}
	for o := range outcomes {
		row, any := []string{o.spec().Label}, false
		for _, m := range r.Models {
			c := missing
			for _, count := range m.Outcomes {
				if count.Name == o.spec().Key {
					c, any = fmt.Sprintf("%d (%s)", count.Samples, percent(count.Share)), true
				}
			}
			row = append(row, c)
		}
		if any {
			table = append(table, row)
		}
	}
	return table
}

// failureTable counts the reasons of samples without a readable answer; nil when there are none.
func (r *Report) failureTable() [][]string {
	head := []string{"reason"}
	at := make(map[string]int)
	table := [][]string{head}
	for i, m := range r.Models {
		table[0] = append(table[0], m.Name)
		for _, f := range m.Failures {
			k, seen := at[f.Name]
			if !seen {
				k = len(table)
				at[f.Name] = k
				row := []string{f.Name}
				for range r.Models {
					row = append(row, missing)
				}
				table = append(table, row)
			}
			table[k][1+i] = fmt.Sprintf("%d (%s)", f.Samples, percent(f.Share))
		}
	}
	if len(table) == 1 {
		return nil
	}
	return table
}

// figureTable has all figures of each model on each task.
func (r *Report) figureTable() [][]string {
	var ks []string
	for k := 2; k <= r.largestK(); k *= 2 {
		ks = append(ks, "pass@"+strconv.Itoa(k))
	}
	if k := r.majorityK(); k != "" {
		ks = append(ks, "maj@"+k)
	}
	head := append([]string{"model", "task", "avg@k", "95 % interval", "std. error"}, ks...)
	table := [][]string{append(head, "problems", "samples", "tokens", "truncated", "no answer")}
	for _, m := range r.Models {
		for _, t := range m.Tasks {
			row := []string{m.Name, t.Name, percent(t.Accuracy.Mean), span(t.Accuracy.CI95), size(t.Accuracy.SE)}
			for _, k := range ks {
				if e, ok := t.Estimates[k]; ok {
					row = append(row, percent(e.Mean))
				} else {
					row = append(row, missing)
				}
			}
			without := Number(0)
			for _, c := range t.Outcomes {
				for o := range outcomes {
					if o.lacksAnswer() && c.Name == o.spec().Key {
						without += c.Share
					}
				}
			}
			table = append(table, append(row, strconv.Itoa(t.Problems), strconv.Itoa(t.Samples), compact(t.Lengths.Mean), percent(t.Truncated), percent(without)))
		}
	}
	if len(table) == 1 {
		return nil
	}
	return table
}
