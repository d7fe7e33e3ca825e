package backend

import (
	"flag"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"openrs/stages/device"
)

func TestParseDevices(t *testing.T) {
	for _, c := range []struct {
		text, kind string
		ordinals   []int
	}{
		{"cpu", "cpu", []int{0}}, {"cuda", "cuda", []int{0}}, {"cuda:2", "cuda", []int{2}}, {"cuda:0-3", "cuda", []int{0, 1, 2, 3}},
		{"cuda:3,0-1", "cuda", []int{3, 0, 1}}, {"cpu:0-1", "cpu", []int{0, 1}},
	} {
		kind, ordinals, err := parseDevices(c.text)
		if err != nil || kind != c.kind || !slices.Equal(ordinals, c.ordinals) {
			t.Errorf("%s: %s %v, %v; want %s %v", c.text, kind, ordinals, err, c.kind, c.ordinals)
		}
	}
	for _, bad := range []string{"", "gpu", "CUDA", "cuda:", "cuda:x", "cuda:3-1", "cuda:0,0", "cuda:0-2,1", "cuda:-1", "cuda:0-", "cuda:0;1", "cuda:999"} {
		if kind, ordinals, err := parseDevices(bad); err == nil {
			t.Errorf("%q is taken as %s %v", bad, kind, ordinals)
		}
	}
}

func TestShare(t *testing.T) {
	for _, c := range []struct {
		threads, n int
		want       []int
	}{{0, 1, []int{0}}, {3, 1, []int{3}}, {8, 3, []int{2, 3, 3}}, {1, 2, []int{1, 1}}} {
		var got []int
		for i := range c.n {
			got = append(got, share(c.threads, i, c.n))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%d threads among %d: %v, want %v", c.threads, c.n, got, c.want)
		}
	}
}

func flags(t *testing.T, args ...string) *cli.Context {
	t.Helper()
	set := flag.NewFlagSet("test", flag.ContinueOnError)
	for _, f := range Flags() {
		if err := f.Apply(set); err != nil {
			t.Fatal(err)
		}
	}
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	return cli.NewContext(nil, set, nil)
}

func TestOpenAll(t *testing.T) {
	all, err := OpenAll(flags(t, "--device", "cpu:0-2", "--threads", "4"))
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(all)
	threads := 0
	for _, dev := range all {
		threads += dev.(device.Limits).Threads()
	}
	if len(all) != 3 || threads != 4 {
		t.Errorf("%d devices with %d threads, want 3 with 4", len(all), threads)
	}
	for _, args := range [][]string{{"--device", "tpu"}, {"--threads", "-1"}, {"--dtype", "f8"}} {
		if _, err := OpenAll(flags(t, args...)); err == nil || !strings.Contains(err.Error(), args[0]) {
			t.Errorf("%v: %v, expected an error that names %s", args, err, args[0])
		}
	}
	one, err := Open(flags(t))
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	if part, whole := freeMemory(all[0]), freeMemory(one); whole > 0 && part > whole/2 {
		t.Errorf("one of three devices counts on %d of %d bytes", part, whole)
	}
	if dev, err := Open(flags(t, "--device", "cpu:0-1")); err == nil {
		dev.Close()
		t.Error("two devices are opened as one")
	}
}
