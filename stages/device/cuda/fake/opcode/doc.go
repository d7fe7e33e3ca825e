//go:build cuda

// Package opcode tests the fake device one PTX instruction at a time: small pieces of PTX run on many
// inputs, and plain Go says what must come out. It has no code of its own. scalar_test.go has the
// instructions that work lane by lane, warp_test.go those of a whole warp, memory_test.go loads, stores,
// atomics and asynchronous copies, misuse_test.go programs that the fake must refuse.
package opcode
