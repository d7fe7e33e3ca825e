package cpu

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMemoryGroup(t *testing.T) {
	for _, c := range []struct {
		name, limit, used, stat string
		want                    int64
	}{
		{"half used", "1000\n", "500\n", "", 500},
		{"files give way", "1000\n", "900\n", "anon 100\ninactive_file 600\nactive_file 50\n", 700},
		{"more files than memory", "1000\n", "100\n", "inactive_file 600\n", 1000},
		{"full", "1000\n", "1000\n", "inactive_file 0\n", 1},
		{"over", "1000\n", "1200\n", "", 1},
		{"no limit", "max\n", "500\n", "", 0},
		{"no files", "", "", "", 0},
		{"nonsense", "many\n", "500\n", "", 0},
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{"memory.max": c.limit, "memory.current": c.used, "memory.stat": c.stat} {
			if text == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		g := memoryGroups()[0]
		g.dir = dir
		if got := g.left(); got != c.want {
			t.Errorf("%s: %d left, want %d", c.name, got, c.want)
		}
	}
}

func TestFreeMemory(t *testing.T) {
	free := openDevice(t, "", 1).FreeMemory()
	if free < 1 || free > 1<<50 {
		t.Errorf("%d bytes free", free)
	}
	const devices = 1 << 20 // a part is then far from the whole, whatever else the machine does meanwhile
	d, err := New(Options{Threads: 1, Sharing: devices})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if part := d.FreeMemory(); part < 1 || part > free/1000 {
		t.Errorf("%d bytes free for one of %d devices, %d for all", part, devices, free)
	}
}
