package benchmark

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"openrs/score/answer"
)

// gpqaFile writes n questions, as CSV, whose right option is "right i".
func gpqaFile(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("Record ID,Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3,Explanation\n")
	for i := range n {
		fmt.Fprintf(&b, "rec%d,\"Question %d,\nwith a line?\",right %d ,wrong a %d,\"wrong b, %d\",wrong c %d\n,because\n", i, i, i, i, i, i)
	}
	return write(t, filepath.Join(t.TempDir(), "gpqa_diamond.csv"), strings.ReplaceAll(b.String(), "\n,because", ",because"))
}

func TestOptions(t *testing.T) {
	path := gpqaFile(t, 198)
	set, err := Load("gpqa:diamond", Options{Data: path, Seed: 5})
	if err != nil || len(set.Problems) != 198 || len(set.Warnings) != 1 {
		t.Fatalf("%d problems, warnings %q, %v", len(set.Problems), set.Warnings, err)
	}
	counts := map[string]int{}
	for i, p := range set.Problems {
		counts[p.Answer]++
		shown := map[string]bool{}
		for _, l := range []string{"A", "B", "C", "D"} {
			_, rest, ok := strings.Cut(p.Problem, "\n"+l+") ")
			option, _, _ := strings.Cut(rest, "\n")
			if !ok || shown[option] {
				t.Fatalf("problem %d: option %s in %q", i, l, p.Problem)
			}
			shown[option] = true
			if (option == fmt.Sprintf("right %d", i)) != (l == p.Answer) {
				t.Fatalf("problem %d: option %s is %q, the answer is %s", i, l, option, p.Answer)
			}
		}
		if *p.Solution != "because" || p.Metadata["Record ID"] != fmt.Sprintf("rec%d", i) {
			t.Errorf("problem %d: %+v", i, p)
		}
	}
	// 198 letters, each expected 49.5 times with a deviation of 6.1.
	for _, l := range []string{"A", "B", "C", "D"} {
		if counts[l] < 28 || counts[l] > 71 {
			t.Errorf("the right option is %s in %d of 198 questions", l, counts[l])
		}
	}
	// Neither the number of problems nor their place in the file moves options;
	// the seed does, and leaves ids alone.
	few, err := Load("gpqa:diamond", Options{Data: path, Seed: 5, N: 3})
	if err != nil || few.Problems[2].Problem != set.Problems[2].Problem {
		t.Errorf("fewer problems have other orders (%v)", err)
	}
	other, err := Load("gpqa:diamond", Options{Data: path, Seed: 6})
	if err != nil {
		t.Fatal(err)
	}
	moved := 0
	for i := range other.Problems {
		if other.Problems[i].ProblemID != set.Problems[i].ProblemID {
			t.Fatalf("problem %d has another id with another seed", i)
		}
		moved += btoi(other.Problems[i].Answer != set.Problems[i].Answer)
	}
	if moved < 100 { // 148.5 expected
		t.Errorf("another seed moved the right option of %d of 198 questions", moved)
	}
}

// All 24 orders must come equally often.
func TestOrdersAreUniform(t *testing.T) {
	counts := map[string]int{}
	const draws = 24_000
	for i := range draws {
		order := Order(uint64(i), "q", 4)
		counts[fmt.Sprint(order)]++
		if i == 0 && !slices.Equal(order, Order(0, "q", 4)) {
			t.Fatal("the same seed and question gave another order")
		}
	}
	for order, n := range counts {
		if n < 840 || n > 1160 { // 1,000 expected, standard deviation 31
			t.Errorf("order %s came %d times in %d", order, n, draws)
		}
	}
	if len(counts) != 24 {
		t.Errorf("%d orders, want 24", len(counts))
	}
}

// What models write as the letter of an option is judged right by the metric.
func TestLettersAreJudged(t *testing.T) {
	b, err := Lookup("gpqa")
	if err != nil {
		t.Fatal(err)
	}
	profile, err := b.Metric.Answer()
	if err != nil {
		t.Fatal(err)
	}
	for _, gold := range []string{"A", "D"} {
		wrong := map[string]string{"A": "B", "D": "C"}[gold]
		for _, text := range []string{"Answer: %s", "Answer: $%s$", "**Answer: %s**", "Thus the answer is (%s).", `So \boxed{%s}.`, `\boxed{\text{%s}}`, "<think>\nA) or B)?\n</think>\n\nAnswer: %s\n", "the correct option is **%s**."} {
			for letter, want := range map[string]bool{gold: true, wrong: false} {
				v, err := answer.Verify(gold, fmt.Sprintf(text, letter), profile)
				if err != nil || v.Equal != want {
					t.Errorf("gold %s, %q: %+v, %v, want %v", gold, fmt.Sprintf(text, letter), v, err, want)
				}
			}
		}
	}
}
