// Package devicetest says what a correct [device.Device] is, twice: as a plain implementation and as
// a test suite.
//
// [NewReference] is the slow twin of every fast device: each operation is the formula of its
// documentation as a short loop, summed in float64 and stored in float32. Expected values come from
// it, and the model can run on it.
//
// [Run] is the conformance suite. It compares a device with the reference on random shapes (no rows,
// one row, sizes that are no multiple of anything, strided views, shared prefixes, shuffled pages),
// and checks the exact part of the contract with exact equality: that an output element has the same
// bits whatever else is computed with it. A device's own test is one line:
//
//	func TestConformance(t *testing.T) { devicetest.Run(t, open) }
//
// Start reading at reference.go, then run.go. What a device may assume of its callers, and what is
// particular to one device (dispatch levels, threads, alignment), is tested by that device.
package devicetest
