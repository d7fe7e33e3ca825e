package step

import (
	"fmt"
	"strings"

	"openrs/curate/recipe"
	"openrs/curate/rows"
	"openrs/schemas"
	"openrs/score/answer"
)

// maxAnswers is how many different answers of one problem are told apart; samples with yet another one
// only count in the total.
const maxAnswers = 16

// majority compares gold answers with what most samples of a model answer: when many agree on another
// answer, the gold answer is more likely wrong than all of them. Memory: about 100 bytes a problem with
// samples, and its different answers.
type majority struct {
	profile answer.Profile
	votes   map[id]*ballot
	least   int
	share   float64
	on      string // drop, mark or replace
	drop    bool   // rows without samples
	files   []string
}

// ballot is what the samples of one problem answered.
type ballot struct {
	samples int // with and without an answer
	answers []vote
}

type vote struct {
	text string
	gold answer.Gold
	n    int
}

// add counts one sample's answer, "" for none. Answers are the same when score/answer says so.
func (b *ballot) add(text string, p answer.Profile) {
	b.samples++
	if text == "" {
		return
	}
	for i := range b.answers {
		if v := &b.answers[i]; v.text == text || v.gold.Equal(text).Equal {
			v.n++
			return
		}
	}
	if len(b.answers) == maxAnswers {
		return
	}
	gold, err := answer.ReadGold(text, p)
	if err != nil {
		return
	}
	b.answers = append(b.answers, vote{strings.Clone(text), gold, 1})
}

// winner is the answer with most votes, the first of several.
func (b *ballot) winner() (best vote) {
	for _, v := range b.answers {
		if v.n > best.n {
			best = v
		}
	}
	return best
}

func newMajority(v recipe.Values, env *Env) (Filter, error) {
	p, err := answer.ProfileByName(v.Text("profile"))
	if err != nil {
		return nil, err
	}
	m := &majority{
		profile: p, votes: map[id]*ballot{}, least: v.Count("min-samples", 4), share: v.Number("share", 0.5),
		on: v.Text("on-disagreement"), drop: v.Text("missing") == "drop",
	}
	if m.share <= 0 || m.share > 1 {
		return nil, fmt.Errorf("share: %g, expected more than 0 and at most 1", m.share)
	}
	m.files, err = eachSample(env, v.List("scored"), schemas.KindRollouts, func(s sampled) error {
		key := idOf(s.problem)
		b := m.votes[key]
		if b == nil {
			b = &ballot{}
			m.votes[key] = b
		}
		text, _ := answer.Extract(s.completion, p)
		b.add(text, p)
		return nil
	})
	return m, err
}

func (m *majority) Look(r *rows.Row) (*Removal, error) {
	b := m.votes[idOf(r.Problem.Problem)]
	if b == nil || b.samples < m.least {
		n := 0
		if b != nil {
			n = b.samples
		}
		if m.drop {
			return removal("too few samples to check the answer", fmt.Sprintf("%d, want %d", n, m.least)), nil
		}
		return nil, nil
	}
	best := b.winner()
	if float64(best.n) < m.share*float64(b.samples) || best.n*2 <= b.samples && tied(b, best) {
		return nil, nil // no majority
	}
	if v, err := answer.Verify(r.Answer, boxed(best.text), m.profile); err == nil && v.Equal || best.text == r.Answer {
		return nil, nil
	}
	detail := fmt.Sprintf("%d of %d samples answer %s, the gold answer is %s", best.n, b.samples, shorten(best.text, 60), shorten(r.Answer, 60))
	switch m.on {
	case "mark":
		r.SetMeta("majority", fmt.Sprintf("%s (%d of %d)", best.text, best.n, b.samples))
		return nil, nil
	case "replace":
		r.SetMeta("gold", r.Answer)
		r.Answer = best.text
		return nil, nil
	}
	return removal("most samples disagree with the answer", detail), nil
}

// tied tells whether another answer has as many votes.
func tied(b *ballot, best vote) bool {
	n := 0
	for _, v := range b.answers {
		if v.n == best.n {
			n++
		}
	}
	return n > 1
}

// boxed marks a text as the answer, so that it is found as a whole.
func boxed(text string) string { return `\boxed{` + text + `}` }

// Notes implements [Noter].
func (m *majority) Notes() []string {
	return []string{
		fmt.Sprintf("samples of %d problems in %s", len(m.votes), strings.Join(m.files, ", ")),
		fmt.Sprintf("a majority is %g of at least %d samples; profile %s", m.share, m.least, m.profile.Name),
	}
}
