package jinja

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// filterFunc makes a value of another.
type filterFunc func(s *scope, v any, args arguments) (any, error)

// filters are those of Jinja that templates of language models have use for.
var filters = map[string]filterFunc{
	"abs": func(_ *scope, v any, _ arguments) (any, error) {
		switch v := v.(type) {
		case int64:
			return max(v, -v), nil
		case float64:
			return math.Abs(v), nil
		}
		return nil, fmt.Errorf("expected a number, found %s", typeName(v))
	},
	"attr": func(s *scope, v any, args arguments) (any, error) {
		return attributeOf(s, v, str(args.or(0, "name", "")))
	},
	"capitalize": onText(capitalize),
	"count":      lengthFilter,
	"d":          defaultFilter,
	"default":    defaultFilter,
	"dictsort":   dictsort,
	"e":          onText(escape),
	"escape":     onText(escape),
	"first": func(s *scope, v any, _ arguments) (any, error) {
		return edge(s, v, func(all []any) any { return all[0] })
	},
	"float": func(_ *scope, v any, args arguments) (any, error) {
		if f, ok := asFloat(v); ok {
			return f, nil
		}
		if s, ok := v.(string); ok {
			if f, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil {
				return f, nil
			}
		}
		return args.or(0, "default", 0.0), nil
	},
	"format": func(s *scope, v any, args arguments) (any, error) {
		return printf(s.run, str(v), tuple(args.positional))
	},
	"indent": indent,
	"int":    toInt,
	"items": func(s *scope, v any, _ arguments) (any, error) {
		switch v := v.(type) {
		case undefined:
			return list{}, nil
		case *Dict:
			return s.run.pairs(v)
		}
		return nil, fmt.Errorf("expected a dict, found %s", typeName(v))
	},
	"join": joinFilter,
	"last": func(s *scope, v any, _ arguments) (any, error) {
		return edge(s, v, func(all []any) any { return all[len(all)-1] })
	},
	"length": lengthFilter,
	"list": func(s *scope, v any, _ arguments) (any, error) {
		all, err := s.run.items(v)
		if err != nil {
			return nil, err
		}
		return s.run.grownList(slices.Clone(all))
	},
	"lower":      onText(strings.ToLower),
	"map":        mapFilter,
	"max":        func(s *scope, v any, args arguments) (any, error) { return extreme(s, v, args, 1) },
	"min":        func(s *scope, v any, args arguments) (any, error) { return extreme(s, v, args, -1) },
	"reject":     func(s *scope, v any, args arguments) (any, error) { return choose(s, v, args, false, false) },
	"rejectattr": func(s *scope, v any, args arguments) (any, error) { return choose(s, v, args, true, false) },
	"replace": func(s *scope, v any, args arguments) (any, error) {
		old, _ := args.at(0, "old")
		by, ok := args.at(1, "new")
		if !ok {
			return nil, errors.New("expected two texts")
		}
		n := int64(-1)
		if c, ok := asInt(args.or(2, "count", nil)); ok {
			n = c
		}
		return replaceText(s.run, str(v), str(old), str(by), n)
	},
	"reverse": func(s *scope, v any, _ arguments) (any, error) {
		all, err := s.run.items(v)
		if err != nil {
			return nil, err
		}
		all = slices.Clone(all)
		slices.Reverse(all)
		if _, ok := v.(string); ok {
			return s.run.grown(concat(all))
		}
		return s.run.grownList(all)
	},
	"round": round,
	"safe":  onText(func(s string) string { return s }),
	"select": func(s *scope, v any, args arguments) (any, error) {
		return choose(s, v, args, false, true)
	},
	"selectattr": func(s *scope, v any, args arguments) (any, error) { return choose(s, v, args, true, true) },
	"sort": func(s *scope, v any, args arguments) (any, error) {
		all, err := s.run.items(v)
		if err != nil {
			return nil, err
		}
		key, err := attributeKey(s, args.or(2, "attribute", nil))
		if err != nil {
			return nil, err
		}
		all, err = s.run.sorted(all, key, truth(args.or(0, "reverse", false)), !truth(args.or(1, "case_sensitive", false)))
		if err != nil {
			return nil, err
		}
		return s.run.grownList(all)
	},
	"string": func(s *scope, v any, _ arguments) (any, error) { return s.run.text(v) },
	"sum":    sum,
	"title":  onText(title),
	"tojson": toJSON,
	"trim": func(s *scope, v any, args arguments) (any, error) {
		text, err := s.run.text(v)
		if err != nil {
			return nil, err
		}
		return strip(text, args.or(0, "chars", nil), true, true)
	},
	"unique": unique,
	"upper":  onText(upper),
	"wordcount": func(s *scope, v any, _ arguments) (any, error) {
		text, err := s.run.text(v)
		return int64(len(strings.Fields(text))), err
	},
}

func onText(f func(string) string) filterFunc {
	return func(s *scope, v any, _ arguments) (any, error) { return s.run.grown(f(str(v))) }
}

func lengthFilter(_ *scope, v any, _ arguments) (any, error) {
	n, err := length(v)
	return int64(n), err
}

func defaultFilter(_ *scope, v any, args arguments) (any, error) {
	if _, ok := v.(undefined); ok || truth(args.or(1, "boolean", false)) && !truth(v) {
		return args.or(0, "default_value", ""), nil
	}
	return v, nil
}

func edge(s *scope, v any, of func([]any) any) (any, error) {
	all, err := s.run.items(v)
	if err != nil || len(all) == 0 {
		return undefined{"there is no item"}, err
	}
	return of(all), nil
}

func concat(all []any) string {
	var b strings.Builder
	for _, v := range all {
		b.WriteString(str(v))
	}
	return b.String()
}

func capitalize(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + strings.ToLower(s[n:])
}

// title is the filter: words end at white space and opening brackets. (The method of that name begins a
// word behind anything but a letter.)
func title(s string) string {
	return titled(s, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("-({[<", r) })
}

func titled(s string, between func(rune) bool) string {
	var b strings.Builder
	begin := true
	for _, r := range s {
		if begin {
			b.WriteRune(unicode.ToTitle(r))
		} else {
			b.WriteRune(unicode.ToLower(r))
		}
		begin = between(r)
	}
	return b.String()
}

// upper is str.upper(): a sharp s has no capital of its own.
func upper(s string) string { return strings.ToUpper(strings.ReplaceAll(s, "ß", "ss")) }

var escapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")

func escape(s string) string { return escapes.Replace(s) }

func replaceText(r *run, s, old, by string, n int64) (any, error) {
	times := int64(strings.Count(s, old))
	if n >= 0 {
		times = min(times, n)
	}
	if err := r.use(len(s)); err != nil {
		return nil, err
	}
	if len(by) > 0 && times > maxBytes/int64(len(by)) {
		return nil, r.use(maxBytes + 1)
	}
	return r.grown(strings.Replace(s, old, by, int(times)))
}

func indent(s *scope, v any, args arguments) (any, error) {
	width := args.or(0, "width", int64(4))
	prefix, ok := width.(string)
	if n, isInt := asInt(width); isInt {
		p, err := s.run.repeat(" ", n)
		if err != nil {
			return nil, err
		}
		prefix, ok = p.(string), true
	}
	if !ok {
		return nil, fmt.Errorf("expected a number or a text, found %s", typeName(width))
	}
	lines := strings.Split(str(v), "\n")
	if err := s.run.use(len(lines) * len(prefix)); err != nil {
		return nil, err
	}
	for i, line := range lines {
		if i == 0 && !truth(args.or(1, "first", false)) || i > 0 && line == "" && !truth(args.or(2, "blank", false)) {
			continue
		}
		lines[i] = prefix + line
	}
	return s.run.grown(strings.Join(lines, "\n"))
}

func toInt(_ *scope, v any, args arguments) (any, error) {
	if n, ok := asInt(v); ok {
		return n, nil
	}
	fallback := args.or(0, "default", int64(0))
	f, ok := v.(float64)
	if s, isText := v.(string); isText {
		base, _ := asInt(args.or(1, "base", int64(10)))
		if base < 2 || base > 36 {
			return fallback, nil
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(s), int(base), 64); err == nil {
			return n, nil
		}
		var err error
		if f, err = strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil {
			ok = true
		}
	}
	if !ok || math.IsNaN(f) || math.Abs(f) >= 1<<63 {
		return fallback, nil
	}
	return int64(f), nil
}

func joinFilter(s *scope, v any, args arguments) (any, error) {
	all, err := s.run.items(v)
	if err != nil {
		return nil, err
	}
	key, err := attributeKey(s, args.or(1, "attribute", nil))
	if err != nil {
		return nil, err
	}
	return joined(s.run, str(args.or(0, "d", "")), all, key, false)
}

// joined puts texts together; strict refuses what is not a text.
func joined(r *run, separator string, all []any, key func(any) (any, error), strict bool) (any, error) {
	var b strings.Builder
	for i, v := range all {
		if key != nil {
			var err error
			if v, err = key(v); err != nil {
				return nil, err
			}
		}
		if _, ok := v.(string); strict && !ok {
			return nil, fmt.Errorf("element %d: expected a str, found %s", i, typeName(v))
		}
		if i > 0 {
			b.WriteString(separator)
		}
		text := str(v)
		b.WriteString(text)
		if err := r.use(len(separator) + len(text)); err != nil {
			return nil, err
		}
	}
	return b.String(), nil
}

func round(_ *scope, v any, args arguments) (any, error) {
	if n, ok := v.(int64); ok {
		return n, nil
	}
	f, ok := asFloat(v)
	digits, isInt := asInt(args.or(0, "precision", int64(0)))
	if !ok || !isInt {
		return nil, fmt.Errorf("expected numbers, found %s", typeName(v))
	}
	by := math.Pow(10, float64(digits))
	switch str(args.or(1, "method", "common")) {
	case "ceil":
		return math.Ceil(f*by) / by, nil
	case "floor":
		return math.Floor(f*by) / by, nil
	}
	if digits >= 0 && digits < 300 { // the decimal text decides, as in Python
		return strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(digits), 64), 64)
	}
	return math.RoundToEven(f*by) / by, nil
}

func toJSON(s *scope, v any, args arguments) (any, error) {
	style := jsonStyle{item: ", ", pair: ": ", ascii: truth(args.or(0, "ensure_ascii", false)), sorted: truth(args.or(3, "sort_keys", false))}
	switch n := args.or(1, "indent", nil).(type) {
	case int64:
		if n > maxDepth {
			return nil, fmt.Errorf("indent: expected at most %d", maxDepth)
		}
		style.lines, style.indent, style.item = true, strings.Repeat(" ", int(max(n, 0))), ","
	case string:
		style.lines, style.indent, style.item = true, n, ","
	}
	if two, ok := sequence(args.or(2, "separators", nil)); ok && len(two) == 2 {
		style.item, style.pair = str(two[0]), str(two[1])
	}
	var b strings.Builder
	if err := s.run.writeJSON(&b, v, style, 0); err != nil {
		return nil, err
	}
	return s.run.grown(b.String())
}

// printf is Python's % for texts: %s, %r, %d, %i, %f with a precision, and %%.
func printf(r *run, format string, v any) (any, error) {
	args, ok := v.(tuple)
	if !ok {
		args = tuple{v}
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		precision := 6
		if format[i] == '.' {
			from := i + 1
			for i++; i < len(format) && format[i] >= '0' && format[i] <= '9'; i++ {
			}
			precision, _ = strconv.Atoi(format[from:i])
			if i == len(format) || precision > 100 {
				return nil, errors.New("a format that is not complete")
			}
		}
		if format[i] == '%' {
			b.WriteByte('%')
			continue
		}
		if len(args) == 0 {
			return nil, errors.New("not enough values for the format")
		}
		arg := args[0]
		args = args[1:]
		f, isNumber := asFloat(arg)
		switch c := format[i]; {
		case c == 's':
			b.WriteString(str(arg))
		case c == 'r':
			repr(&b, arg, 0)
		case (c == 'd' || c == 'i') && isNumber:
			b.WriteString(strconv.FormatInt(int64(f), 10))
		case c == 'f' && isNumber:
			b.WriteString(strconv.FormatFloat(f, 'f', precision, 64))
		default:
			return nil, fmt.Errorf("format %%%c: not supported for %s", c, typeName(arg))
		}
		if b.Len() > maxBytes {
			return nil, r.use(b.Len())
		}
	}
	if len(args) > 0 && ok {
		return nil, errors.New("too many values for the format")
	}
	return r.grown(b.String())
}
