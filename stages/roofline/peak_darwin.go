package roofline

import "syscall"

// PeakMemory is the most memory that the process had in RAM so far, in bytes; 0 where the system does not
// tell.
func PeakMemory() int64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return usage.Maxrss
}

// ResetPeakMemory does nothing: the system can't do that.
func ResetPeakMemory() {}
