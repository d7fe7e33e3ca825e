package similar

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// rewording is a way to say a problem in another way. It returns the text
// unchanged where there is nothing to change.
type rewording struct {
	name string
	// floor is the least recall that the default methods must reach on the real
	// benchmarks, in percent: a point or two below what was measured.
	floor float64
	do    func(r *rand.Rand, s string, other func() string) string
}

// The patterns of the rewordings.
var (
	reMath        = regexp.MustCompile(`(?s)\$\$.*?\$\$|\$[^$]*\$|\\\[.*?\\\]|\\\(.*?\\\)`)
	rePunctuation = regexp.MustCompile(`[,.;:?!]+(\s|$)`)
	reOperator    = regexp.MustCompile(`\s*([-+=<>])\s*`)
	reFraction    = regexp.MustCompile(`\\frac\{(\w+)\}\{(\w+)\}`)
	rePower       = regexp.MustCompile(`\^(\w)`)
	reIndex       = regexp.MustCompile(`_(\w)`)
	reBrackets    = regexp.MustCompile(`\(([^()]*)\)`)
	reSentence    = regexp.MustCompile(`[.?!]\$?\s+[A-Z$]`)
	reSoloNumber  = regexp.MustCompile(`\$(\d+)\$`)
	reThousand    = regexp.MustCompile(`\b(\d)000\b`)
	rePlainNumber = regexp.MustCompile(`(^|\s)(\d+)(\s|[.?,]?$)`)
	reInnerName   = regexp.MustCompile(`[a-z,] ([A-Z][a-z]{2,})\b`)
	reName        = regexp.MustCompile(`\b[A-Z][a-z]{2,}\b`)
)

func rewordings() []rewording {
	return []rewording{
		{"case and punctuation", 99, casePunctuation},
		{"white space", 99, whiteSpace},
		{"TeX spelling", 97, texSpelling},
		{"variables renamed", 92, variables},
		{"sentences reordered", 98, reordered},
		{"numbers as words", 97, numberSpelling},
		{"synonyms", 95, synonyms},
		{"prefix and suffix", 98, prefixSuffix},
		{"clause deleted", 97, clauseDeleted},
		{"embedded", 96, embedded},
		{"names changed", 91, names},
		{"units abbreviated", 96, units},
		{"first part only", 94, firstPart},
		{"all at once", 84, allAtOnce},
	}
}

// outsideMath applies f to the stretches of s that aren't between dollars or in
// \[...\], and g to the others.
func outsideMath(s string, f, g func(string) string) string {
	var b strings.Builder
	at := 0
	for _, m := range reMath.FindAllStringIndex(s, -1) {
		b.WriteString(f(s[at:m[0]]))
		b.WriteString(g(s[m[0]:m[1]]))
		at = m[1]
	}
	b.WriteString(f(s[at:]))
	return b.String()
}

func same(s string) string { return s }

func casePunctuation(_ *rand.Rand, s string, _ func() string) string {
	return outsideMath(s, func(s string) string {
		if strings.Contains(s, `\`) {
			return s
		}
		s = rePunctuation.ReplaceAllString(s, "$1")
		return strings.ToLower(s)
	}, same)
}

func whiteSpace(r *rand.Rand, s string, _ func() string) string {
	s = outsideMath(s, func(s string) string {
		var b strings.Builder
		for _, c := range s {
			if c != ' ' {
				b.WriteRune(c)
				continue
			}
			b.WriteString([]string{" ", "  ", "\n", " \n", "\t"}[r.IntN(5)])
		}
		return b.String()
	}, func(s string) string {
		return reOperator.ReplaceAllString(s, " $1 ")
	})
	return "  " + s + "\n"
}

func texSpelling(r *rand.Rand, s string, _ func() string) string {
	s = outsideMath(s, same, func(m string) string {
		m = reFraction.ReplaceAllString(m, "$1/$2")
		m = strings.NewReplacer(`\frac`, `\dfrac`, `\dfrac`, `\frac`, `\left`, ``, `\right`, ``, `\leq`, `\le `, `\le `, `\leqslant `,
			`\geq`, `\ge `, `\ge `, `\geq `, `\ldots`, `\dots`, `\cdots`, `\ldots`, `^\circ`, `^{\circ}`, `^{\circ}`, `°`,
			`\triangle`, `\bigtriangleup`, `\overline`, ``, `\text`, `\mathrm`, `\times`, `\cdot`).Replace(m)
		m = rePower.ReplaceAllString(m, "^{$1}")
		m = reIndex.ReplaceAllString(m, "_{$1}")
		m = reBrackets.ReplaceAllString(m, `\left( $1 \right)`)
		if strings.HasPrefix(m, "$$") || !strings.HasPrefix(m, "$") {
			return m
		}
		return `\(` + strings.Trim(m, "$") + `\)`
	})
	return s
}

func variables(_ *rand.Rand, s string, _ func() string) string {
	to := map[byte]byte{}
	for i, set := range []string{"xyzabcnmkrstpq", "ABCDEFPQRSTXYZ"} {
		from := set
		for j := range from {
			to[from[j]] = [...]string{"uvwpqrtjshzgdf", "KLMNOPUVWXGHIJ"}[i][j]
		}
	}
	return outsideMath(s, same, func(m string) string {
		b := []byte(m)
		for i := 0; i < len(b); i++ {
			if b[i] == '\\' {
				for i++; i < len(b) && isLetter(b[i]); i++ {
				}
				i--
				continue
			}
			if c, ok := to[b[i]]; ok {
				b[i] = c
			}
		}
		return string(b)
	})
}

// sentences splits at full stops and question marks that a blank follows.
func sentences(s string) []string {
	var out []string
	at := 0
	for _, m := range reSentence.FindAllStringIndex(s, -1) {
		out = append(out, strings.TrimSpace(s[at:m[1]-1]))
		at = m[1] - 1
	}
	return append(out, strings.TrimSpace(s[at:]))
}

func reordered(_ *rand.Rand, s string, _ func() string) string {
	p := sentences(s)
	if len(p) < 2 {
		return s
	}
	return strings.Join(append([]string{p[len(p)-1]}, p[:len(p)-1]...), " ")
}

func numberSpelling(_ *rand.Rand, s string, _ func() string) string {
	words := strings.Fields("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty")
	s = reSoloNumber.ReplaceAllString(s, "$1")
	s = reThousand.ReplaceAllString(s, "$1,000")
	return outsideMath(s, func(p string) string {
		p = rePlainNumber.ReplaceAllStringFunc(p, func(m string) string {
			n, err := strconv.Atoi(strings.Trim(m, " \n\t.?,"))
			if err != nil || n > 20 {
				return m
			}
			return strings.Replace(m, strings.Trim(m, " \n\t.?,"), words[n], 1)
		})
		return p
	}, same)
}

func synonyms(_ *rand.Rand, s string, _ func() string) string {
	table := []string{"Find", "Determine", "find", "work out", "Determine", "Calculate", "Compute", "Evaluate", "How many", "What is the number of",
		"how many", "what number of", "such that", "for which", "Suppose", "Assume", "Let ", "Denote ", "integers", "whole numbers", "integer", "whole number",
		"greater than", "larger than", "less than", "smaller than", "consists of", "is made up of", "smallest", "least", "largest", "greatest", "least", "minimum",
		"greatest", "maximum", "sum", "total", "each", "every", "distinct", "different", "both", "the two", "begins", "starts", "chosen", "picked",
		"satisfies", "fulfils", "satisfy", "fulfil", "equal to", "the same as", "where", "in which", "buys", "purchases", "has", "owns", "gets", "receives",
		"also", "too", "takes", "needs", "people", "persons", "children", "kids", "because", "since", "expressed", "written", "What is", "Give"}
	return outsideMath(s, func(p string) string { return strings.NewReplacer(table...).Replace(p) }, same)
}

func prefixSuffix(r *rand.Rand, s string, _ func() string) string {
	before := []string{"Let us consider the following problem. ", "Solve this competition problem carefully: ", "Question 7. ",
		"Here is a challenging exercise from a recent contest. "}
	after := []string{" Show all your work and justify each step.", " Please reason step by step, and put your final answer within \\boxed{}.",
		" Give the answer as an integer between 0 and 999.", ""}
	return before[r.IntN(len(before))] + s + after[r.IntN(len(after))]
}

// clauseDeleted leaves out a sentence in the middle or, in a text of one or two,
// the words before its first comma.
func clauseDeleted(r *rand.Rand, s string, _ func() string) string {
	p := sentences(s)
	if len(p) > 2 {
		i := r.IntN(len(p) - 1)
		if len(p[i]) > len(s)*2/5 {
			i = (i + 1) % (len(p) - 1)
		}
		if len(p[i]) <= len(s)*2/5 {
			return strings.Join(slices.Delete(p, i, i+1), " ")
		}
	}
	if i := strings.Index(s, ", "); i > 0 && i < len(s)/3 && strings.Count(s[:i], "$")%2 == 0 {
		return s[i+2:]
	}
	return s
}

func embedded(_ *rand.Rand, s string, other func() string) string {
	return "(a) " + other() + "\n\n(b) " + s + "\n\n(c) " + other()
}

func names(_ *rand.Rand, s string, _ func() string) string {
	fresh := []string{"Maria", "Oluwaseun", "Jonas", "Beatrix", "Kenji", "Svetlana", "Tomas", "Ingrid"}
	to := map[string]string{}
	return outsideMath(s, func(p string) string {
		for _, m := range reInnerName.FindAllStringSubmatch(p, -1) {
			if _, ok := to[m[1]]; !ok && len(to) < len(fresh) {
				to[m[1]] = fresh[len(to)]
			}
		}
		return reName.ReplaceAllStringFunc(p, func(w string) string {
			if v, ok := to[w]; ok {
				return v
			}
			return w
		})
	}, same)
}

func units(_ *rand.Rand, s string, _ func() string) string {
	return strings.NewReplacer("kilometers per hour", "km/h", "miles per hour", "mph", "kilometers", "km", "kilometer", "km", "centimeters", "cm",
		"square feet", "sq ft", "feet", "ft", "inches", "in.", "hours", "hrs", "minutes", "min", "seconds", "s", "pounds", "lbs", "percent", "%",
		"dollars", "USD", "degrees", `$^\circ$`, "meters", "m", "miles", "mi", "ounces", "oz", "gallons", "gal").Replace(s)
}

// firstPart keeps the sentences of the first two thirds.
func firstPart(_ *rand.Rand, s string, _ func() string) string {
	p := sentences(s)
	n, i := 0, 0
	for i < len(p)-1 && n < len(s)*2/3 {
		n += len(p[i])
		i++
	}
	if n < len(s)/2 {
		return s
	}
	return strings.Join(p[:i], " ")
}

func allAtOnce(r *rand.Rand, s string, other func() string) string {
	for _, f := range []func(*rand.Rand, string, func() string) string{reordered, synonyms, names, variables, texSpelling, prefixSuffix, whiteSpace} {
		s = f(r, s, other)
	}
	return s
}
