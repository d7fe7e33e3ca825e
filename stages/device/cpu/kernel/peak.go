package kernel

import "runtime"

// MultiplyAdds runs rounds of independent multiply-adds that touch no memory, as wide as the level's
// vectors, and returns how many floating-point operations they were (a multiply-add is two). The time it
// takes is the shortest in which one thread can do as many.
func (s *Set) MultiplyAdds(rounds int) (flops int) {
	if rounds <= 0 {
		return 0
	}
	if s.level == Portable {
		return multiplyAddsPortable(rounds, 0.5, 1)
	}
	return multiplyAddsSIMD(s.level, rounds)
}

// MultiplyAddsBF16 is MultiplyAdds with the instruction that products of bfloat16 use.
func (s *Set) MultiplyAddsBF16(rounds int) (flops int) {
	if rounds <= 0 || s.level != AVX512BF16 {
		return s.MultiplyAdds(rounds)
	}
	return dotProductsSIMD(rounds)
}

// peakChains is how many chains of multiply-adds a round advances by one: enough to hide the latency of
// an operation, few enough for 16 registers.
const peakChains = 12

func multiplyAddsPortable(rounds int, x, y float32) int {
	var a, b, c, d, e, f, g, h, i, j, k, l float32
	for range rounds {
		a, b, c = a*x+y, b*x+y, c*x+y
		d, e, f = d*x+y, e*x+y, f*x+y
		g, h, i = g*x+y, h*x+y, i*x+y
		j, k, l = j*x+y, k*x+y, l*x+y
	}
	// What nobody uses the compiler may leave out.
	runtime.KeepAlive(a + b + c + d + e + f + g + h + i + j + k + l)
	return 2 * peakChains * rounds
}
