package device

// Capacity is implemented by devices that know how much memory is left for them.
type Capacity interface {
	// FreeMemory is how many bytes can still be allocated without harm to other programs; 0 when that
	// is not known.
	FreeMemory() int64
}
