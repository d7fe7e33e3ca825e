package expr

import (
	"testing"
)

// BenchmarkAnswers parses and compares the labelled pairs, short answers of one line each.
func BenchmarkAnswers(b *testing.B) {
	all := readAnswers(b)
	var pairs [][2]string
	for _, l := range all {
		if l.Answer != nil {
			pairs = append(pairs, [2]string{l.Gold, *l.Answer})
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p := pairs[i%len(pairs)]
		gold, err := Parse(p[0], Options{})
		if err != nil {
			continue
		}
		if pred, err := Parse(p[1], Options{}); err == nil {
			Equal(gold, pred, Options{})
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pairs/s")
}
