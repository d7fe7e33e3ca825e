// gemm.h: C[n][m] = Σ_k A[m][k]·B[n][k], in bfloat16 with float32 sums, for every product of the model.
//
//              A (16-row operand)         B (8-column operand)        C
//   forward    weight  [out][in]          x   [token][in]             y  [token][out]
//   backward   weight  [out][in], across  dy  [token][out]            dx [token][in]
//   gradient   x       [token][in] across dy  [token][out] across     dw [out][in]
//
// "Across" is an operand whose rows run along k. m is the dimension in which C is contiguous, and always the
// 16-row side, whatever the tile: an element of C is one chain of mma over k in steps of 16, in order, from zero (or
// from what C holds: see START), so its bits depend neither on the tile nor on the other rows.
//
// A block computes a BM × BN tile of C. Its threads copy BK of k of both operands into a ring of STAGES
// buffers in shared memory, STAGES−1 ahead of what the warps multiply. Fragments are read one step of 16
// ahead of the products that use them.
//
// Limits: operands of bfloat16 start at multiples of 16 bytes; their rows are lda, ldb values apart, multiples of
// KPAD, with zeros after the last column. Rows past an operand's end are not read.
#pragma once
#include "mma.h"

// Rows of bfloat16 matrices are padded with zeros to a multiple of so many values.
#define KPAD 64

// METHOD is DEV for what belongs to an object.
#define METHOD __device__ __inline__ __attribute__((always_inline))

// AlongK reads an operand stored [row][k]. Rows past the end repeat the last: what they yield is not stored.
template <int ROWS_, int BK, int THREADS> struct AlongK {
  static constexpr int ROWS = ROWS_, CHUNKS = BK / 8, BYTES = ROWS * BK * 2;
  static constexpr int COPIES = ROWS * CHUNKS / THREADS, STEP = THREADS / CHUNKS;
  static_assert(COPIES * THREADS == ROWS * CHUNKS && STEP * CHUNKS == THREADS, "threads share the copies evenly");
  const char* base;
  u32 offset[COPIES]; // from base, in units of 16 bytes
  int row, chunk;

  METHOD AlongK(const void* p, int ld, int first, int rows, int, int tid)
      : base((const char*)p), row(tid / CHUNKS), chunk(tid % CHUNKS) {
#pragma unroll
    for (int c = 0; c < COPIES; c++) {
      int r = first + row + c * STEP;
      offset[c] = (u32)(r < rows ? r : rows - 1) * (u32)(ld / 8) + chunk;
    }
  }
  METHOD void copy(u32 stage, int tile) const {
    const char* from = base + (size_t)tile * (BK * 2);
#pragma unroll
    for (int c = 0; c < COPIES; c++)
      cp_async16(stage + swizzled<CHUNKS>(row + c * STEP, chunk), from + (size_t)offset[c] * 16);
  }
  DEV void fragment(FragA& f, u32 stage, int r, int k, int lane) {
    load_a<CHUNKS>(f, stage, r, k, lane);
  }
  DEV void fragments(FragB& f, FragB& g, u32 stage, int r, int k, int lane) {
    load_b<CHUNKS>(f, g, stage, r, k, lane);
  }
};

// AcrossK reads an operand stored [k][row]. Past k it sees zeros; rows past the padding repeat the last chunk.
template <int ROWS_, int BK, int THREADS> struct AcrossK {
  static constexpr int ROWS = ROWS_, CHUNKS = ROWS / 8, BYTES = ROWS * BK * 2;
  static constexpr int COPIES = BK * CHUNKS / THREADS, STEP = THREADS / CHUNKS;
  static_assert(COPIES * THREADS == BK * CHUNKS && STEP * CHUNKS == THREADS, "threads share the copies evenly");
  const char* from;
  size_t line; // bytes from one k to the next
  int k, row, chunk;

  METHOD AcrossK(const void* p, int ld, int first, int, int k, int tid)
      : line((size_t)ld * 2), k(k), row(tid / CHUNKS), chunk(tid % CHUNKS) {
    int column = first + chunk * 8;
    from = (const char*)p + row * line + (column < ld ? column : ld - 8) * 2;
  }
  METHOD void copy(u32 stage, int tile) const {
    const char* p = from + (size_t)tile * BK * line;
#pragma unroll
    for (int c = 0; c < COPIES; c++)
      cp_async16_part(stage + swizzled<CHUNKS>(row + c * STEP, chunk), p + c * STEP * line,
                      tile * BK + row + c * STEP < k ? 16 : 0);
  }
  DEV void fragment(FragA& f, u32 stage, int r, int k, int lane) {
    load_a_trans<CHUNKS>(f, stage, r, k, lane);
  }
  DEV void fragments(FragB& f, FragB& g, u32 stage, int r, int k, int lane) {
    load_b_trans<CHUNKS>(f, g, stage, r, k, lane);
  }
};

// FloatK reads a B of float32 stored [row][k], rounded as fragments are read: for few rows, where a kernel
// that rounds beforehand would cost more than the product. Rows start at multiples of 16 bytes; past k and past the
// last row it sees zeros. In shared memory rows are 32 bytes longer than BK values, so that the four rows that
// half a warp reads lie in different banks.
template <int ROWS_, int BK, int THREADS> struct FloatK {
  static constexpr int ROWS = ROWS_, CHUNKS = BK / 4, LINE = BK * 4 + 32, BYTES = ROWS * LINE;
  static constexpr int COPIES = ROWS * CHUNKS / THREADS, STEP = THREADS / CHUNKS;
  static_assert(COPIES * THREADS == ROWS * CHUNKS && STEP * CHUNKS == THREADS, "threads share the copies evenly");
  const float* from;
  size_t ld;
  int left, k, row, chunk;

  METHOD FloatK(const void* p, int ld, int first, int rows, int k, int tid)
      : ld(ld), k(k), row(tid / CHUNKS), chunk(tid % CHUNKS) {
    left = rows - first - row; // this row and those after it
    from = (const float*)p + (size_t)(first + row) * ld + chunk * 4;
  }
  METHOD void copy(u32 stage, int tile) const {
    int n = (k - tile * BK - chunk * 4) * 4;
    n = n < 0 ? 0 : n < 16 ? n : 16;
#pragma unroll
    for (int c = 0; c < COPIES; c++) {
      bool inside = c * STEP < left && n > 0;
      const float* p = inside ? from + (size_t)tile * BK + c * STEP * ld : from;
      cp_async16_part(stage + (row + c * STEP) * LINE + chunk * 16, p, inside ? n : 0);
    }
  }
  DEV void fragments(FragB& f, FragB& g, u32 stage, int r, int k, int lane) {
    one(f, stage, r, k, lane);
    one(g, stage, r + 8, k, lane);
  }
  DEV void one(FragB& f, u32 stage, int r, int k, int lane) {
    u32 p = stage + (r + (lane >> 2)) * LINE + (k + (lane & 3) * 2) * 4;
#pragma unroll
    for (int h = 0; h < 2; h++) {
      float lo, hi;
      asm volatile("ld.shared.v2.f32 {%0,%1}, [%2];" : "=f"(lo), "=f"(hi) : "r"(p + h * 32) : "memory");
      f.x[h] = bf16_pair(lo, hi);
    }
  }
};

// What a product writes, and from where it starts.
struct Result {
  float* c;
  int ldc;
  const float* bias; // of each m, or null
  int add;           // to what c holds, if above 0
  int m, n, k;
};

// The tile of C that a block computes. Blocks that run at the same time share rows of both operands: tiles are counted
// in bands of BAND tiles of n, m first within a band.
#define BAND 8
struct Place {
  int m, n;
  METHOD Place(const Result& r, int bm, int bn) {
    int tiles_m = (r.m + bm - 1) / bm, tiles_n = (r.n + bn - 1) / bn;
    int band = blockIdx.x / (BAND * tiles_m), at = blockIdx.x % (BAND * tiles_m);
    int height = tiles_n - band * BAND;
    height = height < BAND ? height : BAND;
    m = at / height * bm;
    n = (band * BAND + at % height) * bn;
  }
};

// Exchange moves the tile of C between fragments and global memory by way of shared memory, so that global memory
// sees whole rows: in PASSES parts, of the first columns of all warps, the next, and so on. A column is padded by four values;
// then the lanes of a warp write to different banks.
template <int BM, int BN, int WARPS_M, int WARPS_N, int ROOM> struct Exchange {
  static constexpr int LINE = BM + 4, NT = BN / WARPS_N / 8, MT = BM / WARPS_M / 16, THREADS = 32 * WARPS_M * WARPS_N;
  static constexpr int PASSES = BN * LINE * 4 <= ROOM ? 1 : 2, PART = NT / PASSES * 8, COLUMNS = PART * WARPS_N;
  static constexpr int PIECES = COLUMNS * BM / 4, BATCH = PIECES >= 4 * THREADS ? 4 : 1;
  static_assert(COLUMNS * LINE * 4 <= ROOM && PIECES % BATCH == 0, "a part fits into shared memory");
  float* room;
  const Result& r;
  const Place& place;
  bool aligned;

  METHOD Exchange(void* ring, const Result& r, const Place& place)
      : room((float*)ring), r(r), place(place), aligned(aligned16(r.c, r.ldc)) {}

  // fragments calls f(element, its place in shared memory) for what this thread has of a part.
  template <class F> METHOD void fragments(FragC (&acc)[MT][NT], int pass, F f) const {
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    float* at = room + (warp / WARPS_M * PART + (lane & 3) * 2) * LINE + warp % WARPS_M * (MT * 16) + (lane >> 2);
#pragma unroll
    for (int j = 0; j < NT / PASSES; j++)
#pragma unroll
      for (int i = 0; i < MT; i++)
#pragma unroll
        for (int e = 0; e < 4; e++)
          f(acc[i][pass * (NT / PASSES) + j].x[e], at[(j * 8 + (e & 1)) * LINE + i * 16 + (e >> 1) * 8]);
  }
  // Four values of a column: where they lie in shared memory, in C, and their first m.
  struct Piece {
    float *shared, *c;
    int m;
    bool inside;
  };
  METHOD Piece piece(int pass, int id) const {
    int column = id / (BM / 4), m = id % (BM / 4) * 4;
    int n = place.n + column / PART * (NT * 8) + pass * PART + column % PART;
    return {room + column * LINE + m, r.c + (i64)n * r.ldc, place.m + m, id < PIECES && n < r.n};
  }
  METHOD void load(int pass) const {
#pragma unroll 1
    for (int id = threadIdx.x; id < PIECES; id += THREADS * BATCH) {
      float4 v[BATCH];
#pragma unroll
      for (int b = 0; b < BATCH; b++) {
        Piece p = piece(pass, id + b * THREADS);
        v[b] = float4{0, 0, 0, 0};
        if (p.inside) v[b] = load4(p.c, p.m, r.m, aligned);
      }
#pragma unroll
      for (int b = 0; b < BATCH; b++) {
        Piece p = piece(pass, id + b * THREADS);
        if (id + b * THREADS < PIECES) *(float4*)p.shared = v[b];
      }
    }
  }
  METHOD void store(int pass) const {
#pragma unroll 1
    for (int id = threadIdx.x; id < PIECES; id += THREADS * BATCH) {
      float4 more[BATCH];
#pragma unroll
      for (int b = 0; b < BATCH; b++) {
        Piece p = piece(pass, id + b * THREADS);
        const float* from = r.add > 0 ? p.c : r.bias;
        more[b] = float4{0, 0, 0, 0};
        if (from && p.inside) more[b] = load4(from, p.m, r.m, aligned && r.add > 0);
      }
#pragma unroll
      for (int b = 0; b < BATCH; b++) {
        Piece p = piece(pass, id + b * THREADS);
        if (p.inside) store4(p.c, p.m, r.m, aligned, *(const float4*)p.shared + more[b]);
      }
    }
  }
};

// gemm computes one tile by WARPS_M × WARPS_N warps. With START the chains start from C.
template <class A, class B, int BK, int WARPS_M, int WARPS_N, int STAGES, bool START>
DEV void gemm(const void* a, int lda, const void* b, int ldb, const Result& r) {
  constexpr int BM = A::ROWS, BN = B::ROWS, STEPS = BK / 16, BYTES = A::BYTES + B::BYTES;
  constexpr int MT = BM / WARPS_M / 16, NT = BN / WARPS_N / 8, PAIRS = (NT + 1) / 2;
  static_assert(MT * 16 * WARPS_M == BM && NT * 8 * WARPS_N == BN && STEPS % 2 == 0, "warps share the tile evenly");
  DYN_SHARED(char, ring);
  const int tid = threadIdx.x, lane = tid & 31, warp = tid >> 5;
  const Place place(r, BM, BN);
  const A from_a(a, lda, place.m, r.m, r.k, tid);
  const B from_b(b, ldb, place.n, r.n, r.k, tid);
  const int row_a = warp % WARPS_M * (MT * 16), row_b = warp / WARPS_M * (NT * 8);

  FragC acc[MT][NT];
  typedef Exchange<BM, BN, WARPS_M, WARPS_N, STAGES * BYTES> Through;
  const Through through(ring, r, place);
  if (START) {
#pragma unroll
    for (int pass = 0; pass < Through::PASSES; pass++) {
      through.load(pass);
      __syncthreads();
      through.fragments(acc, pass, [](float& v, float& shared) { v = shared; });
      __syncthreads();
    }
  } else {
#pragma unroll
    for (int i = 0; i < MT; i++)
#pragma unroll
      for (int j = 0; j < NT; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) acc[i][j].x[e] = 0.f;
  }

  const int tiles = (r.k + BK - 1) / BK;
  const u32 first = shared(ring);
  auto copy = [&](int slot, int tile) {
    from_a.copy(first + slot * BYTES, tile);
    from_b.copy(first + slot * BYTES + A::BYTES, tile);
  };
  FragA fa[2][MT];
  FragB fb[2][PAIRS * 2];
  // fetch reads the fragments of a step; buffer 0 is for even steps, 1 for odd ones.
  auto fetch = [&](int slot, int step) {
    const u32 at = first + slot * BYTES;
#pragma unroll
    for (int i = 0; i < MT; i++) A::fragment(fa[step & 1][i], at, row_a + i * 16, step * 16, lane);
    if constexpr (NT == 1) {
      B::one(fb[step & 1][0], at + A::BYTES, row_b, step * 16, lane);
    } else {
#pragma unroll
      for (int j = 0; j < NT; j += 2)
        B::fragments(fb[step & 1][j], fb[step & 1][j + 1], at + A::BYTES, row_b + j * 8, step * 16, lane);
    }
  };

#pragma unroll
  for (int s = 0; s < STAGES - 1; s++) {
    if (s < tiles) copy(s, s);
    cp_async_commit();
  }
  cp_async_wait<STAGES - 2>();
  __syncthreads();
  if (tiles > 0) fetch(0, 0);
  int reading = 0, writing = STAGES - 1;
  for (int tile = 0; tile < tiles; tile++) {
#pragma unroll
    for (int step = 0; step < STEPS; step++) {
      if (step == STEPS - 1) {
        // The next tile has arrived, for all threads; and all have read the last of this one.
        cp_async_wait<STAGES - 2>();
        __syncthreads();
        if (tile + 1 < tiles) reading = reading + 1 == STAGES ? 0 : reading + 1;
        fetch(reading, 0);  // after the last tile nobody uses this
      } else {
        fetch(reading, step + 1);
      }
      if (step == 0) {
        if (tile + STAGES - 1 < tiles) copy(writing, tile + STAGES - 1);
        cp_async_commit();
        writing = writing + 1 == STAGES ? 0 : writing + 1;
      }
#pragma unroll
      for (int i = 0; i < MT; i++)
#pragma unroll
        for (int j = 0; j < NT; j++) mma(acc[i][j], fa[step & 1][i], fb[step & 1][j]);
    }
  }

  cp_async_wait<0>();
#pragma unroll
  for (int pass = 0; pass < Through::PASSES; pass++) {
    __syncthreads();
    through.fragments(acc, pass, [](float& v, float& shared) { shared = v; });
    __syncthreads();
    through.store(pass);
  }
}
