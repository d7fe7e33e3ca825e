//go:build linux || darwin

package bench

import (
	"runtime"
	"syscall"
)

// peakBytes is the largest resident set of the process so far; 0 if the system does not tell.
func peakBytes() int64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return usage.Maxrss
	}
	return usage.Maxrss << 10 // Linux counts in KiB
}
