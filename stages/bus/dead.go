package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// Headers of dead letters.
const (
	// DeadReason says in one line why the message was set aside.
	DeadReason = "Openrs-Dead-Reason"
	// DeadStream and DeadSeq say where it came from.
	DeadStream = "Openrs-Dead-Stream"
	DeadSeq    = "Openrs-Dead-Sequence"
	// DeadBody is "omitted" where body and headers together exceeded the server's limit.
	DeadBody = "Openrs-Dead-Body"
)

// Origin is the message that a dead letter is about.
type Origin struct {
	Stream Stream
	Seq    uint64
}

// Dead keeps a copy of what a stage could not process, with the reason, on the subject
// openrs.R.dead.<stage>. The same stage, origin, reason and body are kept once. A body that no
// longer fits beside the headers is left out: the origin says where it stands.
func (r *Run) Dead(ctx context.Context, stage, reason string, origin Origin, body []byte) error {
	if err := validName("stage", stage); err != nil {
		return err
	}
	if reason = oneLine(reason, 1000); reason == "" {
		reason = "no reason given"
	}
	seq := strconv.FormatUint(origin.Seq, 10)
	m := Message{
		ID:     fmt.Sprintf("%s/%s/%s/%.16s/%.16s", stage, origin.Stream, seq, digestOf([]byte(reason)), digestOf(body)),
		Body:   body,
		Header: map[string]string{DeadReason: reason, DeadStream: string(origin.Stream), DeadSeq: seq},
	}
	_, err := r.publish(ctx, dead, deadSubject(r.name, stage), m)
	if errors.Is(err, ErrTooLarge) {
		m.Body = nil
		m.Header[DeadBody] = "omitted"
		_, err = r.publish(ctx, dead, deadSubject(r.name, stage), m)
	}
	return err
}
