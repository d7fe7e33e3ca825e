package device

// Peer is implemented by devices that can read the memory of others of their kind, without the values
// passing through the host.
type Peer interface {
	// Reaches reports whether all the devices (this one may be among them) can be read from.
	Reaches(devices ...Device) bool
	// CopyFrom copies src, a tensor of another device, to dst, of the same shape. What was enqueued on the
	// other device must be done ([Memory].Sync); it must not write to src before this device is done.
	CopyFrom(dst Tensor, from Device, src Tensor) error
}
