//go:build amd64 && !purego

package kernel

func multiplyAddsSIMD(l Level, rounds int) int {
	lanes := 8
	if l >= AVX512 {
		lanes = 16
		peakAVX512(rounds)
	} else {
		peakAVX2(rounds)
	}
	return 2 * peakChains * lanes * rounds
}

// dotProductsSIMD does rounds of 24 instructions of 32 multiply-adds.
func dotProductsSIMD(rounds int) int {
	peakBF16(rounds)
	return 2 * 24 * 32 * rounds
}
