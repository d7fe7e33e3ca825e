//go:build cuda

package backend

import (
	"errors"
	"fmt"

	"openrs/stages/device/cuda/driver"
)

// listGPUs describes the GPUs, and says which version of CUDA their driver offers.
func listGPUs() (all []Listed, version string, err error) {
	infos, err := driver.Devices()
	if err != nil {
		return nil, "", err
	}
	for _, info := range infos {
		l := Listed{
			Device: gpuName(info.Ordinal), Name: info.Name, Memory: info.Memory, Capability: fmt.Sprintf("%d.%d", info.Major, info.Minor),
			Processors: info.Multiprocessors, Bandwidth: info.Bandwidth() / 1e9, PCI: info.PCI,
		}
		for _, peer := range info.Peers {
			l.Links = append(l.Links, Link{gpuName(peer.Ordinal), way(peer)})
		}
		if l.Free, err = freeOf(info.Ordinal); err != nil {
			return nil, "", err
		}
		all = append(all, l)
	}
	major, minor := driver.Version()
	return all, fmt.Sprintf("%d.%d", major, minor), nil
}

func gpuName(ordinal int) string { return fmt.Sprintf("cuda:%d", ordinal) }

// way tells NVLink by its atomic operations, which PCIe has not.
func way(l driver.Link) string {
	switch {
	case l.Access && l.Atomics:
		return "nvlink"
	case l.Access:
		return "pcie"
	}
	return "host"
}

// freeOf asks the driver how much memory of a GPU nobody uses.
func freeOf(ordinal int) (free int64, err error) {
	c, err := driver.Open(ordinal, driver.Options{})
	if err != nil {
		return 0, err
	}
	err = c.Do("free memory", func() error {
		free, _, err = driver.MemInfo()
		return err
	})
	return free, errors.Join(err, c.Close())
}
