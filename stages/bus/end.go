package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// The end of a stream is a key in the run's bucket: the sequence number of its last message. The
// stage that writes the stream sets it when its output is complete; with several workers each may,
// since they learn of their own input's end only when all of it, and so all output, is stored.

func endKey(s Stream) string { return "end." + string(s) }

// MarkEnd says that the stream is complete with the messages it has. Marking again is harmless.
func (r *Run) MarkEnd(ctx context.Context, s Stream) error {
	last, err := r.Last(ctx, s)
	if err != nil {
		return err
	}
	return r.put(ctx, endKey(s), strconv.AppendUint(nil, last, 10))
}

// End returns the sequence number of a complete stream's last message (0: it has none), or
// [ErrNotFound] while the end is not marked.
func (r *Run) End(ctx context.Context, s Stream) (uint64, error) {
	if !known(s) {
		return 0, unknownStream(s, r)
	}
	value, _, err := r.get(ctx, endKey(s))
	if err != nil {
		return 0, err
	}
	end, err := strconv.ParseUint(string(value), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("key %s of run %s: expected a sequence number, found %q", endKey(s), r.name, value)
	}
	return end, nil
}

// ClearEnd takes the marks back, for a run that is extended: do so for a stream and all that are
// made from it, before new messages are published.
func (r *Run) ClearEnd(ctx context.Context, streams ...Stream) error {
	var errs []error
	for _, s := range streams {
		if !known(s) {
			errs = append(errs, unknownStream(s, r))
			continue
		}
		errs = append(errs, r.remove(ctx, endKey(s)))
	}
	return errors.Join(errs...)
}

// Progress is how far a durable consumer is, all its workers together.
type Progress struct {
	// Pending messages have not been handed out yet.
	Pending uint64
	// AckPending messages have been handed out and not been acknowledged.
	AckPending int
	// AckFloor is the sequence number up to which everything is acknowledged.
	AckFloor uint64
}

// Progress asks the server. It costs a request, so it is for waiting and for status lines; the
// depth of the queue stands in every [Record].NumPending.
func (c *Consumer) Progress(ctx context.Context) (p Progress, err error) {
	err = c.run.bus.retry(ctx, c.what("asking for the state of"), func(ctx context.Context) error {
		info, err := c.c.Info(ctx)
		if err != nil {
			return err
		}
		p = Progress{Pending: info.NumPending, AckPending: info.NumAckPending, AckFloor: info.AckFloor.Stream}
		return nil
	})
	return p, err
}

// finished decides the end of a stream for a shared consumer. The floor alone is not enough where a
// stream was extended without clearing its end; the counts alone are not enough where the answering
// server has not yet seen the newest messages.
func (p Progress) finished(end uint64) bool {
	return p.AckFloor >= end && p.Pending == 0 && p.AckPending == 0
}
