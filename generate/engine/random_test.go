package engine

import "testing"

// The known answers of the authors' Random123 library.
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		ctr  [4]uint32
		key  [2]uint32
		want [4]uint32
	}{
		{want: [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{
			ctr:  [4]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
			key:  [2]uint32{0xffffffff, 0xffffffff},
			want: [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
		},
		{
			ctr:  [4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
			key:  [2]uint32{0xa4093822, 0x299f31d0},
			want: [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
		},
	} {
		if got := philox(c.ctr, c.key); got != c.want {
			t.Errorf("philox(%x, %x) = %x, want %x", c.ctr, c.key, got, c.want)
		}
	}
}

func TestUniformIsKeyedByEverything(t *testing.T) {
	seen := map[float64]string{}
	for _, seed := range []int64{0, 1, -1} {
		for _, problem := range []string{"a", "b"} {
			for sample := range int32(3) {
				for position := range 50 {
					u := newStreamKey(seed, problem, sample).uniform(position)
					if u < 0 || u >= 1 {
						t.Fatalf("uniform = %v", u)
					}
					if _, dup := seen[u]; dup {
						t.Fatalf("seed %d problem %s sample %d position %d repeats a number", seed, problem, sample, position)
					}
					seen[u] = problem
				}
			}
		}
	}
	var sum float64
	for u := range seen {
		sum += u
	}
	if mean := sum / float64(len(seen)); mean < 0.45 || mean > 0.55 {
		t.Errorf("mean of %d numbers = %v", len(seen), mean)
	}
}
