//go:build cuda

package main

import (
	"fmt"
	"strconv"
	"strings"
)

func isFloat(typ string) bool { return typ == "f32" || typ == "f64" }

// apply writes dst = format(sources), all of the instruction's type.
func (e *emitter) apply(format string, sources int) error {
	typ := e.it.typ()
	if len(e.it.args) < sources+1 {
		return e.it.errorf("operands are missing")
	}
	var args []any
	for _, a := range e.it.args[1 : sources+1] {
		v, err := e.value(a, typ)
		if err != nil {
			return err
		}
		args = append(args, v)
	}
	return e.set(e.it.args[0], e.finish(fmt.Sprintf(format, args...)), typ)
}

// finish applies .ftz and .sat of a floating-point instruction.
func (e *emitter) finish(expr string) string {
	if e.it.typ() != "f32" {
		return expr
	}
	if e.it.has("ftz") {
		expr = "ftz(" + expr + ")"
	}
	if e.it.has("sat") {
		expr = "saturate(" + expr + ")"
	}
	return expr
}

// in is an operand; .ftz flushes it first.
func (e *emitter) in(i int, typ string) (string, error) {
	if i >= len(e.it.args) {
		return "", e.it.errorf("operands are missing")
	}
	v, err := e.value(e.it.args[i], typ)
	if err == nil && typ == "f32" && e.it.has("ftz") {
		v = "ftz(" + v + ")"
	}
	return v, err
}

// floatOp is an instruction on floating-point numbers alone.
func floatOp(format string, sources int) func(*emitter) error {
	return func(e *emitter) error {
		if err := e.it.only("rn", "ftz", "sat", "approx", "full", "NaN"); err != nil {
			return err
		}
		if !isFloat(e.it.typ()) {
			return e.it.errorf("type")
		}
		var args []any
		for i := 1; i <= sources; i++ {
			v, err := e.in(i, e.it.typ())
			if err != nil {
				return err
			}
			args = append(args, v)
		}
		return e.set(e.it.args[0], e.finish(fmt.Sprintf(format, args...)), e.it.typ())
	}
}

// either picks by the type of the instruction.
func either(whole, float func(*emitter) error) func(*emitter) error {
	return func(e *emitter) error {
		if isFloat(e.it.typ()) {
			return float(e)
		}
		return whole(e)
	}
}

// wrapping is an integer operation that wraps: computed without sign.
func wrapping(op string) func(*emitter) error {
	return func(e *emitter) error {
		if err := e.it.only(); err != nil {
			return err
		}
		typ := "b" + strconv.Itoa(8*size[e.it.typ()])
		a, err := e.value(e.it.args[1], typ)
		if err != nil {
			return err
		}
		b, err := e.value(e.it.args[2], typ)
		if err != nil {
			return err
		}
		return e.set(e.it.args[0], fmt.Sprintf("(%s %s %s)", a, op, b), typ)
	}
}

func wholeOp(format string, sources int) func(*emitter) error {
	return func(e *emitter) error {
		if err := e.it.only("lo"); err != nil {
			return err
		}
		return e.apply(format, sources)
	}
}

// call is a lane-wise function of the sources, which may be of other types than the result's; "" stands
// for the instruction's type.
func call(name, result string, sources ...string) func(*emitter) error {
	return func(e *emitter) error {
		pick := func(t string) string {
			if t == "" {
				return e.it.typ()
			}
			return t
		}
		var args []string
		for i, s := range sources {
			v, err := e.in(i+1, pick(s))
			if err != nil {
				return err
			}
			args = append(args, v)
		}
		return e.set(e.it.args[0], fmt.Sprintf("%s(%s)", name, strings.Join(args, ", ")), pick(result))
	}
}

var arithmetic = map[string]func(*emitter) error{
	"add": either(wrapping("+"), floatOp("(%s + %s)", 2)),
	"sub": either(wrapping("-"), floatOp("(%s - %s)", 2)),
	"mul": either(product, floatOp("(%s * %s)", 2)),
	"mad": either(product, floatOp("fma(%s, %s, %s)", 3)),
	"fma": floatOp("fma(%s, %s, %s)", 3),
	"div": either(wholeOp("divInt(%s, %s)", 2), floatOp("(%s / %s)", 2)),
	"rem": wholeOp("remInt(%s, %s)", 2),
	"neg": either(wholeOp("(-%s)", 1), floatOp("negFloat(%s)", 1)),
	"abs": either(wholeOp("absInt(%s)", 1), floatOp("absFloat(%s)", 1)),
	"min": either(wholeOp("minInt(%s, %s)", 2), extreme("minFloat")),
	"max": either(wholeOp("maxInt(%s, %s)", 2), extreme("maxFloat")),

	"rcp":      floatOp("(1 / %s)", 1),
	"sqrt":     floatOp("sqrtFloat(%s)", 1),
	"rsqrt":    floatOp("rsqrtFloat(%s)", 1),
	"ex2":      floatOp("mapFloat(%s, exp2f)", 1),
	"lg2":      floatOp("mapFloat(%s, log2f)", 1),
	"sin":      floatOp("mapFloat(%s, sinf)", 1),
	"cos":      floatOp("mapFloat(%s, cosf)", 1),
	"tanh":     floatOp("mapFloat(%s, tanhf)", 1),
	"copysign": floatOp("copysignFloat(%s, %s)", 2),

	"shl":   call("shl", "", "", "u32"),
	"shr":   call("shr", "", "", "u32"),
	"bfe":   call("bfe", "", "", "u32", "u32"),
	"bfi":   call("bfi", "", "", "", "u32", "u32"),
	"brev":  call("brev", "", ""),
	"popc":  call("popc", "u32", ""),
	"clz":   call("clz", "u32", ""),
	"bfind": call("bfind", "u32", "u32"),
	"prmt":  permute,
	"shf":   funnel,
	"lop3":  lop3,
}

// product is mul and mad of integers: low half, high half, or twice as wide.
func product(e *emitter) error {
	typ := e.it.typ()
	if err := e.it.only("lo", "hi", "wide"); err != nil {
		return err
	}
	result := typ
	if !e.it.has("hi") && !e.it.has("wide") { // the low half is the same with and without sign
		typ = "b" + strconv.Itoa(8*size[typ])
		result = typ
	}
	a, err := e.value(e.it.args[1], typ)
	if err != nil {
		return err
	}
	b, err := e.value(e.it.args[2], typ)
	if err != nil {
		return err
	}
	expr := fmt.Sprintf("(%s * %s)", a, b)
	switch {
	case e.it.has("wide"):
		result = typ[:1] + strconv.Itoa(16*size[typ])
		v := vector[result]
		expr = fmt.Sprintf("(convert<%s>(%s) * convert<%s>(%s))", v, a, v, b)
	case e.it.has("hi"):
		expr = fmt.Sprintf("mulHi(%s, %s)", a, b)
	}
	if e.it.mods[0] == "mad" {
		c, err := e.value(e.it.args[3], result)
		if err != nil {
			return err
		}
		wrap := class[size[result]]
		expr = fmt.Sprintf("(as<%s>(%s) + as<%s>(%s))", wrap, expr, wrap, c)
	}
	return e.set(e.it.args[0], expr, "b"+strconv.Itoa(8*size[result]))
}

func extreme(name string) func(*emitter) error {
	return func(e *emitter) error {
		return floatOp(fmt.Sprintf("%s(%%s, %%s, %v)", name, e.it.has("NaN")), 2)(e)
	}
}

func funnel(e *emitter) error {
	if err := e.it.only("l", "r", "wrap", "clamp"); err != nil {
		return err
	}
	name := "shfLeft"
	if e.it.has("r") {
		name = "shfRight"
	}
	var v [4]string
	for i := 1; i < 4; i++ {
		x, err := e.value(e.it.args[i], "b32")
		if err != nil {
			return err
		}
		v[i] = x
	}
	return e.set(e.it.args[0], fmt.Sprintf("%s(%s, %s, %s, %v)", name, v[1], v[2], v[3], e.it.has("clamp")), "b32")
}

func permute(e *emitter) error {
	if err := e.it.only(); err != nil {
		return err
	}
	return call("prmt", "b32", "b32", "b32", "b32")(e)
}

func lop3(e *emitter) error {
	if len(e.it.args) != 5 {
		return e.it.errorf("operands")
	}
	table, err := strconv.ParseUint(strings.TrimSuffix(e.it.args[4], "U"), 0, 8)
	if err != nil {
		return e.it.errorf("table %q", e.it.args[4])
	}
	return call(fmt.Sprintf("lop3<%d>", table), "b32", "b32", "b32", "b32")(e)
}

var logic = map[string]func(*emitter) error{
	"and":  wholeOp("(%s & %s)", 2),
	"or":   wholeOp("(%s | %s)", 2),
	"xor":  wholeOp("(%s ^ %s)", 2),
	"not":  wholeOp("~%s", 1),
	"setp": compare,
	"selp": choose,
}

var comparison = map[string]string{"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "lo": "<", "ls": "<=", "hi": ">", "hs": ">="}
var opposite = map[string]string{"equ": "!=", "neu": "==", "ltu": ">=", "leu": ">", "gtu": "<=", "geu": "<"}

// compare is setp: a comparison, perhaps combined with a predicate, and perhaps its complement.
func compare(e *emitter) error {
	it := e.it
	if len(it.mods) < 3 {
		return it.errorf("modifiers")
	}
	typ, c := it.typ(), it.mods[1]
	if c == "lo" || c == "ls" || c == "hi" || c == "hs" {
		typ = "u" + strconv.Itoa(8*size[typ])
	}
	a, err := e.in(1, typ)
	if err != nil {
		return err
	}
	b, err := e.in(2, typ)
	if err != nil {
		return err
	}
	is := func(format string, x ...any) string {
		return fmt.Sprintf("bits((%s)(%s))", signed[size[typ]], fmt.Sprintf(format, x...))
	}
	var p string
	switch {
	case c == "num":
		p = "(" + is("%s == %s", a, a) + " & " + is("%s == %s", b, b) + ")"
	case c == "nan":
		p = "(" + is("%s != %s", a, a) + " | " + is("%s != %s", b, b) + ")"
	case opposite[c] != "" && isFloat(typ) && c == "neu":
		p = is("%s != %s", a, b)
	case opposite[c] != "" && isFloat(typ) && c == "equ":
		p = "~(" + is("%s < %s", a, b) + " | " + is("%s > %s", a, b) + ")"
	case opposite[c] != "" && isFloat(typ):
		p = "~" + is("%s %s %s", a, opposite[c], b)
	case c == "ne" && isFloat(typ):
		p = "(" + is("%s < %s", a, b) + " | " + is("%s > %s", a, b) + ")"
	case comparison[c] != "":
		p = is("%s %s %s", a, comparison[c], b)
	default:
		return it.errorf("comparison %s", c)
	}
	with := func(x string) (string, error) { return x, nil }
	if op := map[string]string{"and": "&", "or": "|", "xor": "^"}[it.mods[2]]; op != "" {
		q, err := e.value(it.args[3], "pred")
		if err != nil {
			return err
		}
		with = func(x string) (string, error) { return "(" + x + " " + op + " " + q + ")", nil }
	} else if err := it.only(c, "ftz"); err != nil {
		return err
	}
	first, second, two := strings.Cut(it.args[0], "|")
	e.p("  { const Mask p_ = %s;", p)
	x, _ := with("p_")
	if two {
		y, _ := with("~p_")
		e.p("  const Mask y_ = %s;", y)
	}
	if err := e.set(first, x, "pred"); err != nil {
		return err
	}
	if two {
		if err := e.set(second, "y_", "pred"); err != nil {
			return err
		}
	}
	e.p("  }")
	return nil
}

func choose(e *emitter) error {
	typ := "b" + strconv.Itoa(8*size[e.it.typ()])
	a, err := e.value(e.it.args[1], typ)
	if err != nil {
		return err
	}
	b, err := e.value(e.it.args[2], typ)
	if err != nil {
		return err
	}
	p, err := e.value(e.it.args[3], "pred")
	if err != nil {
		return err
	}
	return e.set(e.it.args[0], fmt.Sprintf("sel(%s, %s, %s)", p, a, b), typ)
}
