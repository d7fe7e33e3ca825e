package checkpoint

import (
	"math"
	"testing"
)

// nearest is the plain twin of the rounding functions: of all finite bit patterns, the one whose
// value is closest, an even pattern on a tie. Beyond the largest value, as if one more step followed.
func nearest(v float32, widen func(uint16) float32, infinity uint16) uint16 {
	sign := uint16(0)
	if math.Signbit(float64(v)) {
		sign, v = 0x8000, -v
	}
	lo, hi := uint16(0), infinity
	value := func(b uint16) float64 {
		if b == infinity {
			return 2*float64(widen(infinity-1)) - float64(widen(infinity-2))
		}
		return float64(widen(b))
	}
	for hi-lo > 1 {
		if mid := lo + (hi-lo)/2; value(mid) <= float64(v) {
			lo = mid
		} else {
			hi = mid
		}
	}
	below, above := float64(v)-value(lo), value(hi)-float64(v)
	if above < below || above == below && hi&1 == 0 {
		lo = hi
	}
	return sign | lo
}

func TestRoundingAgainstSearch(t *testing.T) {
	state := uint32(1)
	for i := range 200_000 {
		state = state*1664525 + 1013904223
		bits := state
		if i%2 == 0 { // the exponents of half precision and its edges, and ties
			bits = state&0x80000000 | (98+state>>20%50)<<23 | state<<3&0x7ff000
		}
		v := math.Float32frombits(bits)
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			continue
		}
		if got, want := Float32ToF16(v), nearest(v, F16ToFloat32, 0x7c00); got != want {
			t.Fatalf("F16 of %08x: expected %04x, found %04x", bits, want, got)
		}
		if got, want := Float32ToBF16(v), nearest(v, BF16ToFloat32, 0x7f80); got != want {
			t.Fatalf("BF16 of %08x: expected %04x, found %04x", bits, want, got)
		}
	}
}

// Every 16-bit pattern widens and rounds back to itself.
func TestWideningIsExact(t *testing.T) {
	for _, c := range []struct {
		name     string
		widen    func(uint16) float32
		round    func(float32) uint16
		infinity uint16
		quiet    uint16
	}{{"F16", F16ToFloat32, Float32ToF16, 0x7c00, 0x200}, {"BF16", BF16ToFloat32, Float32ToBF16, 0x7f80, 0x40}} {
		for i := range 1 << 16 {
			b := uint16(i)
			v := c.widen(b)
			want := b
			if b&0x7fff > c.infinity {
				if !math.IsNaN(float64(v)) {
					t.Fatalf("%s %04x: expected NaN, found %v", c.name, b, v)
				}
				want |= c.quiet
			}
			if b&0x7fff == c.infinity && !math.IsInf(float64(v), 0) {
				t.Fatalf("%s %04x: expected an infinity, found %v", c.name, b, v)
			}
			if got := c.round(v); got != want {
				t.Fatalf("%s %04x: came back as %04x", c.name, b, got)
			}
		}
	}
	if got := F16ToFloat32(0x3555); got != 0.333251953125 {
		t.Errorf("F16 3555: expected 0.333251953125, found %v", got)
	}
}

func TestParseDType(t *testing.T) {
	for in, want := range map[string]DType{"BF16": BF16, "bfloat16": BF16, "torch.float16": F16, "f32": F32, "float64": F64} {
		if got, err := ParseDType(in); got != want || err != nil {
			t.Errorf("%s: expected %s, found %s, %v", in, want, got, err)
		}
	}
	if _, err := ParseDType("int8"); err == nil {
		t.Error("int8: expected an error")
	}
}
