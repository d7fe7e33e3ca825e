// gemm_f32.cu: C[n][m] = Σ_k A[m][k]·B[n][k] in float32, with the operands of gemm.h: for tests and runs in float32.
// An element is one chain of fused multiply-adds over k, in order, from zero or from what C holds.
#include "gpu.h"

#define STEP 16  // of k that a block has in shared memory at a time, twice

// Slab reads STEP of k of SIZE rows of an operand, stored [row][k] or, across, [k][row], into shared memory as
// [k][row]; what is outside counts as zero. Threads share the work in pieces of four values.
template <int SIZE, bool ACROSS, int THREADS> struct Slab {
  static constexpr int LINE = SIZE + 4, PIECES = SIZE * STEP / 4, EACH = (PIECES + THREADS - 1) / THREADS;
  static constexpr int ALONG = ACROSS ? SIZE / 4 : STEP / 4;  // pieces of a line in memory
  float4 held[EACH];

  __device__ void load(const float* p, i64 ld, int first, int rows, int k, int from, bool aligned, int tid) {
#pragma unroll
    for (int e = 0; e < EACH; e++) {
      int id = tid + e * THREADS, line = id / ALONG, at = id % ALONG * 4;
      if (id >= PIECES) break;
      if (ACROSS) held[e] = from + line < k ? load4(p + (from + line) * ld, first + at, rows, aligned) : float4{0, 0, 0, 0};
      else held[e] = first + line < rows ? load4(p + (first + line) * ld, from + at, k, aligned) : float4{0, 0, 0, 0};
    }
  }
  __device__ void store(float (*slab)[LINE], int tid) {
#pragma unroll
    for (int e = 0; e < EACH; e++) {
      int id = tid + e * THREADS, line = id / ALONG, at = id % ALONG * 4;
      if (id >= PIECES) break;
      if (ACROSS) *(float4*)&slab[line][at] = held[e];
      else slab[at][line] = held[e].x, slab[at + 1][line] = held[e].y, slab[at + 2][line] = held[e].z, slab[at + 3][line] = held[e].w;
    }
  }
};

// A thread computes GM × GN groups of 4 × VN elements: groups lie ACROSS_M and ACROSS_N groups apart.
template <int BM, int BN, int GM, int GN, int VN, bool ACROSS_A, bool ACROSS_B>
DEV void gemm(const float* a, i64 lda, const float* b, i64 ldb, float* c, i64 ldc, const float* bias, int add, int m, int n, int k) {
  constexpr int TM = BM / GM / 4, TN = BN / GN / VN, THREADS = TM * TN;
  typedef Slab<BM, ACROSS_A, THREADS> SlabA;
  typedef Slab<BN, ACROSS_B, THREADS> SlabB;
  __shared__ __attribute__((aligned(16))) float as[2][STEP][SlabA::LINE], bs[2][STEP][SlabB::LINE];
  const int tid = threadIdx.x, x = tid % TM, y = tid / TM;
  const int tiles_m = (m + BM - 1) / BM, m0 = blockIdx.x % tiles_m * BM, n0 = blockIdx.x / tiles_m * BN;
  const bool aligned_a = aligned16(a, lda), aligned_b = aligned16(b, ldb), aligned_c = aligned16(c, ldc);
  auto row = [&](int i, int e) { return n0 + (i * TN + y) * VN + e; };
  auto column = [&](int i) { return m0 + (i * TM + x) * 4; };

  float4 acc[GN][VN][GM];
#pragma unroll
  for (int j = 0; j < GN; j++)
#pragma unroll
    for (int e = 0; e < VN; e++)
#pragma unroll
      for (int i = 0; i < GM; i++)
        acc[j][e][i] = add < 0 && row(j, e) < n ? load4(c + row(j, e) * ldc, column(i), m, aligned_c) : float4{0, 0, 0, 0};

  SlabA slab_a;
  SlabB slab_b;
  auto load = [&](int from) {
    slab_a.load(a, lda, m0, m, k, from, aligned_a, tid);
    slab_b.load(b, ldb, n0, n, k, from, aligned_b, tid);
  };
  load(0);
  for (int from = 0, at = 0; from < k; from += STEP, at ^= 1) {
    slab_a.store(as[at], tid);
    slab_b.store(bs[at], tid);
    __syncthreads();  // who stores to this half again has passed the next barrier, after all have read it
    if (from + STEP < k) load(from + STEP);
#pragma unroll 2
    for (int s = 0; s < STEP; s++) {
      float4 left[GM];
      float right[GN][VN];
#pragma unroll
      for (int i = 0; i < GM; i++) left[i] = *(const float4*)&as[at][s][(i * TM + x) * 4];
#pragma unroll
      for (int j = 0; j < GN; j++)
#pragma unroll
        for (int e = 0; e < VN; e++) right[j][e] = bs[at][s][(j * TN + y) * VN + e];
#pragma unroll
      for (int j = 0; j < GN; j++)
#pragma unroll
        for (int e = 0; e < VN; e++)
#pragma unroll
          for (int i = 0; i < GM; i++)
#pragma unroll
            for (int q = 0; q < 4; q++) acc[j][e][i][q] = fmaf(left[i][q], right[j][e], acc[j][e][i][q]);
    }
  }

#pragma unroll
  for (int j = 0; j < GN; j++)
#pragma unroll
    for (int e = 0; e < VN; e++)
#pragma unroll
      for (int i = 0; i < GM; i++) {
        if (row(j, e) >= n) continue;
        float* to = c + row(j, e) * ldc;
        const float* from = add > 0 ? to : bias;
        float4 more = {0, 0, 0, 0};
        if (from) more = load4(from, column(i), m, aligned_c && add > 0);
        store4(to, column(i), m, aligned_c, acc[j][e][i] + more);
      }
}

#define TILE(NAME, A, B, BM, BN, GM, GN, VN)                                                                       \
  KERNEL(BM / GM / 4 * (BN / GN / VN))                                                                             \
  NAME##_##BM##x##BN(const float* a, int lda, const float* b, int ldb, float* c, int ldc, const float* bias, int add, \
                     int m, int n, int k) {                                                                        \
    gemm<BM, BN, GM, GN, VN, A, B>(a, lda, b, ldb, c, ldc, bias, add, m, n, k);                                    \
  }

//   name               across       BM   BN groups of 4 × VN
TILE(gemm_f32_forward,  false, false, 128, 128, 2, 2, 4)
TILE(gemm_f32_forward,  false, false,  64,  32, 1, 1, 4)
TILE(gemm_f32_forward,  false, false,  64,   8, 1, 1, 1)
TILE(gemm_f32_backward, true,  false, 128, 128, 2, 2, 4)
TILE(gemm_f32_backward, true,  false,  64,  32, 1, 1, 4)
TILE(gemm_f32_gradient, true,  true,  128, 128, 2, 2, 4)
TILE(gemm_f32_gradient, true,  true,   64,  32, 1, 1, 4)
