// Package cuda runs the operations of device.Device on an NVIDIA GPU, of compute capability 8.0 (Ampere) or later. Its Go
// files carry the build tag cuda: without it the package is empty and nothing of CUDA is linked. build.sh builds the
// binaries with it and needs a C compiler but no CUDA toolkit; a user needs the driver only.
//
// Start with device.go: [Open] makes a [Device]. The way of an operation is the same everywhere:
//
//   - It checks its arguments in the caller's goroutine (view.go), where a shape that does not fit panics.
//   - begin starts it; ints and floats bring small slices to the GPU (indices.go), scratch lends memory (scratch.go),
//     and launch enqueues kernels (launch.go) to the thread of package driver, which hands them to the GPU. Nothing waits.
//   - Only what returns values waits: Download, Sample, SumSquares, Sync, by way of fetch (staging.go).
//
// There is one stream. What is in it happens in order, which is all that makes it safe to free memory, and to hand out the
// same scratch again, while the GPU is still busy with it. Host memory is another matter: the GPU reads it later. So all
// that goes over is first copied into pinned memory (staging.go), of which a part is used again only after an event has told
// that the GPU is through with it.
//
// Device memory comes from the driver's stream-ordered pool, within the limit of Options.MemoryBytes. Memory of Alloc,
// weights and caches is zeroed; scratch is not.
//
// Steps of decoding are the same launches again and again. Replay holds launches back, compares them with the last step's
// and lets a CUDA graph stand for all of them at once (replay.go).
//
// A fault sticks to the device. The GPU finds it later than the launch that is to blame: Options.Blocking (or the variable
// CUDA_LAUNCH_BLOCKING=1 and a debugger of NVIDIA's) shows which that is.
//
// # Where things are
//
//   - driver: GPUs, contexts and their threads, streams, events, memory, modules, graphs, links between GPUs.
//   - kernels: the CUDA C++ sources and the PTX made of them, which is embedded.
//   - paging.go: what a PagedAttention has to do, in pieces for the GPU.
//   - memory.go, weight.go, cache.go: what lives on the device. matmul*.go, attention*.go, norm.go, elementwise.go,
//     logprobs.go, sample.go, optimizing.go: the operations, which say in which order sums are taken.
//   - peer.go: copies from the memory of other GPUs.
//   - limits.go: what the hardware can do at most; bench.sh measures products, decoding and training beside it.
//   - include, fake, test.sh, build.sh, stub.sh, symbols.sh: our own cuda.h, a driver that executes the PTX on the processor
//     with checks, and the scripts that test and build with them.
//
// Tests run the same on the fake driver and on a GPU: test.sh for the first, test.sh --real for the second.
package cuda
