// attention.h is what the attention kernels share.
//
// A key-value head is read by `group` query heads. For one such head, a query row is a pair (query, head of the group),
// counted query by query: row r is query r / group and head r % group. Rows never mix, so a block may take any rows.
//
// Attention over keys 0 … n−1 is summed in one order only:
//   chunks of CHUNK keys from key 0;
//   in a chunk, blocks of KEYS keys with a running maximum m and sum l (Dao and others, FlashAttention, algorithm 1):
//     s = q·k·scale;  m' = max(m, max s);  p = exp(s − m');  l = l·exp(m − m') + Σp;  acc = acc·exp(m − m') + p·V
//   the (m, l, acc) of the chunks, merged in order of chunks (see merge).
// So different blocks can do the chunks of one query, which decoding at a long context needs, and the bits are those of
// a single block that does them all. Exponents are in base 2: scale includes log₂ e. ex2.approx and lg2.approx are
// within 2⁻²² (relative and absolute). ex2(0) is 1 and ex2(−∞) is 0 exactly, so that a block or chunk in which a row
// sees no key leaves its state as it was.
#pragma once
#include "gpu.h"

#define KEYS 32    // keys of a block: device.KeyBlock
#define CHUNK 256  // keys of a chunk

DEV float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
DEV float log2_fast(float x) {
  float y;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
DEV float larger(float a, float b) { return __nvvm_fmax_f(a, b); }

// Tile is consecutive query rows of one sequence: the work of a block, for each key-value head. 8 int32.
struct Tile {
  int row;     // of q, out and lse: where the sequence's query 0 is; none of the tile's rows is valid if rows is 0
  int first;   // the tile's first query row
  int rows;    // how many it has
  int pos;     // key position of query 0
  int prefix;  // packed: key j is in row prefix + j if j < pos, and in row + j − pos if not; paged: −1
  int pages;   // paged: where the sequence's pages begin in the list of pages
  int chunk;   // split: which chunk of keys to do
  int partial; // split: where to put it, or −1 if the sequence has one chunk only: then the result is written

  // last is the position of the last key that query row r sees.
  DEV int last(const Tile& t, int r, u32 group) { return t.pos + (int)((u32)r / group); }
  // keys is how many keys the tile's rows see together.
  DEV int keys(const Tile& t, u32 group) { return t.rows > 0 ? last(t, t.first + t.rows - 1, group) + 1 : 0; }
};

// KeyRows is where a block of KEYS keys lies: key i is in row low + i of k and v (or that slot of the cache) if i < split,
// and in row high + i if not.
struct KeyRows {
  i64 low, high;
  int split;

  DEV KeyRows of(const Tile& t, const int* pages, u32 pageSize, int key0) {
    // A page holds a multiple of KEYS keys.
    if (t.prefix < 0) return {(i64)pages[t.pages + key0 / pageSize] * pageSize + key0 % pageSize, 0, KEYS};
    return {t.prefix + key0, (i64)t.row - t.pos + key0, t.pos - key0};
  }
  DEV i64 at(const KeyRows& r, int i) { return (i < r.split ? r.low : r.high) + i; }
};

// rescaled is the factor for what was summed under maximum before, now that the maximum is now; 0 if that is nothing.
DEV float rescaled(float before, float now) { return now == -INFINITY ? 0.f : exp2_fast(before - now); }

// shift is what to subtract from the scores before exp2: the maximum, if there is one.
DEV float shift(float max) { return max == -INFINITY ? 0.f : max; }

// Merging is the two factors with which the sums of one more chunk (m, l) join those of the chunks before it.
struct Merging {
  float before, chunk;
};
DEV Merging merging(float& m, float& l, float chunkM, float chunkL) {
  float now = larger(m, chunkM);
  Merging f = {rescaled(m, now), rescaled(chunkM, now)};
  m = now;
  l = fmaf(chunkL, f.chunk, l * f.before);
  return f;
}
DEV float merged(float total, float chunk, Merging f) { return fmaf(chunk, f.chunk, total * f.before); }

// log_sum is the natural logarithm of l·2ᵐ.
DEV float log_sum(float m, float l) { return (m + log2_fast(l)) * 0.69314718055994531f; }

// A partial is one chunk's state of rows query rows: acc [rows][D], m [rows], l [rows].
template <int D> DEV float* partial(float* partials, i64 index, int rows) { return partials + index * rows * (D + 2); }

// The parameters that every forward kernel takes; q and out are the first of the key-value heads' queries, lse may be 0,
// k and v start at key-value head 0 and have kvStride values a row.
#define FORWARD_PARAMS(T)                                                                                               \
  const Tile *tiles, float *out, i64 outStride, float *lse, i64 lseStride, const float *q, i64 qStride, const T *k,    \
      i64 kStride, const T *v, i64 vStride, const int *pages, u32 pageSize, u32 group, u32 dim, float scale
#define FORWARD_ARGS tiles, out, outStride, lse, lseStride, q, qStride, k, kStride, v, vStride, pages, pageSize, group, dim, scale
