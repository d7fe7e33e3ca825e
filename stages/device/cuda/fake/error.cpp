// error.cpp: names of results, and reports of misuse on standard error.
#include "driver.h"
#include <cstdarg>
#include <cstdio>

namespace fake {
CUresult say(CUresult r, const char *format, ...) {
  if (settings().quiet) return r;
  char text[1200];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  fprintf(stderr, "fakecuda: %s\n", text);
  return r;
}
struct Name { CUresult r; const char *name, *text; };
#define N(x, text) {x, #x, text}
static const Name names[] = {
  N(CUDA_SUCCESS, "no error"),
  N(CUDA_ERROR_INVALID_VALUE, "invalid argument"),
  N(CUDA_ERROR_OUT_OF_MEMORY, "out of memory"),
  N(CUDA_ERROR_NOT_INITIALIZED, "initialization error"),
  N(CUDA_ERROR_NO_DEVICE, "no CUDA-capable device is detected"),
  N(CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal"),
  N(CUDA_ERROR_INVALID_IMAGE, "device kernel image is invalid"),
  N(CUDA_ERROR_INVALID_CONTEXT, "invalid device context"),
  N(CUDA_ERROR_INVALID_PTX, "a PTX JIT compilation failed"),
  N(CUDA_ERROR_INVALID_HANDLE, "invalid resource handle"),
  N(CUDA_ERROR_ILLEGAL_STATE, "the operation cannot be performed in the present state"),
  N(CUDA_ERROR_NOT_FOUND, "named symbol not found"),
  N(CUDA_ERROR_NOT_READY, "device not ready"),
  N(CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered"),
  N(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "too many resources requested for launch"),
  N(CUDA_ERROR_LAUNCH_TIMEOUT, "the launch timed out and was terminated"),
  N(CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED, "peer access is already enabled"),
  N(CUDA_ERROR_PEER_ACCESS_NOT_ENABLED, "peer access has not been enabled"),
  N(CUDA_ERROR_CONTEXT_IS_DESTROYED, "context is destroyed"),
  N(CUDA_ERROR_LAUNCH_FAILED, "unspecified launch failure"),
  N(CUDA_ERROR_NOT_SUPPORTED, "operation not supported"),
  N(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "operation not permitted when stream is capturing"),
  N(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "operation failed due to a previous error during capture"),
  N(CUDA_ERROR_STREAM_CAPTURE_MERGE, "operation would result in a merge of separate capture sequences"),
  N(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "capture was not ended in the same stream as it began"),
  N(CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "capturing stream has unjoined work"),
  N(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "operation would make the legacy stream depend on a capturing blocking stream"),
  N(CUDA_ERROR_CAPTURED_EVENT, "operation not permitted on an event last recorded in a capturing stream"),
  N(CUDA_ERROR_UNKNOWN, "unknown error"),
};
#undef N
static const Name *name(CUresult r) {
  for (const Name &n : names)
    if (n.r == r) return &n;
  return nullptr;
}
} // namespace fake

using namespace fake;
extern "C" {
CUresult cuGetErrorName(CUresult r, const char **p) {
  const Name *n = name(r);
  *p = n ? n->name : nullptr;
  return n ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
CUresult cuGetErrorString(CUresult r, const char **p) {
  const Name *n = name(r);
  *p = n ? n->text : nullptr;
  return n ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
// The build gives every function of cuda.h that the fake lacks a body that calls this.
int fake_missing(const char *function) { return say(CUDA_ERROR_NOT_SUPPORTED, "%s is not in the fake driver", function); }
}
