package backend

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"openrs/stages/device"
	"openrs/stages/device/cpu"
)

// ErrNoCUDA says that this build can't use GPUs.
var ErrNoCUDA = errors.New("this build has no CUDA: stages/device/cuda/build.sh builds the commands with it; a GPU then needs only its driver")

// OpenAll opens the devices that --device names, in order: one, or several that share the work.
func OpenAll(c *cli.Context) ([]device.Device, error) {
	dtype, err := DType(c)
	if err != nil {
		return nil, err
	}
	kind, ordinals, err := parseDevices(c.String("device"))
	if err != nil {
		return nil, fmt.Errorf("--device %w", err)
	}
	if c.Int("threads") < 0 {
		return nil, fmt.Errorf("--threads is %d, expected at least 0", c.Int("threads"))
	}
	var all []device.Device
	for i, ordinal := range ordinals {
		var dev device.Device
		if kind == "cuda" {
			dev, err = openCUDA(ordinal, dtype)
		} else {
			dev, err = cpu.New(cpu.Options{Threads: share(c.Int("threads"), i, len(ordinals)), Sharing: len(ordinals)})
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("--device %s: %w", c.String("device"), err), closeAll(all))
		}
		all = append(all, dev)
	}
	return all, nil
}

func closeAll(devices []device.Device) error {
	var failed error
	for _, dev := range devices {
		failed = errors.Join(failed, dev.Close())
	}
	return failed
}

// share is how many of the threads the i-th of n CPU devices gets.
func share(threads, i, n int) int {
	if n == 1 {
		return threads
	}
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	return max(1, threads*(i+1)/n-threads*i/n)
}

// parseDevices reads cpu, cuda (the first GPU), or either with a list of numbers: cuda:0,1 or cuda:0-3.
// Several CPU devices divide the cores between them.
func parseDevices(s string) (kind string, ordinals []int, err error) {
	kind, list, listed := strings.Cut(s, ":")
	if kind != "cpu" && kind != "cuda" {
		return "", nil, fmt.Errorf("%q: expected cpu, cuda, or cuda:LIST such as cuda:0-3", s)
	}
	if !listed {
		return kind, []int{0}, nil
	}
	for _, part := range strings.Split(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 8)
		to, err2 := strconv.ParseUint(last, 10, 8)
		if err != nil || err2 != nil || to < from {
			return "", nil, fmt.Errorf("%q: %q is no number and no range of numbers, such as 0-3", s, part)
		}
		for n := int(from); n <= int(to); n++ {
			if slices.Contains(ordinals, n) {
				return "", nil, fmt.Errorf("%q names device %d twice", s, n)
			}
			ordinals = append(ordinals, n)
		}
	}
	return kind, ordinals, nil
}
