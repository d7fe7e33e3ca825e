// attention_backward.h is what the backward attention kernels share. With p = exp(s − lse) recomputed and
// D = dout·out of a query row (Dao, FlashAttention-2, algorithm 2):
//
//	ds = p·(dout·v − D);  dq = Σ ds·k·scale over keys;  dk = Σ ds·q·scale and dv = Σ p·dout over query rows
//
// One kernel does dq, a tile of query rows at a time over its keys in order, as in the forward pass; one does dk and dv, a
// tile of keys at a time over the query rows of one segment that see them, in order. No two blocks write one place: the
// gradients that segments have for the rows of their prefix go to a share each, and the shares are added in order of
// segments.
#pragma once
#include "attention.h"

// KeyTile is consecutive keys and one segment whose queries see them: the work of a block, for each key-value head.
struct KeyTile {
  int row;     // where the segment's query 0 is
  int rows;    // query rows of the segment
  int pos;     // key position of query 0
  int key;     // row of k and v of the tile's first key
  int keys;    // how many it has
  int keyPos;  // position of the first
  int share;   // row of the shares where the gradients go, or −1 if they go to row key of dk and dv
  int unused;

  // from is the first query row that sees the key at a position; below 0 for the keys of a prefix, which all see.
  DEV int from(const KeyTile& t, int position, u32 group) { return (position - t.pos) * (int)group; }
};

// Stat is lse (in base 2) and D of a query row. All stats and packed queries lie as [key-value head][row·group + head of the
// group], so that the query rows of a segment follow each other.
struct Stat {
  float lse, d;
};

// flat is the place of query row r of a segment that starts at row `row` of `total`.
DEV i64 flat(u32 kv, i64 total, u32 group, i64 row, i64 r) { return (kv * total + row) * group + r; }

// Gradients is where dk and dv of a KeyTile go: rows of stride values.
struct Gradients {
  float *dk, *dv;
  i64 dkStride, dvStride;

  // of takes the tensors and the shares, [rows][KVHeads·dim] each; gridDim.y is KVHeads.
  DEV Gradients of(const KeyTile& t, float* dk, i64 dkStride, float* dv, i64 dvStride, float* dkShares, float* dvShares, u32 dim) {
    const i64 column = (i64)blockIdx.y * dim, width = (i64)gridDim.y * dim;
    if (t.share < 0) return {dk + t.key * dkStride + column, dv + t.key * dvStride + column, dkStride, dvStride};
    return {dkShares + t.share * width + column, dvShares + t.share * width + column, width, width};
  }
};
