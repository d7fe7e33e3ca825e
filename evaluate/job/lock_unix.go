//go:build unix

package job

import (
	"os"
	"syscall"
)

// lock keeps other processes from using the file; it goes when the file is closed or the process ends,
// however that happens.
func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
