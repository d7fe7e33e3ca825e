package jinja

import (
	"errors"
	"strings"
	"testing"
)

// TestBounds: what would take for ever, or more memory than there is, stops with an error that says so.
func TestBounds(t *testing.T) {
	const (
		doubled = `{% set n = namespace(a=[1], b=[1]) %}{% for i in range(60) %}{% set n.a = [n.a, n.a] %}{% set n.b = [n.b, n.b] %}{% endfor %}`
		grows   = `{% set n = namespace(s='"') %}{% for i in range(60) %}{% set n.s = `
		many    = `{% set b = range(100000) %}{% set n = namespace(a=[]) %}{% for i in b %}{% for j in b %}{% set n.a = [n.a, `
		busy    = `{% set s = 'ab' * 4000000 %}{% for i in range(100000) %}{% for j in range(1000) %}{% if `
	)
	for name, source := range map[string]string{
		"print":      doubled + `{{ n.a }}`,
		"tojson":     doubled + `{{ n.a|tojson }}`,
		"equal":      doubled + `{{ n.a == n.b }}`,
		"unequal":    doubled + `{{ n.a != n.b }}`,
		"equal last": doubled + `{% if n.a == n.b %}{% endif %}`,
		"in":         doubled + `{{ n.a in [n.b] }}`,
		"order":      doubled + `{{ n.a < n.b }}`,
		"index":      doubled + `{{ [n.a].index(n.b) }}`,
		"unique":     doubled + `{{ [n.a, n.b]|unique|list|length }}`,
		"changed":    doubled + `{% for i in [1, 2] %}{% if loop.changed(n.a if i == 1 else n.b) %}{% endif %}{% endfor %}`,
		"printf":     grows + `'%s%s' % (n.s, n.s) %}{% endfor %}`,
		"format":     grows + `'%s%s'|format(n.s, n.s) %}{% endfor %}`,
		"separators": grows + `[1, 2]|tojson(separators=(n.s ~ n.s, ':')) %}{% endfor %}`,
		"indent":     grows + `[[1]]|tojson(indent=n.s ~ n.s) %}{% endfor %}`,
		"lists":      many + `b|list] %}{% endfor %}{% endfor %}`,
		"reversed":   many + `b|reverse] %}{% endfor %}{% endfor %}`,
		"sorted":     many + `b|sort] %}{% endfor %}{% endfor %}`,
		"slices":     many + `b[1:]] %}{% endfor %}{% endfor %}`,
		"search":     busy + `'ba' * 10 ~ 'x' in s %}{% endif %}{% endfor %}{% endfor %}`,
		"method":     busy + `s.find('x') == 1 %}{% endif %}{% endfor %}{% endfor %}`,
		"source":     strings.Repeat("{{ 1 }}", maxSource),
		"chain":      "{{ 1" + strings.Repeat("+1", maxSource) + " }}",
	} {
		t.Run(name, func(t *testing.T) {
			text, err := render(source, nil)
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), "more than") {
				t.Errorf("%d bytes, %v", len(text), err)
			}
		})
	}
}

// TestLongestSource: the longest template that is taken is read and rendered, however deep it is.
func TestLongestSource(t *testing.T) {
	n := (maxSource - 8) / 2
	if text, err := render("{{ 1"+strings.Repeat("+1", n)+" }}", nil); err != nil || text != "524285" {
		t.Errorf("%q, %v", text, err)
	}
}
