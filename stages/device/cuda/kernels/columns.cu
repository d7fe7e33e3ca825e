// Sums over rows, one for each column, each a chain in the order of the rows that starts with what is there: however
// the rows are cut into calls, the bits are the same.
#include "gpu.h"

#define WARPS 8
#define TILE 128  // rows that are fetched at a time

// fetch_rows puts value(row, column) of a thread's share of the rows from … from+TILE in v.
template <class F> DEV void fetch_rows(float (&v)[TILE / WARPS], u32 from, u32 rows, u32 c, u32 cols, F value) {
#pragma unroll
  for (u32 k = 0; k < TILE / WARPS; k++) {
    u32 r = from + k * WARPS + warp_id();
    v[k] = r < rows && c < cols ? value((i64)r, c) : 0.f;
  }
}

// column_chain adds value(row, column) of all rows to sum[column]. A block has 32 columns; its warps fetch tiles of
// rows, the next one while the first warp adds up the last.
template <class F> DEV void column_chain(float* sum, u32 rows, u32 cols, F value) {
  __shared__ float tile[2][TILE][WARP];
  u32 c = blockIdx.x * WARP + lane_id();
  bool adds = warp_id() == 0 && c < cols;
  float total = adds ? sum[c] : 0.f, v[TILE / WARPS];
  fetch_rows(v, 0, rows, c, cols, value);
  for (u32 from = 0, side = 0; from < rows; from += TILE, side ^= 1) {
#pragma unroll
    for (u32 k = 0; k < TILE / WARPS; k++) tile[side][k * WARPS + warp_id()][lane_id()] = v[k];
    __syncthreads();  // also keeps this side from being filled again while the first warp reads it
    if (rows - from > TILE) fetch_rows(v, from + TILE, rows, c, cols, value);
    if (adds)
      for (u32 r = 0, n = min_of(rows - from, (u32)TILE); r < n; r++) total += tile[side][r][lane_id()];
  }
  if (adds) sum[c] = total;
}

// db += Σ dy.
KERNEL(WARPS * WARP) bias_grad_f32(float* db, const float* dy, i64 ldy, u32 rows, u32 cols) {
  column_chain(db, rows, cols, [=](i64 r, u32 c) { return dy[r * ldy + c]; });
}

// dw += Σ dy ⊙ (x·inverse[row]).
KERNEL(WARPS * WARP) rmsnorm_weight_grad_f32(float* dw, const float* dy, i64 ldy, const float* x, i64 ldx,
                                             const float* inverse, u32 rows, u32 cols) {
  column_chain(dw, rows, cols, [=](i64 r, u32 c) { return dy[r * ldy + c] * (x[r * ldx + c] * inverse[r]); });
}
