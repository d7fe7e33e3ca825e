package roofline

import (
	"bytes"
	"os"
	"strconv"
)

// PeakMemory is the most memory that the process had in RAM so far, in bytes (VmHWM); 0 where the system
// does not tell.
func PeakMemory() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		if value, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kib, _ := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(value), []byte("kB")))), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// ResetPeakMemory makes [PeakMemory] start anew from what is in RAM now, where the system can do that.
func ResetPeakMemory() {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // see proc(5)
}
