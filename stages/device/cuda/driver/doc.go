// Package driver is what openrs needs of the CUDA driver API, over gorgonia.org/cu and, where that has no function,
// over the API itself. Its Go files carry the build tag cuda; without it the package is empty.
//
// Start with [Open]: a [Context] is one GPU with the operating-system thread that talks to it. Work is sent to that
// thread as closures and launches, which it hands to the driver in order:
//
//   - [Context.Launch] and [Context.Send] return at once. What they send runs later, and its first fault sticks to the
//     context: whatever is sent afterwards is dropped, and Do and Fault return the fault.
//   - [Context.Do] waits for the thread to come to its closure and returns the closure's error, which does not stick.
//
// The functions and methods that work on a GPU's objects ([NewStream], [Stream.CopyIn], [Pool.Alloc], …) belong in such
// closures, because the driver knows by the thread which GPU is meant; their comments say "on the thread". They return a
// [Result], and the context says which GPU and which operation it was:
//
//	cuda:1: attention_f32: CUDA_ERROR_ILLEGAL_ADDRESS (700)
//
// The GPU runs what is in a stream later again. A fault of a kernel therefore shows at some later call, under the name
// of that call; Options.Blocking waits after every launch, so that it shows under its own.
//
// No wait is without end: the thread asks for events ([Context.Await]) rather than block in the driver, and gives up
// after Options.Deadline, as do callers of Do and Send when the thread itself is stuck. The error is [ErrDeadline] and
// says what was waited for.
//
// Tensors, operations and kernels are package cuda's; nothing here knows of them.
package driver
