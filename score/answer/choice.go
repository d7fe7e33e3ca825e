package answer

import "strings"

// choiceLetter is the letter of a multiple-choice answer that is nothing else: B, (B), B), option B, \text{(B)}; 0
// for any other text. Letters are A to J.
func choiceLetter(s string) byte {
	s = strings.TrimSpace(s)
	for range 4 {
		for _, word := range []string{"option ", "choice "} {
			if len(s) > len(word) && strings.EqualFold(s[:len(word)], word) {
				s = strings.TrimSpace(s[len(word):])
			}
		}
		for _, open := range []string{`\text{`, `\textbf{`, `\mathrm{`, `\mathbf{`, `\textrm{`, "{", "(", "**"} {
			if inner, ok := strings.CutPrefix(s, open); ok && len(inner) > 1 {
				end := map[byte]string{'{': "}", '(': ")", '*': "**"}[open[len(open)-1]]
				if inner, ok = strings.CutSuffix(inner, end); ok {
					s = strings.TrimSpace(inner)
				}
			}
		}
	}
	if len(s) == 2 && (s[1] == ')' || s[1] == '.' || s[1] == ':') {
		s = s[:1]
	}
	if len(s) == 1 && s[0] >= 'A' && s[0] <= 'J' {
		return s[0]
	}
	return 0
}

// choiceLabel is the letter that an answer to a multiple-choice question begins with: B, (B) 12, B. 12,
// \textbf{(B)}\ 12; 0 without one.
func choiceLabel(s string) byte {
	if c := choiceLetter(s); c != 0 {
		return c
	}
	c, rest := cutLabel(s)
	if otherLabel(rest, c) {
		return 0
	}
	return c
}

// otherLabel reports whether another choice than c is named: (A) 12 or (B) 13.
func otherLabel(rest string, c byte) bool {
	for i := 0; i+2 < len(rest); i++ {
		if rest[i] == '(' && rest[i+2] == ')' && rest[i+1] != c && rest[i+1] >= 'A' && rest[i+1] <= 'J' && (i == 0 || !isLetter(rest[i-1])) {
			return true
		}
	}
	return false
}

// unlabel takes the label of a choice off an answer that goes on after it: \textbf{(B)}\ 12 is 12.
func unlabel(s string) (string, bool) {
	c, rest := cutLabel(s)
	return rest, c != 0
}

// goesOn reports whether what comes after a label makes a list of choices of it: (A), (B) or (A) or (B)
// names no choice.
func goesOn(rest string) bool {
	rest = strings.TrimLeft(rest, " ~")
	for _, list := range []string{",", ";", "/", "&", `\&`, "or ", "and ", `\text{or`, `\text{ or`, `\text{and`, `\text{ and`} {
		if strings.HasPrefix(rest, list) {
			return true
		}
	}
	return false
}

// cutLabel divides a label with brackets, or with a full stop or colon after it, from a text.
func cutLabel(s string) (byte, string) {
	rest := s
	command := ""
	for _, open := range []string{`\text{`, `\textbf{`, `\mathrm{`, `\mathbf{`, `\textrm{`} {
		if inner, ok := strings.CutPrefix(rest, open); ok {
			rest, command = inner, "}"
			break
		}
	}
	rest = strings.TrimLeft(rest, " ")
	bracket := strings.HasPrefix(rest, "(")
	rest = strings.TrimPrefix(rest, "(")
	if rest == "" || rest[0] < 'A' || rest[0] > 'J' {
		return 0, ""
	}
	letter := rest[0]
	rest = rest[1:]
	switch {
	case bracket && strings.HasPrefix(rest, ")"):
		rest = rest[1:]
	case !bracket && (strings.HasPrefix(rest, ". ") || strings.HasPrefix(rest, ": ") || strings.HasPrefix(rest, ") ")):
		rest = rest[1:]
	default:
		return 0, ""
	}
	rest = strings.TrimLeft(rest, " ~")
	if command != "" {
		var ok bool
		if rest, ok = strings.CutPrefix(rest, command); !ok {
			return 0, ""
		}
	}
	if goesOn(rest) {
		return 0, ""
	}
	spaced := strings.TrimLeft(rest, " ~:.")
	for _, space := range []string{`\ `, `\quad`, `\qquad`, `\,`, `\;`, `\ `} {
		spaced = strings.TrimLeft(strings.TrimPrefix(spaced, space), " ~")
	}
	if spaced == "" || command == "" && spaced == rest && !strings.HasPrefix(s[len(s)-len(rest)-1:], ")") {
		return 0, ""
	}
	return letter, spaced
}
