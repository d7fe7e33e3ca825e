//go:build cuda

package driver

// #cgo LDFLAGS: -lcuda
// #include <cuda.h>
import "C"

import (
	"errors"
	"fmt"
	"strconv"
)

// Result is a driver call's result other than success. The numbers are CUresult's.
type Result int

// The results that callers decide on.
const (
	OutOfMemory          Result = C.CUDA_ERROR_OUT_OF_MEMORY
	NotReady             Result = C.CUDA_ERROR_NOT_READY
	PeerAlreadyEnabled   Result = C.CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED
	InvalidContext       Result = C.CUDA_ERROR_INVALID_CONTEXT
	InvalidValue         Result = C.CUDA_ERROR_INVALID_VALUE
	IllegalAddress       Result = C.CUDA_ERROR_ILLEGAL_ADDRESS
	PeerAccessNotEnabled Result = C.CUDA_ERROR_PEER_ACCESS_NOT_ENABLED
)

var (
	// ErrDeadline is returned by waits that took longer than Options.Deadline.
	ErrDeadline = errors.New("deadline passed")
	// ErrClosed is returned for work sent to a context after Close.
	ErrClosed = errors.New("context closed")
)

// Error returns the driver's name of the result and its number, such as "CUDA_ERROR_ILLEGAL_ADDRESS (700)".
func (r Result) Error() string {
	var name *C.char
	if C.cuGetErrorName(C.CUresult(r), &name) != C.CUDA_SUCCESS || name == nil {
		return fmt.Sprintf("CUDA error %d", int(r))
	}
	return fmt.Sprintf("%s (%d)", C.GoString(name), int(r))
}

// result turns what a driver call returned into an error.
func result(r C.CUresult) error {
	if r == C.CUDA_SUCCESS {
		return nil
	}
	return Result(r)
}

// of turns an error of package cu, whose type is an unexported integer, into a Result.
func of(err error) error {
	if err == nil {
		return nil
	}
	n, parseErr := strconv.Atoi(fmt.Sprintf("%d", err))
	if parseErr != nil {
		return err
	}
	return Result(n)
}
