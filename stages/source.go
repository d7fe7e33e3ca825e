package stages

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"
)

// Source yields the record batches that a stage works on.
type Source interface {
	// Next waits for a batch. It returns io.EOF when the input is complete: at the end of a file or
	// pipe, or when the stream's end is marked and all of it has been acknowledged, by whichever worker.
	Next(ctx context.Context) (*Delivery, error)
	// TryNext is Next without the wait: it returns nil, nil when there is no batch at the moment.
	TryNext(ctx context.Context) (*Delivery, error)
	// Close lets go of the input. Batches not acknowledged will be delivered again, to this or another
	// worker.
	Close() error
}

// Reclaimer is a Source whose batches go to other workers when theirs dies. A worker that must wait for
// something that is made from earlier batches asks it for those, lest it waits for itself.
type Reclaimer interface {
	// Reclaim returns a batch before the one with this sequence number whose worker has left it, nil when
	// there is none at the moment.
	Reclaim(ctx context.Context, before uint64) (*Delivery, error)
}

// Delivery is one record batch and what to do once it has been worked on. Its owner releases Record.
type Delivery struct {
	Record arrow.Record
	// ID names the batch and stays the same over redeliveries: what is made from it is written under it.
	ID string
	// Seq is the batch's sequence number in its stream, or its number in its file, from 1.
	Seq uint64
	// First is the number in the stream, from 0, of the first row's problem. Only batches of problems have it.
	First int64

	ack  func(context.Context) error
	body []byte // as it came from a stream, for the dead letters
}

// NewDelivery makes a delivery for a [Source] of one's own; ack may be nil.
func NewDelivery(rec arrow.Record, id string, seq uint64, first int64, ack func(context.Context) error) *Delivery {
	return &Delivery{Record: rec, ID: id, Seq: seq, First: first, ack: ack}
}

// Ack tells the input that the batch is done with; what was made from it must be safe by then.
func (d *Delivery) Ack(ctx context.Context) error {
	if d.ack == nil {
		return nil
	}
	return d.ack(ctx)
}

// Sink takes the record batches that a stage makes.
type Sink interface {
	// Write stores rec. A batch with the id of one already stored is not stored again.
	Write(ctx context.Context, rec arrow.Record, id string) error
	// Dead keeps a copy of a delivery with the reason why it, or a part of it, failed.
	Dead(ctx context.Context, d *Delivery, reason string) error
	// Finish says that the output is complete: a file appears under its name, a stream's end is marked.
	Finish(ctx context.Context) error
	// Close lets go of the output. Without Finish before, a file is discarded and a stream stays open.
	Close() error
}
