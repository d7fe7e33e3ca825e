package answer

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// labelled is a pair of gold answer and prediction with what is known of it: intended, what whoever made
// it meant (nil: arguable), and the verdicts of Math-Verify as open-rs and lighteval call it.
type labelled struct {
	ID, Gold, Pred, Carrier, Rule, Family string
	Answer                                *string
	Intended                              *bool
	Reward, Eval                          struct{ Verdict bool }
	Disagree                              map[string]string
	Suspect                               bool
}

// byDesign are the codes of disagreements between what was intended and Math-Verify that are no fault.
var byDesign = set("no_box_or_anchor gold_unreadable strict_latex argument_order interval_asymmetry no_math_environment")

// pairs reads all labelled pairs.
func pairs(t testing.TB) []labelled {
	dir := os.Getenv("OPENRS_ANSWERS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "answers")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Skipf("no labelled pairs in %s", dir)
	}
	var out []labelled
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<22)
		for lines.Scan() {
			var p labelled
			if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			out = append(out, p)
		}
		if err := lines.Err(); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	return out
}

// tally counts agreements.
type tally struct {
	name           string
	agree, rows    int
	accept, reject int // disagreements: accepted and rejected
	families       map[string]int
	shown          []string
}

func (c *tally) add(p *labelled, want bool, v Verdict) {
	c.rows++
	switch {
	case v.Equal == want:
		c.agree++
		return
	case v.Equal:
		c.accept++
	default:
		c.reject++
	}
	if c.families == nil {
		c.families = map[string]int{}
	}
	c.families[p.Family+"/"+p.Rule]++
	c.shown = append(c.shown, fmt.Sprintf("%s %s/%s in %s, want %v: gold %.70q as %.60q, extracted %.70q as %.60q: %s", p.ID, p.Family, p.Rule, p.Carrier, want, p.Gold, v.GoldParsed, v.Extracted, v.PredictionParsed, v.Reason))
}

func (c *tally) share() float64 { return float64(c.agree) / float64(max(c.rows, 1)) }

func (c *tally) log(t *testing.T) {
	t.Logf("%s: %d of %d (%.2f %%), %d accepted, %d rejected", c.name, c.agree, c.rows, 100*c.share(), c.accept, c.reject)
	var b strings.Builder
	for _, f := range slices.SortedFunc(maps.Keys(c.families), func(a, b string) int {
		return cmp.Or(c.families[b]-c.families[a], strings.Compare(a, b))
	}) {
		fmt.Fprintf(&b, "\n%4d  %s", c.families[f], f)
	}
	if b.Len() > 0 {
		t.Logf("%s, disagreements by family and rule:%s", c.name, b.String())
	}
	if testing.Verbose() {
		for _, s := range c.shown {
			t.Log(s)
		}
	}
}

// TestAgreement holds the verdicts against what was intended, and against Math-Verify where that is not
// suspected to be wrong and not different by design.
func TestAgreement(t *testing.T) {
	rows := pairs(t)
	for _, tc := range []struct {
		profile       Profile
		config        string
		verdict       func(*labelled) bool
		intended      float64
		mathVerify    float64
		skipsByDesign bool // in the comparison with what was intended
	}{
		{Benchmark(), "eval", func(p *labelled) bool { return p.Eval.Verdict }, 0.99, 0.98, false},
		{Reward(), "reward", func(p *labelled) bool { return p.Reward.Verdict }, 0.98, 0.98, true},
	} {
		t.Run(tc.profile.Name, func(t *testing.T) {
			meant := tally{name: "intended"}
			theirs := tally{name: "Math-Verify"}
			wrong, accepted := 0, 0
			for i := range rows {
				p := &rows[i]
				v, err := Verify(p.Gold, p.Pred, tc.profile)
				if err != nil {
					v.Reason = err.Error()
				}
				design := byDesign[p.Disagree[tc.config]]
				if p.Intended != nil && !(tc.skipsByDesign && design) {
					meant.add(p, *p.Intended, v)
				}
				if p.Intended != nil && !*p.Intended {
					wrong++
					if v.Equal {
						accepted++
					}
				}
				if !p.Suspect && !design {
					theirs.add(p, tc.verdict(p), v)
				}
			}
			meant.log(t)
			theirs.log(t)
			t.Logf("false accepts: %d of %d (%.2f %%)", accepted, wrong, 100*float64(accepted)/float64(max(wrong, 1)))
			if meant.share() < tc.intended {
				t.Errorf("agreement with what was intended %.4f, expected at least %.2f", meant.share(), tc.intended)
			}
			if theirs.share() < tc.mathVerify {
				t.Errorf("agreement with Math-Verify %.4f, expected at least %.2f", theirs.share(), tc.mathVerify)
			}
			if float64(accepted) > 0.003*float64(wrong) {
				t.Errorf("%d of %d wrong answers accepted, expected at most 0.3 %%", accepted, wrong)
			}
		})
	}
}

// TestOpenRSAgreement: the compatible profile gives the reward that was published, whatever it was.
func TestOpenRSAgreement(t *testing.T) {
	rows := pairs(t)
	theirs := tally{name: "published reward"}
	for i := range rows {
		p := &rows[i]
		v, err := Verify(p.Gold, p.Pred, OpenRS())
		if err != nil {
			v = Verdict{Equal: true, Reason: err.Error()} // as the compatible accuracy reward has it
		}
		if !p.Suspect {
			theirs.add(p, p.Reward.Verdict, v)
		}
	}
	theirs.log(t)
	if theirs.share() < 0.97 {
		t.Errorf("agreement %.4f, expected at least 0.97", theirs.share())
	}
}
