package load

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"openrs/schemas"
	"openrs/stages/table"
)

// Errors that a caller may want to tell apart.
var (
	ErrColumn = errors.New("column not found")
	ErrRow    = errors.New("row can't be used") // strict mode only
)

// Rows is where rows come from: the readers of the table package.
type Rows interface {
	Next() (map[string]any, error) // io.EOF at the end
	Close() error
}

// Options of File and NewReader.
type Options struct {
	Columns Columns
	// Source names the source of rows that have none of their own. Empty
	// means the file's name without its folder and extension.
	Source string
	// Strict makes a row that can't be used an error instead of a count.
	Strict bool
	// NoAnswer lets rows through that have no answer (Answer is "" then), for those who look for one
	// in the solution.
	NoAnswer bool
	// Repeats lets a problem through that has come before, for those who watch over several files.
	// Memory is independent of the number of rows then.
	Repeats bool
}

// Reasons for leaving a row out.
const (
	NoProblem  = "no problem"
	NoAnswer   = "no answer"
	Unreadable = "unreadable value"
	Repeated   = "repeated problem"
)

// Summary is what loading did with a file.
type Summary struct {
	Columns Columns        `json:"columns"` // as resolved: what was guessed is filled in
	Rows    int            `json:"rows"`    // rows read
	Kept    int            `json:"kept"`    // problems made
	Skipped map[string]int `json:"skipped"` // rows left out, by reason
	First   map[string]int `json:"first"`   // the first row (from 1) left out for each reason
}

// String is the summary in one line.
func (s Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d rows, %d problems; columns:", s.Rows, s.Kept)
	for _, c := range []struct{ part, name string }{
		{"problem", s.Columns.Problem}, {"answer", s.Columns.Answer}, {"solution", s.Columns.Solution},
		{"source", s.Columns.Source}, {"id", s.Columns.ID},
	} {
		if c.name != "" && c.name != none {
			fmt.Fprintf(&b, " %s=%s", c.part, c.name)
		}
	}
	for i, reason := range slices.Sorted(maps.Keys(s.Skipped)) {
		sep := ","
		if i == 0 {
			sep = "; left out:"
		}
		fmt.Fprintf(&b, "%s %d %s (first: row %d)", sep, s.Skipped[reason], reason, s.First[reason])
	}
	return b.String()
}

// Open reads the problems of one file (see table.OpenRows for the formats).
func Open(path string, opt Options) (*Reader, error) {
	rows, err := table.OpenRows(path)
	if err != nil {
		return nil, err
	}
	return NewReader(rows, path, opt), nil
}

// Reader makes problems of rows, one at a time. It remembers the ids of the
// problems it has made (so that none comes twice, see Options.Repeats) and
// nothing else.
type Reader struct {
	rows    Rows
	name    string
	opt     Options
	summary Summary
	names   map[string]bool // columns met so far, for the error message
	ids     map[string]int  // id of each problem and the row it was in
}

// NewReader reads from rows, which it closes when closed. name is the file in
// error messages and the default source.
func NewReader(rows Rows, name string, opt Options) *Reader {
	if opt.Source == "" {
		opt.Source = stem(name)
	}
	return &Reader{
		rows: rows, name: name, opt: opt,
		summary: Summary{Columns: opt.Columns, Skipped: map[string]int{}, First: map[string]int{}},
		names:   map[string]bool{},
		ids:     map[string]int{},
	}
}

// Summary is what has been done so far.
func (r *Reader) Summary() Summary {
	s := r.summary
	s.Skipped, s.First = maps.Clone(s.Skipped), maps.Clone(s.First)
	if s.Columns.Metadata == nil {
		for _, m := range guesses.metadata {
			if r.names[m] {
				s.Columns.Metadata = append(s.Columns.Metadata, m)
			}
		}
	}
	return s
}

// Close closes the rows.
func (r *Reader) Close() error { return r.rows.Close() }

// Row is one row of a file: a problem, or the reason why it is none.
type Row struct {
	Number  int // in the file, from 1
	Problem schemas.Problem
	Reason  string // "" for a problem, else NoProblem, NoAnswer, ...
	Detail  string // more about the reason, may be empty
}

// Next returns the next problem, or io.EOF. A file with rows of which none has
// a column for the problem or the answer is an ErrColumn at its end: that is a
// wrong mapping, not bad rows.
func (r *Reader) Next() (schemas.Problem, error) {
	for {
		row, err := r.NextRow()
		if err != nil || row.Reason == "" {
			return row.Problem, err
		}
	}
}

// NextRow is Next for callers that account for the rows left out, too. What is
// left of such a row's problem is in Row.Problem.
func (r *Reader) NextRow() (Row, error) {
	row, err := r.rows.Next()
	if errors.Is(err, io.EOF) {
		return Row{}, r.end()
	}
	if err != nil {
		return Row{}, err
	}
	r.summary.Rows++
	for name := range row {
		r.names[name] = true
	}
	r.summary.Columns.resolve(row)

	p, reason, detail := r.problem(row)
	out := Row{Number: r.summary.Rows, Problem: p, Reason: reason, Detail: strings.TrimSpace(detail)}
	if reason == "" {
		r.summary.Kept++
		return out, nil
	}
	if r.opt.Strict {
		if err := r.columns(); err != nil {
			return Row{}, err
		}
		return Row{}, fmt.Errorf("%s: row %d: %s%s: %w", r.name, r.summary.Rows, reason, detail, ErrRow)
	}
	if r.summary.Skipped[reason]++; r.summary.Skipped[reason] == 1 {
		r.summary.First[reason] = r.summary.Rows
	}
	return out, nil
}

// end is io.EOF unless the mapping fitted no row at all.
func (r *Reader) end() error {
	if r.summary.Rows > 0 && (r.summary.Kept == 0 || r.opt.NoAnswer) {
		if err := r.columns(); err != nil {
			return err
		}
	}
	return io.EOF
}

// columns checks that the columns that every problem needs were met.
func (r *Reader) columns() error {
	for _, c := range []struct {
		part, name string
		candidates []string
	}{
		{"problem", r.summary.Columns.Problem, guesses.problem},
		{"answer", r.summary.Columns.Answer, guesses.answer},
	} {
		if c.part == "answer" && r.opt.NoAnswer && (c.name == "" || c.name == none) {
			continue
		}
		head, _, _ := strings.Cut(c.name, ".")
		if !r.names[c.name] && !r.names[head] {
			return fmt.Errorf("%s: %w", r.name, missing(c.part, c.name, c.candidates, r.names))
		}
	}
	return nil
}

// problem makes a problem of one row, or says why not.
func (r *Reader) problem(row map[string]any) (p schemas.Problem, reason, detail string) {
	cols := r.summary.Columns
	p.Source = r.opt.Source
	unreadable := func(column string, err error) (schemas.Problem, string, string) {
		return p, Unreadable, fmt.Sprintf(" in column %q: %v", column, err)
	}

	question, err := message(lookup(row, cols.Problem))
	if err != nil {
		return unreadable(cols.Problem, err)
	}
	if question == "" {
		return p, NoProblem, ""
	}
	p.Problem = question
	answer, err := text(lookup(row, cols.Answer))
	if err != nil {
		return unreadable(cols.Answer, err)
	}
	solution, err := text(lookup(row, cols.Solution))
	if err != nil {
		return unreadable(cols.Solution, err)
	}
	if a, ok := final(answer); ok {
		if solution == "" {
			solution = answer
		}
		answer = a
	}
	if answer == "" && !r.opt.NoAnswer {
		return p, NoAnswer, ""
	}
	source, err := text(lookup(row, cols.Source))
	if err != nil {
		return unreadable(cols.Source, err)
	}
	if source == "" {
		source = r.opt.Source
	}

	p = schemas.Problem{
		ProblemID: schemas.ProblemID(source, question),
		Source:    source, Problem: question, Answer: answer,
		Metadata: r.metadata(row),
	}
	if solution != "" {
		p.Solution = &solution
	}
	if isOwn(row) {
		carryOn(&p, row)
	}
	if r.opt.Repeats {
		return p, "", ""
	}
	// Groups are told apart by their problem's id, so an id may come once only.
	if first, ok := r.ids[p.ProblemID]; ok {
		return p, Repeated, fmt.Sprintf(" (the one of row %d)", first)
	}
	r.ids[p.ProblemID] = r.summary.Rows
	return p, "", ""
}

// metadata carries what traces a problem back to its row ("row", counted from
// 1, and "id" where the data set has one) and the chosen columns. Cells that
// are not text are left out.
func (r *Reader) metadata(row map[string]any) map[string]string {
	m := map[string]string{"row": fmt.Sprint(r.summary.Rows)}
	if id, err := text(lookup(row, r.summary.Columns.ID)); err == nil && id != "" {
		m["id"] = id
	}
	names := r.opt.Columns.Metadata
	if names == nil {
		names = guesses.metadata
	}
	for _, name := range names {
		if v, err := text(lookup(row, name)); err == nil && v != "" {
			m[name] = v
		}
	}
	return m
}
