package device

// Limits is implemented by devices that can measure what their hardware allows, for benchmarks to
// stand beside: on a shared machine a rate means little without the limit of the same moment. Both
// measurements use all that the device computes with, take some tenths of a second, and say what was
// reached at the time of the call. They wait for everything enqueued before.
type Limits interface {
	// Threads is the number of processor threads that compute; 0 where that means nothing.
	Threads() int
	// ArithmeticLimit returns the rate, in GFLOP/s (10⁹; a multiply-add is two), of multiply-adds on
	// registers alone, with weights of dtype. A dtype without products is an error.
	ArithmeticLimit(dtype DType) (gflops float64, err error)
	// MemoryLimit returns the rate, in GB/s (10⁹ bytes), at which memory far larger than any cache is
	// read from one end to the other.
	MemoryLimit() (gbPerSecond float64, err error)
}
