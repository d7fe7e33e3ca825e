package card

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"openrs/curate/load"
	"openrs/curate/recipe"
	"openrs/curate/refine"
	"openrs/curate/rows"
	"openrs/curate/step"
	"openrs/schemas"
)

// hostile is a text that Markdown and HTML must not understand.
const hostile = "Find | the <script>alert(1)</script> `code` ``` of *x* _y_ $z$ [a](http://example.org) & \"q\"\n\n# no heading\n</details>"

// made makes a card of a small data set; n rows, some of them removed.
func made(t *testing.T, n int, tokens bool) *Card {
	t.Helper()
	dir := t.TempDir()
	var b bytes.Buffer
	for i := range n {
		row := map[string]any{"problem": fmt.Sprintf("Problem %d: %s", i, hostile), "answer": []any{"1", `\frac{1}{2}`, `\text{a|b}`}[i%3], "type": []string{"Algebra", "Geometry"}[i%2]}
		if i%2 == 0 {
			row["solution"] = hostile
		}
		if i%5 == 4 {
			row["problem"] = fmt.Sprintf("Problem %d: %s", i-1, hostile)
		}
		if i%7 == 6 {
			row["answer"] = nil
		}
		if err := json.NewEncoder(&b).Encode(row); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "s|t.jsonl")
	if err := os.WriteFile(file, append(b.Bytes(), '\n'), 0o666); err != nil {
		t.Fatal(err)
	}
	files, _, err := refine.Files([]recipe.Source{{Path: file, Name: "s|t"}}, func(p string) string { return p }, load.Options{})
	if err != nil {
		t.Fatal(err)
	}
	steps := []step.Step{{Step: recipe.Step{Label: "rates <b>", Name: "rates"}, Filter: rates{}}}
	result, err := refine.Run(t.Context(), refine.Options{Files: files, Steps: steps, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	opt := Options{Title: "title | <b>", Recipe: "steps:\n- length: 5 # ```\n", Seed: 9}
	if tokens {
		opt.Tokens, opt.Tokenizer = func(s string) int { return len(s) / 4 }, "tiny"
	}
	c, err := Collect(t.Context(), result, opt)
	if err != nil {
		t.Fatal(err)
	}
	// Files lie elsewhere in each run of the test.
	for i := range c.Report.Files {
		c.Report.Files[i].Path = "s|t.jsonl"
	}
	for i := range c.Report.Steps {
		for k := range c.Report.Steps[i].Examples {
			e := &c.Report.Steps[i].Examples[k]
			e.Place, e.OtherPlace = strings.ReplaceAll(e.Place, dir, ""), strings.ReplaceAll(e.OtherPlace, dir, "")
		}
	}
	return c
}

// rates gives every second problem a pass rate and removes some.
type rates struct{}

func (rates) Look(r *rows.Row) (*step.Removal, error) {
	if r.Num%2 == 0 {
		x := float32(r.Num%11) / 10
		r.Difficulty = &x
		r.Change()
	}
	if r.Num%10 == 1 {
		return &step.Removal{Reason: "too | <easy>", Detail: hostile, Row: 0}, nil
	}
	return nil, nil
}

func (rates) Notes() []string { return []string{"a note | <b>"} }

func TestNumbersAddUp(t *testing.T) {
	c := made(t, 100, true)
	left := c.Report.Left
	if left == 0 || left == 100 {
		t.Fatalf("%d left", left)
	}
	kinds := 0
	for _, a := range c.Answers {
		kinds += a.Rows
	}
	bins := 0
	for _, b := range c.Difficulty.Bins {
		bins += b.Rows
	}
	if kinds != left || c.Difficulty.Measured+c.Difficulty.NotMeasured != left || bins != c.Difficulty.Measured || c.Difficulty.Measured == 0 {
		t.Errorf("%d left, %d answers, difficulty %+v", left, kinds, c.Difficulty)
	}
	if len(c.Lengths) != 4 || c.Lengths[0].Rows != left || c.Lengths[2].Rows >= left {
		t.Errorf("lengths %+v", c.Lengths)
	}
	for _, l := range c.Lengths {
		n := 0
		for _, b := range l.Bins {
			n += b.Rows
		}
		if n != l.Rows || l.Min > l.P25 || l.P25 > l.Median || l.Median > l.P75 || l.P75 > l.P95 || l.P95 > l.Max || l.Mean < float64(l.Min) || l.Mean > float64(l.Max) {
			t.Errorf("%+v", l)
		}
	}
	if len(c.Levels) != 1 || c.Levels[0].Key != "type" || len(c.Levels[0].Counts) != 2 {
		t.Errorf("levels %+v", c.Levels)
	}
	for _, s := range c.Report.Steps {
		for _, r := range s.Removed {
			n := 0
			for _, e := range s.Examples {
				if e.Reason == r.Reason {
					n++
				}
			}
			if n == 0 || n > 3 {
				t.Errorf("step %s: %d examples of %d %s", s.Label, n, r.Rows, r.Reason)
			}
		}
	}
}

func TestLengths(t *testing.T) {
	for _, c := range []struct {
		values []int32
		bins   string
	}{
		{[]int32{0}, "[{0 16 1}]"},
		{[]int32{15, 16, 31, 32, 100}, "[{0 16 1} {16 32 2} {32 64 1} {64 128 1}]"},
		{[]int32{40, 33}, "[{32 64 2}]"},
		{[]int32{1 << 30}, "[{1.073741824e+09 2.147483648e+09 1}]"},
	} {
		if got := fmt.Sprint(lengths("p", "c", c.values).Bins); got != c.bins {
			t.Errorf("%v: %s, want %s", c.values, got, c.bins)
		}
	}
}

func TestMarkdown(t *testing.T) {
	c := made(t, 60, false)
	var b bytes.Buffer
	if err := c.Markdown(&b); err != nil {
		t.Fatal(err)
	}
	fence, columns := "", 0
	for line := range strings.SplitSeq(b.String(), "\n") {
		if ticks := regexp.MustCompile("^`{3,}").FindString(line); ticks != "" && (fence == "" || ticks == fence) {
			if fence == "" {
				fence = ticks
			} else {
				fence = ""
			}
			continue
		}
		if fence != "" {
			continue
		}
		if strings.Contains(line, "<script") || strings.HasPrefix(line, "# no heading") || regexp.MustCompile(`[^\\]\[a\]`).MatchString(line) {
			t.Errorf("text became Markdown: %s", line)
		}
		if !strings.HasPrefix(line, "|") {
			columns = 0
			continue
		}
		n := strings.Count(line, "|") - strings.Count(line, `\|`)
		if columns > 0 && n != columns {
			t.Errorf("%d bars in a row of %d: %s", n, columns, line)
		}
		columns = n
	}
	if fence != "" {
		t.Error("a fence is open at the end")
	}
}

func TestHTML(t *testing.T) {
	c := made(t, 60, true)
	var b bytes.Buffer
	if err := c.HTML(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, bad := range []string{"<script", "<link", "src=", "href=", "@import", "url(", "ZgotmplZ", "<easy>", "<b>\n"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, want := range []string{"&lt;script&gt;alert(1)", "too | &lt;easy&gt;", "a note | &lt;b&gt;", c.Fingerprint} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, tag := range []string{"section", "details", "table", "div", "pre", "figure"} {
		if open, end := len(regexp.MustCompile("<"+tag+`[\s>]`).FindAllString(page, -1)), strings.Count(page, "</"+tag+">"); open != end {
			t.Errorf("%d <%s> and %d ends", open, tag, end)
		}
	}
}

func TestSameBytesAndFiles(t *testing.T) {
	dirs := [2]string{t.TempDir(), filepath.Join(t.TempDir(), "new", "folder")}
	for _, dir := range dirs {
		if err := made(t, 80, true).Write(dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"card.md", "card.html", "card.json"} {
		a, err := os.ReadFile(filepath.Join(dirs[0], name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dirs[1], name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s: two runs differ", name)
		}
	}
	var back Card
	text, err := os.ReadFile(filepath.Join(dirs[0], "card.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &back); err != nil || back.Report.Left == 0 || back.Seed != 9 {
		t.Errorf("card.json: %v", err)
	}
}

// Of very many keys of metadata some have no room; which ones depends on the rows alone.
func TestManyKeys(t *testing.T) {
	first := ""
	for range 5 {
		r := &rows.Row{Problem: schemas.Problem{Problem: "p", Answer: "1", Metadata: map[string]string{}}}
		for i := range 3 * maxKeys {
			r.Metadata[fmt.Sprint("key", i)] = "x"
		}
		s := newStats()
		if err := s.add(r, look{}); err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(s.levels())
		if first == "" {
			first = got
		}
		if got != first {
			t.Fatalf("levels differ:\n%s\n%s", got, first)
		}
	}
}

func TestEmptyCard(t *testing.T) {
	c := made(t, 0, true)
	var b bytes.Buffer
	if err := c.Markdown(&b); err != nil {
		t.Error(err)
	}
	if err := c.HTML(&b); err != nil {
		t.Error(err)
	}
}
