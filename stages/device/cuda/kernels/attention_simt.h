// attention_simt.h is the inner part of the float32 attention kernels, forward and backward: products of ROWS rows of a
// warp's own with a tile of KEYS rows, one of them a lane. Every element is one chain of fused multiply-adds in order.
#pragma once
#include "attention.h"

#define ROWS 8  // of a warp

// PITCH is the stride of a tile's rows in shared memory: 16-byte accesses of neighbouring lanes fall in different banks.
#define PITCH(D) ((D) + 4)

// dots sets s[r] to the product of row r of own ([ROWS][D]) with the lane's row of the tile.
template <int D> DEV void dots(float (&s)[ROWS], const float* own, const float* tile, int lane) {
#pragma unroll
  for (int r = 0; r < ROWS; r++) s[r] = 0;
#pragma unroll 2
  for (int d = 0; d < D; d += 4) {
    float4 x = *(const float4*)(tile + lane * PITCH(D) + d);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      float4 y = *(const float4*)(own + r * D + d);
      s[r] = fmaf(y.w, x.w, fmaf(y.z, x.z, fmaf(y.y, x.y, fmaf(y.x, x.x, s[r]))));
    }
  }
}

// weigh adds to row r of acc the rows of the tile, each times the w[r] of its lane; a lane has columns lane, lane + 32, ….
template <int D> DEV void weigh(float (&acc)[ROWS][D / WARP], const float (&w)[ROWS], const float* tile, int lane) {
#pragma unroll 4
  for (int j = 0; j < KEYS; j++) {
    float x[D / WARP];
#pragma unroll
    for (int c = 0; c < D / WARP; c++) x[c] = tile[j * PITCH(D) + c * WARP + lane];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      float y = shfl(w[r], j);
#pragma unroll
      for (int c = 0; c < D / WARP; c++) acc[r][c] = fmaf(y, x[c], acc[r][c]);
    }
  }
}

// load copies `rows` rows of `dim` values to shared memory, in rows of D at `pitch`; what is missing becomes zero. from(i)
// is the address of row i, or 0 if there is none. The warps of a block share the work.
template <int D, int THREADS, class F> DEV void load(float* dst, int pitch, int rows, u32 dim, F from) {
  for (int i = (int)threadIdx.x; i < rows * D; i += THREADS) {
    int r = i / D, d = i % D;
    const float* src = from(r);
    dst[r * pitch + d] = src && d < (int)dim ? src[d] : 0.f;
  }
}
