package step

import (
	"regexp"
	"slices"
	"strings"

	"openrs/curate/recipe"
	"openrs/curate/rows"
)

// pattern is a reason to take a row out when its text looks like this.
type pattern struct {
	reason string
	looks  *regexp.Regexp
	// hints are words, in lower case, of which every text that fits has at least one of each list: the
	// expression, which is slow, is only tried where they are.
	hints [][]string
}

const refers = "refers to a figure"

var (
	pictures = []string{"figure", "diagram", "picture", "graph", "drawing", "image", "illustration", "map"}
	places   = []string{"above", "below", "here", "figure", "diagram", "picture", "graph", "drawing", "image", "illustration", "left", "right"}
	shown    = []string{"shown", "pictured", "depicted", "illustrated", "drawn", "indicated"}
)

// figures are the ways in which problems have pictures. The first are drawn in the text itself, so that the text
// may be complete for a human, but rarely is for a model.
var figures = map[string][]pattern{
	"asy": {
		{"asymptote figure", regexp.MustCompile(`(?i)\[/?asy\]|\\begin\s*\{asy\}`), [][]string{{"asy]", "asy}"}}},
		{"drawn figure", regexp.MustCompile(`\\begin\s*\{(tikzpicture|pspicture|picture)\}`), [][]string{{"picture}"}}},
	},
	"images": {
		{"image", regexp.MustCompile(`(?i)!\[[^\]\n]*\]\s*\(|<img\b|\\includegraphics|\[/?img|https?://\S+\.(png|jpe?g|gif|svg|webp)`), [][]string{{"![", "<img", "includegraphics", "[img", "[/img", "http"}}},
	},
	"references": {
		{refers, regexp.MustCompile(`(?i)\b(figure|diagram|picture|graph|drawing|image|illustration|map)s?\s+(is\s+|are\s+|as\s+)?(shown\s+|given\s+|drawn\s+|pictured\s+)?(above|below|to the (right|left)|at (the )?(right|left))\b`), [][]string{pictures, places}},
		{refers, regexp.MustCompile(`(?i)\b(pictured|depicted|illustrated|drawn|shown|indicated) (above|below|here|in the( \w+)? (figure|diagram|picture|graph|drawing|image|illustration))\b`), [][]string{shown, places}},
		{refers, regexp.MustCompile(`(?i)\b(in|from|see|refer to|consider|use|using) (the|this) (above|below|following|accompanying|attached|adjoining) (\w+ )?(figure|diagram|picture|graph|drawing|image|illustration)\b|\b(figure|diagram) \d\b`), [][]string{pictures}},
	},
}

// parts are the ways in which a problem lists several questions. Lists of conditions look the same, and go
// with them: as in s1's filter, what is left is to be plain, and lists are few.
var parts = []pattern{
	{"lettered list", regexp.MustCompile(`(?s)(^|[\s.:;{])\(?a\)[\s}].*?[\s.:;{]\(?b\)[\s}]`), [][]string{{"a)"}, {"b)"}}},
	{"numbered list", regexp.MustCompile(`(?s)(^|\s|\{)\(i\)[\s}].*?(\s|\{)\(ii\)[\s}]`), [][]string{{"(ii)"}}},
	{"numbered list", regexp.MustCompile(`(?s)(^|\n)\s*\(?1[.)]\s.*?\n\s*\(?2[.)]\s`), [][]string{{"1.", "1)"}, {"2.", "2)"}, {"\n"}}},
	{"list", regexp.MustCompile(`(?s)\\item\b.*\\item\b|\\begin\{enumerate\}`), [][]string{{`\item`, "enumerate"}}},
	{"parts", regexp.MustCompile(`(?is)\bpart\s+(\(?a\)?|1|i)\b.*\bpart\s+(\(?b\)?|2|ii)\b`), [][]string{{"part "}}},
}

var proofs = []pattern{
	{"asks for a proof", regexp.MustCompile(`(?i)(^|[.!?:;,]\s+|\n\s*|\b(and|then|also|please)\s+)(prove|disprove|show|demonstrate|verify)\s+(that|the|whether|if|:|by|for|or|\$)`), [][]string{{"prove", "show", "demonstrate", "verify"}}},
	{"asks for a proof", regexp.MustCompile(`(?i)\b(give|write|find|provide) an? (\w+ )?proof\b|\bjustify your answer\b`), [][]string{{"proof", "justify"}}},
}

var choices = []pattern{
	{"choices", regexp.MustCompile(`(?s)\(A\).{0,400}?\(B\).{0,400}?\(C\)`), [][]string{{"(b)"}, {"(c)"}}},
	{"choices", regexp.MustCompile(`(?m)^\s*(\$?\\?(textbf|text|mathrm)?\{?)?A[.)](?s:.{0,400}?)^\s*(\$?\\?(textbf|text|mathrm)?\{?)?B[.)]\s`), [][]string{{"a.", "a)"}, {"b.", "b)"}, {"\n"}}},
}

// textFilter takes rows out whose problem fits one of its patterns.
type textFilter []pattern

func (f textFilter) Look(r *rows.Row) (*Removal, error) {
	text := r.Problem.Problem
	lower := strings.ToLower(text)
	for _, p := range f {
		if slices.ContainsFunc(p.hints, func(any []string) bool {
			return !slices.ContainsFunc(any, func(h string) bool { return strings.Contains(lower, h) })
		}) {
			continue
		}
		if p.reason == refers && (strings.Contains(text, `\begin{tabular}`) || strings.Contains(text, `\begin{array}`)) {
			continue // what is "shown below" is there
		}
		if at := p.looks.FindStringIndex(text); at != nil {
			return removal(p.reason, excerpt(text, at[0], at[1])), nil
		}
	}
	return nil, nil
}

func newFigures(v recipe.Values, _ *Env) (Filter, error) {
	var f textFilter
	for _, name := range []string{"asy", "images", "references"} {
		if v.Bool(name) {
			f = append(f, figures[name]...)
		}
	}
	return f, nil
}

func patternFilter(p []pattern) func(recipe.Values, *Env) (Filter, error) {
	return func(recipe.Values, *Env) (Filter, error) { return textFilter(p), nil }
}

// excerpt is the part of a text from one byte to another, at most 80 characters, on one line.
func excerpt(text string, from, to int) string {
	return shorten(text[from:to], 80)
}

// shorten puts a text on one line and cuts it after n characters.
func shorten(text string, n int) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= n {
		return text
	}
	count := 0
	for i := range text {
		if count == n {
			return text[:i] + "…"
		}
		count++
	}
	return text
}

// matcher keeps or drops rows with a field that fits an expression.
type matcher struct {
	of    field
	name  string
	looks *regexp.Regexp
	keep  bool
}

func newMatch(v recipe.Values, _ *Env) (Filter, error) {
	of, err := fieldByName(v.Text("of"))
	if err != nil {
		return nil, err
	}
	looks, err := regexp.Compile(v.Text("pattern"))
	if err != nil {
		return nil, err
	}
	return &matcher{of, v.Text("of"), looks, v.Bool("keep")}, nil
}

func (m *matcher) Look(r *rows.Row) (*Removal, error) {
	text, _ := m.of(r)
	at := m.looks.FindStringIndex(text)
	switch {
	case m.keep && at == nil:
		return removal(m.name+" does not match", ""), nil
	case !m.keep && at != nil:
		return removal(m.name+" matches", excerpt(text, at[0], at[1])), nil
	}
	return nil, nil
}

// boxedOnly keeps rows with a box that has something in it.
type boxedOnly struct{ of field }

var box = regexp.MustCompile(`\\f?boxed\s*([^\s{]|\{\s*[^\s}])|\\fbox\s*\{\s*[^\s}]`)

func newBoxed(v recipe.Values, _ *Env) (Filter, error) {
	of, err := fieldByName(v.Text("of"), "solution", "answer", "problem")
	return boxedOnly{of}, err
}

func (b boxedOnly) Look(r *rows.Row) (*Removal, error) {
	text, ok := b.of(r)
	switch {
	case !ok:
		return removal("no text to look for a box in", ""), nil
	case box.MatchString(text):
		return nil, nil
	case strings.Contains(text, `\boxed`) || strings.Contains(text, `\fbox`):
		return removal("empty box", ""), nil
	}
	return removal("no box", ""), nil
}

// where keeps rows by the value of a field.
type where struct {
	of       field
	name     string
	in       []string
	bounds   bounds
	keepNone bool
}

func newWhere(v recipe.Values, _ *Env) (Filter, error) {
	of, err := fieldByName(v.Text("of"))
	return &where{of: of, name: v.Text("of"), in: v.List("in"), bounds: readBounds(v), keepNone: v.Text("missing") == "keep"}, err
}

func (w *where) Look(r *rows.Row) (*Removal, error) {
	text, ok := w.of(r)
	if !ok {
		if w.keepNone {
			return nil, nil
		}
		return removal("no "+w.name, ""), nil
	}
	if w.in != nil && !slices.Contains(w.in, text) {
		return removal(w.name+" is another", shorten(text, 80)), nil
	}
	if w.bounds.none() {
		return nil, nil
	}
	x, ok := parseNumber(text)
	if !ok {
		return removal(w.name+" is no number", shorten(text, 80)), nil
	}
	if out := w.bounds.outside(x); out != "" {
		return removal(w.name+" "+out, text), nil
	}
	return nil, nil
}
