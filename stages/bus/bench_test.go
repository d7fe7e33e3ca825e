package bus

import (
	"context"
	"fmt"
	"testing"

	"openrs/stages/bus/bustest"
)

// BenchmarkRoundTrip publishes, pulls and acknowledges one message at a time: 1 KB, and a batch of
// eight completions of 4,096 tokens.
func BenchmarkRoundTrip(b *testing.B) {
	for _, size := range []int{1 << 10, 412 << 10} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			s, ctx := bustest.Start(b), context.Background()
			bus, err := Connect(ctx, Options{URL: s.URL, Log: quiet()})
			if err != nil {
				b.Fatal(err)
			}
			defer bus.Close()
			r, err := bus.Run(ctx, "r1", RunOptions{})
			if err != nil {
				b.Fatal(err)
			}
			c, err := r.Consume(ctx, Rollouts, ConsumeOptions{Durable: "work"})
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			body := make([]byte, size)
			b.SetBytes(int64(size))
			for i := 0; b.Loop(); i++ {
				if _, err := r.Publish(ctx, Rollouts, Message{ID: fmt.Sprint(i), Body: body}); err != nil {
					b.Fatal(err)
				}
				d, err := c.Next(ctx)
				if err != nil {
					b.Fatal(err)
				}
				if err := d.Ack(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
