package expr

import "strings"

// verdict is what a comparison of two parts came to.
type verdict int

const (
	different verdict = iota
	same
	undecided
)

// comparer compares the forms of one call of Equal.
type comparer struct {
	opt    Options
	budget *budget
	fold   bool // symbols are the same in upper and lower case
	reason string
	depth  int
}

// Equal decides whether two answers are the same. The gold answer's side matters only where the two
// are read: a unit's letter may be missing in it, a list of its values has its names.
func Equal(gold, pred Value, o Options) (result Result) {
	if gold.form == nil || pred.form == nil {
		return Result{Reason: "different: no answer"}
	}
	if o.Places <= 0 {
		o.Places = DefaultPlaces
	}
	c := &comparer{opt: o, budget: newBudget(o)}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exhausted:
			result = Result{Reason: "undecided: budget"}
		default:
			panic(r)
		}
	}()
	if gold.form.key != "" && gold.form.key == pred.form.key {
		return Result{Equal: true, Reason: "equal: as written"}
	}
	c.fold = foldable(gold.form) && foldable(pred.form)
	x, y := gold.form, pred.form
	// "(B) 12" is B to a letter, and 12 to everything else.
	if x.content != nil && y.kind != KindLetter {
		x = x.content
	} else if y.content != nil && x.kind != KindLetter {
		y = y.content
	}
	switch c.compare(x, y) {
	case same:
		return Result{Equal: true, Reason: "equal: " + c.why("values")}
	case undecided:
		return Result{Reason: "undecided: " + c.why("values")}
	}
	return Result{Reason: "different: " + c.why("values")}
}

func (c *comparer) why(otherwise string) string {
	if c.reason != "" {
		return c.reason
	}
	return otherwise
}

// because sets the reason and returns v.
func (c *comparer) because(v verdict, reason string) verdict {
	c.reason = reason
	return v
}

// foldable reports whether no letter is in f in both upper and lower case.
func foldable(f *form) bool {
	seen := map[string]bool{}
	collectSymbols(f, seen)
	for name := range seen {
		if lower := strings.ToLower(name); lower != name && name[0] != '\\' && seen[lower] {
			return false
		}
	}
	return true
}

func collectSymbols(f *form, seen map[string]bool) {
	if f.expr != nil {
		f.expr.collect(seen)
	}
	for _, m := range f.items {
		collectSymbols(m, seen)
	}
}

// class groups the kinds that are compared in the same way.
type class int

const (
	classExpr class = iota
	classAssignment
	classEquation
	classInequality
	classSet
	classList
	classTuple
	classInterval
	classUnion
	classText
	classTime
	classNotation
)

func (f *form) class() class {
	switch f.kind {
	case KindAssignment:
		return classAssignment
	case KindEquation:
		return classEquation
	case KindInequality:
		return classInequality
	case KindSet:
		return classSet
	case KindList:
		return classList
	case KindTuple:
		return classTuple
	case KindInterval:
		return classInterval
	case KindUnion:
		return classUnion
	case KindText:
		return classText
	case KindTime:
		return classTime
	case KindNotation:
		return classNotation
	}
	return classExpr
}

// rules says how two classes are compared; pairs that are not in it are different. A pair stands for
// both orders.
var rules map[[2]class]func(c *comparer, x, y *form) verdict

func init() {
	rules = map[[2]class]func(c *comparer, x, y *form) verdict{
		{classExpr, classExpr}:             (*comparer).expressions,
		{classExpr, classAssignment}:       (*comparer).assigned,
		{classExpr, classEquation}:         (*comparer).identity,
		{classExpr, classSet}:              (*comparer).only,
		{classExpr, classList}:             (*comparer).only,
		{classExpr, classText}:             (*comparer).letters,
		{classAssignment, classAssignment}: (*comparer).assignments,
		{classAssignment, classEquation}:   (*comparer).equations,
		{classAssignment, classInequality}: (*comparer).assigned2,
		{classAssignment, classSet}:        (*comparer).assigned2,
		{classAssignment, classList}:       (*comparer).assigned2,
		{classAssignment, classTuple}:      (*comparer).assigned2,
		{classAssignment, classInterval}:   (*comparer).assigned2,
		{classAssignment, classUnion}:      (*comparer).assigned2,
		{classAssignment, classText}:       (*comparer).assigned2,
		{classEquation, classEquation}:     (*comparer).equations,
		{classEquation, classList}:         (*comparer).only,
		{classInequality, classInequality}: (*comparer).inequalities,
		{classInequality, classInterval}:   (*comparer).regions,
		{classInequality, classUnion}:      (*comparer).regions,
		{classInequality, classSet}:        (*comparer).regions,
		{classInequality, classTuple}:      (*comparer).regions,
		{classInequality, classList}:       (*comparer).inequalityList,
		{classSet, classSet}:               (*comparer).members,
		{classSet, classList}:              (*comparer).members,
		{classSet, classUnion}:             (*comparer).regions,
		{classSet, classText}:              (*comparer).emptySet,
		{classList, classList}:             (*comparer).members,
		{classList, classTuple}:            (*comparer).ordered,
		{classTuple, classTuple}:           (*comparer).tuples,
		{classTuple, classInterval}:        (*comparer).intervals,
		{classTuple, classText}:            (*comparer).allReals,
		{classTuple, classUnion}:           (*comparer).regions,
		{classInterval, classInterval}:     (*comparer).intervals,
		{classInterval, classUnion}:        (*comparer).regions,
		{classInterval, classText}:         (*comparer).allReals,
		{classUnion, classUnion}:           (*comparer).unions,
		{classText, classText}:             (*comparer).texts,
		{classTime, classTime}:             (*comparer).texts,
		{classTime, classExpr}:             (*comparer).texts,
	}
	for pair, f := range rules {
		if pair[0] != pair[1] {
			rules[[2]class{pair[1], pair[0]}] = func(c *comparer, x, y *form) verdict { return f(c, y, x) }
		}
	}
}

// compare looks up how x and y are compared, with their other readings if they have some.
func (c *comparer) compare(x, y *form) verdict {
	c.budget.spend(4)
	if c.depth++; c.depth > maxDepth {
		panic(exhausted{})
	}
	defer func() { c.depth-- }()
	if x.key != "" && x.key == y.key {
		return same
	}
	v := different
	if f, ok := rules[[2]class{x.class(), y.class()}]; ok {
		v = f(c, x, y)
	} else {
		c.reason = string(x.kind) + " and " + string(y.kind)
	}
	if v != same {
		// Another reading may only turn a bare number into one with a unit.
		if y.alt != nil && x.isExpr() && x.unit.size == nil && len(x.expr.symbols()) == 0 {
			if c.expressions(x, y.alt) == same {
				return same
			}
		}
	}
	return v
}

// expressions compares two formulas with their units.
func (c *comparer) expressions(x, y *form) verdict {
	a, b := x.expr, y.expr
	if x.text != "" && y.text != "" && x.text != y.text {
		return c.because(different, "times of the day")
	}
	if x.unit.size != nil && y.unit.size != nil {
		if x.unit.known() && y.unit.known() {
			if !sameUnits(x.unit, y.unit) {
				return c.because(different, "units")
			}
			if x.unit.size.Cmp(y.unit.size) != 0 {
				p := builder{budget: c.budget}
				a, b = p.mul(a, number(x.unit.size)), p.mul(b, number(y.unit.size))
			}
		}
	}
	// The prediction may give the digits of the gold without its base; a base that only the prediction has
	// says that its digits mean another number.
	if digitsOf(a, b) || c.opt.LooseBases && digitsOf(b, a) {
		return c.because(same, "digits in a base")
	}
	return c.nodes(a, b)
}

// digitsOf reports whether plain is written with the digits of based, a number in another base.
func digitsOf(based, plain *node) bool {
	if !based.isNumber() || based.name == "" || !plain.isNumber() || plain.name != "" || !plain.num.IsInt() || bits(plain.num) >= 2000 {
		return false
	}
	digits, _, _ := strings.Cut(based.name, "_")
	return plain.num.Num().String() == strings.TrimLeft(digits, "0")
}

func sameUnits(x, y quantity) bool {
	for n, k := range x.powers {
		if y.powers[n] != k {
			return false
		}
	}
	for n, k := range y.powers {
		if x.powers[n] != k {
			return false
		}
	}
	return true
}

// texts compares words, and letters as a product where they may be one.
func (c *comparer) texts(x, y *form) verdict {
	if x.text == y.text && x.text != "" || x.letters != "" && x.letters == y.letters {
		return c.because(same, "text")
	}
	return c.because(different, "text")
}

// letters compares a formula with a word that could be a product of letters.
func (c *comparer) letters(x, y *form) verdict {
	if y.letters != "" && x.expr != nil {
		p := &parser{builder: builder{budget: c.budget}}
		var n *node
		for _, t := range letters(nil, token{kind: tokWord, text: strings.ReplaceAll(y.letters, " ", "")}) {
			p.tokens, p.pos = []token{t}, 0
			f, _ := attempt(func() *form { return &form{expr: p.primary()} })
			if f == nil {
				return different
			}
			if n == nil {
				n = f.expr
			} else {
				n = p.mul(n, f.expr)
			}
		}
		return c.nodes(x.expr, n)
	}
	return c.because(different, "text and formula")
}

// emptySet knows the words for no solution.
func (c *comparer) emptySet(x, y *form) verdict {
	if len(x.items) == 0 && (y.text == "no solution" || y.text == "empty set" || y.text == "no real solution") {
		return c.because(same, "empty")
	}
	return c.because(different, "set and text")
}

// allReals knows the words for all real numbers.
func (c *comparer) allReals(x, y *form) verdict {
	if y.text == "all real numbers" || y.text == "all reals" || y.text == "all real number" || y.text == "real numbers" {
		reals := (&reader{tokens: []token{{kind: tokCommand, text: "reals"}}, budget: c.budget}).answer()
		return c.intervals(x, reals)
	}
	return c.because(different, "interval and text")
}
