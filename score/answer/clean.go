package answer

import (
	"slices"
	"strings"
)

// carriers are the marks that an answer may stand in as a whole.
var carriers = [][2]string{{"```", "```"}, {"$$", "$$"}, {"$", "$"}, {`\\(`, `\\)`}, {`\\[`, `\\]`}, {`\(`, `\)`}, {`\[`, `\]`}, {"**", "**"}, {"__", "__"}, {"`", "`"}, {"[ ", " ]"}}

// clean takes an answer out of the marks around it and undoes what is about carriers, not about
// mathematics: rows of an aligned display but the last, backslashes that were escaped once too often.
func clean(s string) string {
	for {
		before := s
		s = strings.TrimSpace(s)
		if n := len(s); n > 1 && strings.IndexByte(",;:", s[n-1]) >= 0 && s[n-2] != '\\' {
			s = s[:n-1]
		}
		if strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "..") && s != "." {
			s = s[:len(s)-1]
		}
		for _, c := range carriers {
			if len(s) > len(c[0])+len(c[1]) && strings.HasPrefix(s, c[0]) && strings.HasSuffix(s, c[1]) && !strings.HasSuffix(s, `\$`) && (c[1] != `\]` || !strings.HasSuffix(s, `\\]`)) {
				inner := s[len(c[0]) : len(s)-len(c[1])]
				if !strings.Contains(inner, c[0]) && (c[0] != "[ " || !strings.ContainsAny(inner, ",;")) {
					s = inner
				}
			}
		}
		if rest, ok := strings.CutPrefix(s, `\displaystyle`); ok && rest != "" && !isLetter(rest[0]) {
			s = rest
		}
		s = cutHeading(cutIntroduction(s))
		if s == before {
			break
		}
	}
	if strings.Contains(s, `\\`) && !strings.Contains(s, `\begin`) {
		s = unescape(s)
	}
	return lastRow(s)
}

// cutHeading takes "Answer:" off what follows it, also inside of \text{…}.
func cutHeading(s string) string {
	for _, command := range []string{"", `\text{`, `\textbf{`, `\mathrm{`} {
		rest, ok := strings.CutPrefix(s, command)
		if !ok || len(rest) < 8 {
			continue
		}
		for _, word := range []string{"final answer", "the answer is", "answer"} {
			if len(rest) <= len(word) || !strings.EqualFold(rest[:len(word)], word) {
				continue
			}
			after := strings.TrimLeft(rest[len(word):], " ")
			if !strings.HasSuffix(word, "is") {
				if after, ok = strings.CutPrefix(after, ":"); !ok {
					continue
				}
			}
			if command != "" {
				if after, ok = strings.CutPrefix(strings.TrimLeft(after, " "), "}"); !ok {
					continue
				}
			}
			if after = strings.TrimLeft(after, " "); after != "" {
				return after
			}
		}
	}
	return s
}

// introductions are the words that only announce an answer.
var introductions = strings.Fields("the a our final correct required answer answers solution solutions set domain result value values root roots is are so thus therefore hence")

// cutIntroduction takes words like \text{The solutions are } and \text{Domain: } off what follows them.
func cutIntroduction(s string) string {
	for _, command := range []string{`\text{`, `\textbf{`, `\mathrm{`, `\textrm{`} {
		words, ok := strings.CutPrefix(s, command)
		if !ok {
			continue
		}
		words, rest, ok := strings.Cut(words, "}")
		rest = strings.TrimLeft(rest, " ~:")
		if !ok || rest == "" {
			return s
		}
		last := ""
		for _, w := range strings.Fields(strings.ToLower(words)) {
			last = w
			if !slices.Contains(introductions, strings.Trim(w, ",:")) {
				return s
			}
		}
		if last == "is" || last == "are" || strings.HasSuffix(last, ":") {
			return rest
		}
	}
	return s
}

// unescape makes one backslash of two before a letter: \\frac is \frac outside of rows.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+2 < len(s) && s[i+1] == '\\' && isLetter(s[i+2]) {
			continue
		}
		b.WriteByte(s[i])
		if s[i] == '\\' && i+1 < len(s) {
			i++
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// lastRow is the last row of an aligned display.
func lastRow(s string) string {
	for _, name := range []string{"align", "aligned", "equation", "gather", "gathered", "multline", "eqnarray", "split"} {
		for _, star := range []string{"", "*"} {
			open, end := `\begin{`+name+star+`}`, `\end{`+name+star+`}`
			if !strings.HasPrefix(s, open) || !strings.HasSuffix(s, end) || len(s) < len(open)+len(end) {
				continue
			}
			s = strings.TrimSpace(s[len(open) : len(s)-len(end)])
			if strings.Contains(s, `\begin`) {
				return s
			}
			rows := strings.Split(s, `\\`)
			for i := len(rows) - 1; i >= 0; i-- {
				if row := strings.TrimSpace(strings.ReplaceAll(rows[i], "&", "")); row != "" {
					return clean(row)
				}
			}
			return ""
		}
	}
	return s
}

// unmark takes the marks of formulas out of a text that mixes them with words: $3$ and $12$.
func unmark(s string) string {
	if !strings.ContainsAny(s, "$") && !strings.Contains(s, `\(`) && !strings.Contains(s, `\[`) {
		return s
	}
	pairs := strings.Count(s, "$")%2 == 0
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			switch s[i+1] {
			case '(', ')', '[', ']':
				b.WriteByte(' ')
			default:
				b.WriteString(s[i : i+2])
			}
			i++
		case s[i] == '$' && (i+1 == len(s) || !isDigit(s[i+1]) || pairs):
			b.WriteByte(' ')
		default:
			b.WriteByte(s[i])
		}
	}
	return strings.TrimSpace(b.String())
}
