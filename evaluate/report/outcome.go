package report

import (
	"fmt"
	"runtime"
	"strings"
	"sync"

	"openrs/schemas"
	"openrs/score/answer"
)

// outcome is what became of a sample: each is one of these.
type outcome int

const (
	outcomeRight outcome = iota
	outcomeWrong
	outcomeUndecided
	outcomeUnreadable
	outcomeNoAnswer
	outcomeCut
	outcomeUnjudged
	outcomeFailed
	outcomes // how many there are
)

// theRightAnswer is what all right samples vote for; no answer that was found is this text.
const theRightAnswer = "\x00right"

// outcomeSpec is how an outcome is called: the key in files, the label for people.
type outcomeSpec struct{ Key, Label string }

func (o outcome) spec() outcomeSpec {
	return [outcomes]outcomeSpec{
		{"right", "right"},
		{"wrong", "wrong"},
		{"undecided", "undecided"},
		{"unreadable", "unreadable answer"},
		{"no_answer", "no answer"},
		{"truncated", "cut, no answer"},
		{"unjudged", "not judged"},
		{"failed", "no completion"},
	}[o]
}

// lacksAnswer tells the outcomes in which no answer could be taken from the completion.
func (o outcome) lacksAnswer() bool {
	return o == outcomeUnreadable || o == outcomeNoAnswer || o == outcomeCut
}

// verdict is what is known of one sample beyond its row.
type verdict struct {
	outcome outcome
	reason  string
	answer  string // what the sample votes for: the right answer, or what was found, as it was read
}

// golds reads gold answers under one profile, each once.
type golds struct {
	profile answer.Profile
	mu      sync.Mutex
	read    map[string]goldOrError
}

type goldOrError struct {
	gold answer.Gold
	err  error
}

func (g *golds) get(text string) (answer.Gold, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r, ok := g.read[text]; ok {
		return r.gold, r.err
	}
	gold, err := answer.ReadGold(text, g.profile)
	if g.read == nil {
		g.read = make(map[string]goldOrError)
	}
	g.read[text] = goldOrError{gold, err}
	return gold, err
}

// profileOf is the profile that the rows were judged by: the one that gives the recorded verdicts and
// answers of most of them. Rows don't say; some hundred of them decide. Of equals the first counts, and
// benchmark's comes first.
func profileOf(rows []*schemas.Scored) answer.Profile {
	const most = 200
	best, agreed := answer.Benchmark(), -1
	for _, p := range []answer.Profile{answer.Benchmark(), answer.Reward(), answer.OpenRS()} {
		g, n := &golds{profile: p}, 0
		for i := range min(most, len(rows)) {
			row := rows[i*len(rows)/min(most, len(rows))]
			if row.Correct == nil {
				continue
			}
			gold, err := g.get(row.Answer)
			if err != nil {
				continue
			}
			v := gold.Verify(row.Completion)
			if v.Equal == *row.Correct && v.Extracted == text(row.Extracted) {
				n++
			}
		}
		if n > agreed {
			best, agreed = p, n
		}
	}
	return best
}

// judge finds the outcome and the reason of each row. The recorded verdict is the one that counts;
// judging again only tells why, and where it comes to another verdict the reason says so.
func judge(rows []*schemas.Scored, p answer.Profile) []verdict {
	out := make([]verdict, len(rows))
	g := &golds{profile: p}
	var wg sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), len(rows)/64+1)
	for w := range workers {
		wg.Go(func() {
			for i := w * len(rows) / workers; i < (w+1)*len(rows)/workers; i++ {
				out[i] = g.judge(rows[i])
			}
		})
	}
	wg.Wait()
	return out
}

func (g *golds) judge(row *schemas.Scored) verdict {
	if row.FinishReason == schemas.FinishError {
		return verdict{outcome: outcomeFailed, reason: "no completion could be made"}
	}
	found := text(row.Extracted)
	v := verdict{answer: found}
	gold, err := g.get(row.Answer)
	if err != nil {
		v.reason = err.Error()
	} else {
		again := gold.Verify(row.Completion)
		v.reason = again.Reason
		if again.Extracted == found && again.PredictionParsed != "" {
			v.answer = again.PredictionParsed
		}
		if row.Correct != nil && again.Equal != *row.Correct {
			v.reason = fmt.Sprintf("as recorded; judged again by profile %s: %s", g.profile.Name, again.Reason)
		}
	}
	switch {
	case row.Correct == nil:
		v.outcome = outcomeUnjudged
		if err == nil {
			v.reason = "no verdict was recorded"
		}
	case *row.Correct:
		v.outcome, v.answer = outcomeRight, theRightAnswer // in whatever form
	case found == "" && row.FinishReason == schemas.FinishLength:
		v.outcome, v.reason = outcomeCut, "cut at the limit of tokens before an answer"
	case found == "":
		v.outcome, v.reason = outcomeNoAnswer, answer.ReasonNoAnswer
	case strings.HasPrefix(v.reason, "unreadable"):
		v.outcome = outcomeUnreadable
	case strings.HasPrefix(v.reason, "undecided"):
		v.outcome = outcomeUndecided
	default:
		v.outcome = outcomeWrong
	}
	return v
}

// reasonKind is a reason without what is particular to one sample (a quoted part, a number), to count by.
func reasonKind(reason string) string {
	if !strings.HasPrefix(reason, "unreadable") {
		return reason
	}
	for _, mark := range []string{`"`, " at ", " (", "`"} {
		if i := strings.Index(reason, mark); i > 0 {
			reason = reason[:i]
		}
	}
	return strings.TrimRight(strings.TrimSpace(reason), ":,")
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
