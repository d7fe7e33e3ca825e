package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"openrs/schemas"
	"openrs/stages"
	"openrs/stages/checkpoint"
	"openrs/stages/model"
	"openrs/stages/pretrained"
	"openrs/stages/tokenizer"
)

// Example is one worked problem as tokens: the loss is on the completion alone.
type Example struct {
	Prompt, Completion []int32
}

// NewExample renders a problem with the model's chat template and its solution followed by the
// model's first end token. A problem without a solution is an error.
func NewExample(m *pretrained.Model, p schemas.Problem) (Example, error) {
	if p.Solution == nil {
		return Example{}, fmt.Errorf("problem %s has no solution to learn from", p.ProblemID)
	}
	if len(m.EOS) == 0 {
		return Example{}, fmt.Errorf("model %s names no end token (eos_token_id)", m.Name)
	}
	prompt := p.PromptIDs
	if prompt == nil {
		text, err := m.Tokenizer.ApplyChatTemplate([]tokenizer.Message{{Role: "user", Content: p.Problem}}, true, nil)
		if err != nil {
			return Example{}, fmt.Errorf("problem %s: %w", p.ProblemID, err)
		}
		prompt = m.Tokenizer.Encode(text)
	}
	return Example{Prompt: prompt, Completion: append(m.Tokenizer.Encode(*p.Solution), m.EOS[0])}, nil
}

// SFT makes one optimizer update from worked examples: the loss is the mean over their completion
// tokens of the negative log-probability. It returns the metrics loss, entropy, num_tokens, grad_norm
// and learning_rate.
func (t *Trainer) SFT(examples []Example) ([]stages.Value, error) {
	var groups []model.Group
	tokens := 0
	for _, e := range examples {
		groups = append(groups, model.Group{Prompt: e.Prompt, Completions: [][]int32{e.Completion}, Temperature: 1})
		tokens += len(e.Completion)
	}
	shards := make([]struct{ loss, entropy float64 }, t.shards)
	report, err := t.update(groups, func(m microBatch) ([][]float32, error) {
		sum := &shards[m.shard]
		grads := make([][]float32, len(m.logprobs))
		for i, row := range m.logprobs {
			grads[i] = make([]float32, len(row))
			for j := range row {
				sum.loss -= float64(row[j]) / float64(tokens)
				sum.entropy += float64(m.entropies[i][j]) / float64(tokens)
				grads[i][j] = float32(-1 / float64(tokens))
			}
		}
		return grads, nil
	})
	if err != nil {
		return nil, err
	}
	var loss, entropy float64
	for _, s := range shards {
		loss += s.loss
		entropy += s.entropy
	}
	return []stages.Value{
		{Name: "loss", Value: loss}, {Name: "entropy", Value: entropy}, {Name: "num_tokens", Value: float64(tokens)},
		{Name: "grad_norm", Value: report.GradNorm}, {Name: "learning_rate", Value: report.LR},
	}, nil
}

// SFTLoop trains on problems with solutions, batch by batch in the order of the input.
type SFTLoop struct {
	Trainer   *Trainer
	Dir       string // where model/ or adapter/ is written
	BatchSize int
	Steps     int64 // stop after so many updates; 0: at the end of the input
	ModelType checkpoint.DType
	Merge     bool // write model/ also where adapters are trained
	Metrics   *stages.Recorder
	Log       *slog.Logger
}

// Run trains to the end of the input or of Steps and writes the model folder.
func (l *SFTLoop) Run(ctx context.Context, in stages.Source) error {
	if l.BatchSize < 1 {
		return fmt.Errorf("--batch-size is %d, expected at least 1", l.BatchSize)
	}
	if err := l.Trainer.checkPlace(l.Dir, l.Merge); err != nil {
		return err
	}
	var examples []Example
	for l.Steps == 0 || l.Trainer.Updates() < l.Steps {
		d, err := in.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		problems, err := schemas.Problems().Decode(d.Record)
		d.Record.Release()
		if err != nil {
			return fmt.Errorf("batch %s: %w", d.ID, err)
		}
		for _, p := range problems {
			e, err := NewExample(l.Trainer.source, p)
			if err != nil {
				return fmt.Errorf("batch %s: %w", d.ID, err)
			}
			if examples = append(examples, e); len(examples) < l.BatchSize {
				continue
			}
			if err := l.step(ctx, examples); err != nil {
				return err
			}
			examples = examples[:0]
			if l.Trainer.Updates() == l.Steps {
				break
			}
		}
		if err := d.Ack(ctx); err != nil {
			return err
		}
	}
	if len(examples) > 0 {
		if err := l.step(ctx, examples); err != nil {
			return err
		}
	}
	switch updates := l.Trainer.Updates(); {
	case updates == 0:
		return errors.New("no problems to learn from: the input is empty")
	case updates < l.Steps:
		l.Log.Warn("the input ended before the last step", "steps", updates, "expected", l.Steps)
	}
	return l.Trainer.Write(l.Dir, l.ModelType, l.Merge, l.Log)
}

func (l *SFTLoop) step(ctx context.Context, examples []Example) error {
	began := time.Now()
	step := l.Trainer.Updates()
	values, err := l.Trainer.SFT(examples)
	if err != nil {
		return fmt.Errorf("step %d: %w", step, err)
	}
	seconds := time.Since(began).Seconds()
	l.Metrics.Record(ctx, step, append(values, stages.Value{Name: "step_time", Value: seconds}))
	if step%50 == 0 {
		l.Log.Info("trained", "step", step, "loss", fmt.Sprintf("%.4f", values[0].Value), "entropy", fmt.Sprintf("%.4f", values[1].Value), "step_time", fmt.Sprintf("%.3f", seconds))
	}
	return nil
}
