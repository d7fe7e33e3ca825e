//go:build !linux

package kernel

func mapFloats(n int) []float32 { return goFloats(n) }

func unmapFloats([]float32) {}
