package train

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"openrs/schemas"
	"openrs/stages"
	"openrs/stages/checkpoint"
)

// sums are worked problems.
func sums(n int) []schemas.Problem {
	var out []schemas.Problem
	for i := range n {
		text, solution := fmt.Sprintf("%d + 1 = ?", i), fmt.Sprintf("It is \\boxed{%d}", i+1)
		out = append(out, schemas.Problem{
			ProblemID: schemas.ProblemID("sums", text), Source: "sums", Problem: text, Solution: &solution, Answer: fmt.Sprint(i + 1),
		})
	}
	return out
}

func examplesOf(t *testing.T, tr *Trainer, problems []schemas.Problem) []Example {
	t.Helper()
	var out []Example
	for _, p := range problems {
		e, err := NewExample(tr.source, p)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// TestSFTLearns: the loss on a few problems falls, and its first value is the mean over tokens of what
// the model gives them.
func TestSFTLearns(t *testing.T) {
	source := open(t, shape, 1)
	s := settings()
	s.LR, s.Schedule.TotalSteps = 3e-3, 1000
	tr := newTrainerOf(t, source, Options{Optimizer: s, TokenBudget: 64})
	examples := examplesOf(t, tr, sums(4))
	tokens, first := 0, 0.0
	for _, e := range examples {
		row := []schemas.Scored{{Rollout: schemas.Rollout{PromptIDs: e.Prompt, CompletionIDs: e.Completion, Temperature: 1}}}
		record(t, tr, row)
		for _, l := range row[0].LogProbs {
			first -= float64(l)
		}
		tokens += len(e.Completion)
	}
	var last map[string]float64
	for i := range 40 {
		values, err := tr.SFT(examples)
		if err != nil {
			t.Fatal(err)
		}
		last = byName(t, values)
		if i == 0 {
			near(t, "first loss", last["loss"], first/float64(tokens), 1e-6)
			near(t, "tokens", last["num_tokens"], float64(tokens), 0)
		}
	}
	if last["loss"] > 0.2*first/float64(tokens) {
		t.Errorf("loss %v after 40 updates, %v before", last["loss"], first/float64(tokens))
	}
	for _, name := range []string{"entropy", "grad_norm", "learning_rate"} {
		if !(last[name] > 0) {
			t.Errorf("%s is %v", name, last[name])
		}
	}
	if tr.Updates() != 40 {
		t.Errorf("%d updates", tr.Updates())
	}
}

func newSFTLoop(t *testing.T, batch int) (*SFTLoop, *journal) {
	t.Helper()
	j := &journal{}
	return &SFTLoop{Trainer: newTiny(t, 1), Dir: t.TempDir(), BatchSize: batch, ModelType: checkpoint.F32, Metrics: &stages.Recorder{}, Log: slog.New(j)}, j
}

// TestSFTLoopBatches: batches are cut from the problems in order, wherever the messages begin; the last
// may be smaller.
func TestSFTLoopBatches(t *testing.T) {
	problems := sums(9)
	for name, c := range map[string]struct {
		cuts  []int // where messages end
		steps int64
		want  []int // where batches end
	}{
		"one message":      {[]int{9}, 0, []int{4, 8, 9}},
		"uneven messages":  {[]int{1, 6, 7, 9}, 0, []int{4, 8, 9}},
		"single rows":      {[]int{1, 2, 3, 4, 5, 6, 7, 8, 9}, 0, []int{4, 8, 9}},
		"an empty message": {[]int{0, 4, 4, 9}, 0, []int{4, 8, 9}},
		"stopped":          {[]int{5, 9}, 1, []int{4}},
		"stopped later":    {[]int{9}, 2, []int{4, 8}},
		"steps to spare":   {[]int{9}, 7, []int{4, 8, 9}},
	} {
		t.Run(name, func(t *testing.T) {
			loop, log := newSFTLoop(t, 4)
			loop.Steps = c.steps
			var messages [][]schemas.Problem
			at := 0
			for _, to := range c.cuts {
				messages, at = append(messages, problems[at:to]), to
			}
			in := newFeed(t, schemas.Problems(), messages...)
			if err := loop.Run(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			plain, at := newTiny(t, 1), 0
			for _, to := range c.want {
				if _, err := plain.SFT(examplesOf(t, plain, problems[at:to])); err != nil {
					t.Fatal(err)
				}
				at = to
			}
			sameTrainer(t, loop.Trainer, plain)
			if in.acked != in.at {
				t.Errorf("%d of %d messages acknowledged", in.acked, in.at)
			}
			again := newTrainerOf(t, open(t, filepath.Join(loop.Dir, "model"), 0), Options{Optimizer: settings(), TokenBudget: 10})
			sameBits(t, "weights that were written", weights(t, again), weights(t, plain))
			if len(log.trained()) != 1 { // each fiftieth
				t.Errorf("log %v", log.texts)
			}
		})
	}
}

// TestSFTRefuses: problems that can't be learned from are named.
func TestSFTRefuses(t *testing.T) {
	bare := sums(2)
	bare[1].Solution = nil
	loop, _ := newSFTLoop(t, 2)
	err := loop.Run(t.Context(), newFeed(t, schemas.Problems(), bare))
	if err == nil || !strings.Contains(err.Error(), bare[1].ProblemID) || !strings.Contains(err.Error(), "solution") || !strings.Contains(err.Error(), "feed/1") {
		t.Errorf("without a solution: error %v", err)
	}
	if loop.Trainer.Updates() != 0 {
		t.Errorf("%d updates", loop.Trainer.Updates())
	}

	loop, _ = newSFTLoop(t, 0)
	if err := loop.Run(t.Context(), newFeed(t, schemas.Problems(), sums(1))); err == nil || !strings.Contains(err.Error(), "--batch-size") {
		t.Errorf("batches of nothing: error %v", err)
	}

	loop, _ = newSFTLoop(t, 1)
	in := newFeed(t, schemas.Problems(), sums(1))
	in.broken = errors.New("broken pipe")
	if err := loop.Run(t.Context(), in); !errors.Is(err, in.broken) {
		t.Errorf("broken input: error %v", err)
	}

	long := sums(1)
	text := strings.Repeat("so ", 2000)
	long[0].Solution = &text
	loop, _ = newSFTLoop(t, 1)
	if err := loop.Run(t.Context(), newFeed(t, schemas.Problems(), long)); err == nil || !strings.Contains(err.Error(), "step 0") {
		t.Errorf("longer than the context: error %v", err)
	}

	endless := *loop.Trainer.source
	endless.EOS = nil
	if _, err := NewExample(&endless, sums(1)[0]); err == nil || !strings.Contains(err.Error(), "eos_token_id") {
		t.Errorf("a model without an end token: error %v", err)
	}
}

// TestNewExample: the prompt is the chat template's, or the problem's own tokens; the completion ends
// with the end token.
func TestNewExample(t *testing.T) {
	source := open(t, shape, 1)
	p := sums(1)[0]
	e, err := NewExample(source, p)
	if err != nil {
		t.Fatal(err)
	}
	tok := source.Tokenizer
	if text := tok.Decode(e.Prompt, false); !strings.Contains(text, p.Problem) || len(text) <= len(p.Problem) {
		t.Errorf("prompt %q, expected the problem in the chat template", text)
	}
	n := len(e.Completion) - 1
	if text := tok.Decode(e.Completion[:n], false); text != *p.Solution || e.Completion[n] != source.EOS[0] {
		t.Errorf("completion %q and token %d, expected %q and %d", text, e.Completion[n], *p.Solution, source.EOS[0])
	}
	p.PromptIDs = []int32{7, 8}
	if e, err = NewExample(source, p); err != nil || !slices.Equal(e.Prompt, p.PromptIDs) {
		t.Errorf("prompt %v, %v; want the problem's tokens", e.Prompt, err)
	}
}
