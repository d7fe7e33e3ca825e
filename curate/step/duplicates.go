package step

import (
	"fmt"
	"strings"

	"openrs/curate/recipe"
	"openrs/curate/rows"
	"openrs/curate/similar"
)

// exactDuplicates takes out rows whose normalised problem has come before. Memory: about 30 bytes a row
// that stays, and 16 more and the answer's own where answers are compared.
type exactDuplicates struct {
	seen    *similar.Exact
	answers map[int]string // of rows that stayed; nil when answers are not compared
	differ  int
}

func newExactDuplicates(v recipe.Values, _ *Env) (Judge, error) {
	d := &exactDuplicates{seen: similar.NewExact()}
	if v.Text("answers") == "report" {
		d.answers = map[int]string{}
	}
	return d, nil
}

func (d *exactDuplicates) Prepare(r *rows.Row) any {
	r.Text()
	return r.Answer
}

func (d *exactDuplicates) Decide(r *rows.Row, prepared any) (*Removal, error) {
	first, duplicate := d.seen.Add(r.Num, r.Text())
	text := prepared.(string)
	if !duplicate {
		if d.answers != nil {
			d.answers[r.Num] = strings.Clone(text) // not the memory of the whole row
		}
		return nil, nil
	}
	out := &Removal{Reason: "exact duplicate", Row: first}
	if d.answers != nil {
		if other := d.answers[first]; other != text {
			d.differ++
			out.Detail = fmt.Sprintf("answers differ: %s here, %s there", shorten(text, 40), shorten(other, 40))
		}
	}
	return out, nil
}

// Notes implements [Noter].
func (d *exactDuplicates) Notes() []string {
	if d.answers == nil {
		return nil
	}
	return []string{fmt.Sprintf("%d duplicates whose answer is written differently", d.differ)}
}

// nearDuplicates takes out rows that share most of their word n-grams with one that has come before. Memory:
// about 410 bytes a row that stays.
type nearDuplicates struct{ near *similar.Near }

func newNearDuplicates(v recipe.Values, env *Env) (Judge, error) {
	near, err := similar.NewNear(similar.NearOptions{Threshold: v.Number("threshold", 0), NGram: v.Count("ngram", 0), Numbers: v.Number("numbers", 0), Seed: env.Seed})
	return &nearDuplicates{near}, err
}

func (d *nearDuplicates) Prepare(r *rows.Row) any { return d.near.Sketch(r.Text()) }

func (d *nearDuplicates) Decide(r *rows.Row, prepared any) (*Removal, error) {
	found, duplicate := d.near.Add(r.Num, prepared.(similar.Sketch))
	if !duplicate {
		return nil, nil
	}
	return &Removal{Reason: "near duplicate", Detail: fmt.Sprintf("similarity %.3f", found.Similarity), Row: found.Row}, nil
}

// Notes implements [Noter].
func (d *nearDuplicates) Notes() []string {
	o := d.near.Options()
	note := fmt.Sprintf("word %d-grams, Jaccard similarity from %g, verified; %d bands of %d rows", o.NGram, o.Threshold, o.Bands, o.Rows)
	if o.Numbers > 0 {
		note += fmt.Sprintf("; %g of the numbers agree", o.Numbers)
	}
	return []string{note}
}
