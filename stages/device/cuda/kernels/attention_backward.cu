// attention_backward.cu is the backward attention kernels that do not depend on how products are computed.
#include "attention_backward.h"

// stats is a warp's work on one row and head (blockIdx.x counts rows, blockIdx.y·8 + warp heads): its Stat; and, to
// multiply on tensor cores, q and dout rounded to bfloat16, in rows of `width` values, zero behind dim. D uses dout as the
// products will.
template <bool ROUND>
DEV void stats(Stat* stats, bf16* qRounded, bf16* doutRounded, const float* dout, i64 doutStride, const float* out, i64 outStride,
               const float* lse, i64 lseStride, const float* q, i64 qStride, u32 heads, u32 group, u32 dim, u32 width) {
  const u32 head = blockIdx.y * 8 + warp_id();
  if (head >= heads) return;
  const i64 row = blockIdx.x, at = flat(head / group, gridDim.x, group, row, head % group);
  float d = 0;
  for (u32 i = lane_id(); i < width; i += WARP) {
    float x = i < dim ? dout[row * doutStride + head * dim + i] : 0.f;
    if (ROUND) {
      const bf16 h = f32_to_bf16(x);
      doutRounded[at * width + i] = h;
      qRounded[at * width + i] = f32_to_bf16(i < dim ? q[row * qStride + head * dim + i] : 0.f);
      x = bf16_to_f32(h);
    }
    if (i < dim) d = fmaf(x, out[row * outStride + head * dim + i], d);
  }
  d = warp_sum(d);
  if (lane_id() == 0) stats[at] = {lse[row * lseStride + head] * 1.4426950408889634f, d};
}

KERNEL(256) attention_stats_f32(Stat* s, const float* dout, i64 doutStride, const float* out, i64 outStride, const float* lse, i64 lseStride,
                                u32 heads, u32 group, u32 dim) {
  stats<false>(s, nullptr, nullptr, dout, doutStride, out, outStride, lse, lseStride, nullptr, 0, heads, group, dim, dim);
}
KERNEL(256) attention_stats_bf16(Stat* s, bf16* qRounded, bf16* doutRounded, const float* dout, i64 doutStride, const float* out, i64 outStride,
                                 const float* lse, i64 lseStride, const float* q, i64 qStride, u32 heads, u32 group, u32 dim, u32 width) {
  stats<true>(s, qRounded, doutRounded, dout, doutStride, out, outStride, lse, lseStride, q, qStride, heads, group, dim, width);
}

// Sharing is rows of k and v that are in the prefix of count segments, whose shares are listed from first on.
struct Sharing {
  int row, rows, first, count;
};
// Share is the gradients that one segment has for the rows of its prefix: row `at` of the shares is for row `row`.
struct Share {
  int row, rows, at;
};

// attention_add_shares adds shares to dk (blockIdx.y = 0) or dv, in order. width is KVHeads·dim.
KERNEL(256) attention_add_shares(float* dk, i64 dkStride, float* dv, i64 dvStride, const float* dkShares, const float* dvShares,
                                 const Sharing* sharings, const Share* shares, u32 width) {
  const Sharing t = sharings[blockIdx.x];
  float* dst = blockIdx.y ? dv : dk;
  const i64 stride = blockIdx.y ? dvStride : dkStride;
  const float* src = blockIdx.y ? dvShares : dkShares;
  for (u32 i = threadIdx.x; i < t.rows * width; i += blockDim.x) {
    const int row = t.row + (int)(i / width);
    const u32 c = i % width;
    float sum = dst[row * stride + c];
    for (int j = t.first; j < t.first + t.count; j++) {
      const Share s = shares[j];
      if (row >= s.row && row < s.row + s.rows) sum += src[(i64)(s.at + row - s.row) * width + c];
    }
    dst[row * stride + c] = sum;
  }
}
