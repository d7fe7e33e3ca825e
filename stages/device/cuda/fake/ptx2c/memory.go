//go:build cuda

package main

import (
	"fmt"
	"strings"
)

var memory = map[string]func(*emitter) error{
	"ld":        load,
	"ldu":       load,
	"st":        store,
	"red":       atomic,
	"atom":      atomic,
	"cp":        copyAsync,
	"membar":    nothing, // one warp runs at a time, and blocks see memory in order
	"fence":     nothing,
	"prefetch":  nothing,
	"prefetchu": nothing,
	"nanosleep": nothing,
}

func nothing(*emitter) error { return nil }

// where is [base+offset] as 64 bits for each lane.
func (e *emitter) where(o string) (string, error) {
	o = strings.TrimSpace(strings.Trim(o, "[] "))
	base, off := o, ""
	if i := strings.LastIndexAny(o, "+-"); i > 0 {
		base, off = strings.TrimSpace(o[:i]), strings.ReplaceAll(strings.TrimPrefix(o[i:], "+"), " ", "")
		if base[len(base)-1] == '+' { // [%r1+-8]
			base = strings.TrimSpace(base[:len(base)-1])
		}
	}
	x, err := e.value(base, "u64")
	if err != nil || off == "" {
		return x, err
	}
	return fmt.Sprintf("(%s + (uint64_t)(int64_t)(%s))", x, off), nil
}

var spaces = map[string]string{"global": "Global", "shared": "Shared", "local": "Local", "const": "Global"}

// space is the state space of the instruction: a name of the runtime's functions, and whether they want a
// site.
func (it item) space() (name string, site bool) {
	for _, m := range it.mods[1:] {
		if s, ok := spaces[strings.TrimSuffix(m, "::cta")]; ok {
			return s, s == "Global"
		}
	}
	return "Generic", true
}

// cacheHints change nothing that a program can see here.
var cacheHints = []string{"param", "global", "shared", "local", "const", "shared::cta", "nc", "v2", "v4", "ca", "cg", "cs", "lu", "cv", "wb", "wt", "relaxed", "acquire", "release",
	"volatile", "weak", "gpu", "cta", "sys", "L1::evict_normal", "L1::evict_unchanged", "L1::evict_first", "L1::evict_last", "L1::no_allocate", "L2::64B", "L2::128B", "L2::256B"}

func (e *emitter) access() string {
	e.p("  w.line = %d;", e.it.line)
	name, site := e.it.space()
	if !site {
		return name + "|w, " + e.mask
	}
	e.sites++
	return fmt.Sprintf("%s|w, %d, %s", name, e.sites-1, e.mask)
}

func load(e *emitter) error {
	it := e.it
	typ := it.typ()
	if err := it.only(cacheHints...); err != nil {
		return err
	}
	dst := list(it.args[0])
	bytes := size[typ]
	if bytes == 0 {
		return it.errorf("type")
	}
	if it.has("param") {
		name := strings.Trim(it.args[1], "[] ")
		off := 0
		if base, o, ok := strings.Cut(name, "+"); ok {
			name, off = base, atoi(o)
		}
		for i, p := range e.k.params {
			if p.name != name {
				continue
			}
			for j, d := range dst {
				if err := e.set(d, fmt.Sprintf("as<%s>(splat<%s>(parameter<%s>(P, %d, %d)))", vector[typ], vector[typ], scalar[typ], i, off+j*bytes), typ); err != nil {
					return err
				}
			}
			return nil
		}
		return it.errorf("no parameter %s", name)
	}
	a, err := e.where(it.args[1])
	if err != nil {
		return err
	}
	name, args, _ := strings.Cut(e.access(), "|")
	e.p("  { %s t_[%d]; load%s<%d, %d>(%s, %s, t_);", vector[typ], len(dst), name, bytes, len(dst), args, a)
	for i, d := range dst {
		if err := e.set(d, fmt.Sprintf("t_[%d]", i), typ); err != nil {
			return err
		}
	}
	e.p("  }")
	return nil
}

func store(e *emitter) error {
	it := e.it
	typ := it.typ()
	if err := it.only(cacheHints...); err != nil {
		return err
	}
	a, err := e.where(it.args[0])
	if err != nil {
		return err
	}
	src := list(it.args[1])
	var values []string
	for _, s := range src {
		x, err := e.value(s, typ)
		if err != nil {
			return err
		}
		values = append(values, x)
	}
	name, args, _ := strings.Cut(e.access(), "|")
	e.p("  { const %s t_[%d] = {%s}; store%s<%d, %d>(%s, %s, t_); }", vector[typ], len(src), strings.Join(values, ", "), name, size[typ], len(src), args, a)
	return nil
}

var atomicOps = map[string]string{"add": "ADD", "min": "MIN", "max": "MAX", "and": "AND", "or": "OR", "xor": "XOR", "exch": "EXCH", "cas": "CAS", "inc": "INC", "dec": "DEC"}
var atomicTypes = map[string]string{"s32": "S32", "u32": "U32", "b32": "U32", "f32": "F32", "s64": "S64", "u64": "U64", "b64": "U64", "f64": "F64"}

// atomic is atom, which gives the old value, and red, which does not.
func atomic(e *emitter) error {
	it := e.it
	typ := it.typ()
	op := ""
	for _, m := range it.mods[1:] {
		if atomicOps[m] != "" {
			op = m
		}
	}
	if atomicTypes[typ] == "" || op == "" {
		return it.errorf("operation")
	}
	if err := it.only(append([]string{op}, cacheHints...)...); err != nil {
		return err
	}
	args := it.args
	if it.mods[0] == "atom" {
		args = args[1:]
	}
	a, err := e.where(args[0])
	if err != nil {
		return err
	}
	var x [2]string
	for i := range args[1:] {
		if x[i], err = e.value(args[1+i], typ); err != nil {
			return err
		}
	}
	name, first, _ := strings.Cut(e.access(), "|")
	v := vector[typ]
	e.p("  { const %s x_ = %s;", v, x[0])
	second := "nullptr"
	if x[1] != "" {
		e.p("  const %s y_ = %s;", v, x[1])
		second = "&y_"
	}
	old := "nullptr"
	if it.mods[0] == "atom" {
		e.p("  %s o_;", v)
		old = "&o_"
	}
	e.p("  atomic%s(%s, %s, %s, %s, &x_, %s, %s);", name, first, atomicOps[op], atomicTypes[typ], a, second, old)
	if it.mods[0] == "atom" {
		if err := e.set(it.args[0], "o_", typ); err != nil {
			return err
		}
	}
	e.p("  }")
	return nil
}

// copyAsync is cp.async and what commits and waits for it.
func copyAsync(e *emitter) error {
	it := e.it
	if !it.has("async") {
		return it.errorf("unknown instruction")
	}
	e.p("  w.line = %d;", it.line)
	switch {
	case it.has("commit_group"):
		e.p("  commitAsync(w, %s);", e.mask)
		return nil
	case it.has("wait_all"):
		e.p("  commitAsync(w, %s); waitAsync(w, %s, 0);", e.mask, e.mask)
		return nil
	case it.has("wait_group"):
		e.p("  waitAsync(w, %s, %s);", e.mask, it.args[0])
		return nil
	}
	if err := it.only(append([]string{"async"}, cacheHints...)...); err != nil {
		return err
	}
	to, err := e.where(it.args[0])
	if err != nil {
		return err
	}
	from, err := e.where(it.args[1])
	if err != nil {
		return err
	}
	bytes := it.args[2]
	if bytes != "4" && bytes != "8" && bytes != "16" || it.has("cg") && bytes != "16" {
		return it.errorf("size %s", bytes)
	}
	n := fmt.Sprintf("splat<U4>(%su)", bytes)
	if len(it.args) > 3 {
		if e.k.regs[it.args[3]] == "pred" { // ignore-src
			p, err := e.value(it.args[3], "pred")
			if err != nil {
				return err
			}
			n = fmt.Sprintf("sel(%s, splat<U4>(0u), %s)", p, n)
		} else if n, err = e.value(it.args[3], "u32"); err != nil {
			return err
		}
	}
	e.sites++
	e.p("  copyAsync(w, %d, %s, %s, %s, %s, %s);", e.sites-1, e.mask, to, from, bytes, n)
	return nil
}
