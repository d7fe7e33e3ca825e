package jinja

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// method returns a method of a value, bound to it, or nil. (The result has the type any so that nil is
// plain.) Methods that change a value do not exist, as in Jinja's immutable sandbox.
func method(v any, name string) any {
	switch v := v.(type) {
	case string:
		if m, ok := stringMethods[name]; ok {
			return function(func(r *run, args arguments) (any, error) {
				if err := r.look(v); err != nil {
					return nil, err
				}
				out, err := m(r, v, args)
				if err != nil {
					return nil, wrap(name, err)
				}
				return out, nil
			})
		}
	case *Dict:
		if m, ok := dictMethods[name]; ok {
			return function(func(r *run, args arguments) (any, error) { return m(r, v, args) })
		}
	case list, tuple:
		all, _ := sequence(v)
		switch name {
		case "count":
			return function(func(r *run, args arguments) (any, error) {
				n := int64(0)
				for _, e := range all {
					if r.equal(e, args.or(0, "", nil)) {
						n++
					}
				}
				return n, nil
			})
		case "index":
			return function(func(r *run, args arguments) (any, error) {
				for i, e := range all {
					if r.equal(e, args.or(0, "", nil)) {
						return int64(i), nil
					}
				}
				return nil, cmp.Or(r.check(), errors.New("index: the value is not in the list"))
			})
		}
	}
	return nil
}

// pairs are the keys and values of a mapping, in order.
func (d *Dict) pairs() list {
	out := make(list, len(d.keys))
	for i, k := range d.keys {
		out[i] = tuple{k, d.values[k]}
	}
	return out
}

// pairs are those of a mapping, counted.
func (r *run) pairs(d *Dict) (any, error) {
	if err := r.use(64 * len(d.keys)); err != nil {
		return nil, err
	}
	return d.pairs(), nil
}

var dictMethods = map[string]func(r *run, d *Dict, args arguments) (any, error){
	"get": func(_ *run, d *Dict, args arguments) (any, error) {
		if v, ok := d.get(args.or(0, "key", nil)); ok {
			return v, nil
		}
		return args.or(1, "default", nil), nil
	},
	"items": func(r *run, d *Dict, _ arguments) (any, error) { return r.pairs(d) },
	"keys":  func(_ *run, d *Dict, _ arguments) (any, error) { return list(d.keys), nil },
	"values": func(r *run, d *Dict, _ arguments) (any, error) {
		out := make(list, len(d.keys))
		for i, k := range d.keys {
			out[i] = d.values[k]
		}
		return r.grownList(out)
	},
	"copy": func(_ *run, d *Dict, _ arguments) (any, error) { return d, nil }, // nothing can change it
}

type stringMethod func(r *run, s string, args arguments) (any, error)

var stringMethods = map[string]stringMethod{
	"strip":  func(_ *run, s string, args arguments) (any, error) { return strip(s, args.or(0, "", nil), true, true) },
	"lstrip": func(_ *run, s string, args arguments) (any, error) { return strip(s, args.or(0, "", nil), true, false) },
	"rstrip": func(_ *run, s string, args arguments) (any, error) { return strip(s, args.or(0, "", nil), false, true) },
	"split":  func(r *run, s string, args arguments) (any, error) { return split(r, s, args, false) },
	"rsplit": func(r *run, s string, args arguments) (any, error) { return split(r, s, args, true) },
	"splitlines": func(r *run, s string, args arguments) (any, error) {
		return r.grownList(splitLines(s, truth(args.or(0, "keepends", false))))
	},
	"startswith":   func(_ *run, s string, args arguments) (any, error) { return affix(s, args, strings.HasPrefix) },
	"endswith":     func(_ *run, s string, args arguments) (any, error) { return affix(s, args, strings.HasSuffix) },
	"removeprefix": withText(func(s, t string) any { return strings.TrimPrefix(s, t) }),
	"removesuffix": withText(func(s, t string) any { return strings.TrimSuffix(s, t) }),
	"find":         withText(func(s, t string) any { return runeIndex(s, strings.Index(s, t)) }),
	"rfind":        withText(func(s, t string) any { return runeIndex(s, strings.LastIndex(s, t)) }),
	"count":        withText(func(s, t string) any { return int64(strings.Count(s, t)) }),
	"index": func(_ *run, s string, args arguments) (any, error) {
		t, err := textAt(args, 0)
		if err == nil && !strings.Contains(s, t) {
			err = fmt.Errorf("%q is not in the text", t)
		}
		return runeIndex(s, strings.Index(s, t)), err
	},
	"partition": withText(func(s, t string) any {
		before, after, found := strings.Cut(s, t)
		if !found {
			return tuple{s, "", ""}
		}
		return tuple{before, t, after}
	}),
	"rpartition": withText(func(s, t string) any {
		i := strings.LastIndex(s, t)
		if i < 0 {
			return tuple{"", "", s}
		}
		return tuple{s[:i], t, s[i+len(t):]}
	}),
	"replace": func(r *run, s string, args arguments) (any, error) {
		old, err := textAt(args, 0)
		if err != nil {
			return nil, err
		}
		by, err := textAt(args, 1)
		if err != nil {
			return nil, err
		}
		n, ok := asInt(args.or(2, "count", nil))
		if !ok {
			n = -1
		}
		return replaceText(r, s, old, by, n)
	},
	"join": func(r *run, s string, args arguments) (any, error) {
		all, err := r.items(args.or(0, "", nil))
		if err != nil {
			return nil, err
		}
		return joined(r, s, all, nil, true)
	},
	"format":     format,
	"upper":      plain(upper),
	"lower":      plain(strings.ToLower),
	"casefold":   plain(strings.ToLower),
	"capitalize": plain(capitalize),
	"title":      plain(func(s string) string { return titled(s, func(r rune) bool { return !unicode.IsLetter(r) }) }),
	"swapcase": plain(func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsUpper(r) {
				return unicode.ToLower(r)
			}
			return unicode.ToUpper(r)
		}, s)
	}),
	"isdigit":   allRunes(unicode.IsDigit),
	"isdecimal": allRunes(unicode.IsDigit),
	"isnumeric": allRunes(unicode.IsNumber),
	"isalpha":   allRunes(unicode.IsLetter),
	"isalnum":   allRunes(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }),
	"isspace":   allRunes(unicode.IsSpace),
	"isupper": func(_ *run, s string, _ arguments) (any, error) {
		return s == strings.ToUpper(s) && s != strings.ToLower(s), nil
	},
	"islower": func(_ *run, s string, _ arguments) (any, error) {
		return s == strings.ToLower(s) && s != strings.ToUpper(s), nil
	},
	"ljust": func(r *run, s string, args arguments) (any, error) { return pad(r, s, args, false) },
	"rjust": func(r *run, s string, args arguments) (any, error) { return pad(r, s, args, true) },
	"zfill": func(r *run, s string, args arguments) (any, error) {
		return pad(r, s, arguments{positional: []any{args.or(0, "", nil), "0"}}, true)
	},
}

func plain(f func(string) string) stringMethod {
	return func(r *run, s string, _ arguments) (any, error) { return r.grown(f(s)) }
}

func allRunes(is func(rune) bool) stringMethod {
	return func(_ *run, s string, _ arguments) (any, error) {
		return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !is(r) }), nil
	}
}

func textAt(args arguments, i int) (string, error) {
	s, ok := args.or(i, "", nil).(string)
	if !ok {
		return "", fmt.Errorf("argument %d: expected a str", i+1)
	}
	return s, nil
}

func withText(f func(s, t string) any) stringMethod {
	return func(_ *run, s string, args arguments) (any, error) {
		t, err := textAt(args, 0)
		if err != nil {
			return nil, err
		}
		return f(s, t), nil
	}
}

// runeIndex counts characters, not bytes.
func runeIndex(s string, at int) int64 {
	if at < 0 {
		return -1
	}
	return int64(utf8.RuneCountInString(s[:at]))
}

// isSpace is what Python's str.strip() and split() take for white space.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func strip(s string, chars any, left, right bool) (any, error) {
	cut := isSpace
	switch chars := chars.(type) {
	case nil:
	case string:
		cut = func(r rune) bool { return strings.ContainsRune(chars, r) }
	default:
		return nil, fmt.Errorf("expected a str, found %s", typeName(chars))
	}
	if left {
		s = strings.TrimLeftFunc(s, cut)
	}
	if right {
		s = strings.TrimRightFunc(s, cut)
	}
	return s, nil
}

func split(r *run, s string, args arguments, fromRight bool) (any, error) {
	most, ok := asInt(args.or(1, "maxsplit", int64(-1)))
	if !ok {
		return nil, errors.New("maxsplit: expected a number")
	}
	if most < 0 {
		most = int64(len(s)) + 1
	}
	var parts []string
	switch sep := args.or(0, "sep", nil).(type) {
	case nil:
		parts = splitSpace(s, int(most), fromRight)
	case string:
		if sep == "" {
			return nil, errors.New("the separator is empty")
		}
		parts = strings.Split(s, sep)
		if extra := len(parts) - 1 - int(most); extra > 0 {
			if fromRight {
				parts = append([]string{strings.Join(parts[:extra+1], sep)}, parts[extra+1:]...)
			} else {
				parts = append(parts[:most:most], strings.Join(parts[most:], sep))
			}
		}
	default:
		return nil, fmt.Errorf("expected a str, found %s", typeName(sep))
	}
	return r.grownList(convertAll(parts))
}

// splitSpace splits at runs of white space, at most so many times.
func splitSpace(s string, most int, fromRight bool) []string {
	var parts []string
	for n := 0; ; n++ {
		if fromRight {
			s = strings.TrimRightFunc(s, isSpace)
		} else {
			s = strings.TrimLeftFunc(s, isSpace)
		}
		if s == "" {
			break
		}
		at := strings.IndexFunc(s, isSpace)
		if fromRight {
			at = strings.LastIndexFunc(s, isSpace)
		}
		if at < 0 || n == most {
			parts = append(parts, s)
			break
		}
		if fromRight {
			_, size := utf8.DecodeRuneInString(s[at:])
			parts, s = append(parts, s[at+size:]), s[:at]
		} else {
			parts, s = append(parts, s[:at]), s[at:]
		}
	}
	if fromRight {
		for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
			parts[i], parts[j] = parts[j], parts[i]
		}
		if len(parts) > most && len(parts) > 0 {
			parts[0] = strings.TrimRightFunc(parts[0], isSpace)
		}
	}
	return parts
}

func splitLines(s string, keep bool) list {
	out := list{}
	for s != "" {
		at := strings.IndexAny(s, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if at < 0 {
			return append(out, s)
		}
		_, size := utf8.DecodeRuneInString(s[at:])
		if strings.HasPrefix(s[at:], "\r\n") {
			size = 2
		}
		if keep {
			out = append(out, s[:at+size])
		} else {
			out = append(out, s[:at])
		}
		s = s[at+size:]
	}
	return out
}

func affix(s string, args arguments, has func(s, part string) bool) (any, error) {
	switch part := args.or(0, "", nil).(type) {
	case string:
		return has(s, part), nil
	case tuple:
		for _, p := range part {
			if p, ok := p.(string); ok && has(s, p) {
				return true, nil
			}
		}
		return false, nil
	default:
		return nil, fmt.Errorf("expected a str or a tuple, found %s", typeName(part))
	}
}

func pad(r *run, s string, args arguments, left bool) (any, error) {
	width, ok := asInt(args.or(0, "width", nil))
	if !ok {
		return nil, errors.New("expected a width")
	}
	with, err := r.repeat(str(args.or(1, "fillchar", " ")), width-int64(utf8.RuneCountInString(s)))
	if err != nil {
		return nil, err
	}
	if left {
		return r.grown(with.(string) + s)
	}
	return r.grown(s + with.(string))
}

// format is str.format for fields that are a number, a name or nothing.
func format(r *run, s string, args arguments) (any, error) {
	var b strings.Builder
	next := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case (c == '{' || c == '}') && i+1 < len(s) && s[i+1] == c:
			b.WriteByte(c)
			i++
		case c == '{':
			n := strings.IndexByte(s[i:], '}')
			if n < 0 {
				return nil, errors.New("a field has no end")
			}
			field := s[i+1 : i+n]
			i += n
			place, err := strconv.Atoi(field)
			if field == "" {
				place, err = next, nil
				next++
			}
			v, ok := args.named[field]
			if err == nil {
				if ok = place >= 0 && place < len(args.positional); ok {
					v = args.positional[place]
				}
			}
			if !ok {
				return nil, fmt.Errorf("no value for the field {%s}", field)
			}
			b.WriteString(str(v))
		case c == '}':
			return nil, errors.New("a '}' without a field")
		default:
			b.WriteByte(c)
		}
		if b.Len() > maxBytes {
			return nil, r.use(maxBytes + 1)
		}
	}
	return r.grown(b.String())
}
