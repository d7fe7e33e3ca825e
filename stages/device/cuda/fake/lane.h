// lane.h: the arithmetic of translated kernels, on 32 lanes at once.
#pragma once
#include "warp.h"
#include <cmath>
#include <immintrin.h>
#include <limits>

namespace fake {

#define FAKE_OP static inline __attribute__((always_inline))
#define FAKE_CALL static __attribute__((noinline, unused)) // loops over lanes stay out of line: kernels compile faster
#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define FAKE_AVX512 1
struct H2 { __m512i h[2]; };
struct H4 { __m512i h[4]; };
#endif

template <class V, class W> FAKE_OP V as(W w) {
  static_assert(sizeof(V) == sizeof(W), "same bits");
  V v;
  __builtin_memcpy(&v, &w, sizeof v);
  return v;
}
template <class V, class T> FAKE_OP V splat(T t) { return (V)(t); }
template <class V, class W> FAKE_OP V convert(W w) { return __builtin_convertvector(w, V); }

static const U8 lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

// at is one lane of a vector in memory; indexing the vector itself would copy all of it.
FAKE_OP uint64_t at(const U8 &v, int l) { return ((const uint64_t *)&v)[l]; }
FAKE_OP uint32_t at(const U4 &v, int l) { return ((const uint32_t *)&v)[l]; }

// ---- masks

FAKE_OP Mask bits(I2 c) {
#ifdef FAKE_AVX512
  return _mm512_movepi16_mask(as<__m512i>(c));
#else
  Mask m = 0;
  for (int i = 0; i < 32; i++) m |= (Mask)(c[i] < 0) << i;
  return m;
#endif
}
FAKE_OP Mask bits(I4 c) {
#ifdef FAKE_AVX512
  struct H { __m512i h[2]; } u = as<H>(c);
  return (Mask)_mm512_movepi32_mask(u.h[0]) | (Mask)_mm512_movepi32_mask(u.h[1]) << 16;
#else
  return bits(convert<I2>(c));
#endif
}
FAKE_OP Mask bits(I8 c) {
#ifdef FAKE_AVX512
  struct H { __m512i h[4]; } u = as<H>(c);
  Mask m = 0;
  for (int i = 0; i < 4; i++) m |= (Mask)_mm512_movepi64_mask(u.h[i]) << 8 * i;
  return m;
#else
  return bits(convert<I2>(c));
#endif
}

// sel: lanes of m from a, the others from b.
FAKE_OP U2 sel(Mask m, U2 a, U2 b) {
#ifdef FAKE_AVX512
  return as<U2>(_mm512_mask_mov_epi16(as<__m512i>(b), m, as<__m512i>(a)));
#else
  for (int i = 0; i < 32; i++) b[i] = m >> i & 1 ? a[i] : b[i];
  return b;
#endif
}
FAKE_OP U4 sel(Mask m, U4 a, U4 b) {
#ifdef FAKE_AVX512
  struct H { __m512i h[2]; } x = as<H>(a), y = as<H>(b);
  y.h[0] = _mm512_mask_mov_epi32(y.h[0], (__mmask16)m, x.h[0]);
  y.h[1] = _mm512_mask_mov_epi32(y.h[1], (__mmask16)(m >> 16), x.h[1]);
  return as<U4>(y);
#else
  for (int i = 0; i < 32; i++) b[i] = m >> i & 1 ? a[i] : b[i];
  return b;
#endif
}
FAKE_OP U8 sel(Mask m, U8 a, U8 b) {
#ifdef FAKE_AVX512
  struct H { __m512i h[4]; } x = as<H>(a), y = as<H>(b);
  for (int i = 0; i < 4; i++) y.h[i] = _mm512_mask_mov_epi64(y.h[i], (__mmask8)(m >> 8 * i), x.h[i]);
  return as<U8>(y);
#else
  for (int i = 0; i < 32; i++) b[i] = m >> i & 1 ? a[i] : b[i];
  return b;
#endif
}
FAKE_OP Mask sel(Mask m, Mask a, Mask b) { return (a & m) | (b & ~m); }

// each applies a scalar function to every lane.
template <class R, class V, class F> FAKE_CALL R each(V a, F f) {
  R r;
  for (int i = 0; i < 32; i++) r[i] = f(a[i]);
  return r;
}
template <class R, class V, class W, class F> FAKE_CALL R each(V a, W b, F f) {
  R r;
  for (int i = 0; i < 32; i++) r[i] = f(a[i], b[i]);
  return r;
}

// ---- integers

template <class V> using Lane = std::remove_reference_t<decltype(std::declval<V &>()[0])>;
template <class V> constexpr int width = sizeof(V) / 32 * 8;

template <class V> FAKE_OP V shl(V a, U4 n) { // a count past the width gives 0
  auto c = convert<V>(n);
  const auto past = convert<V>((I4)(n > (uint32_t)(width<V> - 1)));
  return (a << (c & (V)(width<V> - 1))) & ~past;
}
template <class V> FAKE_OP V shr(V a, U4 n) { // past the width: 0, or the sign
  const I4 past = (I4)(n > (uint32_t)(width<V> - 1));
  if constexpr (std::is_signed_v<std::remove_cv_t<Lane<V>>>) return a >> convert<V>((n & ~(U4)past) | ((U4)past & (uint32_t)(width<V> - 1)));
  return (a >> convert<V>(n & (uint32_t)(width<V> - 1))) & ~convert<V>(past);
}
template <class V> FAKE_OP V minInt(V a, V b) { return a < b ? a : b; }
template <class V> FAKE_OP V maxInt(V a, V b) { return a > b ? a : b; }
template <class V> FAKE_OP V absInt(V a) { return a < 0 ? -a : a; }
// Division by zero gives all ones, as the hardware does; the smallest number by -1 wraps.
template <class V> FAKE_CALL V divInt(V a, V b) {
  typedef std::remove_cv_t<Lane<V>> T;
  for (int i = 0; i < 32; i++) a[i] = b[i] == 0 ? (T)-1 : std::is_signed_v<T> && b[i] == (T)-1 ? (T)(0 - a[i]) : (T)(a[i] / b[i]);
  return a;
}
template <class V> FAKE_CALL V remInt(V a, V b) {
  typedef std::remove_cv_t<Lane<V>> T;
  for (int i = 0; i < 32; i++) a[i] = b[i] == 0 ? a[i] : std::is_signed_v<T> && b[i] == (T)-1 ? (T)0 : (T)(a[i] % b[i]);
  return a;
}
FAKE_OP U4 mulHi(U4 a, U4 b) { return convert<U4>(convert<U8>(a) * convert<U8>(b) >> 32); }
FAKE_OP I4 mulHi(I4 a, I4 b) { return convert<I4>(convert<I8>(a) * convert<I8>(b) >> 32); }
FAKE_OP U8 mulHi(U8 a, U8 b) { return each<U8>(a, b, [](uint64_t x, uint64_t y) { return (uint64_t)((unsigned __int128)x * y >> 64); }); }
FAKE_OP I8 mulHi(I8 a, I8 b) { return each<I8>(a, b, [](int64_t x, int64_t y) { return (int64_t)((__int128)x * y >> 64); }); }

template <class T> FAKE_OP T bfeLane(T a, uint32_t p, uint32_t n) { // PTX bfe
  const uint32_t top = sizeof(T) * 8 - 1;
  p &= 255, n &= 255;
  T sign = 0;
  if (std::is_signed_v<T> && n) { uint32_t at = p + n - 1 < top ? p + n - 1 : top; sign = (T)(a >> at & 1); }
  T r = 0;
  for (uint32_t i = 0; i <= top; i++) {
    T bit = i < n && p + i <= top ? (T)(a >> (p + i) & 1) : sign;
    r = (T)(r | (T)((std::make_unsigned_t<T>)bit << i));
  }
  return r;
}
template <class T> FAKE_OP T bfiLane(T a, T b, uint32_t p, uint32_t n) { // PTX bfi: a's low n bits into b at p
  const uint32_t w = sizeof(T) * 8;
  p &= 255, n &= 255;
  if (!n || p >= w) return b;
  T m = (n >= w ? ~(T)0 : ((T)1 << n) - 1) << p;
  return (b & ~m) | ((a << p) & m);
}
template <class V> FAKE_CALL V bfe(V a, U4 p, U4 n) { V r; for (int i = 0; i < 32; i++) r[i] = bfeLane<std::remove_cv_t<Lane<V>>>(a[i], p[i], n[i]); return r; }
template <class V> FAKE_CALL V bfi(V a, V b, U4 p, U4 n) { V r; for (int i = 0; i < 32; i++) r[i] = bfiLane<std::remove_cv_t<Lane<V>>>(a[i], b[i], p[i], n[i]); return r; }
template <int Table> FAKE_OP U4 lop3(U4 a, U4 b, U4 c) {
  U4 r = splat<U4>(0u);
  for (int i = 0; i < 8; i++)
    if (Table >> i & 1) r |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
  return r;
}
FAKE_CALL U4 prmt(U4 a, U4 b, U4 s) {
  U4 r;
  for (int l = 0; l < 32; l++) {
    uint64_t v = (uint64_t)b[l] << 32 | a[l];
    uint32_t x = 0;
    for (int i = 0; i < 4; i++) {
      uint32_t q = s[l] >> 4 * i & 15, byte = v >> 8 * (q & 7) & 255;
      if (q & 8) byte = byte & 128 ? 255 : 0;
      x |= byte << 8 * i;
    }
    r[l] = x;
  }
  return r;
}
// shf takes 32 bits of the 64-bit hi:lo; wrap or clamp says what a count past 31 does.
FAKE_OP U4 shfLeft(U4 lo, U4 hi, U4 n, bool clamp) {
  U8 v = convert<U8>(hi) << 32 | convert<U8>(lo);
  n = clamp ? minInt(n, splat<U4>(32u)) : n & 31u;
  return convert<U4>(v << convert<U8>(n) >> 32);
}
FAKE_OP U4 shfRight(U4 lo, U4 hi, U4 n, bool clamp) {
  U8 v = convert<U8>(hi) << 32 | convert<U8>(lo);
  n = clamp ? minInt(n, splat<U4>(32u)) : n & 31u;
  return convert<U4>(v >> convert<U8>(n));
}
FAKE_OP U4 popc(U4 a) { return each<U4>(a, [](uint32_t x) { return (uint32_t)__builtin_popcount(x); }); }
FAKE_OP U4 popc(U8 a) { return each<U4>(a, [](uint64_t x) { return (uint32_t)__builtin_popcountll(x); }); }
FAKE_OP U4 clz(U4 a) { return each<U4>(a, [](uint32_t x) { return x ? (uint32_t)__builtin_clz(x) : 32u; }); }
FAKE_OP U4 clz(U8 a) { return each<U4>(a, [](uint64_t x) { return x ? (uint32_t)__builtin_clzll(x) : 64u; }); }
FAKE_OP U4 brev(U4 a) { return each<U4>(a, [](uint32_t x) { return (uint32_t)__builtin_bitreverse32(x); }); }
FAKE_OP U8 brev(U8 a) { return each<U8>(a, [](uint64_t x) { return (uint64_t)__builtin_bitreverse64(x); }); }
FAKE_OP U4 bfind(U4 a) { return each<U4>(a, [](uint32_t x) { return x ? 31u - __builtin_clz(x) : ~0u; }); }

// ---- floating point

FAKE_OP F4 fma(F4 a, F4 b, F4 c) {
#ifdef FAKE_AVX512
  struct H { __m512 h[2]; } x = as<H>(a), y = as<H>(b), z = as<H>(c);
  for (int i = 0; i < 2; i++) z.h[i] = _mm512_fmadd_ps(x.h[i], y.h[i], z.h[i]);
  return as<F4>(z);
#else
  for (int i = 0; i < 32; i++) c[i] = std::fma(a[i], b[i], c[i]);
  return c;
#endif
}
FAKE_CALL F8 fma(F8 a, F8 b, F8 c) { for (int i = 0; i < 32; i++) c[i] = std::fma(a[i], b[i], c[i]); return c; }
// ftz: a subnormal becomes a zero of its sign.
FAKE_OP F4 ftz(F4 a) {
  U4 u = as<U4>(a), small = (U4)((u & 0x7f800000u) == 0u);
  return as<F4>((u & ~small) | (u & small & 0x80000000u));
}
template <class V, class I> FAKE_OP V pick(I c, V a, V b) { return as<V>(c ? as<I>(a) : as<I>(b)); }
FAKE_OP I4 isNegative(F4 a) { return as<I4>(a) < 0; }
FAKE_OP I8 isNegative(F8 a) { return as<I8>(a) < 0; }
template <class V> FAKE_OP V minFloat(V a, V b, bool nan) { // the number if one is NaN, -0 below +0
  auto less = (a < b) | ((a == b) & isNegative(a));
  V r = pick(less, a, b);
  r = pick(a != a, nan ? a : b, r);
  return pick(b != b, nan ? b : a, r);
}
template <class V> FAKE_OP V maxFloat(V a, V b, bool nan) {
  auto more = (a > b) | ((a == b) & ~isNegative(a));
  V r = pick(more, a, b);
  r = pick(a != a, nan ? a : b, r);
  return pick(b != b, nan ? b : a, r);
}
FAKE_OP F4 absFloat(F4 a) { return as<F4>(as<U4>(a) & 0x7fffffffu); }
FAKE_OP F8 absFloat(F8 a) { return as<F8>(as<U8>(a) & 0x7fffffffffffffffull); }
FAKE_OP F4 negFloat(F4 a) { return as<F4>(as<U4>(a) ^ 0x80000000u); }
FAKE_OP F8 negFloat(F8 a) { return as<F8>(as<U8>(a) ^ 0x8000000000000000ull); }
FAKE_OP F4 copysignFloat(F4 sign, F4 a) { return as<F4>((as<U4>(sign) & 0x80000000u) | (as<U4>(a) & 0x7fffffffu)); }
FAKE_OP F4 saturate(F4 a) { // NaN becomes 0
  F4 low = pick((I4)(a > 0.f), a, splat<F4>(0.f));
  return pick((I4)(low < 1.f), low, splat<F4>(1.f));
}
FAKE_OP F4 mapFloat(F4 a, float (*f)(float)) { return each<F4>(a, f); }
FAKE_CALL F4 sqrtFloat(F4 a) { for (int i = 0; i < 32; i++) a[i] = __builtin_sqrtf(a[i]); return a; }
FAKE_CALL F8 sqrtFloat(F8 a) { for (int i = 0; i < 32; i++) a[i] = __builtin_sqrt(a[i]); return a; }
FAKE_CALL F4 rsqrtFloat(F4 a) { for (int i = 0; i < 32; i++) a[i] = (float)(1 / __builtin_sqrt((double)a[i])); return a; }

// ---- conversions

FAKE_OP U4 bf16(F4 a, bool truncate) { // to nearest even, in the low halves; NaN becomes 0x7fff
  U4 u = as<U4>(a), nan = (U4)((u & 0x7fffffffu) > 0x7f800000u);
  U4 r = truncate ? u >> 16 : (u + 0x7fffu + (u >> 16 & 1u)) >> 16;
  return (r & ~nan) | (nan & 0x7fffu);
}
FAKE_OP F4 fromBF16(U2 a) { return as<F4>(convert<U4>(a) << 16); }
FAKE_OP U2 half(F4 a) { return each<U2>(a, [](float x) { return (uint16_t)_cvtss_sh(x, 0); }); }
FAKE_OP F4 fromHalf(U2 a) { return each<F4>(a, [](uint16_t u) { return _cvtsh_ss(u); }); }
// A number out of range becomes the nearest there is, NaN becomes 0.
template <class V, class F> FAKE_CALL V toInt(F a) {
  typedef std::remove_cv_t<Lane<V>> T;
  V r;
  for (int i = 0; i < 32; i++) {
    double x = a[i], lo = (double)std::numeric_limits<T>::min(), hi = (double)std::numeric_limits<T>::max();
    r[i] = x != x ? (T)0 : x <= lo ? std::numeric_limits<T>::min() : x >= hi ? std::numeric_limits<T>::max() : (T)x;
  }
  return r;
}
template <class V, class W> FAKE_CALL V saturateInt(W a) { // cvt.sat between integers
  typedef std::remove_cv_t<Lane<V>> T;
  V r;
  for (int i = 0; i < 32; i++) {
    __int128 x = a[i], lo = std::numeric_limits<T>::min(), hi = std::numeric_limits<T>::max();
    r[i] = (T)(x < lo ? lo : x > hi ? hi : x);
  }
  return r;
}

FAKE_CALL Mask together(const U4 &v, Mask m) { // the union of the lanes' masks
  Mask r = 0;
  for (; m; m &= m - 1) r |= at(v, __builtin_ctz(m));
  return r;
}

template <class T> FAKE_OP T parameter(const char *const *p, int i, int offset) { T t; memcpy(&t, p[i] + offset, sizeof t); return t; }

} // namespace fake
