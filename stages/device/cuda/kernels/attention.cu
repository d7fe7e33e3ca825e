// attention.cu is the attention kernels that do not depend on how scores are computed.
#include "attention.h"

// Merge is the tiles of one sequence that were split by chunks: chunks partials from partial on, each of the same rows.
struct Merge {
  int row, first, rows;  // as in Tile
  int chunks, partial;
};

// merge_chunks writes out for the rows of a Merge and a key-value head, blockIdx.x and .y: a warp does a row at a time.
// tileRows is how many rows a partial has.
template <int D> DEV void merge_chunks(float* out, i64 outStride, const float* partials, const Merge* merges, u32 group, u32 dim, u32 tileRows) {
  const Merge t = merges[blockIdx.x];
  const int kv = blockIdx.y, lane = (int)lane_id();
  for (int r = (int)warp_id(); r < t.rows; r += (int)blockDim.x / WARP) {
    float total[D / WARP], m = 0, l = 0;
    for (int chunk = 0; chunk < t.chunks; chunk++) {
      const float* p = partials + ((i64)(t.partial + chunk) * gridDim.y + kv) * tileRows * (D + 2);
      const float chunkM = p[tileRows * D + r], chunkL = p[tileRows * (D + 1) + r];
      Merging f = {0, 1};
      if (chunk == 0) m = chunkM, l = chunkL;
      else f = merging(m, l, chunkM, chunkL);
#pragma unroll
      for (int c = 0; c < D / WARP; c++) {
        float x = p[r * D + c * WARP + lane];
        total[c] = chunk == 0 ? x : merged(total[c], x, f);
      }
    }
    const u32 at = t.first + r, head = kv * group + at % group;
    const i64 row = t.row + at / group;
    const float inv = 1.f / l;
#pragma unroll
    for (int c = 0; c < D / WARP; c++) {
      u32 d = c * WARP + lane;
      if (d < dim) out[row * outStride + head * dim + d] = total[c] * inv;
    }
  }
}

#define MERGE_PARAMS float *out, i64 outStride, const float *partials, const Merge *merges, u32 group, u32 dim, u32 tileRows
KERNEL(256) attention_merge_32(MERGE_PARAMS) { merge_chunks<32>(out, outStride, partials, merges, group, dim, tileRows); }
KERNEL(256) attention_merge_64(MERGE_PARAMS) { merge_chunks<64>(out, outStride, partials, merges, group, dim, tileRows); }
KERNEL(256) attention_merge_128(MERGE_PARAMS) { merge_chunks<128>(out, outStride, partials, merges, group, dim, tileRows); }
