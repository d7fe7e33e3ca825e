// The paged key-value cache, whose keys and values are rows of KVHeads × D values, a row a slot; and the rounding of rows
// to bfloat16 that the attention of packed rows starts with, which is the same with a slot for each row.
#include "gpu.h"

// Rows is one matrix to write: rows of heads × dim float32 values, to rows of heads × D values.
#define ROWS_PARAMS(T) T *dst0, T *dst1, const float *src0, i64 stride0, const float *src1, i64 stride1, const int *slots, u32 heads, u32 dim, u32 width

// to and from are the pair of matrices that blockIdx.y chooses; blockIdx.x is the row. A negative slot is left out;
// without slots, row i goes to row i. What is behind dim in a head of width values becomes zero.
template <class T, class F> DEV void write_rows(ROWS_PARAMS(T), F convert) {
  const i64 row = blockIdx.x, slot = slots ? slots[row] : row;
  if (slot < 0) return;
  const float* src = blockIdx.y ? src1 + row * stride1 : src0 + row * stride0;
  T* dst = (blockIdx.y ? dst1 : dst0) + slot * heads * width;
  for (u32 i = threadIdx.x; i < heads * width; i += blockDim.x) {
    const u32 head = i / width, d = i % width;
    dst[i] = convert(d < dim ? src[head * dim + d] : 0.f);
  }
}

KERNEL(256) cache_write_f32(ROWS_PARAMS(float)) {
  write_rows(dst0, dst1, src0, stride0, src1, stride1, slots, heads, dim, width, [](float x) { return x; });
}

KERNEL(256) cache_write_bf16(ROWS_PARAMS(bf16)) {
  write_rows(dst0, dst1, src0, stride0, src1, stride1, slots, heads, dim, width, f32_to_bf16);
}

// cache_copy copies a page of vectors of 16 bytes, for keys (blockIdx.y = 0) and values, in layer blockIdx.z.
KERNEL(256) cache_copy(uint4* keys, uint4* values, i64 layer, i64 page, u32 from, u32 to) {
  uint4* base = (blockIdx.y ? values : keys) + blockIdx.z * layer;
  for (i64 i = blockIdx.x * 256 + threadIdx.x; i < page; i += gridDim.x * 256) base[to * page + i] = base[from * page + i];
}
