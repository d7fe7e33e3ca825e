package stages

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
	"openrs/stages/bus"
)

// Keys of a problem's metadata by which it asks for certain samples of it: a benchmark's rows do.
const (
	MetaSample  = "sample"  // the number of the row's first sample, from 0
	MetaSamples = "samples" // how many samples the row asks for
)

// Keys by which a row asks for a way of sampling, whatever the flags of the worker that samples it are.
// So the problems of an evaluation are sampled alike by any number of workers.
const (
	MetaTemperature  = "sampling.temperature"
	MetaTopP         = "sampling.top_p"
	MetaTopK         = "sampling.top_k"
	MetaMinP         = "sampling.min_p"
	MetaMaxNewTokens = "sampling.max_new_tokens"
	MetaSeed         = "sampling.seed"
	MetaSystem       = "sampling.system" // the system message
)

// NumberSample returns p as a row that asks for one sample, with this number.
func NumberSample(p schemas.Problem, sample int) schemas.Problem {
	p.Metadata = maps.Clone(p.Metadata)
	if p.Metadata == nil {
		p.Metadata = map[string]string{}
	}
	p.Metadata[MetaSample], p.Metadata[MetaSamples] = strconv.Itoa(sample), "1"
	return p
}

// WriteProblems writes problems 0 to total−1 to --out, `batch` of them to a record batch, and
// finishes the output.
//
// In a stream they are numbered in order. What an earlier, interrupted call has published stays, and
// publishing goes on behind it; so problem must return the same for the same number.
func (e *Env) WriteProblems(ctx context.Context, total, batch int64, problem func(int64) (schemas.Problem, error)) error {
	if total < 1 || batch < 1 {
		return fmt.Errorf("%d problems in batches of %d: both must be at least 1", total, batch)
	}
	at, err := ParseEndpoint(e.String("out"), e.RunName())
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	out, err := e.Sink(ctx, schemas.KindProblems, "")
	if err != nil {
		return err
	}
	defer out.Close()
	next, last := int64(0), ""
	if at.Transport == NATS {
		if next, last, err = publishedProblems(ctx, e.run); err != nil {
			return err
		}
		if next > 0 {
			if err := e.extend(ctx, next, total, last, problem); err != nil {
				return err
			}
		}
	}
	before := next
	for next < total {
		rows := make([]schemas.Problem, min(batch, total-next))
		for i := range rows {
			if rows[i], err = problem(next + int64(i)); err != nil {
				return fmt.Errorf("problem %d: %w", next+int64(i), err)
			}
		}
		rec, err := schemas.Problems().Encode(memory.DefaultAllocator, rows)
		if err != nil {
			return fmt.Errorf("problems from %d: %w", next, err)
		}
		id := fmt.Sprintf("problems/%d", next)
		if at.Transport == NATS {
			err = publish(ctx, e.run, schemas.KindProblems, rec, id, map[string]string{firstHeader: strconv.FormatInt(next, 10)})
		} else {
			err = out.Write(ctx, rec, id)
		}
		rec.Release()
		if err != nil {
			return err
		}
		next += int64(len(rows))
	}
	e.Log.Info("problems written", "problems", next-before, "to", at.String())
	return out.Finish(ctx)
}

// extend checks that the problems already in the run's stream, next of them, the last with this id, are
// those that this command would write, and opens the run again if there are more to come.
func (e *Env) extend(ctx context.Context, next, total int64, last string, problem func(int64) (schemas.Problem, error)) error {
	e.Log.Info("the run has problems already", "problems", next)
	if next <= total {
		p, err := problem(next - 1)
		if err != nil {
			return fmt.Errorf("problem %d: %w", next-1, err)
		}
		if p.ProblemID != last {
			return fmt.Errorf("run %s has other problems: its number %d is %s, here it is %s; another --run starts anew", e.RunName(), next-1, last, p.ProblemID)
		}
	}
	if next >= total {
		return nil
	}
	// Ends that were marked are taken back before there is more: stages started after this go on.
	if _, err := e.run.End(ctx, bus.Problems); errors.Is(err, bus.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	return e.run.ClearEnd(ctx, bus.Problems, bus.Rollouts, bus.Scored)
}

// publishedProblems is how many problems the run's stream has, and the id of the last one.
func publishedProblems(ctx context.Context, run *bus.Run) (int64, string, error) {
	last, err := run.Last(ctx, bus.Problems)
	if err != nil || last == 0 {
		return 0, "", err
	}
	replay, err := run.Replay(ctx, bus.Problems, bus.From{Seq: last})
	if err != nil {
		return 0, "", err
	}
	defer replay.Close()
	r, err := replay.Next(ctx)
	if err != nil {
		return 0, "", err
	}
	d, err := decode(r, schemas.KindProblems)
	if err != nil {
		return 0, "", fmt.Errorf("stream problems, message %d: %w", r.Seq, err)
	}
	defer d.Record.Release()
	rows, err := schemas.Problems().Decode(d.Record)
	if err != nil || len(rows) == 0 {
		return 0, "", fmt.Errorf("stream problems, message %d: %d problems: %w", r.Seq, len(rows), err)
	}
	return d.First + int64(len(rows)), rows[len(rows)-1].ProblemID, nil
}
