// context.cpp: devices and contexts. The devices are like an A40 (sm_86).
#include "driver.h"
#include <cstdio>
#include <cstring>

namespace fake {
std::recursive_mutex lock;
bool initialized;
std::vector<CUctx_st *> contexts;
void reportLeaks(int device);
void reportGraphs(int device);
static thread_local std::vector<CUctx_st *> stack;
struct Primary { CUctx_st *ctx = nullptr; int users = 0; unsigned flags = 0; };
static Primary primaries[64];

CUctx_st *current() { return stack.empty() ? nullptr : stack.back(); }
CUresult usable(const char *call, CUctx_st *&c) {
  if (!initialized) return say(CUDA_ERROR_NOT_INITIALIZED, "%s before cuInit", call);
  c = current();
  if (!c) return say(CUDA_ERROR_INVALID_CONTEXT, "%s: no context is current on this thread", call);
  return c->fault;
}
static bool valid(CUdevice d) { return d >= 0 && d < settings().devices; }
static CUctx_st *make(int device, bool primary) {
  CUctx_st *c = new CUctx_st;
  c->device = device, c->primary = primary;
  newStream(c, &c->legacy, CU_STREAM_DEFAULT);
  contexts.push_back(c);
  return c;
}
struct Attribute { CUdevice_attribute name; int value; };
static const Attribute attributes[] = {
  {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1024},
  {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X, 1024}, {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y, 1024}, {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z, 64},
  {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, 2147483647}, {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y, 65535}, {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z, 65535},
  {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, 49152}, {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 101376},
  {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR, 102400}, {CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK, 1024},
  {CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32}, {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 84},
  {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, 1536}, {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK, 65536},
  {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR, 65536}, {CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR, 16},
  {CU_DEVICE_ATTRIBUTE_CLOCK_RATE, 1740000}, {CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE, 7251000},
  {CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH, 384}, {CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, 6291456},
  {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 8}, {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 6},
  {CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1}, {CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS, 1}, {CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT, 2},
  {CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, 1}, {CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, 1}, {CU_DEVICE_ATTRIBUTE_ECC_ENABLED, 1},
  {CU_DEVICE_ATTRIBUTE_COMPUTE_PREEMPTION_SUPPORTED, 1}, {CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED, 1},
};
} // namespace fake

using namespace fake;
extern "C" {
CUresult cuInit(unsigned) {
  Locked l(fake::lock);
  initialized = true;
  return settings().devices > 0 ? CUDA_SUCCESS : CUDA_ERROR_NO_DEVICE;
}
CUresult cuDriverGetVersion(int *v) { return *v = CUDA_VERSION, CUDA_SUCCESS; }
CUresult cuDeviceGetCount(int *n) { return *n = settings().devices, CUDA_SUCCESS; }
CUresult cuDeviceGet(CUdevice *d, int ordinal) { return valid(ordinal) ? (*d = ordinal, CUDA_SUCCESS) : CUDA_ERROR_INVALID_DEVICE; }
CUresult cuDeviceGetName(char *s, int n, CUdevice d) { return valid(d) ? (snprintf(s, n, "Fake A40"), CUDA_SUCCESS) : CUDA_ERROR_INVALID_DEVICE; }
CUresult cuDeviceGetUuid(CUuuid *u, CUdevice d) {
  if (!valid(d)) return CUDA_ERROR_INVALID_DEVICE;
  memset(u, 0, sizeof *u);
  u->bytes[15] = (char)d;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetPCIBusId(char *s, int n, CUdevice d) { return valid(d) ? (snprintf(s, n, "0000:%02x:00.0", d + 1), CUDA_SUCCESS) : CUDA_ERROR_INVALID_DEVICE; }
CUresult cuDeviceTotalMem(size_t *b, CUdevice d) { return valid(d) ? (*b = settings().memory, CUDA_SUCCESS) : CUDA_ERROR_INVALID_DEVICE; }
CUresult cuDeviceGetAttribute(int *v, CUdevice_attribute a, CUdevice d) {
  if (!valid(d)) return CUDA_ERROR_INVALID_DEVICE;
  *v = 0;
  if (a == CU_DEVICE_ATTRIBUTE_PCI_BUS_ID) *v = d + 1;
  for (const Attribute &x : attributes)
    if (x.name == a) *v = x.value;
  return CUDA_SUCCESS;
}
CUresult cuDeviceCanAccessPeer(int *v, CUdevice a, CUdevice b) { return valid(a) && valid(b) ? (*v = a != b && settings().peers, CUDA_SUCCESS) : CUDA_ERROR_INVALID_DEVICE; }
CUresult cuDeviceGetP2PAttribute(int *v, CUdevice_P2PAttribute a, CUdevice x, CUdevice y) {
  if (!valid(x) || !valid(y) || x == y) return CUDA_ERROR_INVALID_DEVICE;
  *v = a == CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED && settings().peers;
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRetain(CUcontext *c, CUdevice d) {
  Locked l(fake::lock);
  if (!valid(d)) return CUDA_ERROR_INVALID_DEVICE;
  Primary &p = primaries[d];
  if (!p.ctx) p.ctx = make(d, true);
  p.users++;
  *c = p.ctx;
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRelease(CUdevice d) {
  Locked l(fake::lock);
  if (!valid(d)) return CUDA_ERROR_INVALID_DEVICE;
  if (!primaries[d].users) return say(CUDA_ERROR_INVALID_CONTEXT, "cuDevicePrimaryCtxRelease of device %d, whose context nobody holds", d);
  if (--primaries[d].users == 0) {
    finishContext(primaries[d].ctx);
    if (settings().leaks) reportLeaks(d), reportGraphs(d);
  }
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxSetFlags(CUdevice d, unsigned flags) { return valid(d) ? (primaries[d].flags = flags, CUDA_SUCCESS) : CUDA_ERROR_INVALID_DEVICE; }
CUresult cuDevicePrimaryCtxGetState(CUdevice d, unsigned *flags, int *active) {
  Locked l(fake::lock);
  if (!valid(d)) return CUDA_ERROR_INVALID_DEVICE;
  *flags = primaries[d].flags, *active = primaries[d].users > 0;
  return CUDA_SUCCESS;
}
CUresult cuCtxCreate(CUcontext *c, unsigned, CUdevice d) {
  Locked l(fake::lock);
  if (!valid(d)) return CUDA_ERROR_INVALID_DEVICE;
  *c = make(d, false);
  stack.push_back(*c);
  return CUDA_SUCCESS;
}
CUresult cuCtxDestroy(CUcontext c) {
  Locked l(fake::lock);
  finishContext(c);
  if (current() == c) stack.pop_back();
  return CUDA_SUCCESS;
}
CUresult cuCtxSetCurrent(CUcontext c) {
  if (!stack.empty()) stack.pop_back();
  if (c) stack.push_back(c);
  return CUDA_SUCCESS;
}
CUresult cuCtxGetCurrent(CUcontext *c) { return *c = current(), CUDA_SUCCESS; }
CUresult cuCtxPushCurrent(CUcontext c) { return c ? (stack.push_back(c), CUDA_SUCCESS) : CUDA_ERROR_INVALID_CONTEXT; }
CUresult cuCtxPopCurrent(CUcontext *c) {
  if (stack.empty()) return CUDA_ERROR_INVALID_CONTEXT;
  if (c) *c = stack.back();
  stack.pop_back();
  return CUDA_SUCCESS;
}
CUresult cuCtxGetDevice(CUdevice *d) { FAKE_CONTEXT(c); return *d = c->device, CUDA_SUCCESS; }
CUresult cuCtxGetFlags(unsigned *f) { FAKE_CONTEXT(c); return *f = c->primary ? primaries[c->device].flags : 0, CUDA_SUCCESS; }
CUresult cuCtxGetApiVersion(CUcontext, unsigned *v) { return *v = 3020, CUDA_SUCCESS; }
CUresult cuCtxGetStreamPriorityRange(int *least, int *greatest) { return *least = 0, *greatest = -5, CUDA_SUCCESS; }
CUresult cuCtxSynchronize(void) { FAKE_CONTEXT(c); FAKE_TRY(refuseCapture(c, __func__)); return finishContext(c); }
CUresult cuCtxEnablePeerAccess(CUcontext peer, unsigned flags) {
  FAKE_CONTEXT(c);
  if (!peer || peer == c || flags) return CUDA_ERROR_INVALID_VALUE;
  if (!settings().peers) return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
  if (c->peers[peer]) return CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
  c->peers[peer] = true;
  allocationsVersion++;
  return CUDA_SUCCESS;
}
CUresult cuCtxDisablePeerAccess(CUcontext peer) {
  FAKE_CONTEXT(c);
  if (!c->peers[peer]) return CUDA_ERROR_PEER_ACCESS_NOT_ENABLED;
  FAKE_TRY(finishContext(c));
  c->peers[peer] = false;
  allocationsVersion++;
  return CUDA_SUCCESS;
}
}
