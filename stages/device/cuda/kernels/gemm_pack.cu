// gemm_pack.cu brings operands of products into the form that gemm.h wants: bfloat16, in rows that are padded with
// zeros to ld values, a multiple of 8. A thread makes 16 bytes of the result.
#include "gpu.h"

// piece is the place of a thread in rows of per pieces; it is past the last row for the threads that are too many.
#define PIECE(per)                                                          \
  const u32 id = blockIdx.x * 256 + threadIdx.x, row = id / (per), at = id % (per)

// pack_bf16 rounds rows of float32.
KERNEL(256) pack_bf16(bf16* to, int ld, const float* from, int stride, int rows, int cols) {
  PIECE((u32)ld / 8);
  if (row >= (u32)rows) return;
  const float* p = from + (i64)row * stride;
  const bool aligned = aligned16(from, stride);
  float4 l = load4(p, at * 8, cols, aligned), r = load4(p, at * 8 + 4, cols, aligned);
  *(uint4*)(to + (i64)row * ld + at * 8) = uint4{bf16_pair(l.x, l.y), bf16_pair(l.z, l.w), bf16_pair(r.x, r.y), bf16_pair(r.z, r.w)};
}

// pad_bf16 copies rows of bfloat16 that lie one after another.
KERNEL(256) pad_bf16(bf16* to, int ld, const bf16* from, int rows, int cols) {
  PIECE((u32)ld / 8);
  if (row >= (u32)rows) return;
  u32 pair[4];
#pragma unroll
  for (u32 i = 0; i < 4; i++) {
    u32 c = at * 8 + i * 2;
    const bf16* p = from + (i64)row * cols + c;
    pair[i] = (c < (u32)cols ? p[0] : 0) | (u32)(c + 1 < (u32)cols ? p[1] : 0) << 16;
  }
  *(uint4*)(to + (i64)row * ld + at * 8) = uint4{pair[0], pair[1], pair[2], pair[3]};
}

// pack_f32 copies rows of float32; ld is a multiple of 4.
KERNEL(256) pack_f32(float* to, int ld, const float* from, int stride, int rows, int cols) {
  PIECE((u32)ld / 4);
  if (row >= (u32)rows) return;
  *(float4*)(to + (i64)row * ld + at * 4) = load4(from + (i64)row * stride, at * 4, cols, aligned16(from, stride));
}
