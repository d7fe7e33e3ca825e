//go:build cuda

package main

import (
	"fmt"
	"strings"
)

var conversions = map[string]func(*emitter) error{
	"cvt":  convert,
	"cvta": convertAddress,
	"mov":  move,
}

var roundings = map[string]string{"rni": "__builtin_rintf", "rzi": "__builtin_truncf", "rmi": "__builtin_floorf", "rpi": "__builtin_ceilf"}

// convert is cvt.[rounding][.ftz][.sat].to.from.
func convert(e *emitter) error {
	it := e.it
	if len(it.mods) < 3 {
		return it.errorf("modifiers")
	}
	from, to := it.typ(), it.mods[len(it.mods)-2]
	if err := it.only("rn", "rz", "rni", "rzi", "rmi", "rpi", "ftz", "sat"); err != nil {
		return err
	}
	x, err := e.in(1, from)
	if err != nil {
		return err
	}
	truncate := it.has("rz")
	round := ""
	for name, f := range roundings {
		if it.has(name) {
			round = fmt.Sprintf("each<F4>(%s, [](float x_) { return %s(x_); })", x, f)
		}
	}
	float := func(t string) bool { return isFloat(t) || t == "bf16" || t == "f16" }
	var expr string
	switch {
	case to == "bf16x2" || to == "f16x2": // two sources, the first in the high half
		y, err := e.in(2, from)
		if err != nil {
			return err
		}
		if from != "f32" {
			return it.errorf("types")
		}
		if to == "bf16x2" {
			expr = fmt.Sprintf("(bf16(%s, %v) << 16 | bf16(%s, %v))", x, truncate, y, truncate)
		} else if truncate {
			return it.errorf("rounding")
		} else {
			expr = fmt.Sprintf("(convert<U4>(half(%s)) << 16 | convert<U4>(half(%s)))", x, y)
		}
	case to == "bf16" && from == "f32":
		expr = fmt.Sprintf("convert<U2>(bf16(%s, %v))", x, truncate)
	case to == "f32" && from == "bf16":
		expr = fmt.Sprintf("fromBF16(%s)", x)
	case to == "f16" && from == "f32" && !truncate:
		expr = fmt.Sprintf("half(%s)", x)
	case to == "f32" && from == "f16":
		expr = fmt.Sprintf("fromHalf(%s)", x)
	case float(from) && !isFloat(from) || float(to) && !isFloat(to):
		return it.errorf("types")
	case truncate:
		return it.errorf("rounding")
	case from == "f32" && to == "f32":
		expr = x
		if round != "" {
			expr = round
		}
	case isFloat(from) && isFloat(to):
		expr = fmt.Sprintf("convert<%s>(%s)", vector[to], x)
	case isFloat(from):
		if from == "f32" && round != "" {
			x = round
		} else if !it.has("rzi") {
			return it.errorf("rounding")
		}
		expr = fmt.Sprintf("toInt<%s>(%s)", vector[to], x)
	case isFloat(to):
		expr = fmt.Sprintf("convert<%s>(%s)", vector[to], x)
	case it.has("sat"):
		expr = fmt.Sprintf("saturateInt<%s>(%s)", vector[to], x)
	default:
		expr = fmt.Sprintf("convert<%s>(%s)", vector[to], x)
	}
	if to == "f32" && it.has("sat") {
		expr = "saturate(" + expr + ")"
	}
	return e.set(it.args[0], expr, to)
}

// convertAddress is cvta: a generic address is the machine's, one in shared memory counts from the block's
// first byte.
func convertAddress(e *emitter) error {
	x, err := e.value(e.it.args[1], "u64")
	if err != nil {
		return err
	}
	switch {
	case e.it.has("shared") && e.it.has("to"):
		x = fmt.Sprintf("(%s - (uint64_t)w.block->shared)", x)
	case e.it.has("shared"):
		x = fmt.Sprintf("(%s + (uint64_t)w.block->shared)", x)
	}
	return e.set(e.it.args[0], x, e.it.typ())
}

// move is mov: also packs halves into a register and takes them apart.
func move(e *emitter) error {
	it := e.it
	typ := it.typ()
	if err := it.only(); err != nil {
		return err
	}
	whole := class[size[typ]]
	if d := list(it.args[0]); len(d) > 1 {
		part := fmt.Sprintf("b%d", 8*size[typ]/len(d))
		x, err := e.value(it.args[1], typ)
		if err != nil {
			return err
		}
		e.p("  { const %s t_ = as<%s>(%s);", whole, whole, x)
		for i, o := range d {
			if err := e.set(o, fmt.Sprintf("convert<%s>(t_ >> %d)", class[size[part]], i*8*size[part]), part); err != nil {
				return err
			}
		}
		e.p("  }")
		return nil
	}
	if s := list(it.args[1]); len(s) > 1 {
		part := fmt.Sprintf("b%d", 8*size[typ]/len(s))
		var terms []string
		for i, o := range s {
			x, err := e.value(o, part)
			if err != nil {
				return err
			}
			terms = append(terms, fmt.Sprintf("convert<%s>(%s) << %d", whole, x, i*8*size[part]))
		}
		return e.set(it.args[0], "("+strings.Join(terms, " | ")+")", "b"+typ[1:])
	}
	return e.apply("%s", 1)
}
