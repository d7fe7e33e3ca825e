package step

import (
	"fmt"
	"slices"
	"strings"

	"openrs/curate/recipe"
	"openrs/curate/rows"
	"openrs/score/answer"
	"openrs/score/answer/expr"
)

// extractAnswer fills in answers from worked text.
type extractAnswer struct {
	profile answer.Profile
	of      field
	name    string
	always  bool
}

func newExtractAnswer(v recipe.Values, _ *Env) (Filter, error) {
	p, err := answer.ProfileByName(v.Text("profile"))
	if err != nil {
		return nil, err
	}
	name := v.Text("from")
	of, err := fieldByName(name, "solution", "answer")
	return &extractAnswer{p, of, name, v.Bool("always")}, err
}

func (s *extractAnswer) Look(r *rows.Row) (*Removal, error) {
	if r.Answer != "" && !s.always && s.name != "answer" {
		return nil, nil
	}
	text, ok := s.of(r)
	if !ok {
		return removal("no "+s.name+" to extract an answer from", ""), nil
	}
	found, ok := answer.Extract(text, s.profile)
	if !ok {
		return removal("no answer in the "+s.name, ""), nil
	}
	if found != r.Answer {
		r.Answer = found
		r.Change()
	}
	return nil, nil
}

// readableAnswer keeps rows whose answer can be judged by.
type readableAnswer struct {
	profile answer.Profile
	not     []string
}

func answerKinds() []string {
	var names []string
	for _, k := range []expr.Kind{
		expr.KindInteger, expr.KindRational, expr.KindDecimal, expr.KindConstant, expr.KindPolynomial, expr.KindRatFunc, expr.KindExpression,
		expr.KindAssignment, expr.KindEquation, expr.KindInequality, expr.KindSet, expr.KindList, expr.KindTuple, expr.KindInterval, expr.KindUnion,
		expr.KindMatrix, expr.KindTime, expr.KindText, expr.KindLetter, expr.KindNotation,
	} {
		names = append(names, string(k))
	}
	return names
}

func newReadableAnswer(v recipe.Values, _ *Env) (Filter, error) {
	p, err := answer.ProfileByName(v.Text("profile"))
	return &readableAnswer{p, v.List("not")}, err
}

func (s *readableAnswer) Look(r *rows.Row) (*Removal, error) {
	if r.Answer == "" {
		return removal("no answer", ""), nil
	}
	if _, err := answer.ReadGold(r.Answer, s.profile); err != nil {
		return removal("unreadable answer", fmt.Sprintf("%s (%v)", shorten(r.Answer, 80), err)), nil
	}
	if len(s.not) > 0 {
		if kind := AnswerKind(r.Answer); slices.Contains(s.not, kind) {
			return removal("answer is "+kind, shorten(r.Answer, 80)), nil
		}
	}
	return nil, nil
}

// noLeak takes rows out whose problem states its own answer: in a box, or after the word "answer".
type noLeak struct{ profile answer.Profile }

func newNoLeak(recipe.Values, *Env) (Filter, error) { return noLeak{answer.Reward()}, nil }

func (s noLeak) Look(r *rows.Row) (*Removal, error) {
	text := r.Problem.Problem
	if !strings.Contains(text, "boxed") && !strings.Contains(text, "nswer") && !strings.Contains(text, "NSWER") {
		return nil, nil
	}
	found, ok := answer.Extract(text, s.profile)
	if !ok || r.Answer == "" || !strings.ContainsAny(found, "0123456789") && len(found) <= len(`\pi`) {
		return nil, nil // "answer in terms of $n$" when it is n
	}
	if v, err := answer.Equal(r.Answer, found, s.profile); err == nil && v.Equal {
		return removal("states its answer", shorten(found, 80)), nil
	}
	return nil, nil
}

// AnswerKind is what kind of thing an answer is (expr.Kind), or "unreadable".
func AnswerKind(text string) string {
	v, err := expr.Parse(text, expr.Options{})
	if err != nil {
		return "unreadable"
	}
	return string(v.Kind())
}

// HasAnswer is the last of all steps: a problem without an answer is none.
type HasAnswer struct{}

// Look implements [Filter].
func (HasAnswer) Look(r *rows.Row) (*Removal, error) {
	if r.Answer == "" {
		return removal("no answer", ""), nil
	}
	return nil, nil
}
