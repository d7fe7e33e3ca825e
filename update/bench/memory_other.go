//go:build !linux && !darwin

package bench

func peakBytes() int64 { return 0 }
