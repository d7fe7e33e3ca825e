package similar

import (
	"strings"
	"testing"
)

// What differs in a sign or a stroke only must stay different; what is only spelt in another way must not.
func TestSignsMatter(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"x ≰ y", "x ≤ y", false},
		{"x ≮ y", "x < y", false},
		{"x <\u0338 y", "x < y", false},
		{"x ∉ A", "x ∈ A", false},
		{"x ∈\u0338 A", "x ∈ A", false},
		{"a ∤ b", "a ∣ b", false},
		{"A ⊄ B", "A ⊂ B", false},
		{"A ⊈ B", "A ⊆ B", false},
		{"a ≢ b", "a ≡ b", false},
		{"a ∦ b", "a ∥ b", false},
		{"∄ x", "∃ x", false},
		{"x ∉ A", `x \notin A`, true},
		{"a ∤ b", `a \nmid b`, true},
		{"A ⊄ B", `A \not\subset B`, true},
		{"a ≢ b", "a ≡\u0338 b", true},
		{"±1 ∓1", `\pm 1 \mp 1`, true},
		{"10⁻³", "10^{-3}", true},
		{"x¹²", "x^{12}", true},
		{"x² y³", "x^2 y^3", true},
		{"2ⁿ⁺¹", "2^{n+1}", true},
		{"segment AB'", "segment AB", false},
		{"triangle AB'C'", "triangle ABC", false},
		{"AB'C'", "AB′C′", true},
		{"A'BC'", "A'BC", false},
		{"the 'ABC' of it", "the ABC of it", true},
		{"JANET'S DOG", "Janet's dog", true},
		{"2**3", "2*3", false},
		{"2**3", "2^3", true},
		{"**Problem** 5 of (**a**)", "Problem 5 of (a)", true},
	} {
		a, b := Normalise(c.a), Normalise(c.b)
		if (a == b) != c.same {
			t.Errorf("%q and %q become %q and %q", c.a, c.b, a, b)
		}
		for _, n := range []string{a, b} {
			if again := Normalise(n); again != n {
				t.Errorf("%q becomes %q", n, again)
			}
		}
	}
}

// TestRepeatedWords has a row and an item that repeat the same words: every run of the row begins like the item.
func TestRepeatedWords(t *testing.T) {
	x, err := NewIndex(IndexOptions{Methods: []Method{MethodNGram8, MethodNGram13}}, Benchmark{Name: "b", Items: []Item{{ID: "1", Text: strings.Repeat("ab c ", 50000) + "z"}}})
	if err != nil {
		t.Fatal(err)
	}
	found := x.Check(Prepare(strings.Repeat("ab c ", 200000))) // minutes, if it took the product of their lengths
	if len(found) != 2 || found[0].Excerpt == "" || found[0].ItemExcerpt == "" {
		t.Errorf("found %v", found)
	}
}
