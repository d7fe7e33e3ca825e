package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"openrs/schemas"
)

// study is scored rollouts such as an evaluation of checkpoints on benchmarks gives: made up, but with the
// verdicts that score's rules give these texts. size scales the number of problems.
func study(t testing.TB, size float64) []Input {
	t.Helper()
	tasks := []struct {
		name           string
		problems, each int
		hard           float64
	}{{"aime24", 30, 8, 1.4}, {"amc23", 40, 4, 0.1}, {"math_500", 500, 2, -1.2}, {"minerva", 272, 1, 1.2}}
	models := []struct {
		name          string
		skill, length float64
	}{{"base", 0, 1}, {"open-rs/rs1-step100", 0.1, 0.95}, {"open-rs/rs3-step50", 0.45, 0.8}}
	var inputs []Input
	for version, m := range models {
		in := Input{Name: m.name}
		for k, task := range tasks {
			for p := range int(math.Ceil(float64(task.problems) * size)) {
				r := rand.New(rand.NewPCG(uint64(k), uint64(p)))
				a, b, n := r.IntN(90)+10, r.IntN(90)+10, r.IntN(7)+2
				problem := fmt.Sprintf("Let $f(x) = x^2 - %dx + %d$, and let $S$ be the set of integers $n$ with $1 \\le n \\le %d$ for which $f(n)$ is divisible by $%d$. Find the sum of all elements of $S$, and express it as $\\frac{m}{n}$ in lowest terms where it is not an integer.", a, b, 100*n, n)
				gold := fmt.Sprintf("\\frac{%d}{%d}", a*b+1, n)
				difficulty := task.hard + 1.6*r.NormFloat64()
				for s := range task.each {
					draw := rand.New(rand.NewPCG(uint64(version*1000+k), uint64(p*100+s)))
					row := schemas.Scored{Rollout: schemas.Rollout{
						GroupID: fmt.Sprintf("%s-%d-0", task.name, p), ProblemID: fmt.Sprintf("%s-%03d", task.name, p), Source: task.name,
						Problem: problem, Answer: gold, Sample: int32(s), PolicyVersion: int64(50 * version), FinishReason: schemas.FinishStop,
						Temperature: 0.6, Seed: math.MaxInt64 - 42, PromptIDs: make([]int32, 80),
					}}
					tokens := int(m.length * 700 * math.Exp(0.5*difficulty+0.5*draw.NormFloat64()))
					right := draw.Float64() < 1/(1+math.Exp(difficulty-m.skill-0.4))
					var text strings.Builder
					text.WriteString("<think>\n")
					for i := range min(tokens/40, 60) + 1 {
						fmt.Fprintf(&text, "Step %d. We reduce $n^2 - %dn + %d \\pmod{%d}$; the residues that survive are $%d, %d$, so there are $\\lfloor %d/%d \\rfloor$ of each. ", i+1, a, b, n, draw.IntN(n), draw.IntN(n), 100*n, n)
						if i%4 == 3 {
							text.WriteString("Wait, let me check that again.\n\n")
						}
					}
					answer := gold
					if !right {
						answer = fmt.Sprintf("\\frac{%d}{%d}", a*b+2+draw.IntN(40), n)
					}
					correct, extracted := right, &answer
					switch {
					case tokens > 4000:
						row.FinishReason, tokens, correct, extracted = schemas.FinishLength, 4000, false, nil
					case draw.Float64() < 0.01:
						text.WriteString("\n</think>\n\nI can't find it.")
						correct, extracted = false, nil
					case !right && draw.Float64() < 0.03:
						answer = "\\frac{" + answer
						fallthrough
					default:
						fmt.Fprintf(&text, "\n</think>\n\nThe sum of the elements of $S$ is\n\\[\\boxed{%s}.\\]", answer)
					}
					row.Completion, row.CompletionIDs = text.String(), make([]int32, tokens)
					reward := float32(indicator(correct))
					row.Correct, row.Extracted, row.Reward, row.Rewards = &correct, extracted, &reward, map[string]float32{"accuracy": reward}
					in.Rows = append(in.Rows, row)
				}
			}
		}
		inputs = append(inputs, in)
	}
	return inputs
}
