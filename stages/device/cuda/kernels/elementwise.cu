// Operations that look at one element, or one row index, at a time. A thread takes four neighbouring values of a row
// (find_quad), so the first two arguments of each kernel are rows and columns. Strides are in values.
#include "gpu.h"

#define THREADS 256

KERNEL(THREADS) scale_f32(u32 rows, i64 cols, float* x, i64 ldx, float s) {
  quad q;
  if (!find_quad(q, rows, cols)) return;
  bool al = aligned16(x, ldx);
  x += q.row * ldx;
  store4(x, q.i, cols, al, load4(x, q.i, cols, al) * s);
}

// Row i of y is row at[i] of x.
KERNEL(THREADS) gather_rows_f32(u32 rows, i64 cols, float* y, i64 ldy, const float* x, i64 ldx, const int* at) {
  quad q;
  if (!find_quad(q, rows, cols)) return;
  store4(y + q.row * ldy, q.i, cols, aligned16(y, ldy), load4(x + at[q.row] * ldx, q.i, cols, aligned16(x, ldx)));
}

// gather_rows_f32 from bfloat16 values.
KERNEL(THREADS) gather_rows_bf16(u32 rows, i64 cols, float* y, i64 ldy, const bf16* x, i64 ldx, const int* at) {
  quad q;
  if (!find_quad(q, rows, cols)) return;
  float4 v = {0, 0, 0, 0};
  bool al = ((u64)x & 7) == 0 && ldx % 4 == 0;
  x += at[q.row] * ldx + q.i;
  if (al && q.i + 4 <= cols) {
    ushort4 h = *(const ushort4*)x;
    v = float4{bf16_to_f32(h.x), bf16_to_f32(h.y), bf16_to_f32(h.z), bf16_to_f32(h.w)};
  } else {
#pragma unroll
    for (int k = 0; k < 4; k++)
      if (q.i + k < cols) v[k] = bf16_to_f32(x[k]);
  }
  store4(y + q.row * ldy, q.i, cols, aligned16(y, ldy), v);
}

// Adds rows of dy to rows of dx, of which none is named twice: group g adds rows order[first[g]] … order[first[g+1]−1],
// in that order, to row to[g]. rows is the number of groups.
KERNEL(THREADS) scatter_add_rows_f32(u32 rows, i64 cols, float* dx, i64 ldx, const float* dy, i64 ldy, const int* to,
                                     const int* first, const int* order) {
  quad q;
  if (!find_quad(q, rows, cols)) return;
  bool xal = aligned16(dx, ldx), yal = aligned16(dy, ldy);
  dx += to[q.row] * ldx;
  float4 sum = load4(dx, q.i, cols, xal);
  int k = first[q.row], end = first[q.row + 1];
  for (; k + 4 <= end; k += 4) {  // four loads under way at a time
    float4 v[4];
#pragma unroll
    for (int j = 0; j < 4; j++) v[j] = load4(dy + order[k + j] * ldy, q.i, cols, yal);
#pragma unroll
    for (int j = 0; j < 4; j++) sum += v[j];
  }
  for (; k < end; k++) sum += load4(dy + order[k] * ldy, q.i, cols, yal);
  store4(dx, q.i, cols, xal, sum);
}

// Rotates pairs (x[i], x[i+half]) of every head: rows are those of x times heads, cols is half a head. A row of table is
// half cosines, then half sines; sign is −1 for the inverse.
KERNEL(THREADS) rope_f32(u32 rows, i64 half, float* x, i64 ldx, u32 heads, const float* table, i64 ldt,
                         const int* positions, float sign) {
  quad q;
  if (!find_quad(q, rows, half)) return;
  u32 row = (u32)q.row / heads, head = (u32)q.row % heads;
  bool xal = aligned16(x, ldx) && half % 4 == 0, tal = aligned16(table, ldt) && half % 4 == 0;
  float* lo = x + row * ldx + head * (2 * half);
  float* hi = lo + half;
  const float* cosine = table + positions[row] * ldt;
  float4 a = load4(lo, q.i, half, xal), b = load4(hi, q.i, half, xal);
  float4 c = load4(cosine, q.i, half, tal), s = load4(cosine + half, q.i, half, tal) * sign;
  float4 u, v;
#pragma unroll
  for (int k = 0; k < 4; k++) {
    u[k] = fmaf(a[k], c[k], -(b[k] * s[k]));
    v[k] = fmaf(b[k], c[k], a[k] * s[k]);
  }
  store4(lo, q.i, half, xal, u);
  store4(hi, q.i, half, xal, v);
}

// y = silu(gate) ⊙ up; gate is the first cols columns of x, up the others.
KERNEL(THREADS) swiglu_f32(u32 rows, i64 cols, float* y, i64 ldy, const float* x, i64 ldx) {
  quad q;
  if (!find_quad(q, rows, cols)) return;
  bool al = aligned16(x, ldx) && cols % 4 == 0;
  x += q.row * ldx;
  float4 g = load4(x, q.i, cols, al), u = load4(x + cols, q.i, cols, al), v;
#pragma unroll
  for (int k = 0; k < 4; k++) v[k] = g[k] / (1.f + exp1(-g[k])) * u[k];
  store4(y + q.row * ldy, q.i, cols, aligned16(y, ldy), v);
}

// With s = 1/(1 + exp(−gate)): dgate = dy·up·s·(1 + gate·(1 − s)), dup = dy·gate·s. dx may be x.
KERNEL(THREADS) swiglu_backward_f32(u32 rows, i64 cols, float* dx, i64 lddx, const float* dy, i64 lddy, const float* x,
                                    i64 ldx) {
  quad q;
  if (!find_quad(q, rows, cols)) return;
  bool al = aligned16(x, ldx) && cols % 4 == 0, dal = aligned16(dx, lddx) && cols % 4 == 0;
  x += q.row * ldx;
  dx += q.row * lddx;
  float4 g = load4(x, q.i, cols, al), u = load4(x + cols, q.i, cols, al);
  float4 d = load4(dy + q.row * lddy, q.i, cols, aligned16(dy, lddy)), dg, du;
#pragma unroll
  for (int k = 0; k < 4; k++) {
    // 1 − s by itself, not as a difference: it counts gate times.
    float e = exp1(g[k] < 0 ? g[k] : -g[k]), large = 1.f / (1.f + e), small = e * large;
    float s = g[k] < 0 ? small : large, rest = g[k] < 0 ? large : small;
    dg[k] = d[k] * u[k] * (s * fmaf(g[k], rest, 1.f));
    du[k] = d[k] * (g[k] * s);
  }
  store4(dx, q.i, cols, dal, dg);
  store4(dx + cols, q.i, cols, dal, du);
}

// Output function of SplitMix64, and its increment: see Dropout in package device.
#define GOLDEN 0x9e3779b97f4a7c15ul
DEV u64 mix(u64 z) {
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ul;
  z = (z ^ z >> 27) * 0x94d049bb133111ebul;
  return z ^ z >> 31;
}

// y = x without the elements whose random bits are below threshold, the others times scale; or adds that to y. A row's
// number starts its generator, whose draws decide two columns each. y may be x.
KERNEL(THREADS) dropout_f32(u32 rows, i64 cols, float* y, i64 ldy, const float* x, i64 ldx, const int* numbers, u64 seed,
                            u32 threshold, float scale, u32 add) {
  quad q;
  if (!find_quad(q, rows, cols)) return;
  bool al = aligned16(y, ldy);
  y += q.row * ldy;
  u64 row = mix(seed + GOLDEN * ((u64)(u32)numbers[q.row] + 1)), j = (u64)q.i / 2;
  u64 lo = mix(row + GOLDEN * (j + 1)), hi = mix(row + GOLDEN * (j + 2));
  u32 bits[4] = {(u32)lo, (u32)(lo >> 32), (u32)hi, (u32)(hi >> 32)};
  float4 v = load4(x + q.row * ldx, q.i, cols, aligned16(x, ldx)) * scale;
#pragma unroll
  for (int k = 0; k < 4; k++)
    if (bits[k] < threshold) v[k] = 0;
  if (add) v += load4(y, q.i, cols, al);
  store4(y, q.i, cols, al, v);
}
