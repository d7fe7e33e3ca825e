package trl

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
)

// heading writes the first lines of the recipe.
func (c *conversion) heading(keys int) {
	name := oneLine(c.opt.Name, 100)
	if name == "" {
		name = "a TRL configuration"
	}
	c.result.head = append(c.result.head,
		fmt.Sprintf("Converted from %s, %d keys, by `update recipe`. What it leaves out has the defaults of TRL %s.", name, keys, c.version))
	if c.version.String() == studyVersion {
		c.result.head = append(c.result.head, "(The commit that the open-rs study pinned; --trl-version chooses another.)")
	}
	c.result.head = append(c.result.head, "Give the data to curate, and --run to all: see `update --help`.")
}

// Write writes the recipe: what is not supported first, then what is ignored, then the sections.
func (r *Result) Write(w io.Writer) error {
	var b strings.Builder
	for _, line := range r.head {
		b.WriteString("# " + line + "\n")
	}
	list := func(title string, notes []Note) {
		if len(notes) == 0 {
			return
		}
		fmt.Fprintf(&b, "#\n# %s (%d):\n", title, len(notes))
		for _, n := range notes {
			b.WriteString("#   " + oneLine(n.String(), 240) + "\n")
		}
	}
	list("NOT SUPPORTED, and left out", r.Unsupported)
	list("Ignored", r.Ignored)
	for _, s := range r.sections {
		if len(s.entries) == 0 {
			continue
		}
		b.WriteString("\n" + s.name + ":\n")
		for _, e := range s.entries {
			b.WriteString("  " + e.name + ":")
			switch {
			case e.list:
				b.WriteString(" # " + oneLine(e.comment, 240) + "\n")
				for _, v := range e.values {
					b.WriteString("    - " + scalar(v) + "\n")
				}
				continue
			default:
				b.WriteString(" " + scalar(e.values[0]) + " # " + oneLine(e.comment, 240) + "\n")
			}
		}
		for _, text := range s.remarks {
			b.WriteString("  # " + oneLine(text, 240) + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// plain are the values that need no quotes and that every reader of YAML takes for what they are.
var plain = regexp.MustCompile(`^[A-Za-z0-9.+-][A-Za-z0-9_./+=-]*$`)

// scalar is a value as YAML.
func scalar(s string) string {
	switch strings.ToLower(s) {
	case "null", "yes", "no", "on", "off", "y", "n", ".", "..", "...", "---", "-", "+":
		return quote(s)
	}
	if plain.MatchString(s) {
		return s
	}
	return quote(s)
}

// quote is s in double quotes.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case printable(r):
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// printable reports whether a character may stand in YAML as it is, within a line.
func printable(r rune) bool {
	return r == ' ' || unicode.IsPrint(r) && r != unicode.ReplacementChar
}
