// Attention in float32. See attention.h for the order of sums. A block has WARPS warps of ROWS query rows each; keys and
// values pass through shared memory a block of KEYS at a time. In scores a lane holds a key, in sums columns.
#include "attention_simt.h"

template <int D, int WARPS, bool SPLIT> DEV void attend(FORWARD_PARAMS(float), float* partials) {
  __shared__ __attribute__((aligned(16))) float own[WARPS * ROWS * D], tile[KEYS * PITCH(D)];
  const Tile t = tiles[blockIdx.x];
  const int kv = blockIdx.y, lane = (int)lane_id(), warp = (int)warp_id();
  const int n = Tile::keys(t, group), from = SPLIT ? t.chunk * CHUNK : 0, to = SPLIT ? min_of(n, from + CHUNK) : n;
  load<D, WARPS * WARP>(own, D, WARPS * ROWS, dim, [&](int i) -> const float* {
    u32 r = t.first + i;
    return i < t.rows ? q + (t.row + r / group) * qStride + (kv * group + r % group) * dim : nullptr;
  });
  auto loadTile = [&](const float* src, i64 stride, int key0) {
    const KeyRows rows = KeyRows::of(t, pages, pageSize, key0);
    __syncthreads();
    load<D, WARPS * WARP>(tile, PITCH(D), KEYS, dim, [&](int i) -> const float* {
      return key0 + i < n ? src + KeyRows::at(rows, i) * stride + kv * dim : nullptr;
    });
    __syncthreads();
  };

  int last[ROWS];
#pragma unroll
  for (int r = 0; r < ROWS; r++) last[r] = Tile::last(t, t.first + warp * ROWS + r, group);
  float total[ROWS][D / WARP], acc[ROWS][D / WARP], totalM[ROWS], totalL[ROWS], m[ROWS], l[ROWS];
  for (int chunk = from; chunk < to; chunk += CHUNK) {
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      m[r] = -INFINITY, l[r] = 0;
#pragma unroll
      for (int c = 0; c < D / WARP; c++) acc[r][c] = 0;
    }
    for (int key0 = chunk; key0 < min_of(to, chunk + CHUNK); key0 += KEYS) {
      float s[ROWS];
      loadTile(k, kStride, key0);
      dots<D>(s, own + warp * ROWS * D, tile, lane);
#pragma unroll
      for (int r = 0; r < ROWS; r++) {
        s[r] = key0 + lane <= last[r] ? s[r] * scale : -INFINITY;
        float high = s[r];
#pragma unroll
        for (int o = WARP / 2; o > 0; o /= 2) high = larger(high, shfl_xor(high, o));
        high = larger(m[r], high);
        float f = rescaled(m[r], high);
        m[r] = high;
        s[r] = exp2_fast(s[r] - shift(high));
        l[r] = fmaf(l[r], f, s[r]);
#pragma unroll
        for (int c = 0; c < D / WARP; c++) acc[r][c] *= f;
      }
      loadTile(v, vStride, key0);
      weigh<D>(acc, s, tile, lane);
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      l[r] = warp_sum(l[r]);
      const bool opening = SPLIT || chunk == 0;
      Merging f = {0, 1};
      if (opening) totalM[r] = m[r], totalL[r] = l[r];
      else f = merging(totalM[r], totalL[r], m[r], l[r]);
#pragma unroll
      for (int c = 0; c < D / WARP; c++) total[r][c] = opening ? acc[r][c] : merged(total[r][c], acc[r][c], f);
    }
  }
  if (to <= from) return;
  if (SPLIT && t.partial >= 0) {
    float* p = partial<D>(partials, (i64)t.partial * gridDim.y + kv, ROWS);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
#pragma unroll
      for (int c = 0; c < D / WARP; c++) p[r * D + c * WARP + lane] = total[r][c];
      if (lane == 0) p[ROWS * D + r] = totalM[r], p[ROWS * D + ROWS + r] = totalL[r];
    }
    return;
  }
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    u32 i = warp * ROWS + r, at = t.first + i, head = kv * group + at % group;
    if ((int)i >= t.rows) continue;
    i64 row = t.row + at / group;
    float inv = 1.f / totalL[r];
#pragma unroll
    for (int c = 0; c < D / WARP; c++) {
      u32 d = c * WARP + lane;
      if (d < dim) out[row * outStride + head * dim + d] = total[r][c] * inv;
    }
    if (lse && lane == 0) lse[row * lseStride + head] = log_sum(totalM[r], totalL[r]);
  }
}

// Three blocks: left alone, ptxas settles for 128 registers here and spills.
KERNEL(128, 3) attention_f32_32(FORWARD_PARAMS(float)) { attend<32, 4, false>(FORWARD_ARGS, nullptr); }
KERNEL(128) attention_f32_64(FORWARD_PARAMS(float)) { attend<64, 4, false>(FORWARD_ARGS, nullptr); }
KERNEL(128) attention_f32_128(FORWARD_PARAMS(float)) { attend<128, 4, false>(FORWARD_ARGS, nullptr); }
KERNEL(32) attention_split_f32_32(FORWARD_PARAMS(float), float* partials) { attend<32, 1, true>(FORWARD_ARGS, partials); }
KERNEL(32) attention_split_f32_64(FORWARD_PARAMS(float), float* partials) { attend<64, 1, true>(FORWARD_ARGS, partials); }
KERNEL(32) attention_split_f32_128(FORWARD_PARAMS(float), float* partials) { attend<128, 1, true>(FORWARD_ARGS, partials); }
