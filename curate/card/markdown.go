package card

import (
	"fmt"
	"io"
	"strings"

	"openrs/curate/refine"
)

// Markdown writes the card as Markdown, with tables as GitHub has them.
func (c *Card) Markdown(w io.Writer) error {
	m := &markdown{}
	m.line("# %s", inline(c.Title))
	m.line("%s problems of %s rows read; %s removed, each for a reason below. Seed %d. Fingerprint of ids and answers in their order: `%s`.",
		count(c.Report.Left), count(c.Report.Read), count(c.Report.Read-c.Report.Left), c.Seed, c.Fingerprint)

	m.line("## Sources")
	m.table([]string{"source", "rows read", "problems left", "share of the set"}, func(row func(...string)) {
		for _, s := range c.Report.Sources {
			row(s.Name, count(s.Read), count(s.Left), share(s.Left, c.Report.Left))
		}
	})
	for _, f := range c.Report.Files {
		m.item("`%s`: %s", f.Path, inline(f.Summary.String()))
	}

	m.line("## Steps")
	m.table([]string{"step", "options", "in", "removed", "out", "why"}, func(row func(...string)) {
		for _, s := range c.Report.Steps {
			row(label(s), options(s), count(s.In), count(s.In-s.Out), count(s.Out), reasons(s))
		}
	})
	for _, s := range c.Report.Steps {
		for _, note := range s.Notes {
			m.item("%s: %s", inline(label(s)), inline(note))
		}
	}

	for _, w := range c.Report.Warnings {
		m.item("**%s**", inline(w))
	}

	m.line("## Lengths")
	m.table([]string{"of", "in", "problems", "least", "25 %", "median", "mean", "75 %", "95 %", "most"}, func(row func(...string)) {
		for _, l := range c.Lengths {
			row(l.Of, l.Unit, count(l.Rows), count(l.Min), count(l.P25), count(l.Median), number(l.Mean), count(l.P75), count(l.P95), count(l.Max))
		}
	})

	m.line("## Difficulty")
	if c.Difficulty.Measured == 0 {
		m.line("Not measured: no step has compared the problems with samples of a model.")
	} else {
		m.line("The share of a reference model's samples that were right: mean %s over %s problems; %s were not measured.",
			number(c.Difficulty.Mean), count(c.Difficulty.Measured), count(c.Difficulty.NotMeasured))
		m.table([]string{"pass rate", "problems", ""}, func(row func(...string)) {
			for _, b := range c.Difficulty.Bins {
				row(span(b), count(b.Rows), strings.Repeat("█", 30*b.Rows/largest(c.Difficulty.Bins)))
			}
		})
	}

	m.line("## Answers")
	m.table([]string{"kind", "problems", "share", "for example"}, func(row func(...string)) {
		for _, a := range c.Answers {
			var examples []string
			for _, e := range a.Examples {
				examples = append(examples, code(e))
			}
			m.raw(row, a.Kind, count(a.Rows), share(a.Rows, c.Report.Left), strings.Join(examples, ", "))
		}
	})
	for _, l := range c.Levels {
		m.line("### %s", inline(l.Key))
		m.table([]string{"value", "problems"}, func(row func(...string)) {
			for _, n := range l.Counts {
				row(n.Reason, count(n.Rows))
			}
		})
	}

	m.line("## What was removed, for example")
	for _, s := range c.Report.Steps {
		for _, e := range s.Examples {
			m.line("**%s: %s** (%s%s)", inline(label(s)), inline(e.Reason), inline(e.Place), inline(prefixed("; ", e.Detail)))
			m.quote(e.Problem)
			if e.OtherPlace != "" {
				m.line("the other: %s", inline(e.OtherPlace))
				m.quote(e.OtherProblem)
			}
		}
	}
	if c.Recipe != "" {
		m.line("## Recipe")
		m.quote(c.Recipe)
	}
	_, err := io.WriteString(w, m.b.String())
	return err
}

func reasons(s refine.StepReport) string {
	var parts []string
	for _, r := range s.Removed {
		parts = append(parts, fmt.Sprintf("%s %s", count(r.Rows), r.Reason))
	}
	return strings.Join(parts, ", ")
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// markdown writes blocks with an empty line between them.
type markdown struct {
	b    strings.Builder
	list bool // the last block is an item of a list
}

func (m *markdown) block() {
	if m.b.Len() > 0 {
		m.b.WriteByte('\n')
	}
	m.list = false
}

func (m *markdown) line(format string, args ...any) {
	m.block()
	fmt.Fprintf(&m.b, format+"\n", args...)
}

func (m *markdown) item(format string, args ...any) {
	if !m.list {
		m.block()
	}
	m.list = true
	fmt.Fprintf(&m.b, "- "+format+"\n", args...)
}

// table writes a table whose rows fill gives; cells are text.
func (m *markdown) table(head []string, fill func(row func(...string))) {
	m.block()
	write := func(cells []string) { m.b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	write(head)
	rule := make([]string, len(head))
	for i := range rule {
		rule[i] = "---"
	}
	write(rule)
	fill(func(cells ...string) {
		for i, c := range cells {
			if !strings.HasPrefix(c, rawCell) {
				cells[i] = inline(c)
			} else {
				cells[i] = strings.ReplaceAll(c[len(rawCell):], "|", `\|`)
			}
		}
		write(cells)
	})
}

// rawCell marks a cell that is Markdown already.
const rawCell = "\x00"

// raw writes a row whose last cell is Markdown already.
func (m *markdown) raw(row func(...string), cells ...string) {
	cells[len(cells)-1] = rawCell + cells[len(cells)-1]
	row(cells...)
}

// quote writes a text as it is, fenced by more backquotes than it has.
func (m *markdown) quote(text string) {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	m.block()
	m.b.WriteString(fence + "text\n" + strings.TrimRight(text, "\n") + "\n" + fence + "\n")
}

// inline makes text of one line that Markdown leaves as it is.
func inline(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "*", `\*`, "_", `\_`, "`", "\\`", "&", "&amp;", "<", "&lt;", "[", `\[`, "$", `\$`, "#", `\#`).Replace(text)
}

// code is a text in backquotes.
func code(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if len(fence) > 1 || strings.HasPrefix(text, " ") {
		return fence + " " + text + " " + fence
	}
	return fence + text + fence
}
