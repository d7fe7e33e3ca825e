package backend

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"openrs/stages/device"
	"openrs/stages/device/cpu"
)

// Listing is what --device can name on this machine.
type Listing struct {
	Devices []Listed `json:"devices"`
	// CUDA is the version of the CUDA API that the GPUs' driver offers; empty without GPUs.
	CUDA string `json:"cuda,omitempty"`
	// Note says why there are no GPUs.
	Note string `json:"note,omitempty"`
}

// Listed is one device.
type Listed struct {
	Device     string  `json:"device"` // as --device names it
	Name       string  `json:"name"`
	Threads    int     `json:"threads,omitempty"`
	Memory     int64   `json:"memory_bytes,omitempty"`      // 0: not known
	Free       int64   `json:"free_memory_bytes,omitempty"` // 0: not known
	Capability string  `json:"compute_capability,omitempty"`
	Processors int     `json:"multiprocessors,omitempty"`
	Bandwidth  float64 `json:"memory_gb_per_second,omitempty"` // the peak, by clock and width
	PCI        string  `json:"pci,omitempty"`
	Links      []Link  `json:"links,omitempty"`
}

// Link is the way from one GPU to the memory of another.
type Link struct {
	To  string `json:"to"`
	Way string `json:"way"` // nvlink, pcie, or host where neither is possible
}

// List describes the CPU, used with a number of threads (0: all), and the GPUs. A machine without GPUs or a build without
// CUDA is no error: the listing says so.
func List(threads int) (Listing, error) {
	dev, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		return Listing{}, err
	}
	defer dev.Close()
	host := Listed{Device: "cpu", Name: dev.Name(), Threads: dev.Threads()}
	if c, ok := device.Device(dev).(device.Capacity); ok {
		host.Free = c.FreeMemory()
	}
	l := Listing{Devices: []Listed{host}}
	gpus, version, err := listGPUs()
	switch {
	case err != nil && !errors.Is(err, ErrNoCUDA):
		l.Note = "no GPUs: " + err.Error()
	case err != nil:
		l.Note = err.Error()
	case len(gpus) == 0:
		l.Note = "the driver has no GPUs"
	default:
		l.CUDA = version
	}
	l.Devices = append(l.Devices, gpus...)
	return l, nil
}

// WriteJSON writes the listing as one JSON object.
func (l Listing) WriteJSON(w io.Writer) error { return json.NewEncoder(w).Encode(l) }

// WriteText writes the listing as a table for people, and one of the links if there are any.
func (l Listing) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "DEVICE\tNAME\tCAPABILITY\tMEMORY\tFREE\tBANDWIDTH\tPCI")
	known := func(ok bool, text string) string {
		if ok {
			return text
		}
		return "-"
	}
	linked := false
	for _, d := range l.Devices {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.Device, d.Name, known(d.Capability != "", d.Capability), known(d.Memory > 0, size(d.Memory)),
			known(d.Free > 0, size(d.Free)), known(d.Bandwidth > 0, fmt.Sprintf("%.0f GB/s", d.Bandwidth)), known(d.PCI != "", d.PCI))
		linked = linked || len(d.Links) > 0
	}
	if linked {
		fmt.Fprintln(t)
		fmt.Fprintln(t, "FROM\tTO")
		for _, d := range l.Devices {
			if len(d.Links) == 0 {
				continue
			}
			var ways []string
			for _, link := range d.Links {
				ways = append(ways, link.To+" by "+link.Way)
			}
			fmt.Fprintf(t, "%s\t%s\n", d.Device, strings.Join(ways, ", "))
		}
	}
	if l.CUDA != "" {
		fmt.Fprintf(t, "\nThe driver offers CUDA %s.\n", l.CUDA)
	}
	if l.Note != "" {
		fmt.Fprintf(t, "\n%s\n", l.Note)
	}
	return t.Flush()
}
