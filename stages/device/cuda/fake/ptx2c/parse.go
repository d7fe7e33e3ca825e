//go:build cuda

package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// module is a PTX module: what its kernels share, and the kernels.
type module struct {
	vars    []variable // .global and .const
	dynamic map[string]bool
	kernels []*kernel
}

// variable is one of a state space; offset is its place in a block's shared memory or a thread's local
// memory.
type variable struct {
	name, space, typ string
	bytes, offset    int
	init             string
}

type param struct {
	name  string
	bytes int
}

type kernel struct {
	name       string
	params     []param
	maxThreads int
	regs       map[string]string // name → type
	vars       map[string]variable
	shared     int // bytes
	local      int // bytes a thread
	items      []item
}

// item is a label or an instruction of a kernel's body.
type item struct {
	label string
	line  int
	pred  string // "", "%p1" or "!%p1"
	op    string // with its dots
	mods  []string
	args  []string
	text  string
}

func (it item) errorf(format string, args ...any) error {
	return fmt.Errorf("line %d: %s: %s", it.line, it.text, fmt.Sprintf(format, args...))
}

var (
	reComment = regexp.MustCompile(`(?s)/\*.*?\*/|//[^\n]*`)
	reEntry   = regexp.MustCompile(`^(?:\.visible\s+|\.weak\s+)?\.entry\s+([\w$]+)\s*\(([^)]*)\)([^{]*)$`)
	reParam   = regexp.MustCompile(`\.param\s+(?:\.align\s+\d+\s+)?\.(\w+)(?:\s+\.ptr(?:\s+\.\w+)*(?:\s+\.align\s+\d+)?)?\s+([\w$]+)(?:\[(\d+)\])?`)
	reMaxnt   = regexp.MustCompile(`\.(?:maxntid|reqntid)\s+(\d+)(?:\s*,\s*(\d+))?(?:\s*,\s*(\d+))?`)
	reReg     = regexp.MustCompile(`^\.reg\s+\.(\w+)\s+(.*)$`)
	reVar     = regexp.MustCompile(`^(?:\.(?:visible|extern|weak|common)\s+)*\.(shared|global|const|local)\s+(?:\.align\s+(\d+)\s+)?\.(\w+)\s+([\w$%]+)\s*(\[\s*(\d*)\s*\])?\s*(?:=\s*(.*))?$`)
	reLabel   = regexp.MustCompile(`^([\w$]+)\s*:`)
	reIgnored = regexp.MustCompile(`^\.(version|target|address_size|file|section|loc|pragma)\b`)
)

// parse reads a module. Statements end at a semicolon, a brace or a colon; directives without one, at the
// end of their line.
func parse(text string) (*module, error) {
	text = reComment.ReplaceAllStringFunc(text, func(c string) string { return strings.Repeat("\n", strings.Count(c, "\n")) })
	p := &parser{text: text, line: 1, mod: &module{dynamic: map[string]bool{}}}
	for {
		p.space()
		if p.pos == len(p.text) {
			return p.mod, nil
		}
		if p.ignored() {
			continue
		}
		start := p.line
		end := strings.IndexAny(p.text[p.pos:], ";{")
		if end < 0 {
			return nil, fmt.Errorf("line %d: unexpected end", start)
		}
		if m := reEntry.FindStringSubmatch(strings.TrimSpace(p.text[p.pos : p.pos+end])); m != nil && p.text[p.pos+end] == '{' {
			p.advance(end + 1)
			if err := p.kernel(m[1], m[2], m[3]); err != nil {
				return nil, err
			}
			continue
		}
		if p.text[p.pos+end] == '{' { // an initializer has braces of its own
			semi := strings.IndexByte(p.text[p.pos:], ';')
			if semi < 0 {
				return nil, fmt.Errorf("line %d: unexpected end", start)
			}
			end = semi
		}
		statement := strings.Join(strings.Fields(p.text[p.pos:p.pos+end]), " ")
		p.advance(end + 1)
		if err := p.moduleVariable(statement); err != nil {
			return nil, fmt.Errorf("line %d: %w", start, err)
		}
	}
}

type parser struct {
	text      string
	pos, line int
	mod       *module
	k         *kernel
	scopes    []map[string]string // registers declared inside braces get names of their own
	nscopes   int
}

func (p *parser) advance(n int) {
	p.line += strings.Count(p.text[p.pos:p.pos+n], "\n")
	p.pos += n
}

func (p *parser) space() {
	n := 0
	for p.pos+n < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos+n]) >= 0 {
		n++
	}
	p.advance(n)
}

// ignored skips a directive that ends with its line and has no meaning here.
func (p *parser) ignored() bool {
	if !reIgnored.MatchString(p.text[p.pos:]) {
		return false
	}
	n := strings.IndexByte(p.text[p.pos:], '\n')
	if n < 0 {
		n = len(p.text) - p.pos
	}
	p.advance(n)
	return true
}

func atoi(s string) int { n, _ := strconv.Atoi(s); return n }

func parseVariable(s string) (variable, int, error) {
	m := reVar.FindStringSubmatch(s)
	if m == nil {
		return variable{}, 0, fmt.Errorf("%s: not understood", s)
	}
	n, ok := size[m[3]]
	if !ok {
		return variable{}, 0, fmt.Errorf("%s: type %s", s, m[3])
	}
	align := max(atoi(m[2]), n)
	if m[5] != "" {
		n *= atoi(m[6]) // 0: sized at the launch
	}
	return variable{name: m[4], space: m[1], typ: m[3], bytes: n, init: m[7]}, align, nil
}

func (p *parser) moduleVariable(s string) error {
	v, _, err := parseVariable(s)
	switch {
	case err != nil:
		return err
	case v.space == "shared" && v.bytes == 0:
		p.mod.dynamic[v.name] = true
	case v.space == "shared":
		p.mod.vars = append(p.mod.vars, v) // each kernel that names it gets its own
	case v.space == "local":
		return fmt.Errorf("%s: a local variable outside a kernel", s)
	default:
		p.mod.vars = append(p.mod.vars, v)
	}
	return nil
}

func (p *parser) kernel(name, params, directives string) error {
	k := &kernel{name: name, regs: map[string]string{}, vars: map[string]variable{}}
	for _, m := range reParam.FindAllStringSubmatch(params, -1) {
		n := size[m[1]]
		if m[3] != "" {
			n *= atoi(m[3])
		}
		k.params = append(k.params, param{m[2], n})
	}
	if m := reMaxnt.FindStringSubmatch(directives); m != nil {
		k.maxThreads = atoi(m[1]) * max(1, atoi(m[2])) * max(1, atoi(m[3]))
	}
	p.k, p.scopes, p.nscopes = k, []map[string]string{{}}, 0
	for len(p.scopes) > 0 {
		p.space()
		if p.pos == len(p.text) {
			return fmt.Errorf("kernel %s: unexpected end", name)
		}
		switch p.text[p.pos] {
		case '{':
			p.nscopes++
			p.scopes = append(p.scopes, map[string]string{})
			p.advance(1)
			continue
		case '}':
			p.scopes = p.scopes[:len(p.scopes)-1]
			p.advance(1)
			continue
		}
		if strings.HasPrefix(p.text[p.pos:], ".loc") && p.ignored() {
			continue
		}
		if m := reLabel.FindString(p.text[p.pos:]); m != "" {
			k.items = append(k.items, item{label: strings.TrimRight(m, " \t:"), line: p.line})
			p.advance(len(m))
			continue
		}
		end := strings.IndexByte(p.text[p.pos:], ';')
		if end < 0 {
			return fmt.Errorf("kernel %s: unexpected end", name)
		}
		line := p.line
		statement := strings.Join(strings.Fields(p.text[p.pos:p.pos+end]), " ")
		p.advance(end + 1)
		if err := p.statement(statement, line); err != nil {
			return err
		}
	}
	p.mod.kernels = append(p.mod.kernels, k)
	return nil
}

func (p *parser) statement(s string, line int) error {
	k := p.k
	switch {
	case s == "" || strings.HasPrefix(s, ".pragma"):
		return nil
	case strings.HasPrefix(s, ".reg"):
		m := reReg.FindStringSubmatch(s)
		if m == nil {
			return fmt.Errorf("line %d: %s: not understood", line, s)
		}
		for _, name := range strings.Split(m[2], ",") {
			name = strings.TrimSpace(name)
			if base, count, ok := strings.Cut(name, "<"); ok {
				for i := 0; i < atoi(strings.TrimSuffix(count, ">")); i++ {
					p.declare(base+strconv.Itoa(i), m[1])
				}
				continue
			}
			p.declare(name, m[1])
		}
		return nil
	case s[0] == '.':
		v, align, err := parseVariable(s)
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		at := &k.shared
		switch v.space {
		case "local":
			at = &k.local
		case "shared":
		default:
			return fmt.Errorf("line %d: %s: not understood inside a kernel", line, s)
		}
		*at = (*at + align - 1) / align * align
		v.offset = *at
		*at += v.bytes
		k.vars[v.name] = v
		return nil
	}
	it := item{line: line, text: s}
	if s[0] == '@' {
		pred, rest, _ := strings.Cut(s[1:], " ")
		it.pred = strings.TrimLeft(pred, "!")
		it.pred = strings.Repeat("!", len(pred)-len(it.pred)) + p.rename(it.pred)
		s = strings.TrimSpace(rest)
	}
	op, rest, _ := strings.Cut(s, " ")
	it.op, it.mods = op, strings.Split(op, ".")
	for _, a := range operands(rest) {
		it.args = append(it.args, p.rename(a))
	}
	k.items = append(k.items, it)
	return nil
}

// declare adds a register. Inside braces (inline assembly) its name is made unique.
func (p *parser) declare(name, typ string) {
	if top := len(p.scopes) - 1; top > 0 {
		unique := fmt.Sprintf("%s__%d", name, p.nscopes)
		p.scopes[top][name] = unique
		name = unique
	}
	p.k.regs[name] = typ
}

var reName = regexp.MustCompile(`[%$A-Za-z_][\w$%]*`)

// rename replaces the names of inner scopes in an operand.
func (p *parser) rename(arg string) string {
	if len(p.scopes) == 1 {
		return arg
	}
	return reName.ReplaceAllStringFunc(arg, func(name string) string {
		for i := len(p.scopes) - 1; i > 0; i-- {
			if u, ok := p.scopes[i][name]; ok {
				return u
			}
		}
		return name
	})
}

// operands splits at the commas outside brackets.
func operands(s string) (out []string) {
	depth, start := 0, 0
	for i, c := range s {
		switch c {
		case '{', '[', '(':
			depth++
		case '}', ']', ')':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, strings.TrimSpace(s[start:i]))
				start = i + 1
			}
		}
	}
	if t := strings.TrimSpace(s[start:]); t != "" {
		out = append(out, t)
	}
	return out
}
