// pool.cpp: the default memory pool of each device. Nothing is kept of what is freed, so reserved is used.
#include "driver.h"

struct CUmemPoolHandle_st { int device; uint64_t threshold = 0, high = 0; std::map<int, bool> open; };

namespace fake {
size_t usedBytes(int device);
static CUmemPoolHandle_st *pools[64];
bool poolOpen(int device, int to) { return pools[device] && pools[device]->open[to]; }
} // namespace fake

using namespace fake;
extern "C" {
CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *pool, CUdevice d) {
  Locked l(fake::lock);
  if (d < 0 || d >= settings().devices) return CUDA_ERROR_INVALID_DEVICE;
  if (!pools[d]) pools[d] = new CUmemPoolHandle_st{d, 0, 0, {}};
  *pool = pools[d];
  return CUDA_SUCCESS;
}
CUresult cuMemPoolSetAttribute(CUmemoryPool pool, CUmemPool_attribute a, void *value) {
  Locked l(fake::lock);
  if (a == CU_MEMPOOL_ATTR_RELEASE_THRESHOLD) pool->threshold = *(cuuint64_t *)value;
  return a > 0 && a <= CU_MEMPOOL_ATTR_USED_MEM_HIGH ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
CUresult cuMemPoolGetAttribute(CUmemoryPool pool, CUmemPool_attribute a, void *value) {
  Locked l(fake::lock);
  const uint64_t used = usedBytes(pool->device);
  pool->high = std::max(pool->high, used);
  switch (a) {
  case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD: *(cuuint64_t *)value = pool->threshold; return CUDA_SUCCESS;
  case CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT: case CU_MEMPOOL_ATTR_USED_MEM_CURRENT: *(cuuint64_t *)value = used; return CUDA_SUCCESS;
  case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH: case CU_MEMPOOL_ATTR_USED_MEM_HIGH: *(cuuint64_t *)value = pool->high; return CUDA_SUCCESS;
  default: *(int *)value = 1; return CUDA_SUCCESS; // the ways of reuse
  }
}
CUresult cuMemPoolSetAccess(CUmemoryPool pool, const CUmemAccessDesc *access, size_t n) {
  Locked l(fake::lock);
  for (size_t i = 0; i < n; i++) {
    const int to = access[i].location.id;
    if (access[i].location.type != CU_MEM_LOCATION_TYPE_DEVICE || to < 0 || to >= settings().devices) return CUDA_ERROR_INVALID_DEVICE;
    if (to == pool->device && access[i].flags != CU_MEM_ACCESS_FLAGS_PROT_READWRITE) return CUDA_ERROR_INVALID_VALUE;
    pool->open[to] = access[i].flags == CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  }
  allocationsVersion++;
  return CUDA_SUCCESS;
}
CUresult cuMemPoolTrimTo(CUmemoryPool, size_t) { return CUDA_SUCCESS; }
}
