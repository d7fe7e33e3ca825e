package similar

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// These tests measure the finders: benchmark items and training rows are said
// in other words, each kind of rewording by itself, and planted among training
// rows; what is found of them (recall) and how much of what is found is right
// (precision) goes into a table (go test -v -run Planted). The tests fail
// below the floors in rewordings().

// dataDir is where the real data is, if it is there.
const dataDir = "../../../shared/data"

// row is a row of a data set.
type row struct {
	id, text string
}

// load reads the problems of a data file; nil when there is no such file.
func load(t testing.TB, file string) []row {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dataDir, file))
	if err != nil {
		t.Skipf("no data to measure on: %v", err)
	}
	type record struct{ Problem, Question string }
	var records []record
	if strings.HasSuffix(file, ".json") {
		if err := json.Unmarshal(b, &records); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	} else {
		lines := bufio.NewScanner(bytes.NewReader(b))
		lines.Buffer(nil, 1<<24)
		for lines.Scan() {
			var r record
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			records = append(records, r)
		}
	}
	var rows []row
	for i, r := range records {
		text := r.Problem
		if text == "" {
			text = r.Question
		}
		rows = append(rows, row{fmt.Sprintf("%s:%d", file, i), text})
	}
	return rows
}

// onlyMeasures skips a test that runs on one goroutine for long under the race
// detector, which has nothing to find there.
func onlyMeasures(t *testing.T) {
	if raceDetector {
		t.Skip("a measurement on one goroutine: nothing to find for the race detector")
	}
}

func benchmarks(t testing.TB) []Benchmark {
	var sets []Benchmark
	for _, file := range []string{"aime24.jsonl", "amc23.jsonl", "amc22_23.json", "gsm8k_test.jsonl", "math500.json", "minerva_math.json", "olympiadbench.jsonl"} {
		set := Benchmark{Name: file}
		for _, r := range load(t, file) {
			set.Items = append(set.Items, Item{r.id, r.text})
		}
		sets = append(sets, set)
	}
	return sets
}

func training(t testing.TB) []row {
	return append(load(t, "math_train.json"), load(t, "aime_train.json")...)
}

// repeats are the training rows that do repeat a benchmark item, found by
// reading what the default methods accuse and the rows that share six or more
// runs of thirteen words with an item; what only the n-gram rules accuse
// otherwise was not read row by row and counts as a false alarm. The AIME
// problems are in MATH-500. Some of the fourteen ask for the answer in another
// form, and the first asks another question about the same figure and numbers.
var repeats = []string{
	"math_train.json:3304", "math_train.json:4024", "math_train.json:4520", "math_train.json:6844",
	"aime_train.json:1", "aime_train.json:177", "aime_train.json:188", "aime_train.json:302", "aime_train.json:326",
	"aime_train.json:454", "aime_train.json:560", "aime_train.json:725", "aime_train.json:744", "aime_train.json:786",
}

// column is a set of methods whose verdicts are joined by or.
type column struct {
	name    string
	methods []Method
}

var columns = []column{
	{"exact", []Method{MethodExact}}, {"near", []Method{MethodNear}}, {"ngram13", []Method{MethodNGram13}},
	{"ngram8", []Method{MethodNGram8}}, {"reworded", []Method{MethodReworded}}, {"default", DefaultMethods()},
}

// plantedTable measures an index and returns the recall, in percent, of the
// default methods for each kind of rewording, and the rows that they accuse.
func plantedTable(t *testing.T, sets []Benchmark, every int, train []row, isRepeat func(id string) bool) (recall map[string]float64, accused []string) {
	x, err := NewIndex(IndexOptions{Methods: Methods()}, sets...)
	if err != nil {
		t.Fatal(err)
	}
	hit := func(c column, matches []Match, right func(Match) bool) bool {
		return slices.ContainsFunc(matches, func(m Match) bool { return slices.Contains(c.methods, m.Method) && right(m) })
	}
	alarms := make([]int, len(columns))
	right := make([]int, len(columns))
	for _, r := range train {
		matches := x.Check(Prepare(r.text))
		for k, c := range columns {
			switch {
			case !hit(c, matches, func(Match) bool { return true }):
			case isRepeat(r.id):
				right[k]++
			default:
				alarms[k]++
			}
		}
		if hit(columns[len(columns)-1], matches, func(Match) bool { return true }) {
			accused = append(accused, r.id)
		}
	}
	// Some items stand in a benchmark, or in two, more than once: naming any
	// of them is right.
	norm := map[string]string{}
	for _, set := range sets {
		for _, it := range set.Items {
			norm[set.Name+"/"+it.ID] = Normalise(it.Text)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nplanted benchmark items: recall / precision, both in percent\n%-22s %6s", "kind of rewording", "items")
	for _, c := range columns {
		fmt.Fprintf(&b, " %12s", c.name)
	}
	recall = map[string]float64{}
	r := rand.New(rand.NewPCG(1, 2))
	for _, w := range rewordings() {
		found, n := make([]int, len(columns)), 0
		for _, set := range sets {
			for i := 0; i < len(set.Items); i += every {
				it := set.Items[i]
				text := w.do(r, it.Text, func() string { return train[r.IntN(len(train))].text })
				if text == it.Text {
					continue
				}
				n++
				matches := x.Check(Prepare(text))
				for k, c := range columns {
					if hit(c, matches, func(m Match) bool { return norm[m.Benchmark+"/"+m.Item] == norm[set.Name+"/"+it.ID] }) {
						found[k]++
					}
				}
			}
		}
		fmt.Fprintf(&b, "\n%-22s %6d", w.name, n)
		for k := range columns {
			precision := "-"
			if found[k]+alarms[k] > 0 {
				precision = fmt.Sprintf("%.1f", 100*float64(found[k])/float64(found[k]+alarms[k]))
			}
			fmt.Fprintf(&b, " %6.1f /%5s", 100*float64(found[k])/float64(max(n, 1)), precision)
		}
		recall[w.name] = 100 * float64(found[len(columns)-1]) / float64(max(n, 1))
		if n < 20 {
			t.Errorf("%s changes %d items only", w.name, n)
		}
	}
	fmt.Fprintf(&b, "\n%-22s %6d", "false alarms", len(train))
	for k := range columns {
		fmt.Fprintf(&b, " %12d", alarms[k])
	}
	fmt.Fprintf(&b, "\n%-22s %6s", "real repeats found", "")
	for k := range columns {
		fmt.Fprintf(&b, " %12d", right[k])
	}
	t.Log(b.String())
	return recall, accused
}

func checkFloors(t *testing.T, recall map[string]float64, lower map[string]float64) {
	for _, w := range rewordings() {
		floor, ok := lower[w.name]
		if !ok {
			floor = w.floor
		}
		if recall[w.name] < floor {
			t.Errorf("%s: %.1f %% are found, the floor is %.1f", w.name, recall[w.name], floor)
		}
	}
}

func TestPlantedItems(t *testing.T) {
	onlyMeasures(t)
	sets, train := benchmarks(t), training(t)
	recall, accused := plantedTable(t, sets, 3, train, func(id string) bool { return slices.Contains(repeats, id) })
	checkFloors(t, recall, nil)
	for _, id := range repeats {
		if !slices.Contains(accused, id) {
			t.Errorf("%s repeats a benchmark item and isn't found", id)
		}
	}
	if alarms := len(accused) - len(repeats); alarms > len(train)/200 {
		t.Errorf("%d of %d training rows are accused wrongly, more than one in 200", alarms, len(train))
	}
}

// All 40 problems of one file are known to be in another.
func TestKnownOverlap(t *testing.T) {
	set := Benchmark{Name: "amc22_23"}
	for _, r := range load(t, "amc22_23.json") {
		set.Items = append(set.Items, Item{r.id, r.text})
	}
	x, err := NewIndex(IndexOptions{}, set)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range load(t, "amc23.jsonl") {
		if m := x.Check(Prepare(r.text)); len(m) == 0 {
			t.Errorf("%s isn't found: %q", r.id, r.text)
		}
	}
}

// TestPlantedSynthetic needs no data: problems from templates, in which names,
// things and numbers vary, so that every row has siblings among the items.
func TestPlantedSynthetic(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	problem := func() string {
		pick := func(s string) string { w := strings.Fields(s); return w[r.IntN(len(w))] }
		who, where := pick("Alice Bob Carla Dmitri Ewa Farid Grace Hiro"), pick("harbour market orchard quarry station theatre vineyard workshop")
		what, other := pick("lanterns marbles melons needles ropes saddles spoons tiles"), pick("violins wagons candles drums hammers kettles ladders mirrors")
		a, b, c, d := 2+r.IntN(97), 2+r.IntN(97), 3+r.IntN(17), 100+r.IntN(900)
		switch r.IntN(4) {
		case 0:
			return fmt.Sprintf("Every morning $%d$ %s arrive at the %s, where %s sorts them into boxes of %d. After %d days there are %d boxes left over, together with some %s. Find the number of %s that %s has sorted per hour.",
				a, what, where, who, c, b, d, other, what, who)
		case 1:
			return fmt.Sprintf("Let $x$ and $y$ be positive integers such that $\\frac{x}{%d}+\\frac{y}{%d}\\leq %d$. For the %s near the %s, each pair $(x,y)$ costs %s exactly $x^2+%dy$ dollars. Determine the greatest possible cost. Express your answer as an integer.",
				a, b, d, what, where, who, c)
		case 2:
			return fmt.Sprintf("A circular %s has a radius of $%d$ feet. At its centre %s places a triangle $ABC$ made of %s, with $AB=%d$, $BC=%d$ and $\\angle ABC=%d^\\circ$. What is the area that the %s do not cover?",
				where, d, who, what, a, b, 30+c, other)
		}
		return fmt.Sprintf("%d of the %d %s in the %s are broken, and %s picks %d of them at random. The probability that none is broken can be written as $m/n$, where $m$ and $n$ are relatively prime positive integers. How many %s would %s need to see before finding $m+n$?",
			a, d, what, where, who, c, other, who)
	}
	set := Benchmark{Name: "synthetic"}
	var train []row
	for i := range 400 {
		set.Items = append(set.Items, Item{fmt.Sprint(i), problem()})
	}
	for i := range 1500 {
		train = append(train, row{fmt.Sprint(i), problem()})
	}
	recall, accused := plantedTable(t, []Benchmark{set}, 1, train, func(string) bool { return false })
	// Without one of its clauses such an item is often no more than its template.
	checkFloors(t, recall, map[string]float64{"clause deleted": 45})
	if len(accused) > len(train)/100 {
		t.Errorf("%d of %d siblings are accused of being the item", len(accused), len(train))
	}
}

// TestPlantedDuplicates plants reworded copies of training rows behind them.
func TestPlantedDuplicates(t *testing.T) {
	onlyMeasures(t)
	train := training(t)
	const every = 5
	floors := map[string]float64{"case and punctuation": 99, "white space": 99, "TeX spelling": 95, "numbers as words": 95, "sentences reordered": 95}
	finder := func() (*Exact, []*Near) {
		var near []*Near
		for _, threshold := range []float64{0.8, 0.6} {
			n, err := NewNear(NearOptions{Threshold: threshold})
			if err != nil {
				t.Fatal(err)
			}
			near = append(near, n)
		}
		return NewExact(), near
	}
	exact, near := finder()
	kept := make([]map[int]int, 3) // per finder: the row that stays for every row that went
	for k := range kept {
		kept[k] = map[int]int{}
	}
	for i, r := range train {
		tx := Prepare(r.text)
		if first, dup := exact.Add(i, tx); dup {
			kept[0][i] = first
		}
		for k, n := range near {
			if d, dup := n.Add(i, n.Sketch(tx)); dup {
				kept[k+1][i] = d.Row
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nplanted copies of training rows: recall in percent\n%-22s %6s %8s %8s %8s", "kind of rewording", "rows", "exact", "near 0.8", "near 0.6")
	r := rand.New(rand.NewPCG(5, 6))
	for _, w := range rewordings() {
		found, n := make([]int, 3), 0
		for i := 0; i < len(train); i += every {
			text := w.do(r, train[i].text, func() string { return train[r.IntN(len(train))].text })
			if text == train[i].text {
				continue
			}
			n++
			tx := Prepare(text)
			for k := range found {
				stays := i
				if first, gone := kept[k][i]; gone {
					stays = first
				}
				got, dup := -1, false
				if k == 0 {
					got, dup = exact.rows[tx.key()]
				} else {
					var d Duplicate
					d, dup = near[k-1].find(near[k-1].Sketch(tx))
					got = d.Row
				}
				if dup && got == stays {
					found[k]++
				}
			}
		}
		fmt.Fprintf(&b, "\n%-22s %6d", w.name, n)
		for k := range found {
			fmt.Fprintf(&b, " %8.1f", 100*float64(found[k])/float64(n))
		}
		if got := 100 * float64(found[1]) / float64(n); got < floors[w.name] {
			t.Errorf("%s: near duplicates at 0.8 find %.1f %%, the floor is %.1f", w.name, got, floors[w.name])
		}
	}
	fmt.Fprintf(&b, "\n%-22s %6d %8d %8d %8d", "among the rows", len(train), len(kept[0]), len(kept[1]), len(kept[2]))
	t.Log(b.String())
	if os.Getenv("OPENRS_SHOW_DUPLICATES") != "" {
		for k := range kept {
			for i := range train {
				if j, gone := kept[k][i]; gone {
					t.Logf("finder %d: %s repeats %s\n  %s\n  %s", k, train[i].id, train[j].id, shorten(train[i].text), shorten(train[j].text))
				}
			}
		}
	}
}
