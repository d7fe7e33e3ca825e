package checkpoint

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// object reads typed values out of a decoded JSON object. It keeps the first error, so that a
// caller reads all keys and looks once. A null counts as absent, as it does for transformers.
type object struct {
	m   map[string]any
	err error
}

func (o *object) keep(err error) {
	if o.err == nil {
		o.err = err
	}
}

func (o *object) want(key, expected string, found any) {
	o.keep(fmt.Errorf("%w: %s: expected %s, found %s", ErrFormat, key, expected, describe(found)))
}

// has reports a value that is there and not null.
func (o *object) has(key string) bool { return o.m[key] != nil }

func (o *object) str(key, fallback string) string {
	switch v := o.m[key].(type) {
	case nil:
		return fallback
	case string:
		return v
	default:
		o.want(key, "a string", v)
		return fallback
	}
}

func (o *object) boolean(key string, fallback bool) bool {
	switch v := o.m[key].(type) {
	case nil:
		return fallback
	case bool:
		return v
	default:
		o.want(key, "true or false", v)
		return fallback
	}
}

func (o *object) float(key string, fallback float64) float64 {
	switch v := o.m[key].(type) {
	case nil:
		return fallback
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			o.want(key, "a number", v)
		}
		return f
	default:
		o.want(key, "a number", v)
		return fallback
	}
}

// size reads a positive integer; a fallback of 0 means that the key must be there.
func (o *object) size(key string, fallback int) int {
	v := o.m[key]
	if v == nil && fallback > 0 {
		return fallback
	}
	n, ok := integer(v)
	if !ok || n < 1 || n > maxSize {
		o.want(key, fmt.Sprintf("an integer from 1 to %d", maxSize), v)
		return max(fallback, 1)
	}
	return int(n)
}

// ids reads a token id or a list of them; nil when absent.
func (o *object) ids(key string) []int32 {
	v := o.m[key]
	if v == nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var ids []int32
	for _, item := range list {
		n, ok := integer(item)
		if !ok || n < 0 || n > math.MaxInt32 {
			o.want(key, "token ids", item)
			return nil
		}
		ids = append(ids, int32(n))
	}
	return ids
}

func (o *object) strings(key string) []string {
	list, ok := o.m[key].([]any)
	if !ok {
		if o.m[key] != nil {
			o.want(key, "a list of strings", o.m[key])
		}
		return nil
	}
	var out []string
	for _, item := range list {
		s, ok := item.(string)
		if !ok {
			o.want(key, "a list of strings", item)
			return nil
		}
		out = append(out, s)
	}
	return out
}

func (o *object) object(key string) *object {
	m, ok := o.m[key].(map[string]any)
	if !ok {
		o.want(key, "an object", o.m[key])
	}
	return &object{m: m}
}

func integer(v any) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(n.String(), 10, 64)
	return i, err == nil
}

// describe shows a JSON value shortly in a message.
func describe(v any) string {
	if v == nil {
		return "nothing"
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%T", v)
	}
	if len(text) > 60 {
		text = append(text[:57], "..."...)
	}
	return string(text)
}
