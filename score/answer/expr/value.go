package expr

import (
	"strings"
)

// Kind is what an answer was read as.
type Kind string

// The kinds of values.
const (
	KindInteger    Kind = "integer"
	KindRational   Kind = "rational"
	KindDecimal    Kind = "decimal"
	KindConstant   Kind = "constant"          // a number that is not rational: √2, π/4, 3+4i
	KindPolynomial Kind = "polynomial"        // in its symbols, with rational coefficients
	KindRatFunc    Kind = "rational function" // a quotient of polynomials
	KindExpression Kind = "expression"        // any other formula with symbols in it
	KindAssignment Kind = "assignment"        // x = 5, f(x) = 2x
	KindEquation   Kind = "equation"
	KindInequality Kind = "inequality" // or a chain of them
	KindSet        Kind = "set"        // {1, 2}
	KindList       Kind = "list"       // 1, 2: a set or a tuple, as the other side has it
	KindTuple      Kind = "tuple"
	KindInterval   Kind = "interval"
	KindUnion      Kind = "union" // or intersection or difference of sets
	KindMatrix     Kind = "matrix"
	KindTime       Kind = "time" // of the day
	KindText       Kind = "text"
	KindLetter     Kind = "letter"   // A, (B): a choice, or a symbol
	KindNotation   Kind = "notation" // mathematics that is compared as it is written
)

// Value is an answer that was read. It is not changed by comparing, and may be used from several
// goroutines.
type Value struct{ form *form }

// Kind returns what the answer was read as.
func (v Value) Kind() Kind {
	if v.form == nil {
		return KindNotation
	}
	return v.form.kind
}

// String returns what was read in one notation, whatever the answer's own was.
func (v Value) String() string {
	if v.form == nil {
		return ""
	}
	return v.form.String()
}

// Join makes one list of several answers, such as those of two boxes next to each other. Lists among
// them are merged.
func Join(values []Value) Value {
	if len(values) == 1 {
		return values[0]
	}
	l := &form{kind: KindList}
	keys := []string{}
	for _, v := range values {
		if v.form == nil {
			continue
		}
		if v.form.kind == KindList {
			l.items = append(l.items, v.form.items...)
		} else {
			l.items = append(l.items, v.form)
		}
		keys = append(keys, v.form.key)
	}
	l.key = strings.Join(keys, " , ")
	return Value{l}
}

// form is what a Value holds: one of several shapes, told apart by kind.
type form struct {
	kind  Kind
	key   string // the tokens in one spelling: equal keys are equal answers
	expr  *node  // expressions, and both sides' difference of equations
	unit  quantity
	items []*form // members of sets, lists, tuples; ends of intervals; sides of chains; operands of unions

	left, right string // brackets of a tuple or an interval
	rels        []string
	name        string // of an assignment: its left side in one spelling
	text        string
	letters     string // a text that could be a product of letters, its letters sorted

	alt     *form // another reading: 5 of "5 m"
	content *form // what a lettered choice says
	approx  bool  // the right side of an approximation
}

// isExpr reports whether the form is a formula.
func (f *form) isExpr() bool {
	switch f.kind {
	case KindInteger, KindRational, KindDecimal, KindConstant, KindPolynomial, KindRatFunc, KindExpression, KindLetter, KindMatrix:
		return f.expr != nil
	}
	return false
}

// String writes the form in plain notation.
func (f *form) String() string {
	join := func(sep string) string {
		parts := make([]string, len(f.items))
		for i, m := range f.items {
			parts[i] = m.String()
		}
		return strings.Join(parts, sep)
	}
	switch f.kind {
	case KindSet:
		return "{" + join(", ") + "}"
	case KindList:
		return join(", ")
	case KindTuple, KindInterval:
		return f.left + join(", ") + f.right
	case KindUnion:
		var b strings.Builder
		for i, m := range f.items {
			if i > 0 {
				b.WriteString(" " + f.rels[i-1] + " ")
			}
			b.WriteString(m.String())
		}
		return b.String()
	case KindInequality, KindEquation:
		var b strings.Builder
		for i, m := range f.items {
			if i > 0 {
				b.WriteString(" " + f.rels[i-1] + " ")
			}
			b.WriteString(m.String())
		}
		return b.String()
	case KindAssignment:
		return f.items[0].String() + " = " + f.items[1].String()
	case KindText, KindTime:
		return f.text
	case KindNotation:
		return f.key
	}
	if f.expr == nil {
		return f.key
	}
	s := f.expr.String()
	if f.expr.isNumber() && f.expr.name != "" {
		s = f.expr.name
	}
	if u := f.unit.String(); u != "" {
		s += " " + u
	}
	return s
}

// kindOf tells what sort of formula a node is.
func kindOf(n *node) Kind {
	switch {
	case n.op == opNumber && n.places != exact && n.places > 0:
		return KindDecimal
	case n.op == opNumber && n.num.IsInt():
		return KindInteger
	case n.op == opNumber:
		return KindRational
	case n.op == opMatrix:
		return KindMatrix
	case n.op == opSymbol && len(n.name) == 1:
		return KindLetter
	case n.isConstant("e") || n.isConstant("i"):
		return KindConstant
	}
	kind, symbols, matrix := KindPolynomial, false, false
	n.walk(func(m *node) bool {
		switch m.op {
		case opSymbol:
			symbols = true
		case opMatrix:
			matrix = true
		case opDiv:
			if len(m.args[1].symbols()) > 0 && kind == KindPolynomial {
				kind = KindRatFunc
			}
		case opPow:
			if k, ok := m.args[1].isInt(); !ok || k < 0 {
				if ok && kind == KindPolynomial {
					kind = KindRatFunc
				} else if !ok {
					kind = KindExpression
				}
			}
		case opRoot, opCall, opSeries, opConstant, opDegree:
			kind = KindExpression
		}
		return true
	})
	switch {
	case matrix:
		return KindExpression
	case !symbols && kind != KindPolynomial:
		return KindConstant
	case !symbols:
		return KindRational
	}
	return kind
}
