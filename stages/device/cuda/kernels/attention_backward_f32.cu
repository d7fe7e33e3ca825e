// The backward pass of attention in float32. A block has 4 warps of ROWS rows each, its own (query rows or keys); the others
// (keys or query rows) pass through shared memory KEYS at a time, one a lane.
#include "attention_backward.h"
#include "attention_simt.h"

#define THREADS 128
#define OWN (THREADS / WARP * ROWS)

// Shared memory: two matrices of the block's own rows, two of the others. The launch gives 4·(OWN·2·D + KEYS·2·PITCH(D)) bytes.
template <int D> struct Shared {
  float own[2][OWN * D], other[2][KEYS * PITCH(D)];
};

template <int D>
DEV void queries_grad(float* dq, i64 dqStride, const float* dout, i64 doutStride, const Stat* stats, i64 total, const float* q, i64 qStride,
                      const float* k, i64 kStride, const float* v, i64 vStride, const Tile* tiles, u32 group, u32 dim, float scale2, float scale) {
  DYN_SHARED(float4, memory);
  Shared<D>& m = *(Shared<D>*)memory;
  const Tile t = tiles[blockIdx.x];
  const int kv = blockIdx.y, lane = (int)lane_id(), warp = (int)warp_id(), n = Tile::keys(t, group);
  auto own = [&](float* dst, const float* src, i64 stride) {
    load<D, THREADS>(dst, D, OWN, dim, [&](int i) -> const float* {
      const u32 r = t.first + i;
      return i < t.rows ? src + (t.row + r / group) * stride + (kv * group + r % group) * dim : nullptr;
    });
  };
  own(m.own[0], q, qStride);
  own(m.own[1], dout, doutStride);
  int last[ROWS];
  Stat stat[ROWS];
  float acc[ROWS][D / WARP];
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    const int i = warp * ROWS + r;
    last[r] = Tile::last(t, t.first + i, group);
    stat[r] = i < t.rows ? stats[flat(kv, total, group, t.row, t.first + i)] : Stat{0, 0};
#pragma unroll
    for (int c = 0; c < D / WARP; c++) acc[r][c] = 0;
  }
  for (int key0 = 0; key0 < n; key0 += KEYS) {
    const KeyRows rows = KeyRows::of(t, nullptr, KEYS, key0);
    __syncthreads();
    load<D, THREADS>(m.other[0], PITCH(D), KEYS, dim, [&](int i) { return key0 + i < n ? k + KeyRows::at(rows, i) * kStride + kv * dim : nullptr; });
    load<D, THREADS>(m.other[1], PITCH(D), KEYS, dim, [&](int i) { return key0 + i < n ? v + KeyRows::at(rows, i) * vStride + kv * dim : nullptr; });
    __syncthreads();
    float s[ROWS], dp[ROWS];
    dots<D>(s, m.own[0] + warp * ROWS * D, m.other[0], lane);
    dots<D>(dp, m.own[1] + warp * ROWS * D, m.other[1], lane);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      const float p = exp2_fast(s[r] * scale2 - stat[r].lse);
      s[r] = key0 + lane <= last[r] ? p * (dp[r] - stat[r].d) : 0.f;
    }
    weigh<D>(acc, s, m.other[0], lane);
  }
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    const u32 i = warp * ROWS + r, at = t.first + i, head = kv * group + at % group;
    if ((int)i >= t.rows) continue;
#pragma unroll
    for (int c = 0; c < D / WARP; c++) {
      const u32 d = c * WARP + lane;
      if (d < dim) dq[(t.row + at / group) * dqStride + head * dim + d] = acc[r][c] * scale;
    }
  }
}

template <int D>
DEV void keys_grad(float* dk, i64 dkStride, float* dv, i64 dvStride, float* dkShares, float* dvShares, const float* dout, i64 doutStride,
                   const Stat* stats, i64 total, const float* q, i64 qStride, const float* k, i64 kStride, const float* v, i64 vStride,
                   const KeyTile* tiles, u32 group, u32 dim, float scale2, float scale) {
  DYN_SHARED(float4, memory);
  Shared<D>& m = *(Shared<D>*)memory;
  const KeyTile t = tiles[blockIdx.x];
  const int kv = blockIdx.y, lane = (int)lane_id(), warp = (int)warp_id();
  load<D, THREADS>(m.own[0], D, OWN, dim, [&](int i) { return i < t.keys ? k + (t.key + i) * kStride + kv * dim : nullptr; });
  load<D, THREADS>(m.own[1], D, OWN, dim, [&](int i) { return i < t.keys ? v + (t.key + i) * vStride + kv * dim : nullptr; });
  float dkAcc[ROWS][D / WARP], dvAcc[ROWS][D / WARP];
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
#pragma unroll
    for (int c = 0; c < D / WARP; c++) dkAcc[r][c] = 0, dvAcc[r][c] = 0;
  }
  for (int row0 = max_of(0, KeyTile::from(t, t.keyPos, group)) & -KEYS; row0 < t.rows; row0 += KEYS) {
    auto others = [&](float* dst, const float* src, i64 stride) {
      load<D, THREADS>(dst, PITCH(D), KEYS, dim, [&](int i) -> const float* {
        const u32 r = row0 + i;
        return (int)r < t.rows ? src + (t.row + r / group) * stride + (kv * group + r % group) * dim : nullptr;
      });
    };
    __syncthreads();
    others(m.other[0], q, qStride);
    others(m.other[1], dout, doutStride);
    __syncthreads();
    const int row = row0 + lane;
    const Stat stat = row < t.rows ? stats[flat(kv, total, group, t.row, row)] : Stat{0, 0};
    float p[ROWS], ds[ROWS];
    dots<D>(p, m.own[0] + warp * ROWS * D, m.other[0], lane);
    dots<D>(ds, m.own[1] + warp * ROWS * D, m.other[1], lane);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      const bool seen = row < t.rows && row >= KeyTile::from(t, t.keyPos + warp * ROWS + r, group);
      p[r] = seen ? exp2_fast(p[r] * scale2 - stat.lse) : 0.f;
      ds[r] = seen ? p[r] * (ds[r] - stat.d) : 0.f;
    }
    weigh<D>(dvAcc, p, m.other[1], lane);
    weigh<D>(dkAcc, ds, m.other[0], lane);
  }
  const Gradients g = Gradients::of(t, dk, dkStride, dv, dvStride, dkShares, dvShares, dim);
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    const int i = warp * ROWS + r;
    if (i >= t.keys) continue;
#pragma unroll
    for (int c = 0; c < D / WARP; c++) {
      const u32 d = c * WARP + lane;
      if (d < dim) g.dk[i * g.dkStride + d] = dkAcc[r][c] * scale, g.dv[i * g.dvStride + d] = dvAcc[r][c];
    }
  }
}

#define QUERIES_PARAMS                                                                                                                    \
  float *dq, i64 dqStride, const float *dout, i64 doutStride, const Stat *stats, i64 total, const float *q, i64 qStride, const float *k, \
      i64 kStride, const float *v, i64 vStride, const Tile *tiles, u32 group, u32 dim, float scale2, float scale
#define QUERIES_ARGS dq, dqStride, dout, doutStride, stats, total, q, qStride, k, kStride, v, vStride, tiles, group, dim, scale2, scale
KERNEL(128) attention_dq_f32_32(QUERIES_PARAMS) { queries_grad<32>(QUERIES_ARGS); }
KERNEL(128) attention_dq_f32_64(QUERIES_PARAMS) { queries_grad<64>(QUERIES_ARGS); }
KERNEL(128) attention_dq_f32_128(QUERIES_PARAMS) { queries_grad<128>(QUERIES_ARGS); }

#define KEYS_PARAMS                                                                                                                        \
  float *dk, i64 dkStride, float *dv, i64 dvStride, float *dkShares, float *dvShares, const float *dout, i64 doutStride, const Stat *stats, \
      i64 total, const float *q, i64 qStride, const float *k, i64 kStride, const float *v, i64 vStride, const KeyTile *tiles, u32 group,    \
      u32 dim, float scale2, float scale
#define KEYS_ARGS                                                                                                                          \
  dk, dkStride, dv, dvStride, dkShares, dvShares, dout, doutStride, stats, total, q, qStride, k, kStride, v, vStride, tiles, group, dim, \
      scale2, scale
KERNEL(128) attention_dkdv_f32_32(KEYS_PARAMS) { keys_grad<32>(KEYS_ARGS); }
KERNEL(128) attention_dkdv_f32_64(KEYS_PARAMS) { keys_grad<64>(KEYS_ARGS); }
KERNEL(128) attention_dkdv_f32_128(KEYS_PARAMS) { keys_grad<128>(KEYS_ARGS); }
