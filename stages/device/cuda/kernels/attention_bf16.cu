// Attention with q, k, v and the probabilities rounded to bfloat16, on tensor cores; everything else is float32. See
// attention.h for the order of sums. k and v are bfloat16 already, rows of KVHeads × D values. A block has WARPS warps of
// 16 query rows each. Keys and values pass through shared memory in two buffers: one block of them is under way while the
// other is worked on.
#include "attention_mma.h"

template <int D, int WARPS, bool SPLIT> DEV void attend(FORWARD_PARAMS(bf16), float* partials) {
  constexpr int tile = KEYS * D * 2, rowsOfBlock = WARPS * 16;
  __shared__ __attribute__((aligned(128))) u8 buffers[4 * tile + rowsOfBlock * D * 2];
  const unsigned base = shared(buffers), queries = base + 4 * tile;
  const Tile t = tiles[blockIdx.x];
  const int kv = blockIdx.y, lane = (int)lane_id(), row0 = (int)warp_id() * 16 + lane / 4;
  const int n = Tile::keys(t, group), from = SPLIT ? t.chunk * CHUNK : 0, to = SPLIT ? min_of(n, from + CHUNK) : n;
  if (to <= from) return;

  auto fetch = [&](int key0) {
    if (key0 < to) {
      const KeyRows rows = KeyRows::of(t, pages, pageSize, key0);
      const unsigned at = base + key0 / KEYS % 2 * 2 * tile;
      load_rows<D, WARPS * WARP>(at, KEYS, [&](int i) { return key0 + i < n ? k + KeyRows::at(rows, i) * kStride + kv * D : nullptr; });
      load_rows<D, WARPS * WARP>(at + tile, KEYS, [&](int i) { return key0 + i < n ? v + KeyRows::at(rows, i) * vStride + kv * D : nullptr; });
    }
    cp_async_commit();
  };
  fetch(from);
  round_rows<D, WARPS * WARP>(queries, rowsOfBlock, dim, [&](int i) -> const float* {
    const u32 r = t.first + i;
    return i < t.rows ? q + (t.row + r / group) * qStride + (kv * group + r % group) * dim : nullptr;
  });
  // The last key that each of the lane's two rows sees, and the first and last of the warp's.
  const int last[2] = {Tile::last(t, t.first + row0, group), Tile::last(t, t.first + row0 + 8, group)};
  const int warpFirst = Tile::last(t, t.first + (row0 & ~15), group), warpLast = Tile::last(t, t.first + (row0 | 15), group);

  FragC total[D / 8], acc[D / 8];
  float totalM[2], totalL[2], m[2], l[2];
  for (int key0 = from; key0 < to; key0 += KEYS) {
    if (key0 % CHUNK == 0) {
#pragma unroll
      for (int h = 0; h < 2; h++) m[h] = -INFINITY, l[h] = 0;
#pragma unroll
      for (int c = 0; c < D / 8; c++) acc[c] = {{0, 0, 0, 0}};
    }
    cp_async_wait<0>();
    __syncthreads();
    fetch(key0 + KEYS);
    if (key0 <= warpLast) {
      const unsigned at = base + key0 / KEYS % 2 * 2 * tile;
      FragC s[BLOCKS];
      scores<D>(s, queries, (int)warp_id() * 16, at, 0, lane);
#pragma unroll
      for (int h = 0; h < 2; h++) {
        float high = m[h];
#pragma unroll
        for (int j = 0; j < BLOCKS; j++) {
#pragma unroll
          for (int c = 0; c < 2; c++) {
            float& y = s[j].x[2 * h + c];
            y *= scale;
            if (key0 + KEYS - 1 > warpFirst && key0 + j * 8 + (lane & 3) * 2 + c > last[h]) y = -INFINITY;
            high = larger(high, y);
          }
        }
        high = row_max(high);
        const float f = rescaled(m[h], high), less = shift(high);
        m[h] = high;
        float sum = 0;
#pragma unroll
        for (int j = 0; j < BLOCKS; j++) {
#pragma unroll
          for (int c = 0; c < 2; c++) {
            float& y = s[j].x[2 * h + c];
            y = exp2_fast(y - less);
            sum += y;
          }
        }
        l[h] = fmaf(l[h], f, sum);
#pragma unroll
        for (int c = 0; c < D / 8; c++) acc[c].x[2 * h] *= f, acc[c].x[2 * h + 1] *= f;
      }
      weigh<D>(acc, s, at + tile, 0, lane);
    }
    if ((key0 + KEYS) % CHUNK != 0 && key0 + KEYS < to) continue;
    const bool opening = SPLIT || key0 < CHUNK;
#pragma unroll
    for (int h = 0; h < 2; h++) {
      l[h] = row_sum(l[h]);
      Merging f = {0, 1};
      if (opening) totalM[h] = m[h], totalL[h] = l[h];
      else f = merging(totalM[h], totalL[h], m[h], l[h]);
#pragma unroll
      for (int c = 0; c < D / 8; c++) {
#pragma unroll
        for (int e = 2 * h; e < 2 * h + 2; e++) total[c].x[e] = opening ? acc[c].x[e] : merged(total[c].x[e], acc[c].x[e], f);
      }
    }
  }

  if (SPLIT && t.partial >= 0) {
    float* p = partial<D>(partials, (i64)t.partial * gridDim.y + kv, rowsOfBlock);
#pragma unroll
    for (int h = 0; h < 2; h++) {
      const int r = row0 + 8 * h;
#pragma unroll
      for (int c = 0; c < D / 8; c++) *(float2*)(p + r * D + c * 8 + (lane & 3) * 2) = float2{total[c].x[2 * h], total[c].x[2 * h + 1]};
      if ((lane & 3) == 0) p[rowsOfBlock * D + r] = totalM[h], p[rowsOfBlock * (D + 1) + r] = totalL[h];
    }
    return;
  }
#pragma unroll
  for (int h = 0; h < 2; h++) {
    const u32 at = t.first + row0 + 8 * h, head = kv * group + at % group;
    if (row0 + 8 * h >= t.rows) continue;
    const i64 row = t.row + at / group;
    const float inv = 1.f / totalL[h];
    float* o = out + row * outStride + head * dim;
#pragma unroll
    for (int c = 0; c < D / 8; c++) {
      const u32 d = c * 8 + (lane & 3) * 2;
      if (d < dim) o[d] = total[c].x[2 * h] * inv;
      if (d + 1 < dim) o[d + 1] = total[c].x[2 * h + 1] * inv;
    }
    if (lse && (lane & 3) == 0) lse[row * lseStride + head] = log_sum(totalM[h], totalL[h]);
  }
}

KERNEL(128) attention_bf16_32(FORWARD_PARAMS(bf16)) { attend<32, 4, false>(FORWARD_ARGS, nullptr); }
KERNEL(128) attention_bf16_64(FORWARD_PARAMS(bf16)) { attend<64, 4, false>(FORWARD_ARGS, nullptr); }
KERNEL(128) attention_bf16_128(FORWARD_PARAMS(bf16)) { attend<128, 4, false>(FORWARD_ARGS, nullptr); }
KERNEL(32) attention_split_bf16_32(FORWARD_PARAMS(bf16), float* partials) { attend<32, 1, true>(FORWARD_ARGS, partials); }
KERNEL(32) attention_split_bf16_64(FORWARD_PARAMS(bf16), float* partials) { attend<64, 1, true>(FORWARD_ARGS, partials); }
KERNEL(32) attention_split_bf16_128(FORWARD_PARAMS(bf16), float* partials) { attend<128, 1, true>(FORWARD_ARGS, partials); }
