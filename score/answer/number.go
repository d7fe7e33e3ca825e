package answer

import (
	"math/big"
	"strconv"
	"strings"
)

// MaxDigits is the most digits that a number may have, written out: longer ones are compared as text.
const MaxDigits = 1000

// maxDepth bounds how deep fractions and brackets may nest in a number.
const maxDepth = 6

// number reads a normalized answer as an exact number, if it is one. Units that follow it are dropped.
func number(s string) (*big.Rat, bool) {
	s = strings.TrimSpace(s)
	if v, ok := parse(s, 0); ok {
		return v, true
	}
	if bare, ok := withoutUnits(s); ok {
		return parse(bare, 0)
	}
	return nil, false
}

// parse reads all of s:
//
//	value    = [sign] [currency] unsigned ["%"]
//	unsigned = literal | literal "/" denominator | integer fraction | integer " " integer "/" integer |
//	           literal (× | *) "10^" exponent | literal "^" exponent | fraction | "(" value ")" | "{" value "}"
//	fraction = "\frac" value value
func parse(s string, depth int) (*big.Rat, bool) {
	s = strings.TrimSpace(s)
	if s == "" || depth > maxDepth {
		return nil, false
	}
	if rest, ok := strings.CutSuffix(s, "%"); ok {
		v, ok := parse(rest, depth+1)
		if ok {
			v.Mul(v, big.NewRat(1, 100))
		}
		return v, ok
	}
	if rest, ok := strings.CutSuffix(s, "°"); ok {
		return parse(rest, depth+1)
	}
	switch s[0] {
	case '-', '+':
		rest := strings.TrimSpace(s[1:])
		if rest == "" || rest[0] == '-' || rest[0] == '+' {
			return nil, false
		}
		v, ok := parse(rest, depth+1)
		if ok && s[0] == '-' {
			v.Neg(v)
		}
		return v, ok
	case '(', '{':
		return parseBracketed(s, depth)
	case '\\':
		v, rest, ok := fraction(s, depth)
		return v, ok && rest == ""
	}
	for _, sign := range []string{"$", "€", "£", "¥"} {
		if rest, ok := strings.CutPrefix(s, sign); ok {
			if rest = strings.TrimSpace(rest); rest == "" || !isDigit(rest[0]) && rest[0] != '.' {
				return nil, false
			}
			return parse(rest, depth+1)
		}
	}
	v, text, rest, ok := literal(s)
	if !ok {
		return nil, false
	}
	return withTail(v, text, rest, depth)
}

// withTail reads what may follow a literal.
func withTail(v *big.Rat, text, rest string, depth int) (*big.Rat, bool) {
	spaced := strings.HasPrefix(rest, " ")
	rest = strings.TrimSpace(rest)
	whole := strings.Trim(text, "0123456789") == "" // a plain integer
	switch {
	case rest == "":
		return v, true
	case rest[0] == '/':
		den, _, after, ok := literal(strings.TrimSpace(rest[1:]))
		if inner := strings.TrimSpace(rest[1:]); !ok && strings.HasPrefix(inner, "(") {
			den, ok = parseBracketed(inner, depth)
			after = ""
		}
		if !ok || after != "" || den.Sign() == 0 {
			return nil, false
		}
		return v.Quo(v, den), true
	case strings.HasPrefix(rest, `\frac`) && whole:
		part, after, ok := fraction(rest, depth)
		if !ok || after != "" || part.Sign() < 0 {
			return nil, false
		}
		return v.Add(v, part), true
	case isDigit(rest[0]) && spaced && whole:
		num, den, ok := strings.Cut(rest, "/")
		if !ok || strings.Trim(num+den, "0123456789") != "" {
			return nil, false
		}
		part, ok := parse(rest, depth+1)
		if !ok || part.Cmp(big.NewRat(1, 1)) >= 0 {
			return nil, false
		}
		return v.Add(v, part), true
	case rest[0] == '^':
		return power(v, rest[1:])
	}
	for _, times := range []string{`\times`, "*"} {
		after, ok := strings.CutPrefix(rest, times)
		if !ok {
			continue
		}
		exponent, ok := strings.CutPrefix(strings.TrimSpace(after), "10^")
		if !ok {
			return nil, false
		}
		scale, ok := power(big.NewRat(10, 1), exponent)
		if !ok {
			return nil, false
		}
		return v.Mul(v, scale), true
	}
	return nil, false
}

// parseBracketed reads "(value)" or "{value}" and nothing after it. (12,345) is a pair.
func parseBracketed(s string, depth int) (*big.Rat, bool) {
	last := len(s) - 1
	if s[0] == '(' && (s[last] != ')' || strings.ContainsAny(s[1:last], "(),")) || s[0] == '{' && closing(s, 0) != last {
		return nil, false
	}
	return parse(s[1:last], depth+1)
}

// fraction reads \frac with its two arguments, in braces or of one digit, and returns what follows.
func fraction(s string, depth int) (*big.Rat, string, bool) {
	s, ok := strings.CutPrefix(s, `\frac`)
	if !ok {
		return nil, "", false
	}
	var args [2]*big.Rat
	for i := range args {
		s = strings.TrimSpace(s)
		n := 1
		if s == "" {
			return nil, "", false
		}
		if s[0] == '{' {
			n = closing(s, 0) + 1
		} else if !isDigit(s[0]) {
			return nil, "", false
		}
		if n == 0 {
			return nil, "", false
		}
		if args[i], ok = parse(s[:n], depth+1); !ok {
			return nil, "", false
		}
		s = s[n:]
	}
	if args[1].Sign() == 0 {
		return nil, "", false
	}
	return args[0].Quo(args[0], args[1]), strings.TrimSpace(s), true
}

// power raises v to a written exponent: an integer, in braces or not, such that the result is not
// longer than MaxDigits.
func power(v *big.Rat, exponent string) (*big.Rat, bool) {
	exponent = strings.TrimSpace(exponent)
	if n := len(exponent); n > 2 && exponent[0] == '{' && exponent[n-1] == '}' {
		exponent = strings.TrimSpace(exponent[1 : n-1])
	}
	e, err := strconv.Atoi(exponent)
	if err != nil || e > 4*MaxDigits || e < -4*MaxDigits {
		return nil, false
	}
	size := max(v.Num().BitLen(), v.Denom().BitLen())
	if e < 0 && v.Sign() == 0 || size*max(e, -e) > 3*MaxDigits {
		return nil, false
	}
	n := big.NewInt(int64(max(e, -e)))
	num, den := new(big.Int).Exp(v.Num(), n, nil), new(big.Int).Exp(v.Denom(), n, nil)
	if e < 0 {
		num, den = den, num
	}
	return new(big.Rat).SetFrac(num, den), true
}

// literal reads an unsigned integer or decimal at the start of s, with separators of thousands or an
// exponent if any; text is how it is written.
func literal(s string) (v *big.Rat, text, rest string, ok bool) {
	n := digits(s)
	clean := s[:n]
	i := n
	if n >= 1 && n <= 3 && i < len(s) && (s[i] == ',' || s[i] == ' ') {
		grouped, end := groups(s, n)
		if s[i] == ',' || !strings.HasPrefix(strings.TrimSpace(s[end:]), "/") { // "3 125/200" is a mixed number
			clean, i = grouped, end
		}
	}
	if i == n && clean == "0" && strings.HasPrefix(s[i:], ",") && digits(s[i+1:]) > 0 {
		m := digits(s[i+1:]) // a decimal comma: 0,25
		clean, i = clean+"."+s[i+1:i+1+m], i+1+m
	} else if i < len(s) && s[i] == '.' {
		m := digits(s[i+1:])
		clean, i = clean+"."+s[i+1:i+1+m], i+1+m
	}
	if strings.Trim(clean, ".") == "" || len(clean) > MaxDigits {
		return nil, "", "", false
	}
	exponent := 0
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '-' || s[j] == '+') {
			j++
		}
		if m := digits(s[j:]); m > 0 && m <= 4 {
			exponent, _ = strconv.Atoi(strings.TrimPrefix(s[i+1:j+m], "+"))
			i = j + m
		}
	}
	if max(exponent, -exponent) > MaxDigits {
		return nil, "", "", false
	}
	before, after, _ := strings.Cut(clean, ".")
	number, good := new(big.Int).SetString("0"+before+after, 10)
	if !good {
		return nil, "", "", false
	}
	exponent -= len(after)
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exponent, -exponent))), nil)
	if exponent < 0 {
		return new(big.Rat).SetFrac(number, scale), s[:i], s[i:], true
	}
	return new(big.Rat).SetInt(number.Mul(number, scale)), s[:i], s[i:], true
}

// groups reads digits in groups of three after the first n digits of s: 1,234,567 or 1 234 567. It
// returns the digits without separators, and where they end; without a whole group, the first n only.
func groups(s string, n int) (string, int) {
	clean, i, separator := s[:n], n, s[n]
	for i < len(s) && s[i] == separator && digits(s[i+1:]) == 3 {
		clean += s[i+1 : i+4]
		i += 4
	}
	return clean, i
}

// digits counts the digits at the start of s.
func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

// noUnits are words after a number that change its value or are no units.
var noUnits = map[string]bool{"pi": true, "sin": true, "cos": true, "tan": true, "log": true, "ln": true, "lg": true, "exp": true, "sqrt": true,
	"mod": true, "or": true, "and": true, "infinity": true, "inf": true, "dozen": true, "hundred": true, "thousand": true, "million": true,
	"billion": true, "trillion": true, "to": true, "plus": true, "minus": true, "times": true, "over": true, "factorial": true, "choose": true}

// withoutUnits drops units after a number where they are plain text: \text{…}, or up to four words
// of at least two letters after a space, each with a power if any; "percent" becomes %. Single
// letters may be variables and stay. False if nothing was dropped.
func withoutUnits(s string) (string, bool) {
	start := s
	for range 4 {
		s = strings.TrimSpace(s)
		body := withoutPower(s)
		if strings.HasSuffix(body, "}") {
			at := strings.LastIndex(body, `\text{`)
			if at <= 0 || !unitWords(body[at+len(`\text{`):len(body)-1]) {
				break
			}
			if isPercent(body[at+len(`\text{`) : len(body)-1]) {
				return body[:at] + "%", true
			}
			s = body[:at]
			continue
		}
		at := strings.LastIndexByte(body, ' ')
		if at <= 0 || len(body)-at-1 < 2 || !unitWords(body[at+1:]) && !isPercent(body[at+1:]) {
			break
		}
		if isPercent(body[at+1:]) {
			return body[:at] + "%", true
		}
		s = body[:at]
	}
	return s, s != start
}

// withoutPower drops the power of a unit: ^2, ^{3}, ².
func withoutPower(s string) string {
	for _, p := range []string{"^2", "^3", "^{2}", "^{3}", "²", "³"} {
		if body, ok := strings.CutSuffix(s, p); ok {
			return body
		}
	}
	return s
}

// unitWords reports whether s is nothing but letters, spaces, dots and slashes and may be a unit.
func unitWords(s string) bool {
	for _, word := range strings.Fields(s) {
		for i := range len(word) {
			if !isLetter(word[i]) && word[i] != '.' && word[i] != '/' {
				return false
			}
		}
		if noUnits[strings.ToLower(word)] {
			return false
		}
	}
	return true
}

func isPercent(s string) bool {
	s = strings.ToLower(strings.TrimSpace(s))
	return s == "percent" || s == "percentage"
}
