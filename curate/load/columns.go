package load

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Columns says which column holds what. An empty name is a guess, made from
// the names in guesses; "-" is no column at all. A name with dots reaches into
// nested objects (reward_model.ground_truth) where no column has that name.
type Columns struct {
	Problem  string `json:"problem"`            // the question
	Answer   string `json:"answer,omitempty"`   // the gold answer, or worked text that ends in "#### answer"
	Solution string `json:"solution,omitempty"` // worked text, optional
	Source   string `json:"source,omitempty"`   // where the problem comes from, optional
	ID       string `json:"id,omitempty"`       // the data set's own id, optional; kept as metadata "id"

	// Metadata are columns that are carried along as text. Nil is a guess,
	// an empty slice is none.
	Metadata []string `json:"metadata,omitempty"`
}

// guesses are the column names tried for each part, in order: the names that
// the published mathematics data sets use.
var guesses = struct{ problem, answer, solution, source, id, metadata []string }{
	problem:  []string{"problem", "question", "prompt"},
	answer:   []string{"answer", "final_answer", "expected_answer", "ground_truth", "reward_model.ground_truth"},
	solution: []string{"solution"},
	source:   []string{"source", "data_source"},
	id:       []string{"unique_id", "id", "idx"},
	metadata: []string{"level", "difficulty", "type", "subject", "subfield"},
}

// none as a column name means that there is no such column.
const none = "-"

// resolve fills the guessed names that are still open and that this row can
// settle. Rows of JSON lines may leave columns out, so it is called for every
// row until nothing is open; what is settled stays.
func (c *Columns) resolve(row map[string]any) {
	settle := func(name *string, candidates []string) {
		if *name != "" {
			return
		}
		for _, g := range candidates {
			if _, ok := row[g]; ok || strings.Contains(g, ".") && lookup(row, g) != nil {
				*name = g
				return
			}
		}
	}
	settle(&c.Problem, guesses.problem)
	settle(&c.Answer, guesses.answer)
	settle(&c.Solution, guesses.solution)
	settle(&c.Source, guesses.source)
	settle(&c.ID, guesses.id)
}

// lookup finds a column by name, or by a path of names joined by dots. The
// value is nil when the row has no such column.
func lookup(row map[string]any, name string) any {
	if name == "" || name == none {
		return nil
	}
	if v, ok := row[name]; ok {
		return v
	}
	head, rest, nested := strings.Cut(name, ".")
	if inner, ok := row[head].(map[string]any); ok && nested {
		return lookup(inner, rest)
	}
	return nil
}

// missing explains that no row of the file had the named part.
func missing(part, name string, candidates []string, seen map[string]bool) error {
	has := strings.Join(slices.Sorted(maps.Keys(seen)), ", ")
	if name == "" {
		return fmt.Errorf("no column for the %s: looked for %s; the file has %s: %w", part, strings.Join(candidates, ", "), has, ErrColumn)
	}
	return fmt.Errorf("no column %q for the %s: the file has %s: %w", name, part, has, ErrColumn)
}
