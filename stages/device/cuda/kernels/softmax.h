// softmax.h: the log-sum-exp of a row of logits, by chunks of the vocabulary. LogProbs and Sample go through the same
// functions, which is why their log-probabilities have the same bits.
#pragma once
#include "gpu.h"

#define CHUNK 2048  // device.VocabChunk
#define SUM_THREADS 256
#define SUM_EACH (CHUNK / SUM_THREADS)  // logits a thread

// sums is what a chunk of logits comes to: its largest z, Σe and Σe·(z − top) over e = exp(z − top). A chunk of nothing
// but −Inf has a sum of 0.
struct alignas(16) sums {
  float top, sum, weighted, unused;
};

// sum_chunk adds up n logits z·scale; a block of SUM_THREADS. Thread t holds z·scale of 4(t + SUM_THREADS·j) … +3 in v,
// and −Inf behind the end.
DEV sums sum_chunk(float (&v)[SUM_EACH], const float* z, u32 n, bool aligned, float scale,
                   float (&part)[SUM_THREADS / WARP]) {
  float top = -INFINITY;
#pragma unroll
  for (u32 j = 0; j < SUM_EACH / 4; j++) {
    u32 i = 4 * (threadIdx.x + SUM_THREADS * j);
    float4 x = load4(z, i, n, aligned);
#pragma unroll
    for (u32 k = 0; k < 4; k++) {
      v[4 * j + k] = i + k < n ? x[k] * scale : -INFINITY;
      top = max_nan(top, v[4 * j + k]);
    }
  }
  top = block_max<SUM_THREADS / WARP>(top, part);
  float sum = 0, weighted = 0;
  if (top != -INFINITY) {  // else exp(z − top) would be NaN
#pragma unroll
    for (u32 j = 0; j < SUM_EACH; j++) {
      float d = v[j] - top, e = exp1(d);
      sum += e;
      if (e != 0) weighted = fmaf(e, d, weighted);
    }
  }
  sum = block_sum<SUM_THREADS / WARP>(sum, part);
  weighted = block_sum<SUM_THREADS / WARP>(weighted, part);
  return {top, sum, weighted, 0};
}

// softmax_total is sums over the whole vocabulary.
struct softmax_total {
  float top;
  double sum, weighted;
  __device__ double log_sum_exp() const { return (double)top + log_double(sum); }
  // −Σ p·log p in nats: log Σe − Σe·(z − top)/Σe.
  __device__ double entropy() const { return max_of(0.0, log_double(sum) - weighted / sum); }
  __device__ float log_prob(float z) const { return (float)((double)z - log_sum_exp()); }
};

// mass is a chunk's share of Σ exp(z − top) over all.
DEV double mass_of(sums s, float top) { return s.sum == 0 ? 0 : (double)s.sum * (double)exp1(s.top - top); }

// combine adds the sums of all chunks of a row; a whole warp.
DEV softmax_total combine(const sums* s, u32 chunks) {
  float top = -INFINITY;
  for (u32 c = lane_id(); c < chunks; c += WARP) top = max_nan(top, s[c].top);
  top = warp_max(top);
  double sum = 0, weighted = 0;
  for (u32 c = lane_id(); c < chunks; c += WARP) {
    if (s[c].sum == 0) continue;
    float shift = s[c].top - top;
    sum += mass_of(s[c], top);
    weighted += (double)exp1(shift) * ((double)s[c].weighted + (double)s[c].sum * (double)shift);
  }
  return {top, warp_sum(sum), warp_sum(weighted)};
}
