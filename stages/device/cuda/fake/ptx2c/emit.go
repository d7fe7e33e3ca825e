//go:build cuda

package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// size is the bytes of a PTX type; class, the vector type of a register that holds it; vector, the type
// in which an instruction computes.
var size = map[string]int{"b8": 1, "u8": 1, "s8": 1, "b16": 2, "u16": 2, "s16": 2, "f16": 2, "bf16": 2, "b32": 4, "u32": 4, "s32": 4,
	"f32": 4, "f16x2": 4, "bf16x2": 4, "b64": 8, "u64": 8, "s64": 8, "f64": 8, "pred": 0}

var class = map[int]string{1: "U1", 2: "U2", 4: "U4", 8: "U8", 0: "Mask"}

var vector = map[string]string{"b8": "U1", "u8": "U1", "s8": "I1", "b16": "U2", "u16": "U2", "s16": "I2", "f16": "U2", "bf16": "U2",
	"b32": "U4", "u32": "U4", "s32": "I4", "f32": "F4", "f16x2": "U4", "bf16x2": "U4", "b64": "U8", "u64": "U8", "s64": "I8", "f64": "F8", "pred": "Mask"}

// signed is the integer type of the same width that wraps; comparisons give it too.
var signed = map[int]string{1: "I1", 2: "I2", 4: "I4", 8: "I8"}

// emitter writes one kernel.
type emitter struct {
	mod    *module
	k      *kernel
	out    strings.Builder
	local  map[string]bool // registers of one block
	entry  bool            // in the first block, where all threads are together
	it     item
	mask   string // the lanes that the instruction works for
	sites  int
	shared map[string]int // module-level shared variables, placed for this kernel
}

const prologue = `#include "lane.h"
using namespace fake;
#define GO(n) do { if (__builtin_expect(w.groups, 0)) { park(w, n, m); goto D; } goto B##n; } while (0)
#define SPLIT(p, n, f) do { const Mask t_ = (p) & m; if (t_ == m) GO(n); if (!t_) GO(f); park(w, n, t_); park(w, f, m & ~t_); goto D; } while (0)
#define BARRIER(n, line) do { if (w.groups || m != w.live) { park(w, n, m, "the barrier of line " #line); goto D; } barrier(w); goto B##n; } while (0)
`

// translate gives the files of a module by name.
func translate(text string) (map[string]string, error) {
	mod, err := parse(text)
	if err != nil {
		return nil, err
	}
	for _, v := range mod.vars {
		if v.space != "shared" { // kernels are compiled apart and share no variables
			return nil, fmt.Errorf("variable %s: variables outside kernels are known in shared memory only", v.name)
		}
	}
	files := map[string]string{}
	var index strings.Builder
	for _, k := range mod.kernels {
		e := &emitter{mod: mod, k: k, shared: map[string]int{}}
		if err := e.kernel(); err != nil {
			return nil, fmt.Errorf("kernel %s: %w", k.name, err)
		}
		files[k.name+".cpp"] = prologue + e.out.String() +
			fmt.Sprintf("extern \"C\" const Kernel fake_kernel = {%q, k_%s, %d};\n", k.name, k.name, e.sites)
		fmt.Fprintf(&index, "%s %d %d", k.name, k.shared, k.maxThreads)
		for _, p := range k.params {
			fmt.Fprintf(&index, " %d", p.bytes)
		}
		index.WriteString("\n")
	}
	files["index"] = index.String()
	return files, nil
}

var scalar = map[string]string{"b8": "uint8_t", "u8": "uint8_t", "s8": "int8_t", "b16": "uint16_t", "u16": "uint16_t", "s16": "int16_t",
	"b32": "uint32_t", "u32": "uint32_t", "s32": "int32_t", "b64": "uint64_t", "u64": "uint64_t", "s64": "int64_t", "f32": "float", "f64": "double"}

func clean(name string) string {
	return strings.NewReplacer("%", "_", "$", "_", ".", "_").Replace(name)
}

func (e *emitter) reg(name string) string {
	if e.local[name] {
		return "l_" + clean(name)
	}
	return "R.r_" + clean(name)
}

func (e *emitter) p(format string, args ...any) { fmt.Fprintf(&e.out, format+"\n", args...) }

func (e *emitter) kernel() error {
	k := e.k
	if len(k.params) > 64 {
		return fmt.Errorf("more than 64 parameters")
	}
	for _, v := range e.mod.vars { // the shared variables of the module that this kernel names
		for _, it := range k.items {
			if strings.Contains(it.text, v.name) {
				k.shared = (k.shared + 15) &^ 15
				e.shared[v.name] = k.shared
				k.shared += v.bytes
				break
			}
		}
	}
	for name := range e.mod.dynamic {
		if k.shared > 0 && strings.Contains(k.text(), name) {
			k.shared = (k.shared + 15) &^ 15
		}
	}
	blocks, labels := k.blocks()
	e.local = k.within(blocks)
	targets := map[int]bool{}
	for _, b := range blocks {
		for _, it := range b.items {
			if it.mods[0] == "bra" {
				targets[labels[it.args[0]]] = true
			}
		}
	}
	e.p("static void k_%s(Warp &w, const char *const *P) {", k.name)
	e.p("  (void)P;\n  struct {")
	names := slices.Sorted(maps.Keys(k.regs))
	for _, name := range names {
		if !e.local[name] {
			e.p("    %s r_%s;", class[size[k.regs[name]]], clean(name))
		}
	}
	e.p("  } R;")
	e.p("  asm volatile(\"\" : : \"r\"(&R) : \"memory\"); // registers that outlive a block stay in memory")
	if k.local > 0 {
		e.p("  alignas(16) static thread_local char frames[32][32][%d];", (k.local+15)&^15)
		e.p("  char (*const frame)[%d] = frames[w.index];", (k.local+15)&^15)
		e.p("  w.frame = (const char *)frame, w.frameBytes = sizeof frames[0];")
	}
	if k.local == 0 {
		e.p("  w.frame = nullptr, w.frameBytes = 0;")
	}
	e.p("  Mask m = w.live;\n  goto B0;\nD:\n  switch (next(w, m)) {")
	for i := range blocks {
		e.p("  case %d: goto B%d;", i, i)
	}
	e.p("  default: return;\n  }")
	for i, b := range blocks {
		e.entry = i == 0 && !targets[0]
		e.p("B%d: {", i)
		here := b.names()
		for _, name := range names {
			if e.local[name] && here[name] {
				e.p("  %s l_%s;", class[size[k.regs[name]]], clean(name))
			}
		}
		if b.meets {
			it := b.items[0]
			e.it, e.mask = it, "m"
			need := "~0u"
			if _, mask := meets(it); mask != "-1" {
				v, err := e.value(mask, "b32")
				if err != nil {
					return err
				}
				need = fmt.Sprintf("together(%s, m)", v)
			}
			e.p("  { const Mask need_ = %s; if (__builtin_expect(need_ & w.live & ~m, 0)) { w.line = %d; await(w, %d, m, need_, \"%s of line %d\"); goto D; } }", need, it.line, i, it.op, it.line)
		}
		for _, it := range b.items {
			if ends(it) {
				continue
			}
			if err := e.instruction(it); err != nil {
				return err
			}
		}
		if err := e.end(b, i, len(blocks), labels); err != nil {
			return err
		}
		e.p("}")
	}
	e.p("  __builtin_unreachable();\n}")
	return nil
}

func (k *kernel) text() string {
	var s strings.Builder
	for _, it := range k.items {
		s.WriteString(it.text + "\n")
	}
	return s.String()
}

// names are the registers that the block mentions, and other words.
func (b block) names() map[string]bool {
	out := map[string]bool{}
	for _, it := range b.items {
		out[strings.TrimLeft(it.pred, "!")] = true
		for _, a := range it.args {
			for _, r := range reReg2.FindAllString(a, -1) {
				out[r] = true
			}
		}
	}
	return out
}

// end writes how the block is left.
func (e *emitter) end(b block, i, n int, labels map[string]int) error {
	var it item
	if len(b.items) > 0 && ends(b.items[len(b.items)-1]) {
		it = b.items[len(b.items)-1]
	}
	if it.op == "" {
		if i+1 == n {
			return fmt.Errorf("the kernel runs past its end")
		}
		e.p("  GO(%d);", i+1)
		return nil
	}
	e.it, e.mask = it, "m"
	pred := ""
	if it.pred != "" {
		v, err := e.value(it.pred, "pred")
		if err != nil {
			return err
		}
		pred = v
	}
	switch {
	case it.mods[0] == "bra":
		to, ok := labels[it.args[0]]
		switch {
		case !ok:
			return it.errorf("no such label")
		case pred == "":
			e.p("  GO(%d);", to)
		default:
			e.p("  SPLIT(%s, %d, %d);", pred, to, i+1)
		}
	case it.mods[0] == "ret" || it.mods[0] == "exit":
		if pred == "" {
			e.p("  w.live &= ~m; if (!w.groups) return; goto D;")
		} else {
			e.p("  w.live &= ~(%s & m); m &= ~(%s); if (!m) { if (!w.groups) return; goto D; } GO(%d);", pred, pred, i+1)
		}
	case it.mods[0] == "trap":
		if pred == "" {
			pred = "m"
		}
		e.p("  w.line = %d; if (Mask t_ = %s & m) fault(w, __builtin_ctz(t_), \"trap\");", it.line, pred)
		if i+1 < n {
			e.p("  GO(%d);", i+1)
		}
	default: // a barrier of the block
		if len(it.args) != 1 || it.args[0] != "0" || it.pred != "" || (it.mods[1] != "sync" && it.op != "barrier.sync.aligned") {
			return it.errorf("of barriers only an unconditional bar.sync 0 is known")
		}
		e.p("  w.line = %d; BARRIER(%d, %d);", it.line, i+1, it.line)
	}
	return nil
}

// value is the C++ expression for an operand read as the type.
func (e *emitter) value(o, typ string) (string, error) {
	v := vector[typ]
	if v == "" {
		return "", e.it.errorf("type %q", typ)
	}
	if strings.HasPrefix(o, "!") {
		x, err := e.value(o[1:], typ)
		return "~" + x, err
	}
	if t, ok := e.k.regs[o]; ok {
		have, want := size[t], size[typ]
		switch {
		case (t == "pred") != (typ == "pred"):
			return "", e.it.errorf("operand %s is %s, not %s", o, t, typ)
		case typ == "pred":
			return e.reg(o), nil
		case have == want && class[want] == v:
			return e.reg(o), nil
		case have == want:
			return fmt.Sprintf("as<%s>(%s)", v, e.reg(o)), nil
		}
		return fmt.Sprintf("as<%s>(convert<%s>(%s))", v, class[want], e.reg(o)), nil
	}
	if x, ok := special[o]; ok {
		return fmt.Sprintf("as<%s>(convert<%s>(%s))", v, class[size[typ]], x), nil
	}
	if x, ok, err := e.immediate(o, typ); ok || err != nil {
		return x, err
	}
	if x, ok := e.address(o); ok {
		return fmt.Sprintf("as<%s>(convert<%s>(%s))", v, class[size[typ]], x), nil
	}
	return "", e.it.errorf("operand %q", o)
}

// immediate is a constant, spelled as a number or as the bits of a floating-point number.
func (e *emitter) immediate(o, typ string) (string, bool, error) {
	v := vector[typ]
	switch {
	case len(o) == 10 && (strings.HasPrefix(o, "0f") || strings.HasPrefix(o, "0F")):
		if size[typ] != 4 {
			return "", false, e.it.errorf("%s as %s", o, typ)
		}
		return fmt.Sprintf("as<%s>(splat<U4>(0x%su))", v, o[2:]), true, nil
	case len(o) == 18 && (strings.HasPrefix(o, "0d") || strings.HasPrefix(o, "0D")):
		if size[typ] != 8 {
			return "", false, e.it.errorf("%s as %s", o, typ)
		}
		return fmt.Sprintf("as<%s>(splat<U8>(0x%sull))", v, o[2:]), true, nil
	case o == "" || !(o[0] == '-' || o[0] >= '0' && o[0] <= '9'):
		return "", false, nil
	}
	s := strings.TrimSuffix(o, "U")
	n, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		u, err := strconv.ParseUint(s, 0, 64)
		if err != nil {
			return "", false, e.it.errorf("operand %q", o)
		}
		n = int64(u)
	}
	switch {
	case typ == "pred":
		return map[bool]string{true: "~0u", false: "0u"}[n != 0], true, nil
	case strings.HasPrefix(typ, "f"):
		return "", false, e.it.errorf("the integer %s as %s", o, typ)
	}
	return fmt.Sprintf("splat<%s>((%s)0x%xull)", v, scalarOf[v], uint64(n)), true, nil
}

var scalarOf = map[string]string{"U1": "uint8_t", "I1": "int8_t", "U2": "uint16_t", "I2": "int16_t", "U4": "uint32_t", "I4": "int32_t", "U8": "uint64_t", "I8": "int64_t"}

// address is where a variable is: the offset in shared memory, or the address each lane sees.
func (e *emitter) address(o string) (string, bool) {
	if v, ok := e.k.vars[o]; ok {
		if v.space == "shared" {
			return fmt.Sprintf("splat<U8>((uint64_t)%d)", v.offset), true
		}
		return fmt.Sprintf("(lanes * (uint64_t)sizeof frame[0] + ((uint64_t)frame + %d))", v.offset), true
	}
	if off, ok := e.shared[o]; ok {
		return fmt.Sprintf("splat<U8>((uint64_t)%d)", off), true
	}
	if e.mod.dynamic[o] {
		return fmt.Sprintf("splat<U8>((uint64_t)%d)", e.k.shared), true
	}
	return "", false
}

// set writes an expression of the type to a register, for the lanes of the instruction.
func (e *emitter) set(o, expr, typ string) error {
	if o == "_" {
		e.p("  (void)(%s);", expr)
		return nil
	}
	t, ok := e.k.regs[o]
	if !ok {
		return e.it.errorf("no register %q", o)
	}
	if (t == "pred") != (typ == "pred") {
		return e.it.errorf("register %s is %s, the result %s", o, t, typ)
	}
	c := class[size[t]]
	switch {
	case typ == "pred":
	case size[t] == size[typ]:
		expr = fmt.Sprintf("as<%s>(%s)", c, expr)
	default: // a load or conversion to a wider register extends by its own sign
		wide := c
		if strings.HasPrefix(typ, "s") {
			wide = signed[size[t]]
		}
		expr = fmt.Sprintf("as<%s>(convert<%s>(%s))", c, wide, expr)
	}
	r := e.reg(o)
	if e.mask == "m" && (e.local[o] || e.entry) {
		e.p("  %s = %s;", r, expr)
		return nil
	}
	e.p("  %s = sel(%s, %s, %s);", r, e.mask, expr, r)
	return nil
}

// instruction writes one instruction that is not the end of a block.
func (e *emitter) instruction(it item) error {
	e.it, e.mask = it, "m"
	write, ok := opcodes[it.mods[0]]
	if !ok {
		return it.errorf("unknown instruction")
	}
	if it.pred != "" {
		if wait, _ := meets(it); wait {
			return it.errorf("a warp operation under a predicate")
		}
		p, err := e.value(it.pred, "pred")
		if err != nil {
			return err
		}
		e.mask = "q_"
		e.p("  { const Mask q_ = %s & m;", p)
		defer e.p("  }")
	}
	return write(e)
}

// opcodes is every instruction that does not end a block.
var opcodes map[string]func(*emitter) error

func init() {
	opcodes = map[string]func(*emitter) error{}
	for _, table := range []map[string]func(*emitter) error{arithmetic, logic, conversions, memory, warpOps} {
		for name, f := range table {
			opcodes[name] = f
		}
	}
}

// special registers.
var special = map[string]string{
	"%tid.x": "w.tid[0]", "%tid.y": "w.tid[1]", "%tid.z": "w.tid[2]",
	"%ntid.x": "splat<U4>(w.block->ntid.x)", "%ntid.y": "splat<U4>(w.block->ntid.y)", "%ntid.z": "splat<U4>(w.block->ntid.z)",
	"%ctaid.x": "splat<U4>(w.block->ctaid.x)", "%ctaid.y": "splat<U4>(w.block->ctaid.y)", "%ctaid.z": "splat<U4>(w.block->ctaid.z)",
	"%nctaid.x": "splat<U4>(w.block->nctaid.x)", "%nctaid.y": "splat<U4>(w.block->nctaid.y)", "%nctaid.z": "splat<U4>(w.block->nctaid.z)",
	"%laneid": "convert<U4>(lanes)", "%warpid": "splat<U4>(w.index)", "WARP_SZ": "splat<U4>(32u)",
	"%lanemask_eq": "(splat<U4>(1u) << convert<U4>(lanes))", "%lanemask_lt": "((splat<U4>(1u) << convert<U4>(lanes)) - 1u)",
	"%lanemask_le": "((splat<U4>(2u) << convert<U4>(lanes)) - 1u)", "%lanemask_gt": "~((splat<U4>(2u) << convert<U4>(lanes)) - 1u)",
	"%lanemask_ge": "~((splat<U4>(1u) << convert<U4>(lanes)) - 1u)",
}

// list is an operand in braces, or the operand itself.
func list(o string) []string {
	if !strings.HasPrefix(o, "{") {
		return []string{o}
	}
	v := strings.Split(strings.Trim(o, "{} "), ",")
	for i := range v {
		v[i] = strings.TrimSpace(v[i])
	}
	return v
}

// has says whether the instruction has the modifier.
func (it item) has(mod string) bool {
	for _, m := range it.mods[1:] {
		if m == mod {
			return true
		}
	}
	return false
}

// typ is the last modifier.
func (it item) typ() string { return it.mods[len(it.mods)-1] }

// only refuses modifiers that are neither types nor among those allowed.
func (it item) only(allowed ...string) error {
next:
	for _, m := range it.mods[1:] {
		if _, ok := size[m]; ok {
			continue
		}
		for _, a := range allowed {
			if a == m {
				continue next
			}
		}
		return it.errorf("modifier .%s is not known here", m)
	}
	return nil
}
