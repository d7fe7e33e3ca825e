package answer

import (
	"fmt"

	"openrs/score/answer/expr"
	"openrs/stages/suggest"
)

// Profile says what counts as an answer in a text, and how closely answers are compared. The zero
// value is [Benchmark].
type Profile struct {
	// Name is "reward", "benchmark" or "open-rs".
	Name string
	// Formal asks for an answer that is marked as one: in a box, or in a formula after the word "answer".
	// Without it plain numbers and text after such words count too, and failing these the last
	// mathematics of the text.
	Formal bool
	// Swapped compares the prediction with the gold answer in open-rs' order and reads only what open-rs
	// reads: golds in a LaTeX environment or box, the last box of the whole text.
	Swapped bool
	// Math bounds and steers reading and comparing.
	Math expr.Options
}

// Reward is the profile that accuracy rewards are given by: as in open-rs' accuracy reward an answer
// needs a box, or a formula after "answer", so that a model learns to mark what it means; decimals are
// compared to 6 places.
func Reward() Profile {
	return Profile{Name: "reward", Formal: true, Math: expr.Options{Places: 6}}
}

// Benchmark is the profile that benchmark scores are made by: as in lighteval's metric with open-rs'
// settings anything that a reader would take for the final answer counts, and decimals are compared to
// 5 places.
func Benchmark() Profile {
	return Profile{Name: "benchmark", Math: expr.Options{Places: 5}}
}

// OpenRS is the profile that open-rs' published accuracy reward amounts to, with its mistakes, for comparison:
// see the package comment.
func OpenRS() Profile {
	return Profile{Name: "open-rs", Formal: true, Swapped: true, Math: expr.Options{Places: 6, Strict: true, LooseBases: true}}
}

// Profiles are all profiles.
func Profiles() []Profile { return []Profile{Reward(), Benchmark(), OpenRS()} }

// ProfileByName returns a profile; an unknown name is an error that says which there are.
func ProfileByName(name string) (Profile, error) {
	var names []string
	for _, p := range Profiles() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Profile{}, fmt.Errorf("no profile %q%s, expected reward, benchmark or open-rs", name, suggest.From(name, names))
}

func (p Profile) orDefault() Profile {
	if p == (Profile{}) {
		return Benchmark()
	}
	return p
}
