package step

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"openrs/curate/load"
	"openrs/curate/recipe"
	"openrs/curate/rows"
	"openrs/curate/similar"
)

// contamination takes out rows that repeat, contain or reword an item of a benchmark. Memory is that of
// the benchmarks and their index; none for a row.
type contamination struct {
	index   *similar.Index
	items   map[string]map[string]Item // by benchmark and id
	names   []string                   // benchmarks, in the order of the recipe
	removed map[string]map[similar.Method]int
	acts    map[similar.Method]bool // that remove; others are only counted
	would   map[similar.Method]int  // rows that stay though these methods found them
	blank   map[string]int          // rows of a benchmark without a problem that could be read
}

func newContamination(v recipe.Values, env *Env) (Judge, error) {
	c := &contamination{items: map[string]map[string]Item{}, removed: map[string]map[similar.Method]int{}, acts: map[similar.Method]bool{}, would: map[similar.Method]int{}, blank: map[string]int{}}
	var sets []similar.Benchmark
	done := map[string]bool{} // patterns may overlap
	for _, path := range v.List("against") {
		found, err := load.Find(env.Path(path))
		if err != nil {
			return nil, fmt.Errorf("against: %w", err)
		}
		for _, file := range found.Files {
			if done[file] {
				continue
			}
			done[file] = true
			set, err := c.read(file, found.Source(file), v.Text("column"))
			if err != nil {
				return nil, fmt.Errorf("against: %w", err)
			}
			if n := c.blank[set.Name]; n > 0 && env.Warn != nil {
				env.Warn(fmt.Sprintf("%s: %d rows have no problem that can be read: what repeats them is not found", file, n))
			}
			sets = append(sets, set)
		}
	}
	opt := similar.IndexOptions{NearThreshold: v.Number("near", 0), RewordedThreshold: v.Number("reworded", 0)}
	opt.Methods = similar.DefaultMethods()
	if v.Has("methods") {
		opt.Methods = nil
		for _, m := range v.List("methods") {
			opt.Methods = append(opt.Methods, similar.Method(m))
		}
	}
	for _, m := range opt.Methods {
		c.acts[m] = true
	}
	for _, m := range v.List("report") {
		if !c.acts[similar.Method(m)] {
			opt.Methods = append(opt.Methods, similar.Method(m))
		}
	}
	var err error
	c.index, err = similar.NewIndex(opt, sets...)
	return c, err
}

// read reads a benchmark's problems; no answers are needed.
func (c *contamination) read(file, name, column string) (similar.Benchmark, error) {
	if c.items[name] != nil { // two files of one name
		name = filepath.ToSlash(file)
	}
	set := similar.Benchmark{Name: name}
	r, err := load.Open(file, load.Options{Columns: load.Columns{Problem: column, Answer: "-"}, NoAnswer: true, Repeats: true})
	if err != nil {
		return set, err
	}
	defer r.Close()
	byID := map[string]Item{}
	for {
		row, err := r.NextRow()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return set, err
		}
		if row.Reason != "" {
			c.blank[name]++
			continue
		}
		// The row's number is its id here: data sets' own need not be unique.
		id := fmt.Sprint(row.Number)
		byID[id] = Item{File: file, Row: int64(row.Number), ID: row.Problem.Metadata["id"], Text: row.Problem.Problem}
		set.Items = append(set.Items, similar.Item{ID: id, Text: row.Problem.Problem})
	}
	if len(set.Items) == 0 {
		return set, fmt.Errorf("%s: no problems in it", file)
	}
	c.items[name], c.removed[name] = byID, map[similar.Method]int{}
	c.names = append(c.names, name)
	return set, nil
}

func (c *contamination) Prepare(r *rows.Row) any { return c.index.Check(r.Text()) }

// reasons are what the methods find, in words.
var reasons = map[similar.Method]string{
	similar.MethodExact:    "benchmark item",
	similar.MethodNGram8:   "shares 8 words in a row with a benchmark item",
	similar.MethodNGram13:  "shares 13 words in a row with a benchmark item",
	similar.MethodNear:     "nearly a benchmark item",
	similar.MethodReworded: "reworded benchmark item",
	similar.MethodVariant:  "benchmark item with other numbers",
}

func (c *contamination) Decide(_ *rows.Row, prepared any) (*Removal, error) {
	matches, _ := prepared.([]similar.Match)
	at := slices.IndexFunc(matches, func(m similar.Match) bool { return c.acts[m.Method] })
	if at < 0 {
		for _, m := range matches {
			c.would[m.Method]++
		}
		return nil, nil
	}
	m := matches[at]
	c.removed[m.Benchmark][m.Method]++
	item := c.items[m.Benchmark][m.Item]
	return &Removal{Reason: reasons[m.Method], Detail: m.String(), Row: -1, Item: &item}, nil
}

// Notes implements [Noter].
func (c *contamination) Notes() []string {
	var methods, counted []string
	for _, m := range similar.Methods() {
		switch {
		case c.acts[m]:
			methods = append(methods, string(m))
		case slices.Contains(c.index.Options().Methods, m):
			counted = append(counted, fmt.Sprintf("%s finds %d rows that stay", m, c.would[m]))
		}
	}
	notes := []string{fmt.Sprintf("%d items of %d benchmarks; methods: %s", c.index.Items(), len(c.names), strings.Join(methods, ", "))}
	if len(counted) > 0 {
		notes = append(notes, "not acted on: "+strings.Join(counted, ", "))
	}
	for _, name := range c.names {
		var counts []string
		for _, m := range similar.Methods() {
			if n := c.removed[name][m]; n > 0 {
				counts = append(counts, fmt.Sprintf("%d %s", n, m))
			}
		}
		if len(counts) == 0 {
			counts = []string{"none"}
		}
		items := fmt.Sprintf("%d items", len(c.items[name]))
		if n := c.blank[name]; n > 0 {
			items += fmt.Sprintf(", %d rows that can't be read", n)
		}
		notes = append(notes, fmt.Sprintf("%s (%s): %s", name, items, strings.Join(counts, ", ")))
	}
	return notes
}

func methodNames() []string {
	var names []string
	for _, m := range similar.Methods() {
		names = append(names, string(m))
	}
	slices.Sort(names)
	return names
}
