package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
	"openrs/stages/table"
)

// Local makes samples with generate and score as child processes:
//
//	NAME.todo.arrow ─▶ generate ─▶ score ─▶ this process ─▶ store
//
// One generate has all that is missing before it, so that its batch is full to the end.
type Local struct {
	Tools    Tools
	Generate []string // flags of generate, beside its model and endpoints
	Score    []string // flags of score, beside its endpoints
	Dir      string   // for logs, and while it works for what it has to do
	Log      *slog.Logger
}

// Run makes the samples of a plan that the store lacks.
func (l *Local) Run(ctx context.Context, m Model, p *Plan, s *Store) error {
	missing := p.Missing(s.Has)
	left := 0
	for _, piece := range missing {
		left += piece.Count
	}
	progress := NewProgress(l.Log.With("model", m.Name), p.Samples(), p.Samples()-left)
	if left == 0 {
		return nil
	}
	todo := filepath.Join(l.Dir, m.File()+".todo.arrow")
	if err := writeRows(todo, p, missing); err != nil {
		return err
	}
	defer os.Remove(todo)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	run, err := l.start(ctx, m, todo)
	if err != nil {
		return err
	}
	defer progress.watch(silence, func() string { return run.generate.lastLines(1) })()
	go func() { // whoever else holds their pipe must not keep this process waiting
		<-run.generate.done
		<-run.score.done
		_ = run.out.SetReadDeadline(time.Now().Add(stopWait))
	}()
	readErr := readScored(run.out, func(rows []schemas.Scored) error {
		fresh, err := p.accept(s, rows)
		if err == nil {
			left -= fresh
			progress.Add(fresh)
		}
		return err
	})
	if readErr != nil && !errors.Is(readErr, table.ErrTruncated) {
		cancel() // it is no use to go on
	}
	if err := run.end(ctx, readErr); err != nil {
		return fmt.Errorf("model %s: %w", m.Name, err)
	}
	if left > 0 {
		return fmt.Errorf("model %s: generate and score ended well, but %d samples are missing", m.Name, left)
	}
	return s.Sync()
}

// writeRows writes the rows that ask for pieces, each a batch of its own: what is asked for in one batch
// comes back in one.
func writeRows(path string, p *Plan, pieces []Piece) error {
	w, err := table.Create(path, schemas.KindProblems)
	if err != nil {
		return err
	}
	defer w.Abort()
	for _, piece := range pieces {
		rec, err := schemas.Problems().Encode(memory.DefaultAllocator, []schemas.Problem{p.Row(piece)})
		if err != nil {
			return err
		}
		err = w.Write(rec)
		rec.Release()
		if err != nil {
			return err
		}
	}
	return w.Close()
}

// pair is the two children.
type pair struct {
	generate, score *child
	out             *os.File // what score writes
}

func (l *Local) start(ctx context.Context, m Model, todo string) (pair, error) {
	fail := func(err error) (pair, error) { return pair{}, fmt.Errorf("model %s: %w", m.Name, err) }
	betweenR, betweenW, err := os.Pipe()
	if err != nil {
		return fail(err)
	}
	defer betweenR.Close()
	defer betweenW.Close()
	out, outW, err := os.Pipe()
	if err != nil {
		return fail(err)
	}
	defer outW.Close()
	logs := func(stage string) string { return filepath.Join(l.Dir, "logs", m.File()+"-"+stage+".log") }
	run := pair{out: out}
	args := append([]string{"--model", m.Path, "--policy-version", strconv.FormatInt(m.Version, 10), "--in", todo, "--out", "-"}, l.Generate...)
	if run.generate, err = startChild(ctx, l.Tools.Generate, args, nil, betweenW, logs("generate")); err != nil {
		out.Close()
		return fail(err)
	}
	if run.score, err = startChild(ctx, l.Tools.Score, append([]string{"--in", "-", "--out", "-"}, l.Score...), betweenR, outW, logs("score")); err != nil {
		out.Close()
		return fail(err)
	}
	return run, nil
}

// end waits for the children. Of several faults the one that the others follow from is named.
func (r pair) end(ctx context.Context, readErr error) error {
	r.out.Close()
	generate, score := r.generate.wait(), r.score.wait()
	switch {
	case readErr != nil && !errors.Is(readErr, table.ErrTruncated):
		return readErr // what was read was not good: the children were stopped for it
	case ctx.Err() != nil:
		return ctx.Err()
	case generate != nil && !(score != nil && r.generate.downstream()):
		return generate
	case score != nil:
		return score
	}
	return readErr
}

// readScored calls do for each batch of a stream of scored rollouts.
func readScored(r io.Reader, do func([]schemas.Scored) error) error {
	in, err := table.OpenStream(r, schemas.KindScored)
	if err != nil {
		return err
	}
	defer in.Close()
	for {
		rec, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		rows, err := schemas.ScoredRollouts().Decode(rec)
		rec.Release()
		if err == nil {
			err = do(rows)
		}
		if err != nil {
			return err
		}
	}
}
