// RMSNorm and its backward pass. Rows of at most 512 columns (heads) take a warp each, eight to a block; longer ones a
// block of 128 threads. Thread t of T adds up the columns 4(t + T·j) … +3 in order, then the threads' sums are reduced:
// the order depends on the number of columns only.
#include "gpu.h"

#define ROWS 8
#define THREADS 128

// A team is the threads that share a row. part is room for a value of each warp of a block.
struct warp_team {
  static constexpr u32 size = WARP;
  u32 rank;
  i64 row;
  DEV warp_team make() { return {lane_id(), (i64)blockIdx.x * ROWS + warp_id()}; }
  __device__ float sum(float v, float*) const { return warp_sum(v); }
};
struct block_team {
  static constexpr u32 size = THREADS;
  u32 rank;
  i64 row;
  DEV block_team make() { return {threadIdx.x, (i64)blockIdx.x}; }
  __device__ float sum(float v, float* part) const { return block_sum<THREADS / WARP>(v, part); }
};

// inverse_rms returns 1/sqrt(mean(x²) + eps).
template <class Team> DEV float inverse_rms(Team team, const float* x, u32 cols, bool al, float eps, float* part) {
  float s = 0;
  for (u32 i = 4 * team.rank; i < cols; i += 4 * Team::size) {
    float4 v = load4(x, i, cols, al);
#pragma unroll
    for (int k = 0; k < 4; k++) s = fmaf(v[k], v[k], s);
  }
  return 1.f / sqrtf(team.sum(s, part) / (float)cols + eps);
}

template <class Team>
DEV void rmsnorm(float* y, i64 ldy, const float* x, i64 ldx, const float* w, u32 rows, u32 cols, float eps, float* part) {
  Team team = Team::make();
  if (team.row >= rows) return;  // for a whole team
  bool xal = aligned16(x, ldx), yal = aligned16(y, ldy), wal = aligned16(w, 0);
  x += team.row * ldx;
  y += team.row * ldy;
  float inv = inverse_rms(team, x, cols, xal, eps, part);
  for (u32 i = 4 * team.rank; i < cols; i += 4 * Team::size)
    store4(y, i, cols, yal, load4(x, i, cols, xal) * inv * load4(w, i, cols, wal));
}

// y = w ⊙ x/sqrt(mean(x²) + eps). y may be x.
KERNEL(ROWS * WARP) rmsnorm_f32_warp(float* y, i64 ldy, const float* x, i64 ldx, const float* w, u32 rows, u32 cols,
                                     float eps) {
  rmsnorm<warp_team>(y, ldy, x, ldx, w, rows, cols, eps, nullptr);
}
KERNEL(THREADS) rmsnorm_f32_block(float* y, i64 ldy, const float* x, i64 ldx, const float* w, u32 rows, u32 cols,
                                  float eps) {
  __shared__ float part[THREADS / WARP];
  rmsnorm<block_team>(y, ldy, x, ldx, w, rows, cols, eps, part);
}

// rmsnorm_terms sets, for each row, inverse to r = 1/sqrt(mean(x²) + eps) and slope to r³/n·Σ(x ⊙ w ⊙ dy).
template <class Team>
DEV void rmsnorm_terms(float* inverse, float* slope, const float* dy, i64 ldy, const float* x, i64 ldx, const float* w,
                       u32 rows, u32 cols, float eps, float* part) {
  Team team = Team::make();
  if (team.row >= rows) return;
  bool xal = aligned16(x, ldx), yal = aligned16(dy, ldy), wal = aligned16(w, 0);
  x += team.row * ldx;
  dy += team.row * ldy;
  float inv = inverse_rms(team, x, cols, xal, eps, part), dot = 0;
  for (u32 i = 4 * team.rank; i < cols; i += 4 * Team::size) {
    float4 a = load4(x, i, cols, xal), b = load4(dy, i, cols, yal) * load4(w, i, cols, wal);
#pragma unroll
    for (int k = 0; k < 4; k++) dot = fmaf(a[k], b[k], dot);
  }
  dot = team.sum(dot, part);
  if (team.rank == 0) {
    inverse[team.row] = inv;
    slope[team.row] = dot / (float)cols * inv * inv * inv;
  }
}
KERNEL(ROWS * WARP) rmsnorm_terms_f32_warp(float* inverse, float* slope, const float* dy, i64 ldy, const float* x, i64 ldx,
                                           const float* w, u32 rows, u32 cols, float eps) {
  rmsnorm_terms<warp_team>(inverse, slope, dy, ldy, x, ldx, w, rows, cols, eps, nullptr);
}
KERNEL(THREADS) rmsnorm_terms_f32_block(float* inverse, float* slope, const float* dy, i64 ldy, const float* x, i64 ldx,
                                        const float* w, u32 rows, u32 cols, float eps) {
  __shared__ float part[THREADS / WARP];
  rmsnorm_terms<block_team>(inverse, slope, dy, ldy, x, ldx, w, rows, cols, eps, part);
}

// dx = inverse·(w ⊙ dy) − slope·x, or adds that to dx. dx may be dy.
KERNEL(256) rmsnorm_backward_f32(u32 rows, i64 cols, float* dx, i64 lddx, const float* dy, i64 lddy, const float* x,
                                 i64 ldx, const float* w, const float* inverse, const float* slope, u32 add) {
  quad q;
  if (!find_quad(q, rows, cols)) return;
  float inv = inverse[q.row], k = slope[q.row];
  bool al = aligned16(dx, lddx);
  float4 a = load4(x + q.row * ldx, q.i, cols, aligned16(x, ldx));
  float4 b = load4(dy + q.row * lddy, q.i, cols, aligned16(dy, lddy)) * load4(w, q.i, cols, aligned16(w, 0)) * inv;
  dx += q.row * lddx;
#pragma unroll
  for (int j = 0; j < 4; j++) b[j] = fmaf(-k, a[j], b[j]);
  if (add) b += load4(dx, q.i, cols, al);
  store4(dx, q.i, cols, al, b);
}
