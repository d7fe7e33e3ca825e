package cpu

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// FreeMemory implements device.Capacity: what the kernel says is available, or what is left of the
// control group's limit if that is less.
func (d *Device) FreeMemory() int64 {
	free := availableMemory("/proc/meminfo")
	const group = "/sys/fs/cgroup" // the process's own, inside a container
	limit, used := readBytes(filepath.Join(group, "memory.max")), readBytes(filepath.Join(group, "memory.current"))
	if limit > 0 && (free == 0 || limit-used < free) {
		free = max(1, limit-used)
	}
	return free
}

// availableMemory reads MemAvailable, in kB, from a file such as /proc/meminfo.
func availableMemory(path string) int64 {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) >= 2 && fields[0] == "MemAvailable:" {
			n, _ := strconv.ParseInt(fields[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

// readBytes reads a file that holds one number; 0 for none ("max").
func readBytes(path string) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n
}
