// The backward pass of attention on tensor cores: q, k, v, dout, p and ds are rounded to bfloat16 as they enter products. A
// block has 8 warps of 16 rows each, its own (query rows or keys); the others (keys or query rows) pass through shared memory
// KEYS at a time in two buffers, so that some are under way while others are worked on.
#include "attention_backward.h"
#include "attention_mma.h"

#define THREADS 256
#define OWN (THREADS / WARP * 16)

// Shared memory holds two matrices of the block's own rows, then twice two of the others; bytes() of it in all.
template <int D> struct Layout {
  static constexpr int own = OWN * D * 2, other = KEYS * D * 2;
  DEV unsigned ownAt(unsigned base, int which) { return base + which * own; }
  DEV unsigned otherAt(unsigned base, int step, int which) { return base + 2 * own + (step % 2 * 2 + which) * other; }
};

template <int D>
DEV void queries_grad(float* dq, i64 dqStride, const bf16* dout, const bf16* q, const Stat* stats, i64 total, const bf16* k, const bf16* v,
                      const Tile* tiles, u32 group, u32 dim, float scale2, float scale) {
  typedef Layout<D> at;
  DYN_SHARED(u8, memory);
  const unsigned base = shared(memory);
  const Tile t = tiles[blockIdx.x];
  const int kv = blockIdx.y, lane = (int)lane_id(), warpRow = (int)warp_id() * 16, n = Tile::keys(t, group);
  const i64 stride = (i64)gridDim.y * D, place = flat(kv, total, group, t.row, t.first);
  auto own = [&](int which, const bf16* src) {
    load_rows<D, THREADS>(at::ownAt(base, which), OWN, [&](int i) { return i < t.rows ? src + (place + i) * D : nullptr; });
  };
  auto fetch = [&](int key0) {
    if (key0 < n) {
      const KeyRows rows = KeyRows::of(t, nullptr, KEYS, key0);
      auto other = [&](int which, const bf16* src) {
        load_rows<D, THREADS>(at::otherAt(base, key0 / KEYS, which), KEYS,
                              [&](int i) { return key0 + i < n ? src + KeyRows::at(rows, i) * stride + kv * D : nullptr; });
      };
      other(0, k);
      other(1, v);
    }
    cp_async_commit();
  };
  own(0, q);
  own(1, dout);
  fetch(0);
  int last[2];
  Stat stat[2];
#pragma unroll
  for (int h = 0; h < 2; h++) {
    const int i = warpRow + lane / 4 + 8 * h;
    last[h] = Tile::last(t, t.first + i, group);
    stat[h] = i < t.rows ? stats[place + i] : Stat{0, 0};
  }
  const int warpFirst = Tile::last(t, t.first + warpRow, group), warpLast = Tile::last(t, t.first + warpRow + 15, group);
  FragC acc[D / 8];
#pragma unroll
  for (int c = 0; c < D / 8; c++) acc[c] = {{0, 0, 0, 0}};
  for (int key0 = 0; key0 < n; key0 += KEYS) {
    cp_async_wait<0>();
    __syncthreads();
    fetch(key0 + KEYS);
    if (key0 > warpLast || warpRow >= t.rows) continue;
    FragC s[BLOCKS], dp[BLOCKS];
    scores<D>(s, at::ownAt(base, 0), warpRow, at::otherAt(base, key0 / KEYS, 0), 0, lane);
    scores<D>(dp, at::ownAt(base, 1), warpRow, at::otherAt(base, key0 / KEYS, 1), 0, lane);
#pragma unroll
    for (int j = 0; j < BLOCKS; j++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        const int h = e / 2;
        float p = exp2_fast(s[j].x[e] * scale2 - stat[h].lse);
        if (key0 + KEYS - 1 > warpFirst && key0 + j * 8 + (lane & 3) * 2 + e % 2 > last[h]) p = 0;
        s[j].x[e] = p * (dp[j].x[e] - stat[h].d);
      }
    }
    weigh<D>(acc, s, at::otherAt(base, key0 / KEYS, 0), 0, lane);
  }
#pragma unroll
  for (int h = 0; h < 2; h++) {
    const int i = warpRow + lane / 4 + 8 * h;
    const u32 r = t.first + i, head = kv * group + r % group;
    if (i >= t.rows) continue;
    float* dst = dq + (t.row + r / group) * dqStride + head * dim;
#pragma unroll
    for (int c = 0; c < D / 8; c++) {
      const u32 d = c * 8 + (lane & 3) * 2;
      if (d < dim) dst[d] = acc[c].x[2 * h] * scale;
      if (d + 1 < dim) dst[d + 1] = acc[c].x[2 * h + 1] * scale;
    }
  }
}

template <int D>
DEV void keys_grad(float* dk, i64 dkStride, float* dv, i64 dvStride, float* dkShares, float* dvShares, const bf16* dout, const bf16* q,
                   const Stat* stats, i64 total, const bf16* k, const bf16* v, const KeyTile* tiles, u32 group, u32 dim, float scale2,
                   float scale) {
  typedef Layout<D> at;
  DYN_SHARED(u8, memory);
  const unsigned base = shared(memory);
  const KeyTile t = tiles[blockIdx.x];
  const int kv = blockIdx.y, lane = (int)lane_id(), warpRow = (int)warp_id() * 16;
  const i64 stride = (i64)gridDim.y * D, place = flat(kv, total, group, t.row, 0);
  q += place * D, dout += place * D, stats += place;
  auto own = [&](int which, const bf16* src) {
    load_rows<D, THREADS>(at::ownAt(base, which), OWN, [&](int i) { return i < t.keys ? src + (t.key + i) * stride + kv * D : nullptr; });
  };
  auto fetch = [&](int row0) {
    if (row0 < t.rows) {
      auto other = [&](int which, const bf16* src) {
        load_rows<D, THREADS>(at::otherAt(base, row0 / KEYS, which), KEYS,
                              [&](int i) { return row0 + i < t.rows ? src + (i64)(row0 + i) * D : nullptr; });
      };
      other(0, q);
      other(1, dout);
    }
    cp_async_commit();
  };
  const int start = max_of(0, KeyTile::from(t, t.keyPos, group)) & -KEYS;
  own(0, k);
  own(1, v);
  fetch(start);
  // The first query row that sees the first key of the warp, and the first of the lane's; later keys are seen by a group less
  // each.
  const int warpFirst = KeyTile::from(t, t.keyPos + warpRow, group), laneFirst = warpFirst + lane / 4 * (int)group;
  FragC dkAcc[D / 8], dvAcc[D / 8];
#pragma unroll
  for (int c = 0; c < D / 8; c++) dkAcc[c] = dvAcc[c] = {{0, 0, 0, 0}};
  for (int row0 = start; row0 < t.rows; row0 += KEYS) {
    cp_async_wait<0>();
    __syncthreads();
    fetch(row0 + KEYS);
    if (row0 + KEYS <= warpFirst || warpRow >= t.keys) continue;
    const bool all = row0 >= warpFirst + 15 * (int)group && row0 + KEYS <= t.rows;  // every key of the warp is seen by every row
    // Sixteen query rows at a time: registers for more are lacking.
#pragma unroll
    for (int part = 0; part < KEYS; part += 16) {
      FragC p[2], ds[2];
      scores<D>(p, at::ownAt(base, 0), warpRow, at::otherAt(base, row0 / KEYS, 0), part, lane);
      scores<D>(ds, at::ownAt(base, 1), warpRow, at::otherAt(base, row0 / KEYS, 1), part, lane);
#pragma unroll
      for (int j = 0; j < 2; j++) {
#pragma unroll
        for (int c = 0; c < 2; c++) {
          const int r = row0 + part + j * 8 + (lane & 3) * 2 + c;
          const Stat stat = r < t.rows ? stats[r] : Stat{0, 0};
#pragma unroll
          for (int e = c; e < 4; e += 2) {
            float x = exp2_fast(p[j].x[e] * scale2 - stat.lse);
            if (!all && (r < laneFirst + e / 2 * 8 * (int)group || r >= t.rows)) x = 0;
            p[j].x[e] = x;
            ds[j].x[e] = x * (ds[j].x[e] - stat.d);
          }
        }
      }
      weigh<D>(dvAcc, p, at::otherAt(base, row0 / KEYS, 1), part, lane);
      weigh<D>(dkAcc, ds, at::otherAt(base, row0 / KEYS, 0), part, lane);
    }
  }
  const Gradients g = Gradients::of(tiles[blockIdx.x], dk, dkStride, dv, dvStride, dkShares, dvShares, dim);
#pragma unroll
  for (int h = 0; h < 2; h++) {
    const int i = warpRow + lane / 4 + 8 * h;
    if (i >= t.keys) continue;
#pragma unroll
    for (int c = 0; c < D / 8; c++) {
#pragma unroll
      for (int e = 0; e < 2; e++) {
        const u32 d = c * 8 + (lane & 3) * 2 + e;
        if (d < dim) g.dk[i * g.dkStride + d] = dkAcc[c].x[2 * h + e] * scale, g.dv[i * g.dvStride + d] = dvAcc[c].x[2 * h + e];
      }
    }
  }
}

#define QUERIES_PARAMS                                                                                                              \
  float *dq, i64 dqStride, const bf16 *dout, const bf16 *q, const Stat *stats, i64 total, const bf16 *k, const bf16 *v,             \
      const Tile *tiles, u32 group, u32 dim, float scale2, float scale
#define QUERIES_ARGS dq, dqStride, dout, q, stats, total, k, v, tiles, group, dim, scale2, scale
KERNEL(256) attention_dq_bf16_32(QUERIES_PARAMS) { queries_grad<32>(QUERIES_ARGS); }
KERNEL(256) attention_dq_bf16_64(QUERIES_PARAMS) { queries_grad<64>(QUERIES_ARGS); }
KERNEL(256) attention_dq_bf16_128(QUERIES_PARAMS) { queries_grad<128>(QUERIES_ARGS); }

#define KEYS_PARAMS                                                                                                                \
  float *dk, i64 dkStride, float *dv, i64 dvStride, float *dkShares, float *dvShares, const bf16 *dout, const bf16 *q,              \
      const Stat *stats, i64 total, const bf16 *k, const bf16 *v, const KeyTile *tiles, u32 group, u32 dim, float scale2, float scale
#define KEYS_ARGS dk, dkStride, dv, dvStride, dkShares, dvShares, dout, q, stats, total, k, v, tiles, group, dim, scale2, scale
KERNEL(256) attention_dkdv_bf16_32(KEYS_PARAMS) { keys_grad<32>(KEYS_ARGS); }
KERNEL(256) attention_dkdv_bf16_64(KEYS_PARAMS) { keys_grad<64>(KEYS_ARGS); }
KERNEL(256) attention_dkdv_bf16_128(KEYS_PARAMS) { keys_grad<128>(KEYS_ARGS); }
