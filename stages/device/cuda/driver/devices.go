//go:build cuda

package driver

import (
	"fmt"

	"gorgonia.org/cu"
)

// Info describes a GPU.
type Info struct {
	Ordinal         int
	Name            string
	Major, Minor    int    // compute capability
	Multiprocessors int    //
	Memory          int64  // bytes
	SharedPerBlock  int    // bytes of shared memory a block may ask for
	ClockKHz        int    // of the multiprocessors
	MemoryClockKHz  int    // of the memory, whose data rate is twice that
	BusBits         int    // width of the memory interface
	L2Bytes         int    // second-level cache
	Pools           bool   // stream-ordered allocation
	PCI             string // domain:bus:device
	Peers           []Link // to every other GPU
}

// Link is what one GPU can do with the memory of another.
type Link struct {
	Ordinal int
	Access  bool // its memory can be used directly
	Atomics bool // also by atomic operations, which is so over NVLink and not over PCIe
	Rank    int  // the driver's ranking of the links of a machine, the fastest first
}

// Bandwidth is the peak rate of the GPU's memory in bytes a second, from its clock and width; 0 when the driver does not
// say.
func (i Info) Bandwidth() float64 {
	return 2 * 1e3 * float64(i.MemoryClockKHz) * float64(i.BusBits) / 8
}

// attributes that package cu has no names for.
const (
	sharedPerBlockOptin  cu.DeviceAttribute = 97
	memoryPoolsSupported cu.DeviceAttribute = 115
)

// Devices describes all GPUs. It needs no context and wakes no GPU up.
func Devices() ([]Info, error) {
	n, err := cu.NumDevices()
	if err != nil {
		return nil, fmt.Errorf("cuda: counting GPUs: %w", of(err))
	}
	infos := make([]Info, n)
	for i := range infos {
		if infos[i], err = describe(i, n); err != nil {
			return nil, err
		}
	}
	return infos, nil
}

// Describe describes one GPU.
func Describe(ordinal int) (Info, error) {
	n, err := cu.NumDevices()
	if err != nil {
		return Info{}, fmt.Errorf("cuda: counting GPUs: %w", of(err))
	}
	if ordinal < 0 || ordinal >= n {
		return Info{}, fmt.Errorf("cuda:%d: there is no such GPU: the driver has %d, from 0 on (CUDA_VISIBLE_DEVICES can hide some)", ordinal, n)
	}
	return describe(ordinal, n)
}

func describe(ordinal, all int) (Info, error) {
	info := Info{Ordinal: ordinal}
	dev := cu.Device(ordinal)
	var err error
	fail := func(what string) (Info, error) {
		return info, &opError{ordinal, what, of(err)}
	}
	if info.Name, err = dev.Name(); err != nil {
		return fail("name")
	}
	if info.Memory, err = dev.TotalMem(); err != nil {
		return fail("memory")
	}
	var pools, domain, bus, slot int
	for attribute, value := range map[cu.DeviceAttribute]*int{
		cu.ComputeCapabilityMajor: &info.Major, cu.ComputeCapabilityMinor: &info.Minor,
		cu.MultiprocessorCount: &info.Multiprocessors, sharedPerBlockOptin: &info.SharedPerBlock,
		cu.ClockRate: &info.ClockKHz, cu.MemoryClockRate: &info.MemoryClockKHz, cu.GlobalMemoryBusWidth: &info.BusBits,
		cu.L2CacheSize: &info.L2Bytes, memoryPoolsSupported: &pools,
		cu.PciDomainID: &domain, cu.PciBusID: &bus, cu.PciDeviceID: &slot,
	} {
		if *value, err = dev.Attribute(attribute); err != nil {
			return fail(fmt.Sprintf("attribute %d", attribute))
		}
	}
	info.Pools = pools != 0
	info.PCI = fmt.Sprintf("%04x:%02x:%02x", domain, bus, slot)
	for other := range all {
		if other == ordinal {
			continue
		}
		link, err := linkOf(dev, cu.Device(other))
		if err != nil {
			return info, &opError{ordinal, fmt.Sprintf("link to cuda:%d", other), of(err)}
		}
		info.Peers = append(info.Peers, link)
	}
	return info, nil
}

func linkOf(dev, other cu.Device) (Link, error) {
	link := Link{Ordinal: int(other)}
	can, err := dev.CanAccessPeer(other)
	if err != nil {
		return link, err
	}
	link.Access = can != 0
	atomics, err := dev.P2PAttribute(cu.P2PNativeAomicSupported, other)
	if err != nil {
		return link, err
	}
	link.Atomics = atomics != 0
	link.Rank, err = dev.P2PAttribute(cu.PerformanceRank, other)
	return link, err
}

// Version is the version of the CUDA API that the installed driver offers, such as 12.4.
func Version() (major, minor int) {
	v := cu.Version()
	return v / 1000, v % 1000 / 10
}
