// What the hardware can do at most: see package cuda's limits.go. Sums are stored only if they are what they never are, so that
// the compiler can't leave the work out.
#include "gpu.h"
#include "mma.h"

// 16 chains of fused multiply-adds a thread.
KERNEL(256) limit_fma_f32(float* sink, u32 rounds) {
  float x[16];
  for (int i = 0; i < 16; i++) x[i] = (float)(threadIdx.x + i);
  for (u32 r = 0; r < rounds; r++) {
#pragma unroll
    for (int i = 0; i < 16; i++) x[i] = fmaf(x[i], 0.5f, 1.0f);
  }
  float sum = 0;
  for (int i = 0; i < 16; i++) sum += x[i];
  if (sum == -1.0f) *sink = sum;
}

// 8 chains of 16×8×16 products a warp.
KERNEL(256) limit_mma_bf16(float* sink, u32 rounds) {
  FragA a = {{0, 0, 0, 0}};
  FragB b = {{threadIdx.x, 0}};  // subnormal numbers
  FragC c[8];
  for (int i = 0; i < 8; i++) c[i] = {{(float)i, 0, 0, 0}};
  for (u32 r = 0; r < rounds; r++) {
#pragma unroll
    for (int i = 0; i < 8; i++) mma(c[i], a, b);
  }
  float sum = 0;
  for (int i = 0; i < 8; i++) sum += c[i].x[0] + c[i].x[1] + c[i].x[2] + c[i].x[3];
  if (sum == -1.0f) *sink = sum;
}

// n × 16 bytes from one end to the other; each thread has 4 loads under way.
KERNEL(256) limit_read_f32(float* sink, const uint4* x, u64 n) {
  u64 step = (u64)gridDim.x * blockDim.x, i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  u32 all = 0;
  for (; i + 3 * step < n; i += 4 * step) {
    uint4 v0 = x[i], v1 = x[i + step], v2 = x[i + 2 * step], v3 = x[i + 3 * step];
    uint4 v = v0 | v1 | v2 | v3;
    all |= v.x | v.y | v.z | v.w;
  }
  for (; i < n; i += step) all |= x[i].x | x[i].y | x[i].z | x[i].w;
  if (all != 0) *sink = 1;  // the memory is zero
}
