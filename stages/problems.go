package stages

import (
	"context"
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
	next := int64(0)
	if at.Transport == NATS {
		if next, err = publishedProblems(ctx, e.run); err != nil {
			return err
		}
		if next > 0 {
			e.Log.Info("the run has problems already", "problems", next)
		}
	}
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
	e.Log.Info("problems written", "problems", next, "to", at.String())
	return out.Finish(ctx)
}

// publishedProblems is how many problems the run's stream has.
func publishedProblems(ctx context.Context, run *bus.Run) (int64, error) {
	last, err := run.Last(ctx, bus.Problems)
	if err != nil || last == 0 {
		return 0, err
	}
	replay, err := run.Replay(ctx, bus.Problems, bus.From{Seq: last})
	if err != nil {
		return 0, err
	}
	defer replay.Close()
	r, err := replay.Next(ctx)
	if err != nil {
		return 0, err
	}
	d, err := decode(r, schemas.KindProblems)
	if err != nil {
		return 0, fmt.Errorf("stream problems, message %d: %w", r.Seq, err)
	}
	defer d.Record.Release()
	return d.First + d.Record.NumRows(), nil
}
