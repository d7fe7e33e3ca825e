package jinja

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// str is Python's str().
func str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case undefined:
		return ""
	}
	var b strings.Builder
	repr(&b, v, 0)
	return b.String()
}

// repr writes what Python's repr() gives, of more than a rendering may make the beginning.
func repr(b *strings.Builder, v any, depth int) {
	if b.Len() > maxBytes {
		return
	}
	if depth > maxDepth {
		b.WriteString("...")
		return
	}
	sequence := func(open string, all []any, close string) {
		b.WriteString(open)
		for i, e := range all {
			if i > 0 {
				b.WriteString(", ")
			}
			repr(b, e, depth+1)
		}
		b.WriteString(close)
	}
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		b.WriteString(map[bool]string{true: "True", false: "False"}[v])
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(floatText(v))
	case string:
		quote(b, v)
	case list:
		sequence("[", v, "]")
	case tuple:
		if len(v) == 1 {
			sequence("(", v, ",)")
			return
		}
		sequence("(", v, ")")
	case *Dict:
		b.WriteByte('{')
		for i, k := range v.keys {
			if i > 0 {
				b.WriteString(", ")
			}
			repr(b, k, depth+1)
			b.WriteString(": ")
			repr(b, v.values[k], depth+1)
		}
		b.WriteByte('}')
	case undefined:
		b.WriteString("Undefined")
	case *namespace:
		b.WriteString("<Namespace ")
		repr(b, v.Dict, depth+1)
		b.WriteByte('>')
	default:
		b.WriteString("<object>")
	}
}

// floatText is the shortest text that reads back as the same number, always with a point or an exponent.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func quote(b *strings.Builder, s string) {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	b.WriteByte(q)
	for _, r := range s {
		switch {
		case r == rune(q) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == ' ' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			b.WriteString(`\x` + hex(r, 2))
		case r < 0x10000:
			b.WriteString(`\u` + hex(r, 4))
		default:
			b.WriteString(`\U` + hex(r, 8))
		}
	}
	b.WriteByte(q)
}

func hex(r rune, width int) string {
	s := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", width-len(s)) + s
}

// jsonStyle is how json.dumps is asked to write.
type jsonStyle struct {
	indent     string // of a level; "" for one line
	lines      bool
	item, pair string // separators
	ascii      bool   // escape all other characters
	sorted     bool
}

// writeJSON is Python's json.dumps.
func (r *run) writeJSON(b *strings.Builder, v any, style jsonStyle, depth int) error {
	if n := b.Len() + (depth+1)*len(style.indent); n > maxBytes {
		return r.use(n)
	}
	if depth > maxDepth {
		return errorf(0, "tojson: more than %d values in one another", maxDepth)
	}
	newline := func(depth int) {
		if style.lines {
			b.WriteByte('\n')
			b.WriteString(strings.Repeat(style.indent, depth))
		}
	}
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case float64:
		b.WriteString(map[string]string{"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[floatText(v)])
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			b.WriteString(floatText(v))
		}
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case string:
		jsonString(b, v, style.ascii)
	case list, tuple:
		all, _ := sequence(v)
		b.WriteByte('[')
		for i, e := range all {
			if i > 0 {
				b.WriteString(style.item)
			}
			newline(depth + 1)
			if err := r.writeJSON(b, e, style, depth+1); err != nil {
				return err
			}
		}
		if len(all) > 0 {
			newline(depth)
		}
		b.WriteByte(']')
	case *Dict:
		keys := v.keys
		if style.sorted {
			var err error
			if keys, err = r.sorted(keys, nil, false, false); err != nil {
				return err
			}
		}
		b.WriteByte('{')
		for i, k := range keys {
			if i > 0 {
				b.WriteString(style.item)
			}
			newline(depth + 1)
			name, ok := k.(string)
			if !ok {
				var inner strings.Builder
				if err := r.writeJSON(&inner, k, style, depth+1); err != nil {
					return err
				}
				name = inner.String()
			}
			jsonString(b, name, style.ascii)
			b.WriteString(style.pair)
			if err := r.writeJSON(b, v.values[k], style, depth+1); err != nil {
				return err
			}
		}
		if len(keys) > 0 {
			newline(depth)
		}
		b.WriteByte('}')
	default:
		return errorf(0, "tojson: %s is not JSON", typeName(v))
	}
	return nil
}

func jsonString(b *strings.Builder, s string, ascii bool) {
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r < ' ' || ascii && r >= utf8.RuneSelf && r < 0x10000:
			b.WriteString(`\u` + hex(r, 4))
		case ascii && r >= utf8.RuneSelf:
			r -= 0x10000
			b.WriteString(`\u` + hex(0xd800+r>>10, 4) + `\u` + hex(0xdc00+r&0x3ff, 4))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}
