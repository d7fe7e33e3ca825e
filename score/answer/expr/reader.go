package expr

import "strings"

// reader reads the structure of an answer around its expressions: lists, relations, brackets.
type reader struct {
	tokens []token
	strict bool
	budget *budget
	depth  int
	nested bool // inside of brackets
}

func (r *reader) fail(why string) { panic(unreadable{why}) }

// answer = item {separator item}
func (r *reader) answer() *form {
	r.budget.spend(1 + len(r.tokens)/4)
	if r.depth++; r.depth > maxDepth/4 {
		panic(exhausted{})
	}
	parts, seps := split(r.tokens, !r.nested)
	if len(parts) == 1 {
		return r.item(parts[0])
	}
	return r.listOf(parts, seps)
}

// listOf reads the members of a list. In "x = 1, 2" and "x < 1 or x > 2" they belong together.
func (r *reader) listOf(parts [][]token, seps []string) *form {
	l := &form{kind: KindList}
	or, and := false, false
	for i, part := range parts {
		if len(part) == 0 {
			if i > 0 && i+1 < len(parts) || len(parts) == 1 {
				r.fail("an empty member")
			}
			continue
		}
		l.items = append(l.items, r.item(part))
		if len(l.items) > maxItems {
			panic(exhausted{})
		}
	}
	if len(l.items) == 0 {
		r.fail("separators and nothing between them")
	}
	for _, s := range seps {
		or = or || s == "or"
		and = and || s == "and"
	}
	if len(l.items) == 1 {
		return l.items[0]
	}
	relations := 0
	for _, m := range l.items {
		if m.kind == KindInequality {
			relations++
		}
	}
	if relations == len(l.items) && relations > 1 && (or || and) {
		u := &form{kind: KindUnion, items: l.items}
		for range len(l.items) - 1 {
			if or {
				u.rels = append(u.rels, "∪")
			} else {
				u.rels = append(u.rels, "∩")
			}
		}
		return u
	}
	if u := eitherSet(l.items); or && u != nil {
		return u
	}
	// "x = 1, 2": the first assignment's name is that of all that follow without one.
	var flat []*form
	name, left := "", (*form)(nil)
	for _, m := range l.items {
		if m.kind == KindAssignment {
			name, left = m.name, m.items[0]
			if s := m.items[1]; s.kind == KindList {
				for _, v := range s.items {
					flat = append(flat, assign(m.name, m.items[0], v))
				}
				continue
			}
			flat = append(flat, m)
			continue
		}
		values := []*form{m}
		if m.kind == KindList {
			values = m.items
		}
		for _, v := range values {
			if name != "" && (v.isExpr() || v.kind == KindTuple || v.kind == KindInterval || v.kind == KindUnion) {
				v = assign(name, left, v)
			}
			flat = append(flat, v)
		}
	}
	l.items = flat
	return l
}

func assign(name string, left, right *form) *form {
	return &form{kind: KindAssignment, name: name, items: []*form{left, right}, rels: []string{"="}}
}

// split cuts tokens at the separators outside of brackets. Where digits may be grouped, a comma
// between them that can only group is no separator.
func split(tokens []token, grouped bool) (parts [][]token, seps []string) {
	depth, from, bar := 0, 0, false
	for i, t := range tokens {
		switch {
		case opens(t):
			depth++
		case shuts(t):
			depth--
		case t.is("|("):
			depth++
		case t.is("|)"):
			depth--
		case t.is("|"):
			bar = !bar
		case depth == 0 && t.separator():
			if t.is(",") && (t.joint || grouped && groups(tokens, i)) {
				continue
			}
			if t.text == "," && i > from-1 && len(seps) > 0 && i == from && len(parts) > 0 {
				from = i + 1 // ", and": one separator
				continue
			}
			if i == from && len(parts) > 0 {
				seps[len(seps)-1] = t.text
				from = i + 1
				continue
			}
			parts = append(parts, tokens[from:i])
			seps = append(seps, t.text)
			from = i + 1
		}
	}
	return append(parts, tokens[from:]), seps
}

// groups reports whether the comma at i stands between groups of three digits.
func groups(tokens []token, i int) bool {
	if i == 0 || i+1 == len(tokens) || tokens[i].space {
		return false
	}
	a, b := tokens[i-1], tokens[i+1]
	if a.kind != tokNumber || b.kind != tokNumber || b.space || strings.Contains(a.text, ".") {
		return false
	}
	whole, _, _ := strings.Cut(b.text, ".")
	if len(whole) != 3 {
		return false
	}
	// The first group has one to three digits and no leading zero, later ones three.
	if i >= 2 && tokens[i-2].is(",") && groups(tokens, i-2) {
		return len(a.text) == 3
	}
	return len(a.text) <= 3 && a.text[0] != '0'
}

func opens(t token) bool {
	return t.is("(") || t.is("[") || t.is("{") || t.is(`\{`) || t.command("langle") || t.command("begin") || t.command("lfloor") || t.command("lceil")
}

func shuts(t token) bool {
	return t.is(")") || t.is("]") || t.is("}") || t.is(`\}`) || t.command("rangle") || t.command("end") || t.command("rfloor") || t.command("rceil")
}

// relations between sides, by sign.
var relations = set("=", "<", ">", "≤", "≥", "≠", "≈", "∈", "≡")

// item = side {relation side}
func (r *reader) item(tokens []token) *form {
	if r.depth++; r.depth > maxDepth/2 {
		panic(exhausted{})
	}
	defer func() { r.depth-- }()
	var sides [][]token
	var rels []string
	depth, from := 0, 0
	for i, t := range tokens {
		switch {
		case opens(t) || t.is("|("):
			depth++
		case shuts(t) || t.is("|)"):
			depth--
		case depth == 0 && t.kind == tokPunct && relations[t.text]:
			sides = append(sides, tokens[from:i])
			rels = append(rels, t.text)
			from = i + 1
		}
	}
	sides = append(sides, tokens[from:])
	// "= 5", "≈ 8.24"
	if len(rels) > 0 && len(sides[0]) == 0 && (rels[0] == "=" || rels[0] == "≈") {
		sides, rels = sides[1:], rels[1:]
		tokens = tokens[1:]
	}
	if len(rels) == 0 {
		f := r.side(tokens)
		f.key = spelling(tokens)
		return f
	}
	f := r.relation(sides, rels)
	f.key = spelling(tokens)
	return f
}

// side = set {("∪" | "∩" | "∖") set} | expression
func (r *reader) side(tokens []token) *form {
	if len(tokens) == 0 {
		r.fail("an empty side")
	}
	var parts [][]token
	var ops []string
	depth, from := 0, 0
	for i, t := range tokens {
		union := t.is("∪") || t.is("∩") || t.is("∖") || t.kind == tokLetter && t.text == "U" && i > from && shuts(tokens[i-1]) && i+1 < len(tokens) && opens(tokens[i+1])
		minus := t.is("-") && i > from && i+1 < len(tokens) && tokens[i+1].is(`\{`)
		switch {
		case opens(t):
			depth++
		case shuts(t):
			depth--
		case depth == 0 && (union || minus) && i > from:
			op := t.text
			switch op {
			case "U":
				op = "∪"
			case "-":
				op = "∖"
			}
			parts, ops = append(parts, tokens[from:i]), append(ops, op)
			from = i + 1
		}
	}
	parts = append(parts, tokens[from:])
	if len(parts) == 1 {
		return r.single(tokens)
	}
	u := &form{kind: KindUnion, rels: ops}
	for _, part := range parts {
		u.items = append(u.items, r.side(part))
	}
	if len(u.items) > maxItems {
		panic(exhausted{})
	}
	return u
}

// single reads a bracketed structure or an expression.
func (r *reader) single(tokens []token) *form {
	n := len(tokens)
	if n == 0 {
		r.fail("an empty side")
	}
	first, last := tokens[0], tokens[n-1]
	if n == 1 {
		switch {
		case first.command("emptyset"):
			return &form{kind: KindSet}
		case first.command("reals"):
			inf := constant("inf")
			minus := (&builder{budget: r.budget}).neg(inf)
			return &form{kind: KindInterval, left: "(", right: ")", items: []*form{exprForm(minus), exprForm(inf)}}
		case first.kind == tokText:
			return textForm(first.text)
		}
	}
	if whole(tokens) && opens(first) && !first.is("{") && !first.command("begin") {
		inner := tokens[1 : n-1]
		sub := &reader{tokens: inner, strict: r.strict, budget: r.budget, depth: r.depth, nested: true}
		open, shut := first.text, last.text
		switch {
		case open == `\{` && shut == `\}`:
			if bar := separatorBar(inner); bar > 0 {
				return sub.builderSet(inner, bar)
			}
			if len(inner) == 0 {
				return &form{kind: KindSet}
			}
			f := sub.answer()
			if f.kind == KindList {
				f.kind = KindSet
				return f
			}
			return &form{kind: KindSet, items: []*form{f}}
		case open == "langle" || open == "(" || open == "[":
			parts, seps := split(inner, false)
			if len(parts) > 1 && len(inner) > 0 {
				return r.tuple(parts, seps, open, shut)
			}
			if open == "(" && shut == ")" {
				// A bracket around one structure: (\{1\}), ((1,2)).
				if k := len(inner); k > 1 && opens(inner[0]) && !inner[0].is("{") && !inner[0].command("begin") && whole(inner) {
					return sub.single(inner)
				}
			} else if open != "[" || shut != "]" {
				r.fail("brackets that don't match")
			}
		}
	}
	return r.expression(tokens)
}

// whole reports whether the bracket that opens first is the one that closes last.
func whole(tokens []token) bool {
	depth := 0
	for i, t := range tokens {
		if opens(t) {
			depth++
		} else if shuts(t) {
			if depth--; depth == 0 {
				return i == len(tokens)-1
			}
		}
	}
	return false
}

// tuple reads (a, b, …), or an interval.
func (r *reader) tuple(parts [][]token, seps []string, open, shut string) *form {
	f := &form{kind: KindTuple, left: open, right: shut}
	for _, part := range parts {
		sub := &reader{strict: r.strict, budget: r.budget, depth: r.depth, nested: true}
		f.items = append(f.items, sub.item(part))
	}
	if len(f.items) > maxItems {
		panic(exhausted{})
	}
	square := open == "[" || shut == "]"
	if len(f.items) == 2 && square {
		f.kind = KindInterval
	} else if open == "[" && shut == ")" || open == "(" && shut == "]" {
		r.fail("brackets that don't match")
	}
	if open == "langle" {
		f.left, f.right = "(", ")"
	}
	return f
}

// separatorBar returns the index of the bar or colon of {x | condition}, or −1.
func separatorBar(tokens []token) int {
	at := -1
	for i, t := range tokens {
		if t.is("¦") || t.is("|") || t.is(":") {
			if at >= 0 {
				return -1
			}
			at = i
		}
	}
	return at
}

// builderSet reads {x | condition} as the condition.
func (r *reader) builderSet(tokens []token, bar int) *form {
	head, condition := tokens[:bar], tokens[bar+1:]
	if len(head) == 0 || len(condition) == 0 || head[0].kind != tokLetter {
		r.fail("no set-builder notation")
	}
	sub := &reader{tokens: condition, strict: r.strict, budget: r.budget, depth: r.depth, nested: true}
	f := sub.answer()
	if len(head) > 1 && !(head[1].is("∈") && head[len(head)-1].command("reals")) || f.kind != KindInequality && f.kind != KindUnion {
		r.fail("no set-builder notation")
	}
	return f
}
