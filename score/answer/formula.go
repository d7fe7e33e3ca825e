package answer

import "strings"

// formula is a part of a text that stands in a math environment: text[start:end] with its delimiters,
// of which inner is what stands between them.
type formula struct {
	start, end int
	inner      string
}

// environments are the LaTeX environments that hold mathematics, also without dollar signs around them.
var environments = map[string]bool{
	"equation": true, "equation*": true, "align": true, "align*": true, "aligned": true, "gather": true, "gather*": true, "gathered": true,
	"multline": true, "multline*": true, "eqnarray": true, "eqnarray*": true, "split": true, "cases": true, "array": true, "math": true, "displaymath": true,
	"matrix": true, "pmatrix": true, "bmatrix": true, "vmatrix": true, "Vmatrix": true, "Bmatrix": true, "smallmatrix": true,
}

// maxDollar is the most bytes that one pair of single dollar signs may hold.
const maxDollar = 4096

// formulas finds the math environments of a text, from left to right and not inside each other:
// $…$ and $$…$$, \(…\), \[…\], \begin{…}…\end{…} of the known environments, and a line that is
// [ … ] with spaces inside. Each closing delimiter is looked for once, so the time is linear.
func formulas(text string) []formula {
	var out []formula
	next := map[string]int{} // where each closing delimiter comes next, len(text) when it does not
	closer := func(mark string, from int) int {
		at, ok := next[mark]
		if !ok || at < from {
			at = strings.Index(text[from:], mark)
			if at < 0 {
				at = len(text)
			} else {
				at += from
			}
			next[mark] = at
		}
		return at
	}
	add := func(start, from, to, end int) int {
		if inner := strings.TrimSpace(text[from:to]); inner != "" {
			out = append(out, formula{start: start, end: end, inner: inner})
		}
		return end
	}
	for i := 0; i < len(text); {
		at := strings.IndexAny(text[i:], "$\\[")
		if at < 0 {
			break
		}
		i += at
		rest := text[i:]
		switch {
		case strings.HasPrefix(rest, "$$"):
			if end := closer("$$", i+2); end < len(text) {
				i = add(i, i+2, end, end+2)
				continue
			}
			i += 2
		case rest[0] == '$':
			if end := dollarEnd(text, i); end > 0 {
				i = add(i, i+1, end, end+1)
				continue
			}
			i++
		case strings.HasPrefix(rest, `\(`), strings.HasPrefix(rest, `\[`), strings.HasPrefix(rest, `\\(`), strings.HasPrefix(rest, `\\[`):
			n := strings.IndexAny(rest, "([") + 1 // three for \\( … \\), a text that was escaped once too often
			mark := `\)`
			if rest[n-1] == '[' {
				mark = `\]`
			}
			if end := closer(mark, i+n); end < len(text) {
				to := end
				for to > i+n && text[to-1] == '\\' {
					to--
				}
				i = add(i, i+n, to, end+2)
				continue
			}
			i += n
		case strings.HasPrefix(rest, `\begin{`):
			name, _, ok := strings.Cut(rest[len(`\begin{`):min(len(rest), 32)], "}")
			if ok && environments[name] {
				mark := `\end{` + name + `}`
				if end := closer(mark, i); end < len(text) {
					end += len(mark)
					i = add(i, i, end, end)
					continue
				}
			}
			i += len(`\begin{`)
		case strings.HasPrefix(rest, "[ ") && (i == 0 || text[i-1] == '\n'):
			line, _, _ := strings.Cut(rest, "\n")
			if line = strings.TrimRight(line, " \r\t"); strings.HasSuffix(line, " ]") {
				i = add(i, i+1, i+len(line)-1, i+len(line))
				continue
			}
			i++
		case rest[0] == '\\' && len(rest) > 1 && !strings.HasPrefix(rest[1:], `\begin`):
			i += 2 // with the dollar sign or backslash that it escapes
		default:
			i++
		}
	}
	return out
}

// dollarEnd returns where the formula that begins with the dollar sign at text[at] ends, or 0 when the
// sign stands for money: the formula is in one paragraph, over a line's end only with rows in it, and
// its last sign does not come right after a space or before a digit unless its first one does alike.
func dollarEnd(text string, at int) int {
	limit := min(len(text), at+1+maxDollar)
	lines := false
	for i := at + 1; i < limit; i++ {
		switch text[i] {
		case '\\':
			i++
		case '\n':
			if i+1 < len(text) && text[i+1] == '\n' {
				return 0
			}
			lines = true
		case '$':
			inner := text[at+1 : i]
			if strings.TrimSpace(inner) == "" || lines && !strings.Contains(inner, `\\`) && !strings.Contains(inner, `\begin`) {
				return 0
			}
			if isDigit(inner[0]) && (inner[len(inner)-1] == ' ' || i+1 < len(text) && isDigit(text[i+1])) && !strings.ContainsAny(inner, `\^_=`) {
				return 0 // $5 and $7
			}
			return i
		}
	}
	return 0
}
