// warpop.cpp: operations of a whole warp.
#include "grid.h"
#include "lane.h"

namespace fake {

U4 shuffle(Warp &w, Mask m, Shuffle kind, const U4 &value, const U4 &b, const U4 &c, const U4 &members, Mask &inRange) {
  U4 out = value;
  inRange = 0;
  for (Mask r = m; r; r &= r - 1) {
    int l = __builtin_ctz(r), j;
    int by = at(b, l) & 31, segment = at(c, l) >> 8 & 31, clamp = at(c, l) & 31;
    int most = (l & segment) | (clamp & ~segment), least = l & segment;
    bool in;
    switch (kind) {
    case UP: j = l - by, in = j >= most; break;
    case DOWN: j = l + by, in = j <= most; break;
    case BFLY: j = l ^ by, in = j <= most; break;
    default: j = least | (by & ~segment), in = j <= most; break;
    }
    if (!in) j = l;
    if (!(at(members, l) >> l & 1)) fault(w, l, "shfl: the thread is not in its own mask %08x", at(members, l));
    if (!(at(members, l) & m & 1u << j)) fault(w, l, "shfl reads lane %d, which does not take part (mask %08x, threads here %08x)", j, at(members, l), m);
    ((uint32_t *)&out)[l] = at(value, j);
    inRange |= (Mask)in << l;
  }
  return out;
}

// mmaBF16 adds A (16×16) times B (16×8) to C (16×8). A register's 32 lanes hold 8 rows of a matrix: lane
// 4g+t has elements 2t and 2t+1 of row g (of A, of B transposed) or columns 2t (one register) and 2t+1
// (the next) of row g of C. Each sum is one chain over k.
#ifdef FAKE_AVX512
void mmaBF16(U4 *d, const U4 *a, const U4 *b, const U4 *c) {
  alignas(64) float rows[16][16]; // A, by k: 16 rows
  alignas(64) float cols[8][16];  // B, by column: 16 k
  for (int h = 0; h < 2; h++) {   // k in 0..7, 8..15
    Halves top = as<Halves>(a[2 * h]), low = as<Halves>(a[2 * h + 1]);
    const __m512i t0 = as<H2>(top).h[0], t1 = as<H2>(top).h[1], l0 = as<H2>(low).h[0], l1 = as<H2>(low).h[1];
    alignas(64) static const struct Index {
      uint16_t v[4][32];
      Index() {
        for (int p = 0; p < 4; p++)
          for (int i = 0; i < 32; i++) v[p][i] = (i % 8 * 8 + 2 * p + (i >> 4 & 1)) % 64; // rows 0..7 twice
      }
    } index;
    for (int p = 0; p < 4; p++) { // two k at a time: [k][8 rows of top, 8 rows of low]
      const __m512i ix = _mm512_load_si512(index.v[p]);
      const __m512i x = _mm512_permutex2var_epi16(t0, ix, t1), y = _mm512_permutex2var_epi16(l0, ix, l1);
      const __m512i both = _mm512_mask_mov_epi16(x, 0xff00ff00u, y);
      _mm512_store_ps(rows[8 * h + 2 * p], _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(both)), 16)));
      _mm512_store_ps(rows[8 * h + 2 * p + 1], _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(both, 1)), 16)));
    }
    const H2 v = as<H2>(b[h]);
    for (int q = 0; q < 2; q++)
      for (int e = 0; e < 2; e++) { // 16 halves: columns 4q+2e and 4q+2e+1, 8 k each
        const __m512i f = _mm512_slli_epi32(_mm512_cvtepu16_epi32(e ? _mm512_extracti64x4_epi64(v.h[q], 1) : _mm512_castsi512_si256(v.h[q])), 16);
        _mm256_store_si256((__m256i *)&cols[4 * q + 2 * e][8 * h], _mm512_castsi512_si256(f));
        _mm256_store_si256((__m256i *)&cols[4 * q + 2 * e + 1][8 * h], _mm512_extracti64x4_epi64(f, 1));
      }
  }
  __m512 sum[8];
  const __m512i every4 = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28);
  for (int t = 0; t < 4; t++)
    for (int h = 0; h < 2; h++) {
      const H2 u = as<H2>(c[h]), v = as<H2>(c[2 + h]);
      const __m512i ix = _mm512_add_epi32(every4, _mm512_set1_epi32(t));
      sum[2 * t + h] = _mm512_castsi512_ps(_mm512_mask_mov_epi32(_mm512_permutex2var_epi32(u.h[0], ix, u.h[1]), 0xff00, _mm512_permutex2var_epi32(v.h[0], ix, v.h[1])));
    }
  for (int k = 0; k < 16; k++) {
    const __m512 r = _mm512_load_ps(rows[k]);
    for (int j = 0; j < 8; j++) sum[j] = _mm512_fmadd_ps(r, _mm512_set1_ps(cols[j][k]), sum[j]);
  }
  for (int h = 0; h < 2; h++) {
    // sums of columns h, 2+h, 4+h, 6+h: transpose 4×16 to 16×4
    const __m512 s0 = sum[h], s1 = sum[2 + h], s2 = sum[4 + h], s3 = sum[6 + h];
    const __m512 p0 = _mm512_unpacklo_ps(s0, s1), p1 = _mm512_unpackhi_ps(s0, s1), p2 = _mm512_unpacklo_ps(s2, s3), p3 = _mm512_unpackhi_ps(s2, s3);
    const __m512 q0 = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(p0), _mm512_castps_pd(p2)));
    const __m512 q1 = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(p0), _mm512_castps_pd(p2)));
    const __m512 q2 = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(p1), _mm512_castps_pd(p3)));
    const __m512 q3 = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(p1), _mm512_castps_pd(p3)));
    // qi holds rows i, 4+i, 8+i, 12+i
    const __m512 r0 = _mm512_shuffle_f32x4(q0, q1, 0x44), r1 = _mm512_shuffle_f32x4(q2, q3, 0x44); // rows 0 4 1 5, 2 6 3 7
    const __m512 r2 = _mm512_shuffle_f32x4(q0, q1, 0xee), r3 = _mm512_shuffle_f32x4(q2, q3, 0xee); // rows 8 12 9 13, 10 14 11 15
    const H2 top = {{_mm512_castps_si512(_mm512_shuffle_f32x4(r0, r1, 0x88)), _mm512_castps_si512(_mm512_shuffle_f32x4(r0, r1, 0xdd))}};
    const H2 low = {{_mm512_castps_si512(_mm512_shuffle_f32x4(r2, r3, 0x88)), _mm512_castps_si512(_mm512_shuffle_f32x4(r2, r3, 0xdd))}};
    d[h] = as<U4>(top);
    d[2 + h] = as<U4>(low);
  }
}
#else
void mmaBF16(U4 *d, const U4 *a, const U4 *b, const U4 *c) {
  auto at = [](U4 v, int row, int col) { uint32_t u = (v[4 * row + col / 2] >> (col & 1 ? 16 : 0)) << 16; float f; memcpy(&f, &u, 4); return f; };
  U4 r[4] = {c[0], c[1], c[2], c[3]};
  for (int i = 0; i < 16; i++)
    for (int j = 0; j < 8; j++) {
      uint32_t u = r[i / 8 * 2 + (j & 1)][4 * (i % 8) + j / 2];
      float sum;
      memcpy(&sum, &u, 4);
      for (int k = 0; k < 16; k++) sum = std::fma(at(a[k / 8 * 2 + i / 8], i % 8, k % 8), at(b[k / 8], j, k % 8), sum);
      memcpy(&u, &sum, 4);
      r[i / 8 * 2 + (j & 1)][4 * (i % 8) + j / 2] = u;
    }
  for (int i = 0; i < 4; i++) d[i] = r[i];
}
#endif

} // namespace fake
