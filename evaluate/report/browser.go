package report

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"unicode/utf8"

	"openrs/schemas"
)

// DefaultPageText is how much text of completions the page holds when Options.PageText is 0, in bytes:
// what a phone unpacks in a moment. Compressed it is some 5 to 15 MB.
const DefaultPageText = 40 << 20

// leastText is what a completion is not cut below to make room: rather fewer samples are shown.
const leastText = 2_000

// browserData is the samples as the page's script reads them. Columns have an entry a sample; what many
// samples share is in lists of its own.
type browserData struct {
	Models   []string         `json:"models"`
	Tasks    []string         `json:"tasks"`
	Outcomes [outcomes]string `json:"outcomes"` // labels
	Reasons  []string         `json:"reasons"`
	Seeds    []string         `json:"seeds"` // texts: JavaScript's numbers don't hold all of them
	Problems []browserProblem `json:"problems"`

	Model     []int     `json:"m"`
	Problem   []int     `json:"p"`
	Sample    []int32   `json:"k"`
	Outcome   []outcome `json:"o"`
	Reason    []int     `json:"r"`
	Extracted []*string `json:"x"`
	Tokens    []int     `json:"n"`
	Cut       []int     `json:"f"` // 1: ran into the limit of tokens
	Seed      []int     `json:"z"`
	Version   []int64   `json:"v"`
	Text      []string  `json:"c"`
	Left      []int     `json:"l"` // characters left out of the middle of the text
}

type browserProblem struct {
	Task int    `json:"t"`
	Text string `json:"q"`
	Gold string `json:"g"`
}

// browser is what the template needs of the samples.
type browser struct {
	Data  string // gzip, base64; empty: no samples
	Shown int
	Note  string
}

// table numbers texts in the order in which they come.
type table struct {
	list []string
	at   map[string]int
}

func (t *table) index(s string) int {
	i, ok := t.at[s]
	if !ok {
		if t.at == nil {
			t.at = make(map[string]int)
		}
		i = len(t.list)
		t.at[s] = i
		t.list = append(t.list, s)
	}
	return i
}

// browser packs the samples for the page.
func (r *Report) browser() (browser, error) {
	total, room := 0, r.options.PageText
	for _, a := range r.answers {
		total += len(a.rows)
	}
	if room == 0 {
		room = DefaultPageText
	}
	if total == 0 || room < 0 {
		return browser{}, nil
	}
	limit, keep := r.fit(room)

	d := browserData{Tasks: r.tasks}
	for o := range outcomes {
		d.Outcomes[o] = o.spec().Label
	}
	var reasons, seeds table
	problems := make(map[[3]string]int)
	shortened := 0
	for i, a := range r.answers {
		d.Models = append(d.Models, a.name)
		for k, row := range a.rows {
			if keep != nil && !keep[row.ProblemID] {
				continue
			}
			key := [3]string{row.Source, row.Problem, row.Answer}
			p, seen := problems[key]
			if !seen {
				p = len(d.Problems)
				problems[key] = p
				d.Problems = append(d.Problems, browserProblem{slices.Index(r.tasks, taskOf(row.Source)), row.Problem, row.Answer})
			}
			text, left := shorten(row.Completion, limit)
			shortened += min(left, 1)
			d.Model, d.Problem, d.Sample = append(d.Model, i), append(d.Problem, p), append(d.Sample, row.Sample)
			d.Outcome, d.Reason = append(d.Outcome, a.verdicts[k].outcome), append(d.Reason, reasons.index(a.verdicts[k].reason))
			d.Extracted, d.Tokens = append(d.Extracted, row.Extracted), append(d.Tokens, len(row.CompletionIDs))
			d.Cut = append(d.Cut, int(indicator(row.FinishReason == schemas.FinishLength)))
			d.Seed, d.Version = append(d.Seed, seeds.index(strconv.FormatInt(row.Seed, 10))), append(d.Version, row.PolicyVersion)
			d.Text, d.Left = append(d.Text, text), append(d.Left, left)
		}
	}
	d.Reasons, d.Seeds = reasons.list, seeds.list

	b := browser{Shown: len(d.Text), Note: "All " + grouped(total) + " samples."}
	if total == 1 {
		b.Note = "The one sample that there is."
	}
	if b.Shown < total {
		b.Note = fmt.Sprintf("%s of %s samples, of problems drawn at random by the seed: all would exceed %s of text on this page. samples.parquet has all.",
			grouped(b.Shown), grouped(total), mebibytes(room))
	}
	if shortened > 0 {
		b.Note += fmt.Sprintf(" Of %s the middle is left out, beyond %s characters each, to stay below %s of text; samples.parquet has them whole.",
			count(shortened, "long completion"), grouped(limit), mebibytes(room))
	}
	var err error
	b.Data, err = pack(d)
	return b, err
}

// fit finds how long completions may be, so that all of them together fit into room; when that is less
// than leastText, it also draws the problems whose samples are kept (nil: all).
func (r *Report) fit(room int) (limit int, keep map[string]bool) {
	var sizes []int
	perProblem := make(map[string]int)
	for _, a := range r.answers {
		for _, row := range a.rows {
			sizes = append(sizes, len(row.Completion))
			perProblem[row.ProblemID] += min(len(row.Completion), leastText)
		}
	}
	slices.Sort(sizes)
	// Cut to the i-th smallest size, the i smaller ones stay whole and the others have that size each.
	whole := 0
	limit = -1 // none
	for i, n := range sizes {
		if whole+n*(len(sizes)-i) > room {
			limit = (room - whole) / (len(sizes) - i)
			break
		}
		whole += n
	}
	if limit < 0 {
		return sizes[len(sizes)-1] + 1, nil
	}
	if limit >= leastText {
		return limit, nil
	}
	ids := make([]string, 0, len(perProblem))
	for id := range perProblem {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, cmp.Compare[string])
	draw := rand.New(rand.NewPCG(r.Seed, 0x62726f777365)) // "browse"
	draw.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	keep = make(map[string]bool)
	for i, id := range ids {
		if room -= perProblem[id]; room < 0 && i > 0 {
			break
		}
		keep[id] = true
	}
	return leastText, keep
}

// shorten leaves out the middle of a text that is longer than limit bytes: its first third and its last
// two thirds stay, since the answer is at the end. left is how many characters are gone.
func shorten(s string, limit int) (short string, left int) {
	if len(s) <= limit {
		return s, 0
	}
	head, tail := limit/3, len(s)-(limit-limit/3)
	for head > 0 && !utf8.RuneStart(s[head]) {
		head--
	}
	for tail < len(s) && !utf8.RuneStart(s[tail]) {
		tail++
	}
	left = utf8.RuneCountInString(s[head:tail])
	return fmt.Sprintf("%s\n\n[… %s characters are left out here …]\n\n%s", s[:head], grouped(left), s[tail:]), left
}

// pack is JSON, compressed, in characters that may stand in any page.
func pack(v any) (string, error) {
	var b bytes.Buffer
	zip, err := gzip.NewWriterLevel(&b, gzip.BestSpeed+4)
	if err != nil {
		return "", err
	}
	enc := json.NewEncoder(zip)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", fmt.Errorf("samples of the page: %w", err)
	}
	if err := zip.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// grouped writes a number with its thousands apart.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func mebibytes(n int) string {
	if n < 1<<20 {
		return strconv.Itoa(n>>10) + " KiB"
	}
	return strconv.FormatFloat(float64(n)/(1<<20), 'f', -1, 64) + " MiB"
}
