package cpu

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// FreeMemory implements device.Capacity: what the kernel says is available, or what is left of the
// control group's limit if that is less; shared out among the devices that Options.Sharing counts.
func (d *Device) FreeMemory() int64 {
	free := field("/proc/meminfo", "MemAvailable:") << 10 // in kB
	for _, g := range memoryGroups() {
		if left := g.left(); left > 0 && (free == 0 || left < free) {
			free = left
		}
	}
	if free == 0 {
		return 0
	}
	return max(1, free/d.sharing)
}

// memoryGroup is the process's own control group, as a container sees it: where the files are, and what
// they are called.
type memoryGroup struct {
	dir, limit, used string
	files            string // of memory.stat: pages of files that nobody has used lately
}

func memoryGroups() []memoryGroup {
	return []memoryGroup{
		{"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"},
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"}, // version 1
	}
}

// left is what may still be allocated, at least 1; 0 when there is no limit. Pages of files count as used
// but give way.
func (g memoryGroup) left() int64 {
	limit := readBytes(filepath.Join(g.dir, g.limit))
	if limit <= 0 {
		return 0
	}
	used := readBytes(filepath.Join(g.dir, g.used)) - field(filepath.Join(g.dir, "memory.stat"), g.files)
	return max(1, limit-max(0, used))
}

// field reads the number that follows a name in a file of such lines; 0 where there is none.
func field(path, name string) int64 {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) >= 2 && fields[0] == name {
			n, _ := strconv.ParseInt(fields[1], 10, 64)
			return n
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
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
