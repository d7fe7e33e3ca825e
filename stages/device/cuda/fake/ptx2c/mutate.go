//go:build cuda

package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// mutate breaks kernels on purpose, for tests that the fake sees it (../mutants). The order has four parts
// between bars: a pattern for names of kernels, a pattern, what to put in its place, and which of the
// occurrences in the kernel, from 0 (-1: all). A module without such a kernel is left alone; a kernel
// without such an occurrence is an error.
func mutate(text, order string) (string, error) {
	parts := strings.Split(order, "|")
	if len(parts) != 4 {
		return "", fmt.Errorf("a mutant is kernel|pattern|replacement|occurrence, not %q", order)
	}
	kernels, err := regexp.Compile(`\.entry\s+(?:` + parts[0] + `)\s*\(`)
	if err != nil {
		return "", err
	}
	pattern, err := regexp.Compile(parts[1])
	if err != nil {
		return "", err
	}
	which, err := strconv.Atoi(parts[3])
	if err != nil {
		return "", err
	}
	var out strings.Builder
	rest := text
	for {
		start := kernels.FindStringIndex(rest)
		if start == nil {
			out.WriteString(rest)
			return out.String(), nil
		}
		end := len(rest)
		if next := strings.Index(rest[start[1]:], ".entry"); next >= 0 {
			end = start[1] + next
		}
		body := rest[start[1]:end]
		n := -1
		found := false
		body = pattern.ReplaceAllStringFunc(body, func(s string) string {
			n++
			if which >= 0 && n != which {
				return s
			}
			found = true
			return pattern.ReplaceAllString(s, parts[2])
		})
		if !found {
			return "", fmt.Errorf("mutant %q: %s has no such place", order, rest[start[0]:start[1]])
		}
		out.WriteString(rest[:start[1]] + body)
		rest = rest[end:]
	}
}
