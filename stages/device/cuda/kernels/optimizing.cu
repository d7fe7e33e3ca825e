// What the optimizer needs.
#include "gpu.h"

#define THREADS 256
#define PIECE 16384  // columns of a row that one block of sum_squares_f32 adds up

// sum[row·⌈cols/PIECE⌉ + piece] is the sum of the squares of a piece of a row, in float64.
KERNEL(THREADS) sum_squares_f32(double* sum, const float* x, i64 ldx, i64 cols, u32 pieces) {
  __shared__ double part[THREADS / WARP];
  i64 from = (i64)(blockIdx.x % pieces) * PIECE, to = min_of(from + PIECE, cols);
  bool al = aligned16(x, ldx);
  x += blockIdx.x / pieces * ldx;
  double s = 0;
#pragma unroll 4
  for (i64 i = from + 4 * threadIdx.x; i < to; i += 4 * THREADS) {
    float4 v = load4(x, i, to, al);
#pragma unroll
    for (int k = 0; k < 4; k++) s = fma((double)v[k], (double)v[k], s);
  }
  s = block_sum<THREADS / WARP>(s, part);
  if (threadIdx.x == 0) sum[blockIdx.x] = s;
}

// total[0] is the sum of n values; a single block.
KERNEL(THREADS) sum_f64(double* total, const double* x, u32 n) {
  __shared__ double part[THREADS / WARP];
  double s = 0;
#pragma unroll 4
  for (u32 i = threadIdx.x; i < n; i += THREADS) s += x[i];
  s = block_sum<THREADS / WARP>(s, part);
  if (threadIdx.x == 0) total[0] = s;
}

// One AdamW update (device.AdamWStep); the constants are those of the CPU, computed in float64 and rounded once:
//
//	g' = g·gradScale
//	m = fma(beta1, m, oneMinusBeta1·g')
//	v = fma(beta2, v, (oneMinusBeta2·g')·g')
//	p = fma(−step, m/(sqrt(v·correct2) + eps), p·decay)
KERNEL(THREADS) adamw_f32(u32 rows, i64 cols, float* p, i64 ldp, const float* g, i64 ldg, float* m, i64 ldm, float* v,
                          i64 ldv, float gradScale, float beta1, float oneMinusBeta1, float beta2, float oneMinusBeta2,
                          float correct2, float eps, float step, float decay) {
  quad q;
  if (!find_quad(q, rows, cols)) return;
  bool pal = aligned16(p, ldp), mal = aligned16(m, ldm), val = aligned16(v, ldv);
  float4 gs = load4(g + q.row * ldg, q.i, cols, aligned16(g, ldg));
  p += q.row * ldp;
  m += q.row * ldm;
  v += q.row * ldv;
  float4 ps = load4(p, q.i, cols, pal), ms = load4(m, q.i, cols, mal), vs = load4(v, q.i, cols, val);
#pragma unroll
  for (int k = 0; k < 4; k++) {
    float x = gs[k] * gradScale;
    ms[k] = fmaf(beta1, ms[k], oneMinusBeta1 * x);
    vs[k] = fmaf(beta2, vs[k], oneMinusBeta2 * x * x);
    ps[k] = fmaf(-step, ms[k] / (sqrtf(vs[k] * correct2) + eps), ps[k] * decay);
  }
  store4(p, q.i, cols, pal, ps);
  store4(m, q.i, cols, mal, ms);
  store4(v, q.i, cols, val, vs);
}
