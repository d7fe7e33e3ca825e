// Log-probabilities of given tokens, forward and backward. The logits of a chunk of the vocabulary are the product
// before; nothing here sees more of a row than that.
#include "softmax.h"

// out[row·chunks + first + c] = the sums of chunk c of a row of logits z·scale[row]. z starts at token first·CHUNK, and
// the grid has ⌈cols/CHUNK⌉ blocks for each row. Where targets are given and a row's target is in the chunk, its z·scale
// goes to picked[row].
KERNEL(SUM_THREADS) softmax_sums_f32(sums* out, u32 chunks, u32 first, const float* z, i64 ldz, u32 cols,
                                     const float* scale, const int* targets, float* picked) {
  u32 here = (cols + CHUNK - 1) / CHUNK, row = blockIdx.x / here, c = blockIdx.x % here;
  u32 n = min_of(cols - c * CHUNK, (u32)CHUNK);
  __shared__ float part[SUM_THREADS / WARP];
  float v[SUM_EACH];
  sums s = sum_chunk(v, z + row * ldz + c * CHUNK, n, aligned16(z, ldz), scale[row], part);
  if (threadIdx.x == 0) out[(u64)row * chunks + first + c] = s;
  if (targets == nullptr) return;
  u32 target = (u32)targets[row] - (first + c) * CHUNK;  // huge if it is before the chunk
#pragma unroll
  for (u32 j = 0; j < SUM_EACH; j++)
    if (4 * (threadIdx.x + SUM_THREADS * (j / 4)) + j % 4 == target && target < n) picked[row] = v[j];
}

#define ROWS 8

// The results of rows from their sums; a warp a row. lse and entropy may be null.
KERNEL(ROWS * WARP) logprobs_f32(float* logp, i64 ldp, float* lse, i64 ldl, float* entropy, i64 lde, const sums* s,
                                 u32 chunks, const float* picked, u32 rows) {
  i64 row = (i64)blockIdx.x * ROWS + warp_id();
  if (row >= rows) return;
  softmax_total t = combine(s + row * chunks, chunks);
  if (lane_id() != 0) return;
  logp[row * ldp] = t.log_prob(picked[row]);
  if (lse != nullptr) lse[row * ldl] = (float)t.log_sum_exp();
  if (entropy != nullptr) entropy[row * lde] = (float)t.entropy();
}

// logits_grad returns the gradients for four of n logits of a row of which z[i] is the first, that of token first + i:
// dlogp·(onehot − exp(z·scale − lse))·scale. Behind the end they are 0.
DEV float4 logits_grad(quad q, const float* z, i64 ldz, u32 n, u32 first, const float* dlogp, i64 ldd, const float* lse,
                       i64 ldl, const float* scale, const int* targets) {
  float s = scale[q.row], g = dlogp[q.row * ldd] * s, l = lse[q.row * ldl];
  i64 target = (i64)targets[q.row] - (i64)first - q.i;
  float4 v = load4(z + q.row * ldz, q.i, n, aligned16(z, ldz));
#pragma unroll
  for (int k = 0; k < 4; k++) {
    v[k] = g == 0 || q.i + k >= n ? 0.f : -g * exp1(v[k] * s - l);
    if (k == target) v[k] += g;
  }
  return v;
}

// Writes the gradients for n logits over them, or elsewhere. cols is n.
KERNEL(256) logits_grad_f32(u32 rows, i64 cols, float* to, i64 ld, const float* z, i64 ldz, u32 n, u32 first,
                            const float* dlogp, i64 ldd, const float* lse, i64 ldl, const float* scale,
                            const int* targets) {
  quad q;
  if (!find_quad(q, rows, cols)) return;
  float4 v = logits_grad(q, z, ldz, n, first, dlogp, ldd, lse, ldl, scale, targets);
  store4(to + q.row * ld, q.i, cols, aligned16(to, ld), v);
}

// Writes them rounded, with zeros up to column cols ≥ n, a multiple of 4. to is aligned to 8 bytes.
KERNEL(256) logits_grad_bf16(u32 rows, i64 cols, bf16* to, i64 ld, const float* z, i64 ldz, u32 n, u32 first,
                             const float* dlogp, i64 ldd, const float* lse, i64 ldl, const float* scale,
                             const int* targets) {
  quad q;
  if (!find_quad(q, rows, cols)) return;
  float4 v = logits_grad(q, z, ldz, n, first, dlogp, ldd, lse, ldl, scale, targets);
  *(uint2*)(to + q.row * ld + q.i) = uint2{bf16_pair(v.x, v.y), bf16_pair(v.z, v.w)};
}
