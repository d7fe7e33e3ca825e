//go:build !linux && !darwin

package roofline

// PeakMemory is 0: the system does not tell.
func PeakMemory() int64 { return 0 }

// ResetPeakMemory does nothing.
func ResetPeakMemory() {}
