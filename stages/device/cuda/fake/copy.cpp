// copy.cpp: copies and fills. Pageable host memory is staged when the call is made; pinned memory is read
// and written when the copy runs.
#include "driver.h"
#include <cstring>

namespace fake {

static bool isPinned(uint64_t a, size_t n) {
  Allocation *x = find(a, n ? n : 1);
  return x && x->device < 0;
}
// alive checks, when an operation runs, what could have been freed meanwhile.
static CUresult alive(CUctx_st *c, uint64_t a, size_t n, const char *call) {
  Allocation *x = find(a, n);
  if (x && x->live) return CUDA_SUCCESS;
  return say(CUDA_ERROR_ILLEGAL_ADDRESS, "%s: %zu bytes at %#llx: %s", call, n, (unsigned long long)a, explain(a, c).c_str());
}
static Operation copy(CUctx_st *c, uint64_t to, uint64_t from, size_t n, const char *call) {
  Operation op{call, [=](Effects &e) {
    FAKE_TRY(alive(c, to, n, call));
    FAKE_TRY(alive(c, from, n, call));
    memmove((void *)to, (const void *)from, n);
    if (Allocation *a = find(to, n); a && a->device < 0) a->version++;
    e.push_back({from, from + n, false});
    e.push_back({to, to + n, true});
    return CUDA_SUCCESS; }, {}};
  if (isPinned(from, n)) op.pinned.push_back({(const char *)from, n});
  return op;
}
static bool captured(CUstream s) { return s && s != CU_STREAM_LEGACY && s->capture; }

static CUresult toDevice(CUctx_st *c, CUdeviceptr to, const void *from, size_t n, CUstream s, const char *call) {
  FAKE_TRY(inside(c, to, n, call, false));
  if (!n) return CUDA_SUCCESS;
  if (isPinned((uint64_t)from, n)) return enqueue(c, s, copy(c, to, (uint64_t)from, n, call));
  if (find((uint64_t)from, 1)) return say(CUDA_ERROR_INVALID_VALUE, "%s: the source is not host memory, or overruns its pinned buffer", call);
  auto run = [=](Effects &e, const void *source) {
    FAKE_TRY(alive(c, to, n, call));
    memcpy((void *)to, source, n);
    e.push_back({to, to + n, true});
    return CUDA_SUCCESS; };
  if (captured(s)) return enqueue(c, s, {call, [=](Effects &e) { return run(e, from); }, {}}); // a graph reads it at every launch
  auto staged = std::make_shared<std::vector<char>>((const char *)from, (const char *)from + n);
  return enqueue(c, s, {call, [=](Effects &e) { return run(e, staged->data()); }, {}});
}
static CUresult toHost(CUctx_st *c, void *to, CUdeviceptr from, size_t n, CUstream s, const char *call) {
  FAKE_TRY(inside(c, from, n, call, false));
  if (!n) return CUDA_SUCCESS;
  if (isPinned((uint64_t)to, n)) return enqueue(c, s, copy(c, (uint64_t)to, from, n, call));
  if (find((uint64_t)to, 1)) return say(CUDA_ERROR_INVALID_VALUE, "%s: the target is not host memory, or overruns its pinned buffer", call);
  FAKE_TRY(enqueue(c, s, {call, [=](Effects &e) {
    FAKE_TRY(alive(c, from, n, call));
    memcpy(to, (const void *)from, n);
    e.push_back({from, from + n, false});
    return CUDA_SUCCESS; }, {}}));
  return captured(s) ? CUDA_SUCCESS : finish(s && s != CU_STREAM_LEGACY ? s : &c->legacy); // pageable: the call waits
}
template <class T> static CUresult fill(CUctx_st *c, CUdeviceptr to, T v, size_t n, CUstream s, const char *call) {
  FAKE_TRY(inside(c, to, n * sizeof(T), call, false));
  if (to % sizeof(T)) return say(CUDA_ERROR_INVALID_VALUE, "%s: the address must be a multiple of %zu", call, sizeof(T));
  return enqueue(c, s, {call, [=](Effects &e) {
    FAKE_TRY(alive(c, to, n * sizeof(T), call));
    T *p = (T *)to;
    for (size_t i = 0; i < n; i++) p[i] = v;
    e.push_back({to, to + n * sizeof(T), true});
    return CUDA_SUCCESS; }, {}});
}
static CUresult peer(CUctx_st *c, CUdeviceptr to, CUcontext tc, CUdeviceptr from, CUcontext fc, size_t n, CUstream s, const char *call) {
  Allocation *a = find(to, n), *b = find(from, n);
  if (!a || !b || !tc || !fc) {
    FAKE_TRY(inside(c, to, n, call, true));
    FAKE_TRY(inside(c, from, n, call, true));
    return CUDA_ERROR_INVALID_VALUE;
  }
  if (a->device != tc->device || b->device != fc->device)
    return say(CUDA_ERROR_INVALID_VALUE, "%s: a pointer is not of the context given with it (to: device %d, context of %d; from: device %d, context of %d)", call, a->device, tc->device, b->device, fc->device);
  return enqueue(c, s, copy(c, to, from, n, call));
}
static CUresult waited(CUctx_st *c, CUresult r) { return r ? r : finish(&c->legacy); }
} // namespace fake

using namespace fake;
#define SYNC FAKE_CONTEXT(c); FAKE_TRY(refuseCapture(c, __func__))
extern "C" {
CUresult cuMemcpyHtoDAsync(CUdeviceptr to, const void *from, size_t n, CUstream s) { FAKE_CONTEXT(c); return toDevice(c, to, from, n, s, __func__); }
CUresult cuMemcpyDtoHAsync(void *to, CUdeviceptr from, size_t n, CUstream s) { FAKE_CONTEXT(c); return toHost(c, to, from, n, s, __func__); }
CUresult cuMemcpyHtoD(CUdeviceptr to, const void *from, size_t n) { SYNC; return waited(c, toDevice(c, to, from, n, nullptr, __func__)); }
CUresult cuMemcpyDtoH(void *to, CUdeviceptr from, size_t n) { SYNC; return waited(c, toHost(c, to, from, n, nullptr, __func__)); }
CUresult cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t n, CUstream s) {
  FAKE_CONTEXT(c);
  FAKE_TRY(inside(c, to, n, __func__, false));
  FAKE_TRY(inside(c, from, n, __func__, false));
  return enqueue(c, s, copy(c, to, from, n, __func__));
}
CUresult cuMemcpyDtoD(CUdeviceptr to, CUdeviceptr from, size_t n) { SYNC; return waited(c, cuMemcpyDtoDAsync(to, from, n, nullptr)); }
CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t n, CUstream s) {
  FAKE_CONTEXT(c);
  FAKE_TRY(inside(c, to, n, __func__, true));
  FAKE_TRY(inside(c, from, n, __func__, true));
  return enqueue(c, s, copy(c, to, from, n, __func__));
}
CUresult cuMemcpy(CUdeviceptr to, CUdeviceptr from, size_t n) { SYNC; return waited(c, cuMemcpyAsync(to, from, n, nullptr)); }
CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext tc, CUdeviceptr from, CUcontext fc, size_t n, CUstream s) { FAKE_CONTEXT(c); return peer(c, to, tc, from, fc, n, s, __func__); }
CUresult cuMemcpyPeer(CUdeviceptr to, CUcontext tc, CUdeviceptr from, CUcontext fc, size_t n) { SYNC; return waited(c, peer(c, to, tc, from, fc, n, nullptr, __func__)); }
CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char v, size_t n, CUstream s) { FAKE_CONTEXT(c); return fill<uint8_t>(c, to, v, n, s, __func__); }
CUresult cuMemsetD16Async(CUdeviceptr to, unsigned short v, size_t n, CUstream s) { FAKE_CONTEXT(c); return fill<uint16_t>(c, to, v, n, s, __func__); }
CUresult cuMemsetD32Async(CUdeviceptr to, unsigned v, size_t n, CUstream s) { FAKE_CONTEXT(c); return fill<uint32_t>(c, to, v, n, s, __func__); }
CUresult cuMemsetD8(CUdeviceptr to, unsigned char v, size_t n) { SYNC; return waited(c, fill<uint8_t>(c, to, v, n, nullptr, __func__)); }
CUresult cuMemsetD16(CUdeviceptr to, unsigned short v, size_t n) { SYNC; return waited(c, fill<uint16_t>(c, to, v, n, nullptr, __func__)); }
CUresult cuMemsetD32(CUdeviceptr to, unsigned v, size_t n) { SYNC; return waited(c, fill<uint32_t>(c, to, v, n, nullptr, __func__)); }
}
