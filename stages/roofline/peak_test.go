package roofline

import (
	"runtime"
	"testing"

	"openrs/stages/device/cpu/kernel"
)

func TestPeakMemory(t *testing.T) {
	const size = 256 << 20
	ResetPeakMemory()
	before := PeakMemory()
	if before == 0 {
		if runtime.GOOS == "linux" || runtime.GOOS == "darwin" {
			t.Error("the system does not tell")
		}
		t.Skip("unknown here")
	}
	x := kernel.AllocFloats(size / 4)
	for i := 0; i < len(x); i += 1 << 10 {
		x[i] = 1
	}
	during := PeakMemory()
	kernel.FreeFloats(x)
	// The system counts pages in batches for each processor.
	if after := PeakMemory(); during < size || during > 1<<40 || after < during-1<<20 {
		t.Errorf("%d bytes before, %d with %d more, %d after", before, during, size, after)
	}
	if runtime.GOOS != "linux" {
		return
	}
	if ResetPeakMemory(); PeakMemory() > during-size/2 {
		t.Logf("the peak is %d bytes after a reset: this system does not reset it", PeakMemory())
	}
}
