package report

import (
	"math/rand/v2"

	"openrs/schemas"
)

// exampleGroup is problems of one kind, some of which the page shows.
type exampleGroup struct {
	Kind     string // what the problems have in common
	Of       int    // problems of this kind
	All      int    // problems in all
	Examples []example
}

type example struct {
	Problem, Gold string
	Answers       []exampleAnswer
}

type exampleAnswer struct {
	Model     string
	Series    int // the model's place, for its colour
	Right     bool
	Extracted string
	Text      string
	Cut       bool // Text is not all of the completion
	Tokens    int
	Truncated bool // the completion ran into the limit
}

// maxExample is how much of a completion the page shows, in bytes.
const maxExample = 6_000

// chooseExamples picks n problems of each kind at random, keyed by the seed,
// so that nobody has picked the good ones. A problem's kind is decided by its
// first judged sample: with one model right or wrong, with more what became of
// it from the first model to the last.
func chooseExamples(all []*answers, n int, seed uint64) []exampleGroup {
	if n < 0 {
		return nil
	}
	first, last := all[0], all[len(all)-1]
	shown := []*answers{first}
	places := []int{0}
	kinds := []string{"wrong", "right"}
	if last != first {
		shown, places = append(shown, last), append(places, len(all)-1)
		a, b := first.name, last.name
		kinds = []string{
			"wrong in " + a + ", right in " + b,
			"right in " + a + ", wrong in " + b,
			"wrong in both", "right in both",
		}
	}

	byKind := make([][]string, len(kinds))
	total := 0
	for _, id := range first.order {
		var right []bool
		for _, a := range shown {
			if p := a.problems[id]; p != nil && p.first != nil {
				right = append(right, *p.first.Correct)
			}
		}
		if len(right) != len(shown) {
			continue
		}
		total++
		kind := 0
		switch {
		case len(right) == 1 && right[0]:
			kind = 1
		case len(right) == 2 && right[0] && !right[1]:
			kind = 1
		case len(right) == 2 && !right[0] && !right[1]:
			kind = 2
		case len(right) == 2 && right[0] && right[1]:
			kind = 3
		}
		byKind[kind] = append(byKind[kind], id)
	}

	r := rand.New(rand.NewPCG(seed, 0x6578616d706c6573)) // "examples"
	var groups []exampleGroup
	for k, ids := range byKind {
		if len(ids) == 0 {
			continue
		}
		g := exampleGroup{Kind: kinds[k], Of: len(ids), All: total}
		for _, at := range r.Perm(len(ids))[:min(n, len(ids))] {
			p := first.problems[ids[at]]
			e := example{Problem: p.text, Gold: p.first.Answer}
			for i, a := range shown {
				e.Answers = append(e.Answers, answerOf(a.name, places[i], a.problems[ids[at]].first))
			}
			g.Examples = append(g.Examples, e)
		}
		groups = append(groups, g)
	}
	return groups
}

func answerOf(model string, series int, row *schemas.Scored) exampleAnswer {
	e := exampleAnswer{
		Model: model, Series: series, Right: *row.Correct, Text: row.Completion,
		Tokens: len(row.CompletionIDs), Truncated: row.FinishReason == schemas.FinishLength,
	}
	if row.Extracted != nil {
		e.Extracted = *row.Extracted
	}
	if len(e.Text) > maxExample {
		// The middle is left out: the answer is at the end.
		head, tail := []rune(e.Text[:maxExample/3]), []rune(e.Text[len(e.Text)-maxExample*2/3:])
		e.Text, e.Cut = string(head)+"\n[…]\n"+string(tail), true
	}
	return e
}
