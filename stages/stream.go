package stages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
	"openrs/stages/bus"
	"openrs/stages/table"
)

// firstHeader is the header with the number, from 0, of a batch's first problem in its stream.
const firstHeader = "First-Problem"

// ackWait is the default of --ack-wait: how long the server waits for a sign of life of a worker
// before its batch goes to another one. Signs are sent every third of it by a goroutine of their own,
// so a worker that is merely slow keeps its batch; one that was killed delays it by this much.
const ackWait = 10 * time.Second

// streamSource shares a stream's batches with the other workers of its durable consumer.
type streamSource struct {
	consumer *bus.Consumer
	dead     deadLetters
	kind     schemas.Kind
	skipBad  bool
}

func (s *streamSource) Next(ctx context.Context) (*Delivery, error) {
	for {
		d, err := s.consumer.Next(ctx)
		if d, err := s.open(ctx, d, err); d != nil || err != nil {
			return d, err
		}
	}
}

func (s *streamSource) TryNext(ctx context.Context) (*Delivery, error) {
	d, err := s.consumer.TryNext(ctx, 0)
	if errors.Is(err, bus.ErrNoMessage) {
		return nil, nil
	}
	return s.open(ctx, d, err)
}

// reclaimTries bounds how many batches Reclaim looks at.
const reclaimTries = 4

// Reclaim implements [Reclaimer]. The server hands out what was left before what is new, but later
// batches that were left or handed back may come first: they are handed back again.
func (s *streamSource) Reclaim(ctx context.Context, before uint64) (found *Delivery, err error) {
	p, err := s.consumer.Progress(ctx)
	if err != nil || p.AckFloor+1 >= before {
		return nil, err
	}
	var later []*bus.Delivery
	defer func() {
		for _, d := range later {
			err = errors.Join(err, d.Nak(0))
		}
	}()
	for range reclaimTries {
		d, err := s.consumer.TryNext(ctx, 0)
		if errors.Is(err, bus.ErrNoMessage) {
			break
		}
		if err == nil && d.Seq > before {
			later = append(later, d)
			continue
		}
		return s.open(ctx, d, err)
	}
	return nil, nil
}

// open decodes a message. One that can't be is kept as a dead letter and stops the stage, or with
// skipBad is passed over: then open returns nil and no error.
func (s *streamSource) open(ctx context.Context, d *bus.Delivery, err error) (*Delivery, error) {
	var bad *bus.DeliveryError
	if errors.As(err, &bad) {
		return nil, s.reject(ctx, bad.Record, bad.Delivery, bad.Err)
	}
	if err != nil {
		return nil, err
	}
	out, err := decode(d.Record, s.kind)
	if err != nil {
		return nil, s.reject(ctx, d.Record, d, err)
	}
	out.ack = d.Ack
	return out, nil
}

// reject keeps a copy of a message that is of no use.
func (s *streamSource) reject(ctx context.Context, r bus.Record, d *bus.Delivery, cause error) error {
	cause = fmt.Errorf("stream %s, message %d: %w", s.kind, r.Seq, cause)
	if err := s.dead.keep(ctx, bus.Stream(s.kind), r.Seq, r.Body, cause.Error()); err != nil {
		return errors.Join(cause, err)
	}
	if !s.skipBad {
		return fmt.Errorf("%w (a copy is in the dead letters; --skip-bad passes over such messages)", cause)
	}
	s.dead.log.Warn("message skipped", "reason", cause)
	if d == nil {
		return nil
	}
	return d.Term(cause.Error())
}

func (s *streamSource) Close() error { return s.consumer.Close() }

// decode turns a message into a delivery without an acknowledgement.
func decode(r bus.Record, kind schemas.Kind) (*Delivery, error) {
	rec, err := table.DecodeIPC(r.Body, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	if err := schemas.Check(rec.Schema(), kind); err != nil {
		rec.Release()
		return nil, err
	}
	d := &Delivery{Record: rec, ID: fmt.Sprintf("%s/%d", kind, r.Seq), Seq: r.Seq, body: r.Body}
	if text := r.Header[firstHeader]; text != "" {
		if d.First, err = strconv.ParseInt(text, 10, 64); err != nil || d.First < 0 {
			rec.Release()
			return nil, fmt.Errorf("header %s is %q, expected a number from 0", firstHeader, text)
		}
	}
	return d, nil
}

// replaySource reads a stream in order from some place, alone; there is nothing to acknowledge.
type replaySource struct {
	replayer *bus.Replayer
	kind     schemas.Kind
}

func (s *replaySource) Next(ctx context.Context) (*Delivery, error) {
	r, err := s.replayer.Next(ctx)
	if err != nil {
		return nil, err
	}
	d, err := decode(r, s.kind)
	if err != nil {
		return nil, fmt.Errorf("stream %s, message %d: %w", s.kind, r.Seq, err)
	}
	return d, nil
}

func (s *replaySource) TryNext(ctx context.Context) (*Delivery, error) { return s.Next(ctx) }

func (s *replaySource) Close() error { return s.replayer.Close() }

// untilSource ends after the message with the number last, whether or not the stream goes on.
type untilSource struct {
	Source
	last uint64
	done bool
}

func (s *untilSource) Next(ctx context.Context) (*Delivery, error) {
	if s.done {
		return nil, io.EOF
	}
	d, err := s.Source.Next(ctx)
	if err == nil {
		s.done = d.Seq >= s.last
	}
	return d, err
}

// streamSink publishes batches to one of the run's streams.
type streamSink struct {
	run  *bus.Run
	kind schemas.Kind
	dead deadLetters
}

func (s *streamSink) Write(ctx context.Context, rec arrow.Record, id string) error {
	return publish(ctx, s.run, s.kind, rec, id, nil)
}

func (s *streamSink) Dead(ctx context.Context, d *Delivery, reason string) error {
	return s.dead.keep(ctx, s.dead.input, d.Seq, d.body, reason)
}

func (s *streamSink) Finish(ctx context.Context) error {
	if s.kind == schemas.KindMetrics {
		return nil // several stages write to it
	}
	return s.run.MarkEnd(ctx, bus.Stream(s.kind))
}

func (s *streamSink) Close() error { return nil }

// publish sends a batch as one message. A batch of groups that is larger than the server accepts goes
// as several, cut in the middle between groups; the same batch is always cut in the same places.
func publish(ctx context.Context, run *bus.Run, kind schemas.Kind, rec arrow.Record, id string, header map[string]string) error {
	body, err := table.EncodeIPC(rec)
	if err != nil {
		return fmt.Errorf("stream %s, batch %s: %w", kind, id, err)
	}
	_, err = run.Publish(ctx, bus.Stream(kind), bus.Message{ID: id, Body: body, Header: header})
	if !errors.Is(err, bus.ErrTooLarge) || !kind.Grouped() {
		return err
	}
	groups, groupErr := schemas.GroupRanges(rec)
	if groupErr != nil || len(groups) < 2 {
		return err // one group: the server's max_payload must be larger
	}
	cut := int64(groups[len(groups)/2].Start)
	head, tail := rec.NewSlice(0, cut), rec.NewSlice(cut, rec.NumRows())
	defer head.Release()
	defer tail.Release()
	if err := publish(ctx, run, kind, head, id+"a", header); err != nil {
		return err
	}
	return publish(ctx, run, kind, tail, id+"b", header)
}

// deadLetters keeps what a stage could not process.
type deadLetters struct {
	run   *bus.Run
	stage string
	input bus.Stream // that the stage reads
	log   *slog.Logger
}

func (l deadLetters) keep(ctx context.Context, stream bus.Stream, seq uint64, body []byte, reason string) error {
	return l.run.Dead(ctx, l.stage, reason, bus.Origin{Stream: stream, Seq: seq}, body)
}
