package expr

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// labelled is a pair of a gold answer and a rewritten one, and whether they are meant to be the same.
type labelled struct {
	ID, Family, Rule, Gold string
	Answer                 *string
	Intended               *bool
}

// readAnswers reads the labelled pairs of the folder in OPENRS_ANSWERS.
func readAnswers(t testing.TB) []labelled {
	dir := os.Getenv("OPENRS_ANSWERS")
	if dir == "" {
		dir = "../../../../shared/answers"
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if len(files) == 0 {
		t.Skipf("no labelled answers in %s (set OPENRS_ANSWERS)", dir)
	}
	var all []labelled
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		s := bufio.NewScanner(f)
		s.Buffer(nil, 1<<24)
		for s.Scan() {
			var l labelled
			if err := json.Unmarshal(s.Bytes(), &l); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all = append(all, l)
		}
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	return all
}

// TestAnswers compares verdicts with what the labelled pairs intend. Labels of pairs whose carrier hides
// the answer say that it is not found; here the answer itself is compared, so false labels of rewritings
// that otherwise keep the value are left out.
func TestAnswers(t *testing.T) {
	type tally struct{ n, right, falseAccept, falseReject int }
	families := map[string]*tally{}
	keeps := map[string]bool{} // rules that keep the value
	all := readAnswers(t)
	votes := map[string]int{}
	for _, l := range all {
		if l.Intended != nil {
			if *l.Intended {
				votes[l.Rule]++
			} else {
				votes[l.Rule]--
			}
		}
	}
	for rule, n := range votes {
		keeps[rule] = n > 0
	}
	total := &tally{}
	var wrong []string
	for _, l := range all {
		if l.Answer == nil || l.Intended == nil || keeps[l.Rule] && !*l.Intended {
			continue
		}
		gold, err1 := Parse(l.Gold, Options{Places: 5})
		pred, err2 := Parse(*l.Answer, Options{Places: 5})
		r := Result{Reason: "unreadable"}
		if err1 == nil && err2 == nil {
			r = Equal(gold, pred, Options{Places: 5})
		}
		f := families[l.Family]
		if f == nil {
			f = &tally{}
			families[l.Family] = f
		}
		for _, x := range []*tally{f, total} {
			x.n++
			switch {
			case r.Equal == *l.Intended:
				x.right++
			case r.Equal:
				x.falseAccept++
			default:
				x.falseReject++
			}
		}
		if r.Equal != *l.Intended {
			wrong = append(wrong, l.Family+" "+l.Rule+": "+l.Gold+" | "+*l.Answer+" | "+r.Reason+" | read "+string(gold.Kind())+" "+gold.String()+" | "+string(pred.Kind())+" "+pred.String())
		}
	}
	names := make([]string, 0, len(families))
	for n := range families {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		f := families[n]
		t.Logf("%-14s %4d pairs, %4d as intended, %d false accepts, %d false rejects", n, f.n, f.right, f.falseAccept, f.falseReject)
	}
	t.Logf("%-14s %4d pairs, %.2f %% as intended, %d false accepts, %d false rejects", "all", total.n, 100*float64(total.right)/float64(total.n), total.falseAccept, total.falseReject)
	for _, w := range wrong {
		t.Log(strings.ReplaceAll(w, "\n", " "))
	}
	if total.right*100 < total.n*99 {
		t.Errorf("%d of %d pairs are as intended, want 99 %%", total.right, total.n)
	}
}
