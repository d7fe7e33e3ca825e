//go:build cuda

package main

import (
	"fmt"
	"strings"
)

// The operations for which threads of a warp meet. The emitter has written the meeting at the start of
// the block, so here the threads of the mask are together.
var warpOps = map[string]func(*emitter) error{
	"shfl":       shuffle,
	"vote":       vote,
	"redux":      reduce,
	"activemask": func(e *emitter) error { return e.set(e.it.args[0], "splat<U4>(m)", "b32") },
	"bar":        warpBarrier,
	"mma":        multiply,
	"ldmatrix":   loadMatrix,
}

var shuffles = map[string]string{"up": "UP", "down": "DOWN", "bfly": "BFLY", "idx": "IDX"}

func shuffle(e *emitter) error {
	it := e.it
	kind := shuffles[it.mods[2]]
	if kind == "" || it.mods[1] != "sync" || len(it.args) != 5 {
		return it.errorf("form")
	}
	var x [5]string
	for i := 1; i < 5; i++ {
		v, err := e.value(it.args[i], "b32")
		if err != nil {
			return err
		}
		x[i] = v
	}
	dst, pred, two := strings.Cut(it.args[0], "|")
	e.p("  { Mask in_; w.line = %d; const U4 v_ = shuffle(w, m, %s, %s, %s, %s, %s, in_);", it.line, kind, x[1], x[2], x[3], x[4])
	if err := e.set(dst, "v_", "b32"); err != nil {
		return err
	}
	if two {
		if err := e.set(pred, "in_", "pred"); err != nil {
			return err
		}
	}
	e.p("  }")
	return nil
}

// members are the threads that take part: those of the mask that are here.
func (e *emitter) members(o string) (string, error) {
	if o == "-1" || o == "0xffffffff" {
		return "m", nil
	}
	v, err := e.value(o, "b32")
	return fmt.Sprintf("(together(%s, m) & m)", v), err
}

func vote(e *emitter) error {
	it := e.it
	if it.mods[1] != "sync" {
		return it.errorf("form")
	}
	p, err := e.value(it.args[1], "pred")
	if err != nil {
		return err
	}
	all, err := e.members(it.args[2])
	if err != nil {
		return err
	}
	e.p("  { const Mask a_ = %s, v_ = %s & a_;", all, p)
	switch it.mods[2] {
	case "ballot":
		err = e.set(it.args[0], "splat<U4>(v_)", "b32")
	case "any":
		err = e.set(it.args[0], "(v_ ? ~0u : 0u)", "pred")
	case "all":
		err = e.set(it.args[0], "(v_ == a_ ? ~0u : 0u)", "pred")
	case "uni":
		err = e.set(it.args[0], "(v_ == a_ || !v_ ? ~0u : 0u)", "pred")
	default:
		err = it.errorf("form")
	}
	e.p("  }")
	return err
}

var reductions = map[string]string{"add": "t_ + x_", "min": "x_ < t_ ? x_ : t_", "max": "x_ > t_ ? x_ : t_", "and": "t_ & x_", "or": "t_ | x_", "xor": "t_ ^ x_"}

func reduce(e *emitter) error {
	it := e.it
	f := reductions[it.mods[2]]
	if it.mods[1] != "sync" || f == "" {
		return it.errorf("form")
	}
	v, err := e.value(it.args[1], it.typ())
	if err != nil {
		return err
	}
	all, err := e.members(it.args[2])
	if err != nil {
		return err
	}
	t := scalar[it.typ()]
	e.p("  { Mask a_ = %s; const %s v_ = %s; %s t_ = v_[__builtin_ctz(a_)];", all, vector[it.typ()], v, t)
	e.p("  for (a_ &= a_ - 1; a_; a_ &= a_ - 1) { const %s x_ = v_[__builtin_ctz(a_)]; t_ = %s; }", t, f)
	if err := e.set(it.args[0], fmt.Sprintf("splat<%s>(t_)", vector[it.typ()]), it.typ()); err != nil {
		return err
	}
	e.p("  }")
	return nil
}

func warpBarrier(e *emitter) error {
	if e.it.op != "bar.warp.sync" {
		return e.it.errorf("form")
	}
	e.p("  warpBarrier(w, m);")
	return nil
}

func (e *emitter) whole(what string) {
	e.p("  w.line = %d; if (m != ~0u) fault(w, __builtin_ctz(m), \"%s needs all 32 threads of the warp, here are %%08x\", m);", e.it.line, what)
}

func multiply(e *emitter) error {
	it := e.it
	if it.op != "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32" {
		return it.errorf("of the shapes and types only m16n8k16 of bf16 with f32 sums is known")
	}
	e.whole("mma")
	names := []string{"", "a_", "b_", "c_"}
	e.p("  {")
	for i := 1; i < 4; i++ {
		var x []string
		for _, o := range list(it.args[i]) {
			v, err := e.value(o, "b32")
			if err != nil {
				return err
			}
			x = append(x, v)
		}
		if len(x) != []int{0, 4, 2, 4}[i] {
			return it.errorf("operands")
		}
		e.p("  const U4 %s[] = {%s};", names[i], strings.Join(x, ", "))
	}
	e.p("  U4 d_[4]; mmaBF16(d_, a_, b_, c_);")
	for i, o := range list(it.args[0]) {
		if err := e.set(o, fmt.Sprintf("d_[%d]", i), "b32"); err != nil {
			return err
		}
	}
	e.p("  }")
	return nil
}

func loadMatrix(e *emitter) error {
	it := e.it
	if err := it.only("sync", "aligned", "m8n8", "x1", "x2", "x4", "trans", "shared", "shared::cta"); err != nil {
		return err
	}
	dst := list(it.args[0])
	a, err := e.where(it.args[1])
	if err != nil {
		return err
	}
	e.whole("ldmatrix")
	e.p("  { U4 t_[%d]; loadMatrix(w, %s, %d, %v, t_);", len(dst), a, len(dst), it.has("trans"))
	for i, o := range dst {
		if err := e.set(o, fmt.Sprintf("t_[%d]", i), "b32"); err != nil {
			return err
		}
	}
	e.p("  }")
	return nil
}
