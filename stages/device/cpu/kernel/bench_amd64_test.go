//go:build amd64 && !purego

package kernel

import (
	"testing"
	"time"
)

// measurePeak returns what one core reaches with multiply-adds of registers alone, in GFLOP/s.
func measurePeak(b *testing.B, l Level) float64 {
	b.Helper()
	if l == Portable {
		l = Best()
	}
	if l == Portable {
		return 0
	}
	const rounds = 200_000
	best := time.Hour
	for range 20 {
		start := time.Now()
		flop := 2 * 12 * rounds * 8
		if l >= AVX512 {
			peakAVX512(rounds)
			flop *= 2
		} else {
			peakAVX2(rounds)
		}
		if d := time.Since(start) * 1_000_000 / time.Duration(flop); d < best {
			best = d
		}
	}
	return 1_000_000 / float64(best)
}
