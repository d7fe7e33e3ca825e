// attention_mma.h is the inner part of the bfloat16 attention kernels, forward and backward: products on tensor cores of
// 16 rows a warp with a tile of KEYS rows. See mma.h for the fragments: of the 16×KEYS results, a lane holds in c.x[0..1]
// of four FragC values of row lane/4, in c.x[2..3] those of row lane/4 + 8, at columns 8·j + 2·(lane%4) and the next.
#pragma once
#include "attention.h"
#include "mma.h"

#define BLOCKS (KEYS / 8)  // FragC of a row of scores

DEV void store_shared(unsigned address, unsigned v) { asm volatile("st.shared.b32 [%0], %1;" ::"r"(address), "r"(v) : "memory"); }

// load_rows starts copies of KEYS rows of D values to a swizzled tile at address; from(i) is row i, or 0 for zeros.
template <int D, int THREADS, class F> DEV void load_rows(unsigned address, int rows, F from) {
  constexpr int chunks = D / 8;
  for (int i = (int)threadIdx.x; i < rows * chunks; i += THREADS) {
    const int r = i / chunks, c = i % chunks;
    const bf16* src = from(r);
    cp_async16_part(address + swizzled<chunks>(r, c), src ? src + c * 8 : (const bf16*)0, src ? 16 : 0);
  }
}

// round_rows rounds rows of float32 values into a swizzled tile at address, D values each: from(i) is row i, or 0 for
// zeros. Values behind dim count as zero.
template <int D, int THREADS, class F> DEV void round_rows(unsigned address, int rows, u32 dim, F from) {
  for (int i = (int)threadIdx.x; i < rows * D / 2; i += THREADS) {
    const int r = i / (D / 2);
    const u32 d = i % (D / 2) * 2;
    const float* src = from(r);
    const float x = src && d < dim ? src[d] : 0.f, y = src && d + 1 < dim ? src[d + 1] : 0.f;
    store_shared(address + swizzled<D / 8>(r, d / 8) + d % 8 * 2, bf16_pair(x, y));
  }
}

// scores sets s to the products of 16 rows of the tile `rows`, from row0 on, with 8·N rows of the tile, from first on.
template <int D, int N> DEV void scores(FragC (&s)[N], unsigned rows, int row0, unsigned tile, int first, int lane) {
#pragma unroll
  for (int j = 0; j < N; j++) s[j] = {{0, 0, 0, 0}};
#pragma unroll
  for (int i = 0; i < D / 16; i++) {
    FragA a;
    load_a<D / 8>(a, rows, row0, i * 16, lane);
#pragma unroll
    for (int j = 0; j < N; j += 2) {
      FragB b, next;
      load_b<D / 8>(b, next, tile, first + j * 8, i * 16, lane);
      mma(s[j], a, b);
      mma(s[j + 1], a, next);
    }
  }
}

// weigh adds the products of w, rounded, with 8·N rows of the tile, from first on: row r of acc gets the sum of these rows,
// each times its value in row r of w.
template <int D, int N> DEV void weigh(FragC (&acc)[D / 8], const FragC (&w)[N], unsigned tile, int first, int lane) {
#pragma unroll
  for (int i = 0; i < N; i += 2) {
    const FragA a = {{bf16_pair(w[i].x[0], w[i].x[1]), bf16_pair(w[i].x[2], w[i].x[3]),
                      bf16_pair(w[i + 1].x[0], w[i + 1].x[1]), bf16_pair(w[i + 1].x[2], w[i + 1].x[3])}};
#pragma unroll
    for (int j = 0; j < D / 8; j += 2) {
      FragB b, next;
      load_b_trans<D / 8>(b, next, tile, j * 8, first + i * 8, lane);
      mma(acc[j], a, b);
      mma(acc[j + 1], a, next);
    }
  }
}

// Reductions over the four lanes that share a row.
DEV float row_max(float v) {
  v = larger(v, shfl_xor(v, 1));
  return larger(v, shfl_xor(v, 2));
}
DEV float row_sum(float v) {
  v += shfl_xor(v, 1);
  return v + shfl_xor(v, 2);
}
