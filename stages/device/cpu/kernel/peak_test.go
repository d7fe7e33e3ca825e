package kernel

import "testing"

func TestMultiplyAdds(t *testing.T) {
	lanes := map[Level]int{Portable: 1, AVX2: 8, AVX512: 16, AVX512BF16: 16}
	for _, l := range Levels() {
		s, err := New(l)
		if err != nil {
			t.Fatal(err)
		}
		for _, rounds := range []int{0, 1, 7, 1000} {
			if got, want := s.MultiplyAdds(rounds), 2*12*lanes[l]*rounds; got != want {
				t.Errorf("%v: %d operations in %d rounds, want %d", l, got, rounds, want)
			}
		}
		want := 2 * 12 * lanes[l] * 1000
		if l == AVX512BF16 {
			want = 2 * 24 * 32 * 1000
		}
		if got := s.MultiplyAddsBF16(1000); got != want {
			t.Errorf("%v: %d operations of bfloat16, want %d", l, got, want)
		}
		if got := s.MultiplyAdds(-1) + s.MultiplyAddsBF16(-1); got != 0 {
			t.Errorf("%v: %d operations in −1 rounds", l, got)
		}
	}
}
