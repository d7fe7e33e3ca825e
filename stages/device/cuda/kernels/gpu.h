// gpu.h is the dialect of the kernels: CUDA C++ as plain clang compiles it, without any file of NVIDIA's.
//
// Arithmetic is what it says: generate.sh turns contraction off, so a*b + c is two roundings and fmaf(a, b, c) one,
// divisions and square roots are rounded correctly, and subnormal numbers count. Every reduction here adds in an order
// that depends on the number of threads only.
#pragma once

#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#include <__clang_cuda_builtin_vars.h>  // threadIdx, blockIdx, blockDim, gridDim; part of clang

// DEV marks a function of the device. KERNEL(threads) and KERNEL(threads, blocks) start a kernel for blocks of at most
// that many threads, of which so many shall fit on a multiprocessor.
#define DEV static __device__ __inline__ __attribute__((always_inline))
#define KERNEL(...) extern "C" __global__ void __launch_bounds__(__VA_ARGS__)
// DYN_SHARED declares the dynamic shared memory of the launch, aligned for 16-byte accesses.
#define DYN_SHARED(T, name) extern __shared__ __attribute__((aligned(128))) T name[]

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef long i64;
typedef unsigned long size_t;
typedef u16 bf16;  // the upper half of a float32

// Vectors are loaded and stored whole, if they are aligned to their size.
typedef float float2 __attribute__((ext_vector_type(2)));
typedef float float4 __attribute__((ext_vector_type(4)));
typedef u32 uint2 __attribute__((ext_vector_type(2)));
typedef u32 uint4 __attribute__((ext_vector_type(4)));
typedef u16 ushort4 __attribute__((ext_vector_type(4)));

#define WARP 32
#define ALL_LANES 0xffffffffu
#define INFINITY __builtin_inff()

// Barriers of a block and of a warp. Not clang's builtins: clang 14 takes those for functions that touch no shared memory
// whose address nobody else has, and moves loads of such variables across them.
#define __syncthreads() asm volatile("bar.sync 0;" ::: "memory")
DEV void __syncwarp(u32 mask = ALL_LANES) { asm volatile("bar.warp.sync %0;" ::"r"(mask) : "memory"); }
DEV u32 lane_id() { return threadIdx.x % WARP; }
DEV u32 warp_id() { return threadIdx.x / WARP; }

// Values of other lanes of the warp. All lanes take part.
DEV float shfl_xor(float v, int x) { return __nvvm_shfl_sync_bfly_f32(ALL_LANES, v, x, 31); }
DEV float shfl(float v, int lane) { return __nvvm_shfl_sync_idx_f32(ALL_LANES, v, lane, 31); }
DEV u32 shfl_xor(u32 v, int x) { return __nvvm_shfl_sync_bfly_i32(ALL_LANES, v, x, 31); }
DEV u32 shfl(u32 v, int lane) { return __nvvm_shfl_sync_idx_i32(ALL_LANES, v, lane, 31); }
// shfl_up returns the value of the lane n below, or v itself in the lowest n lanes.
DEV u32 shfl_up(u32 v, int n) { return __nvvm_shfl_sync_up_i32(ALL_LANES, v, n, 0); }
DEV u64 join(u32 lo, u32 hi) { return (u64)hi << 32 | lo; }
DEV u64 shfl_xor(u64 v, int x) { return join(shfl_xor((u32)v, x), shfl_xor((u32)(v >> 32), x)); }
DEV u64 shfl(u64 v, int lane) { return join(shfl((u32)v, lane), shfl((u32)(v >> 32), lane)); }
DEV u64 shfl_up(u64 v, int n) { return join(shfl_up((u32)v, n), shfl_up((u32)(v >> 32), n)); }
// ballot returns a bit for each lane whose p holds.
DEV u32 ballot(bool p) { return __nvvm_vote_ballot_sync(ALL_LANES, p); }

// The same bits as another type.
DEV u32 bits_of(float f) { return __builtin_bit_cast(u32, f); }
DEV float float_of(u32 u) { return __builtin_bit_cast(float, u); }
DEV u64 bits_of(double f) { return __builtin_bit_cast(u64, f); }
DEV double double_of(u64 u) { return __builtin_bit_cast(double, u); }
DEV double shfl_xor(double v, int x) { return double_of(shfl_xor(bits_of(v), x)); }

// bfloat16, rounded to nearest even; NaN stays NaN.
DEV float bf16_to_f32(bf16 h) { return float_of((u32)h << 16); }
DEV bf16 f32_to_bf16(float f) {
  bf16 h;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(h) : "f"(f));
  return h;
}
// bf16_pair rounds two values and puts lo in the lower half.
DEV u32 bf16_pair(float lo, float hi) {
  u32 r;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(hi), "f"(lo));
  return r;
}

DEV float fmaf(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
DEV double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
DEV float sqrtf(float x) { return __nvvm_sqrt_rn_f(x); }
// max_nan is the larger one, or NaN if either is.
DEV float max_nan(float a, float b) { return a > b || a != a ? a : b; }
template <class T> DEV T min_of(T a, T b) { return b < a ? b : a; }
template <class T> DEV T max_of(T a, T b) { return a < b ? b : a; }

// exp1 is the exponential, within 0.9 units in the last place; NaN gives NaN, and results below the smallest subnormal
// number give 0. x = n·ln 2 + r with |r| ≤ ln 2 / 2, exp(x) = 2ⁿ·p(r); ln 2 is split so that n·(its upper part) is
// exact, and p is the minimax polynomial 1 + r + r²·(q0 + … + q4·r⁴) for the relative error (3.1e-9). The power of two
// is applied in two halves, so that a subnormal result is rounded once. Not ex2.approx: its error grows with x.
DEV float exp1(float x) {
  x = x < -104.f ? -104.f : x > 89.f ? 89.f : x;
  const float magic = 12582912.f;  // 1.5·2²³: adding it rounds to an integer, which then sits in the low bits
  float t = fmaf(x, 1.4426950408889634f, magic), n = t - magic;
  float r = fmaf(n, -0.0017409305599453094f, fmaf(n, -0.69140625f, x));
  float p = 0.0013814583929630164f;
  p = fmaf(p, r, 0.008368723934862519f);
  p = fmaf(p, r, 0.04166838873153239f);
  p = fmaf(p, r, 0.16666520573580745f);
  p = fmaf(p, r, 0.4999999344387352f);
  p = fmaf(p, r, 1.f);
  p = fmaf(p, r, 1.f);
  int i = (int)(bits_of(t) - bits_of(magic)), half = i >> 1;
  return p * float_of((u32)(half + 127) << 23) * float_of((u32)(i - half + 127) << 23);
}

// log_double is the natural logarithm of a positive, normal number, within 5e-16 of the result: with x = 2ᵏ·m and m in
// [√½, √2), log m = 2·atanh(s) for s = (m − 1)/(m + 1), |s| ≤ 0.1716, as a series up to s²¹. NaN gives NaN, +Inf gives
// +Inf and 0 gives −Inf.
DEV double log_double(double x) {
  if (!(x > 0 && x < __builtin_inf())) return x == 0 ? -__builtin_inf() : x;
  u64 b = bits_of(x) - 0x3fe6a09e667f3bcdul;  // √½
  int k = (int)((i64)b >> 52);
  double m = double_of((b & 0xffffffffffffful) + 0x3fe6a09e667f3bcdul);
  double s = (m - 1) / (m + 1), q = s * s, p = 0;
#pragma unroll
  for (int i = 21; i >= 3; i -= 2) p = fma(p, q, 1.0 / i);
  return fma((double)k, 0.693147180559945309417, 2 * fma(s * q, p, s));
}

// Reductions over a warp: every lane gets the same bits.
template <class T> DEV T warp_sum(T v) {
#pragma unroll
  for (int o = WARP / 2; o > 0; o /= 2) v += shfl_xor(v, o);
  return v;
}
DEV float warp_max(float v) {
#pragma unroll
  for (int o = WARP / 2; o > 0; o /= 2) v = max_nan(v, shfl_xor(v, o));
  return v;
}

// Reductions over a block of WARPS warps, given room for a value a warp: every thread gets the same bits. The warps'
// values are added in order. All threads take part; part may be used again at once.
template <int WARPS, class T> DEV T block_sum(T v, T* part) {
  v = warp_sum(v);
  if (lane_id() == 0) part[warp_id()] = v;
  __syncthreads();
  v = part[0];
#pragma unroll
  for (int i = 1; i < WARPS; i++) v += part[i];
  __syncthreads();
  return v;
}
template <int WARPS> DEV float block_max(float v, float* part) {
  v = warp_max(v);
  if (lane_id() == 0) part[warp_id()] = v;
  __syncthreads();
  v = part[0];
#pragma unroll
  for (int i = 1; i < WARPS; i++) v = max_nan(v, part[i]);
  __syncthreads();
  return v;
}

// Views of float32 rows. Tensors start anywhere, so whether four values can be moved at once is asked at run time; it
// is the same for a whole grid.
DEV bool aligned16(const void* p, i64 stride) { return ((u64)p & 15) == 0 && stride % 4 == 0; }

// load4 returns values i … i+3 of a row of n; those behind its end count as zero.
DEV float4 load4(const float* p, i64 i, i64 n, bool aligned) {
  if (aligned && i + 4 <= n) return *(const float4*)(p + i);
  float4 v = {0, 0, 0, 0};
  if (i < n) v.x = p[i];
  if (i + 1 < n) v.y = p[i + 1];
  if (i + 2 < n) v.z = p[i + 2];
  if (i + 3 < n) v.w = p[i + 3];
  return v;
}

// store4 sets values i … i+3 of a row of n, as far as they exist.
DEV void store4(float* p, i64 i, i64 n, bool aligned, float4 v) {
  if (aligned && i + 4 <= n) {
    *(float4*)(p + i) = v;
    return;
  }
  if (i < n) p[i] = v.x;
  if (i + 1 < n) p[i + 1] = v.y;
  if (i + 2 < n) p[i + 2] = v.z;
  if (i + 3 < n) p[i + 3] = v.w;
}

// quad is the place of a thread in a grid in which each takes four values of a row: values i … i+3 of row. Rows times
// ⌈cols/4⌉ is below 2³².
struct quad {
  i64 row, i;
};
// find_quad says whether the thread has one.
DEV bool find_quad(quad& q, u32 rows, i64 cols) {
  u32 perRow = (u32)((cols + 3) / 4), at = blockIdx.x * blockDim.x + threadIdx.x;
  q = {(i64)(at / perRow), (i64)(at % perRow) * 4};
  return q.row < (i64)rows;
}
