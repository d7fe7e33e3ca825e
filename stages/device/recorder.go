package device

// Recorder is implemented by devices that do a sequence of operations faster when they have been asked for the same one
// before, as a step of decoding is.
type Recorder interface {
	// Replay calls f once, and what f asks of the device is done as without Replay, at the latest when it
	// returns. Key names what f does: calls with one key should ask for the same operations on tensors
	// of the same shape and place most of the time, with other integers (ids, positions, slots, sequences)
	// as they come. If they do not, the results are the same and nothing is gained. Slices that f gives to
	// the device must stay as they are until Replay returns.
	Replay(key string, f func())
}
