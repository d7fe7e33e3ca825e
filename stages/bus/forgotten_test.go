package bus

import (
	"testing"
	"time"
)

// A server that has forgotten that it handed a message out does not answer its acknowledgement. Ack
// notices, and the message comes again.
func TestAckOfAForgottenDelivery(t *testing.T) {
	_, r := open(t)
	r.bus.attempt = 200 * time.Millisecond
	var log lines
	r.bus.log = textLog(&log)
	publish(t, r, Rollouts, 3)
	c, err := r.Consume(within(t), Rollouts, ConsumeOptions{Durable: "work"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	next := func(seq uint64) *Delivery {
		t.Helper()
		d, err := c.Next(within(t))
		if err != nil || d.Seq != seq {
			t.Fatalf("%+v, %v, want message %d", d, err, seq)
		}
		return d
	}
	if err := next(1).Ack(within(t)); err != nil {
		t.Fatal(err)
	}
	held := next(2)

	// A consumer that begins anew knows as little as one whose state was not on the disk.
	s, err := r.bus.js.Stream(within(t), streamName("r1", Rollouts))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteConsumer(within(t), "work"); err != nil {
		t.Fatal(err)
	}
	again, err := r.Consume(within(t), Rollouts, ConsumeOptions{Durable: "work"})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := held.Ack(within(t)); err != nil {
		t.Fatal(err)
	}
	log.await(t, "forgotten")
	if got := c.Held(); len(got) != 0 {
		t.Errorf("messages %v are still held", got)
	}
	c = again
	for seq := uint64(1); seq <= 3; seq++ {
		if err := next(seq).Ack(within(t)); err != nil {
			t.Fatal(err)
		}
	}
}
