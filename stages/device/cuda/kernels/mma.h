// mma.h: matrix products on tensor cores from shared memory filled by asynchronous copies. The names are
// those of PTX (Parallel Thread Execution ISA, sections "Matrix Multiply-Accumulate" and "cp.async"); all
// of it needs sm_80.
//
// One product is D[16×8] += A[16×16]·B[16×8], bfloat16 in, float32 out, by the 32 lanes of a warp. With
// g = lane/4 and t = lane%4, each register of two values holds the lower column (of A) or row (of B) first:
//
//   FragA  a[0] A[g][2t..]   a[1] A[g+8][2t..]   a[2] A[g][2t+8..]   a[3] A[g+8][2t+8..]
//   FragB  b[0] B[2t..][g]   b[1] B[2t+8..][g]
//   FragC  c[0], c[1] C[g][2t], C[g][2t+1]       c[2], c[3] C[g+8][2t], C[g+8][2t+1]
//
// So the c of one product, rounded in pairs by bf16_pair, is the a of the next: of two neighbouring FragC l and r,
// {pair(l[0],l[1]), pair(l[2],l[3]), pair(r[0],r[1]), pair(r[2],r[3])}.
#pragma once
#include "gpu.h"

struct FragA { u32 x[4]; };
struct FragB { u32 x[2]; };
struct FragC { float x[4]; };

// c += a·b.
DEV void mma(FragC& c, const FragA& a, const FragB& b) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(c.x[0]), "+f"(c.x[1]), "+f"(c.x[2]), "+f"(c.x[3])
               : "r"(a.x[0]), "r"(a.x[1]), "r"(a.x[2]), "r"(a.x[3]), "r"(b.x[0]), "r"(b.x[1]));
}

// shared is the 32-bit address of a pointer into shared memory; asynchronous copies and ldmatrix take such
// addresses, in bytes.
DEV u32 shared(const void* p) {
  u32 a;
  asm("{ .reg .u64 t; cvta.to.shared.u64 t, %1; cvt.u32.u64 %0, t; }" : "=r"(a) : "l"(p));
  return a;
}

// ldmatrix loads 8×8 matrices of 16-bit values: lane i gives the address of the 16 bytes of row i%8 of
// matrix i/8, and receives, of each matrix, row g, columns 2t and 2t+1. With _trans it receives of each
// matrix the transpose: rows 2t and 2t+1 of column g.
DEV void ldmatrix_x4(u32& r0, u32& r1, u32& r2, u32& r3, u32 address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r0), "=r"(r1), "=r"(r2), "=r"(r3) : "r"(address) : "memory");
}
DEV void ldmatrix_x4_trans(u32& r0, u32& r1, u32& r2, u32& r3, u32 address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r0), "=r"(r1), "=r"(r2), "=r"(r3) : "r"(address) : "memory");
}

// cp_async16 starts a copy of 16 bytes, both addresses multiples of 16, past the first-level cache; of
// only the first n bytes with cp_async16_part, the rest becoming zero (n = 0 reads nothing). What was
// started before the last cp_async_commit but N has arrived for this thread after cp_async_wait<N>; other
// threads see it after a barrier.
DEV void cp_async16(u32 to, const void* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" :: "r"(to), "l"(from) : "memory");
}
DEV void cp_async16_part(u32 to, const void* from, int n) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"(to), "l"(from), "r"(n) : "memory");
}
DEV void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N> DEV void cp_async_wait() { asm volatile("cp.async.wait_group %0;" :: "n"(N) : "memory"); }

// swizzled is the offset in bytes of the 16-byte chunk of a row, in a tile whose rows are CHUNKS chunks
// (4, or a multiple of 8) without a gap. The eight rows of a matrix that ldmatrix reads at one chunk, and
// the chunks that consecutive threads write along a row, then lie in different banks.
template <int CHUNKS> DEV int swizzled(int row, int chunk) {
  static_assert(CHUNKS == 4 || CHUNKS % 8 == 0, "a row is 64 bytes or a multiple of 128");
  return (row * CHUNKS + (chunk ^ (CHUNKS == 4 ? row >> 1 & 3 : row & 7))) * 16;
}

// load_a and load_b fill fragments from a tile of bfloat16 at address, in rows of CHUNKS chunks. In load_a
// and load_b rows of the tile run along M or N and columns along K; in the _trans forms rows run along K and
// columns along M or N. (m, k) and (n, k) is the first element, multiples of 8 along columns. load_b loads two
// fragments, of columns n and n+8.
template <int CHUNKS> DEV void load_a(FragA& a, u32 address, int m, int k, int lane) {
  ldmatrix_x4(a.x[0], a.x[1], a.x[2], a.x[3], address + swizzled<CHUNKS>(m + (lane & 15), (k >> 3) + (lane >> 4)));
}
template <int CHUNKS> DEV void load_a_trans(FragA& a, u32 address, int m, int k, int lane) {
  ldmatrix_x4_trans(a.x[0], a.x[1], a.x[2], a.x[3],
                    address + swizzled<CHUNKS>(k + (lane & 7) + (lane >> 4) * 8, (m >> 3) + (lane >> 3 & 1)));
}
template <int CHUNKS> DEV void load_b(FragB& b, FragB& next, u32 address, int n, int k, int lane) {
  ldmatrix_x4(b.x[0], b.x[1], next.x[0], next.x[1],
              address + swizzled<CHUNKS>(n + (lane & 7) + (lane >> 4) * 8, (k >> 3) + (lane >> 3 & 1)));
}
template <int CHUNKS> DEV void load_b_trans(FragB& b, FragB& next, u32 address, int n, int k, int lane) {
  ldmatrix_x4_trans(b.x[0], b.x[1], next.x[0], next.x[1],
                    address + swizzled<CHUNKS>(k + (lane & 15), (n >> 3) + (lane >> 4)));
}
