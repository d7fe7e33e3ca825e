// memory.cpp: allocations. Fresh memory is filled with bytes that are NaN in every floating-point type. What
// was freed stays unmapped for a while, so that a use of it is told from a wild address.
#include "driver.h"
#include <cstdio>
#include <cstring>
#include <set>
#include <sys/mman.h>

namespace fake {
std::map<uint64_t, Allocation> allocations;
uint64_t allocationsVersion = 1;
static size_t used[64];
static std::deque<std::pair<uint64_t, Allocation>> freed;
static std::set<uint64_t> freeing; // queued to be freed

Allocation *find(uint64_t a, size_t bytes) {
  auto it = allocations.upper_bound(a);
  if (it == allocations.begin()) return nullptr;
  --it;
  return a + bytes <= it->first + it->second.bytes && a + bytes >= a ? &it->second : nullptr;
}
static std::string owner(const Allocation &a) { return a.device < 0 ? "of pinned host memory" : "of device " + std::to_string(a.device); }
std::string explain(uint64_t a, CUctx_st *c) {
  for (auto &[base, f] : freed)
    if (a >= base && a < base + f.bytes) return "memory freed earlier (" + std::to_string(a - base) + " bytes into " + std::to_string(f.bytes) + ")";
  auto it = allocations.upper_bound(a);
  if (it != allocations.begin()) {
    auto &[base, x] = *--it;
    const uint64_t end = base + x.bytes;
    if (a < end) {
      if (!x.live) return "memory that is not allocated at this point of the stream order";
      if (c && x.device >= 0 && x.device != c->device)
        return (x.pooled ? "pool memory of device " : "memory of device ") + std::to_string(x.device) + ", to which device " + std::to_string(c->device) + " has no " + (x.pooled ? "access (cuMemPoolSetAccess)" : "peer access");
      return "the last bytes reach past the end of an allocation " + owner(x) + " of " + std::to_string(x.bytes) + " bytes";
    }
    if (a < end + 65536) return std::to_string(a - end) + " bytes past the end of an allocation " + owner(x) + " of " + std::to_string(x.bytes) + " bytes";
  }
  return "not device memory (a host pointer?)";
}
static bool mayUse(CUctx_st *c, const Allocation &a) {
  if (!a.live) return false;
  if (a.device < 0 || a.device == c->device) return true;
  if (a.pooled) return poolOpen(a.device, c->device);
  for (auto &[peer, on] : c->peers)
    if (on && peer->device == a.device) return true;
  return false;
}
const std::vector<Range> &mayTouch(CUctx_st *c) {
  if (c->mayVersion != allocationsVersion) {
    c->may.clear();
    for (auto &[base, a] : allocations)
      if (mayUse(c, a)) c->may.push_back({base, base + a.bytes});
    c->mayVersion = allocationsVersion;
  }
  return c->may;
}
CUresult inside(CUctx_st *c, uint64_t a, size_t bytes, const char *call, bool peersToo) {
  if (!bytes) return CUDA_SUCCESS;
  Allocation *x = find(a, bytes);
  if (!x) {
    Allocation *start = find(a, 1);
    if (start) return say(CUDA_ERROR_INVALID_VALUE, "%s: %zu bytes at %#llx overrun their allocation %s", call, bytes, (unsigned long long)a, owner(*start).c_str());
    return say(CUDA_ERROR_INVALID_VALUE, "%s: %zu bytes at %#llx: %s", call, bytes, (unsigned long long)a, explain(a, c).c_str());
  }
  if (!peersToo && x->device >= 0 && x->device != c->device && !mayUse(c, *x)) // a copy needs no peer access between contexts, but a stranger's pointer is a mistake
    return say(CUDA_ERROR_INVALID_VALUE, "%s: %#llx is %s, the current context is of device %d", call, (unsigned long long)a, owner(*x).c_str(), c->device);
  return CUDA_SUCCESS;
}
static CUresult allocate(uint64_t *out, size_t bytes, int device) {
  const size_t page = 4096, body = (bytes + page - 1) / page * page, mapped = body + 2 * page;
  char *m = (char *)mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (m == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
  mprotect(m + page, body, PROT_READ | PROT_WRITE);
  memset(m + page, 0xff, bytes < (64u << 20) ? bytes : 1u << 20);
  *out = (uint64_t)(m + page);
  allocations[*out] = {bytes, mapped, device, m};
  allocationsVersion++;
  return CUDA_SUCCESS;
}
static void release(uint64_t p) {
  auto it = allocations.find(p);
  Allocation a = it->second;
  allocations.erase(it);
  allocationsVersion++;
  mprotect(a.map, a.mapped, PROT_NONE);
  madvise(a.map, a.mapped, MADV_DONTNEED);
  freed.push_back({p, a});
  if (freed.size() > 512) {
    munmap(freed.front().second.map, freed.front().second.mapped);
    freed.pop_front();
  }
}
size_t usedBytes(int device) { return used[device]; }
void reportLeaks(int device) {
  for (auto &[base, a] : allocations)
    if (a.device == device && !freeing.count(base)) say(CUDA_SUCCESS, "leak: %zu bytes at %#llx of device %d were never freed", a.bytes, (unsigned long long)base, device);
}
} // namespace fake

using namespace fake;
extern "C" {
CUresult cuMemGetInfo(size_t *free, size_t *total) { FAKE_CONTEXT(c); return *total = settings().memory, *free = settings().memory - used[c->device], CUDA_SUCCESS; }
static CUresult take(CUctx_st *c, CUdeviceptr *p, size_t n, const char *call) {
  if (!n) return say(CUDA_ERROR_INVALID_VALUE, "%s of 0 bytes", call);
  if (used[c->device] + n > settings().memory) return CUDA_ERROR_OUT_OF_MEMORY;
  uint64_t a;
  FAKE_TRY(allocate(&a, n, c->device));
  used[c->device] += n;
  *p = a;
  return CUDA_SUCCESS;
}
CUresult cuMemAlloc(CUdeviceptr *p, size_t n) { FAKE_CONTEXT(c); FAKE_TRY(refuseCapture(c, __func__)); return take(c, p, n, __func__); }
CUresult cuMemFree(CUdeviceptr p) {
  FAKE_CONTEXT(c);
  if (!p) return CUDA_SUCCESS;
  FAKE_TRY(refuseCapture(c, __func__));
  auto it = allocations.find(p);
  if (it == allocations.end() || it->second.device < 0)
    return say(CUDA_ERROR_INVALID_VALUE, "cuMemFree of %#llx: %s", p, find(p, 1) ? "not the start of a device allocation" : explain(p, c).c_str());
  FAKE_TRY(finishContext(c));
  used[it->second.device] -= it->second.bytes;
  release(p);
  return CUDA_SUCCESS;
}
CUresult cuMemAllocAsync(CUdeviceptr *p, size_t n, CUstream s) {
  FAKE_CONTEXT(c);
  if (s && s->capture) return say(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "cuMemAllocAsync in a capture is not in the fake driver");
  FAKE_TRY(take(c, p, n, __func__));
  const uint64_t a = *p;
  allocations[a].live = false, allocations[a].pooled = true;
  allocationsVersion++;
  return enqueue(c, s, {"cuMemAllocAsync", [=](Effects &e) {
    allocations[a].live = true;
    allocationsVersion++;
    e.push_back({a, a + n, true});
    return CUDA_SUCCESS; }, {}});
}
CUresult cuMemFreeAsync(CUdeviceptr p, CUstream s) {
  FAKE_CONTEXT(c);
  if (s && s->capture) return say(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "cuMemFreeAsync in a capture is not in the fake driver");
  auto it = allocations.find(p);
  if (it == allocations.end() || it->second.device < 0) return say(CUDA_ERROR_INVALID_VALUE, "cuMemFreeAsync of %#llx: not the start of a device allocation", p);
  if (!freeing.insert(p).second) return say(CUDA_ERROR_INVALID_VALUE, "cuMemFreeAsync of %#llx: it is being freed already", p);
  const size_t bytes = it->second.bytes;
  used[it->second.device] -= bytes; // an allocation that follows may have it
  return enqueue(c, s, {"cuMemFreeAsync", [=](Effects &e) {
    if (!allocations.count(p)) return say(CUDA_ERROR_INVALID_VALUE, "cuMemFreeAsync of %#llx: it was freed before", p);
    e.push_back({p, p + bytes, true});
    freeing.erase(p);
    release(p);
    return CUDA_SUCCESS; }, {}});
}
CUresult cuMemHostAlloc(void **p, size_t n, unsigned) {
  FAKE_CONTEXT(c);
  FAKE_TRY(refuseCapture(c, __func__));
  if (!n) return CUDA_ERROR_INVALID_VALUE;
  uint64_t a;
  FAKE_TRY(allocate(&a, n, -1));
  *p = (void *)a;
  return CUDA_SUCCESS;
}
CUresult cuMemFreeHost(void *p) {
  FAKE_CONTEXT(c);
  auto it = allocations.find((uint64_t)p);
  if (it == allocations.end() || it->second.device >= 0) return say(CUDA_ERROR_INVALID_VALUE, "cuMemFreeHost of %p: not pinned memory", p);
  for (CUctx_st *x : contexts) finishContext(x);
  release((uint64_t)p);
  return CUDA_SUCCESS;
}
CUresult cuMemGetAddressRange(CUdeviceptr *base, size_t *size, CUdeviceptr p) {
  FAKE_CONTEXT(c);
  auto it = allocations.upper_bound(p);
  if (it == allocations.begin() || !find(p, 1)) return CUDA_ERROR_NOT_FOUND;
  --it;
  if (base) *base = it->first;
  if (size) *size = it->second.bytes;
  return CUDA_SUCCESS;
}
CUresult cuPointerGetAttribute(void *out, CUpointer_attribute what, CUdeviceptr p) {
  FAKE_CONTEXT(c);
  Allocation *a = find(p, 1);
  if (!a) return CUDA_ERROR_INVALID_VALUE;
  switch (what) {
  case CU_POINTER_ATTRIBUTE_MEMORY_TYPE: *(unsigned *)out = a->device < 0 ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE; return CUDA_SUCCESS;
  case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: *(int *)out = a->device; return CUDA_SUCCESS;
  case CU_POINTER_ATTRIBUTE_IS_MANAGED: *(unsigned *)out = 0; return CUDA_SUCCESS;
  default: return CUDA_ERROR_NOT_SUPPORTED;
  }
}
}
