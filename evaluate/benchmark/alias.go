package benchmark

import (
	"fmt"
	"strings"
	"unicode"

	"openrs/stages/suggest"
)

// Lookup finds a benchmark by its name or by another name people use for it:
// math500, MATH-500, HuggingFaceH4/MATH-500, and lighteval's task strings
// (lighteval|math_500|0|0, custom|math_500|0). It fails with ErrUnknown and the
// names that there are.
func Lookup(name string) (Benchmark, error) {
	task, err := taskName(name)
	if err != nil {
		return Benchmark{}, err
	}
	for _, b := range benchmarks() {
		if b.Name == task {
			return b, nil
		}
	}
	want := plain(task)
	for _, b := range benchmarks() {
		for _, alias := range append([]string{b.Name}, b.Aliases...) {
			if want != "" && (plain(alias) == want || plain(afterSlash(alias)) == want) {
				return b, nil
			}
		}
	}
	return Benchmark{}, fmt.Errorf("%w %q%s: want one of %s", ErrUnknown, name, suggest.From(task, Names()), strings.Join(Names(), ", "))
}

// taskName is the task of a lighteval task string, suite|task|examples|cut, any of
// whose other parts may be missing. Questions with worked examples before them
// (few-shot) are refused: reasoning models are measured without.
func taskName(spec string) (string, error) {
	parts := strings.Split(strings.TrimSpace(spec), "|")
	task := parts[0]
	if len(parts) > 1 && !digits(parts[1]) {
		task, parts = parts[1], parts[1:]
	}
	if len(parts) > 3 {
		return "", fmt.Errorf("%w %q: want suite|task|examples|cut", ErrUnknown, spec)
	}
	if len(parts) > 1 && parts[1] != "0" {
		return "", fmt.Errorf("%w %q: %s worked examples before each question: want 0", ErrUnknown, spec, parts[1])
	}
	return task, nil
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func afterSlash(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }

// plain is a name without case and punctuation.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}
