package step

import (
	"fmt"
	"path/filepath"
	"slices"

	"openrs/curate/recipe"
	"openrs/curate/rows"
)

// Filter looks at one row by itself, from several goroutines at once. It may change the row (and says so
// by Row.Change). A nil Removal keeps it.
type Filter interface {
	Look(r *rows.Row) (*Removal, error)
}

// Judge decides about one row after the other. Prepare may be called from several goroutines at once,
// also for rows that Decide is never asked about.
type Judge interface {
	Prepare(r *rows.Row) any
	Decide(r *rows.Row, prepared any) (*Removal, error)
}

// Arranger sees all rows, one after the other, and then says which of them go on in which order.
type Arranger interface {
	Take(r *rows.Row) (*Removal, error)
	// Arrange returns the numbers, in the order of Take and from 0, of the rows that go on, and why the
	// others do not, in their order. Rows that Take removed have no number.
	Arrange() (order []int, left []Left, err error)
}

// Noter has something to tell about what it did or found, for the data card.
type Noter interface {
	Notes() []string
}

// Removal is why a row was taken out.
type Removal struct {
	Reason string // one of few: rows are counted by it
	Detail string // about this row
	// Row is the number of the other row of a duplicate, -1 if there is none.
	Row int
	// Item is the item of a benchmark that the row contains.
	Item *Item
}

// Item is a row of a benchmark.
type Item struct {
	File string
	Row  int64 // from 1
	ID   string
	Text string
}

// removal is one without another row.
func removal(reason, detail string) *Removal {
	return &Removal{Reason: reason, Detail: detail, Row: -1}
}

// Left is a row that an [Arranger] takes out.
type Left struct {
	Number  int
	Removal Removal
}

// Env is what steps work with.
type Env struct {
	Seed uint64
	// Data is the folder where relative paths start; "" is the current one.
	Data string
	// Tokens counts the tokens of a text, from several goroutines; nil when there is no tokenizer.
	Tokens func(text string) int
	// Short, if not "", says what mixtures do where rows are too few, whatever the recipe says.
	Short string
	// Warn is told what is worth knowing; nil for nobody.
	Warn func(text string)
}

// Path resolves a path of a recipe.
func (e *Env) Path(path string) string {
	if e.Data == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(e.Data, path)
}

// kind is one row of the table of steps. Exactly one of the functions is set.
type kind struct {
	recipe.Spec
	filter   func(v recipe.Values, env *Env) (Filter, error)
	judge    func(v recipe.Values, env *Env) (Judge, error)
	arranger func(v recipe.Values, env *Env) (Arranger, error)
}

// Step is a step of a recipe, ready to run: exactly one of Filter, Judge and Arranger is set.
type Step struct {
	recipe.Step
	Filter   Filter
	Judge    Judge
	Arranger Arranger
}

// Specs are the steps that there are, for recipe.ReadSteps and for people.
func Specs() []recipe.Spec {
	var all []recipe.Spec
	for _, k := range kinds() {
		all = append(all, k.Spec)
	}
	return all
}

// New makes a step. Steps that need files read them here.
func New(s recipe.Step, env *Env) (Step, error) {
	all := kinds()
	at := slices.IndexFunc(all, func(k kind) bool { return k.Name == s.Name })
	if at < 0 {
		return Step{}, fmt.Errorf("unknown step %q", s.Name)
	}
	out, k := Step{Step: s}, all[at]
	var err error
	switch {
	case k.filter != nil:
		out.Filter, err = k.filter(s.Values, env)
	case k.judge != nil:
		out.Judge, err = k.judge(s.Values, env)
	default:
		out.Arranger, err = k.arranger(s.Values, env)
	}
	if err != nil {
		return Step{}, fmt.Errorf("step %s (line %d): %w", s.Label, s.Line, err)
	}
	return out, nil
}

// Sees tells whether the step looks at rows of a source.
func (s *Step) Sees(source string) bool {
	return s.Only == nil || slices.Contains(s.Only, source)
}

// Notes is what the step has to tell.
func (s *Step) Notes() []string {
	for _, v := range []any{s.Filter, s.Judge, s.Arranger} {
		if n, ok := v.(Noter); ok {
			return n.Notes()
		}
	}
	return nil
}
