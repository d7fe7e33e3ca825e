package device

// Capacity is implemented by devices that know how much memory is left for them.
type Capacity interface {
	// FreeMemory is how many bytes can still be allocated without harm to other programs; 0 when that
	// is not known.
	FreeMemory() int64
}

// CacheSizer is implemented by devices that keep keys and values in another form than float32.
type CacheSizer interface {
	// CacheBytes is the memory that a cache of NewCache takes, without making it.
	CacheBytes(CacheConfig) int64
}

// CacheBytes is the memory that a cache takes on dev.
func CacheBytes(dev Device, cfg CacheConfig) int64 {
	if s, ok := dev.(CacheSizer); ok {
		return s.CacheBytes(cfg)
	}
	return 2 * 4 * int64(cfg.Layers) * int64(cfg.KVHeads) * int64(cfg.HeadDim) * int64(cfg.Pages) * int64(cfg.PageSize)
}

// Layouts is implemented by devices that keep a matrix with gradients in more than one layout.
type Layouts interface {
	// TrainedLayouts is how many.
	TrainedLayouts() int64
}

// TrainedLayouts is how often dev keeps a matrix of NewWeight with gradients.
func TrainedLayouts(dev Device) int64 {
	if l, ok := dev.(Layouts); ok {
		return l.TrainedLayouts()
	}
	return 1
}
