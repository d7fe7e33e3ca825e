// global.cpp: device memory as kernels see it. Every address is checked against the allocations that the
// launch may touch. Each instruction remembers the extent of what it touched, which makes the check one
// comparison in the usual case, and lets the driver see which operations touch the same bytes.
#include "grid.h"
#include "lane.h"

namespace fake {

enum Mode { READ, WRITE, ATOMIC };
static const char *const verb[] = {"read", "write", "atomic"};

// reach widens the site's extent by the lane's bytes, or reports them.
static void reach(Warp &w, Site &s, int lane, uint64_t a, uint32_t bytes, Mode mode) {
  if (a >= s.lo && a + bytes <= s.hi) return;
  if (!(a >= s.in.lo && a + bytes <= s.in.hi)) {
    const std::vector<Range> &may = *w.block->launch->may;
    size_t lo = 0, hi = may.size();
    while (lo < hi) {
      size_t mid = (lo + hi) / 2;
      if (may[mid].lo <= a) lo = mid + 1; else hi = mid;
    }
    if (!lo || a + bytes > may[lo - 1].hi)
      fault(w, lane, "global %s of %u bytes at %#llx: %s", verb[mode], bytes, (unsigned long long)a,
            w.block->launch->explain(a, w.block->launch->context).c_str());
    keep(w.block->trace, s);
    s = {a, a + bytes, may[lo - 1], mode != READ};
    return;
  }
  if (a < s.lo) s.lo = a;
  if (a + bytes > s.hi) s.hi = a + bytes;
}

// check admits the addresses of all lanes in m.
template <int Bytes> static inline void check(Warp &w, Site &s, Mask m, const U8 &a, uint32_t align, Mode mode) {
  Mask odd = bits((I8)((a & (uint64_t)(align - 1)) != 0ull)) & m;
  if (__builtin_expect(odd, 0)) {
    int l = __builtin_ctz(odd);
    fault(w, l, "global %s at %#llx: the address must be a multiple of %u", verb[mode], (unsigned long long)at(a, l), align);
  }
  Mask out = bits((I8)(a < s.lo) | (I8)(a + (uint64_t)Bytes > s.hi)) & m;
  for (; __builtin_expect(out, 0); out &= out - 1) reach(w, s, __builtin_ctz(out), at(a, __builtin_ctz(out)), Bytes, mode);
}

// consecutive: all lanes are there and each address follows the one before.
template <int Bytes> static inline bool consecutive(Mask m, const U8 &a) {
  if (m != ~0u) return false;
  return bits((I8)((a - lanes * (uint64_t)Bytes) != a[0])) == 0;
}

template <int Bytes> struct Word;
template <> struct Word<1> { typedef uint8_t T; };
template <> struct Word<2> { typedef uint16_t T; };
template <> struct Word<4> { typedef uint32_t T; };
template <> struct Word<8> { typedef uint64_t T; };

template <int Bytes, int Count> static inline void gather(Mask m, const U8 &a, void *out) {
  typedef typename Word<Bytes>::T T;
  T *o = (T *)out;
  if (Count == 1 && consecutive<Bytes>(m, a)) { memcpy(o, (const void *)a[0], 32 * Bytes); return; }
  for (; m; m &= m - 1) {
    int l = __builtin_ctz(m);
    const T *p = (const T *)at(a, l);
    for (int c = 0; c < Count; c++) o[32 * c + l] = p[c];
  }
}
template <int Bytes, int Count> static inline void scatter(Mask m, const U8 &a, const void *in) {
  typedef typename Word<Bytes>::T T;
  const T *o = (const T *)in;
  if (Count == 1 && consecutive<Bytes>(m, a)) { memcpy((void *)a[0], o, 32 * Bytes); return; }
  for (; m; m &= m - 1) {
    int l = __builtin_ctz(m);
    T *p = (T *)at(a, l);
    for (int c = 0; c < Count; c++) p[c] = o[32 * c + l];
  }
}

template <int Bytes, int Count> void loadGlobal(Warp &w, uint32_t site, Mask m, const U8 &a, void *out) {
  check<Bytes * Count>(w, w.sites[site], m, a, Bytes * Count, READ);
  gather<Bytes, Count>(m, a, out);
}
template <int Bytes, int Count> void storeGlobal(Warp &w, uint32_t site, Mask m, const U8 &a, const void *in) {
  check<Bytes * Count>(w, w.sites[site], m, a, Bytes * Count, WRITE);
  scatter<Bytes, Count>(m, a, in);
}

// Which lanes' generic addresses are in the block's shared memory, and which on a thread's own stack.
static Mask inShared(Warp &w, const U8 &a) {
  uint64_t base = (uint64_t)w.block->shared;
  return bits((I8)(a - base < (uint64_t)w.block->sharedBytes));
}
static Mask inLocal(Warp &w, const U8 &a) {
  return bits((I8)(a - (uint64_t)w.frame < w.frameBytes));
}

template <int Bytes, int Count> void loadGeneric(Warp &w, uint32_t site, Mask m, const U8 &a, void *out) {
  Mask s = inShared(w, a) & m, l = inLocal(w, a) & m, g = m & ~s & ~l;
  if (g) loadGlobal<Bytes, Count>(w, site, g, a, out);
  if (s) loadShared<Bytes, Count>(w, s, a - (uint64_t)w.block->shared, out);
  if (l) gather<Bytes, Count>(l, a, out);
}
template <int Bytes, int Count> void storeGeneric(Warp &w, uint32_t site, Mask m, const U8 &a, const void *in) {
  Mask s = inShared(w, a) & m, l = inLocal(w, a) & m, g = m & ~s & ~l;
  if (g) storeGlobal<Bytes, Count>(w, site, g, a, in);
  if (s) storeShared<Bytes, Count>(w, s, a - (uint64_t)w.block->shared, in);
  if (l) scatter<Bytes, Count>(l, a, in);
}

static void checkLocal(Warp &w, Mask m, const U8 &a, uint32_t bytes) {
  Mask out = bits((I8)(a - (uint64_t)w.frame > w.frameBytes - bytes)) & m;
  if (out) fault(w, __builtin_ctz(out), "local access of %u bytes outside the thread's %llu bytes", bytes, (unsigned long long)w.frameBytes / 32);
}
template <int Bytes, int Count> void loadLocal(Warp &w, Mask m, const U8 &a, void *out) {
  checkLocal(w, m, a, Bytes * Count);
  gather<Bytes, Count>(m, a, out);
}
template <int Bytes, int Count> void storeLocal(Warp &w, Mask m, const U8 &a, const void *in) {
  checkLocal(w, m, a, Bytes * Count);
  scatter<Bytes, Count>(m, a, in);
}

// ---- atomics

template <class T> static T combine(AtomicOp op, T old, T a, T b) {
  switch (op) {
  case ADD: return old + a;
  case MIN: return a < old ? a : old;
  case MAX: return a > old ? a : old;
  case EXCH: return a;
  case CAS: return old == a ? b : old;
  default: break;
  }
  if constexpr (std::is_integral_v<T>) {
    switch (op) {
    case AND: return old & a;
    case OR: return old | a;
    case XOR: return old ^ a;
    case INC: return old >= a ? 0 : old + 1;
    case DEC: return old == 0 || old > a ? a : old - 1;
    default: break;
    }
  }
  return old;
}
template <class T> static void atomics(Mask m, AtomicOp op, const U8 &address, const void *a, const void *b, void *old) {
  for (; m; m &= m - 1) {
    int l = __builtin_ctz(m);
    T *p = (T *)at(address, l), was, now, x = ((const T *)a)[l], y = b ? ((const T *)b)[l] : T();
    __atomic_load(p, &was, __ATOMIC_RELAXED);
    do now = combine(op, was, x, y);
    while (!__atomic_compare_exchange(p, &was, &now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    if (old) ((T *)old)[l] = was;
  }
}
static void atomics(Mask m, AtomicOp op, AtomicType t, const U8 &p, const void *a, const void *b, void *old) {
  switch (t) {
  case S32: return atomics<int32_t>(m, op, p, a, b, old);
  case U32: return atomics<uint32_t>(m, op, p, a, b, old);
  case F32: return atomics<float>(m, op, p, a, b, old);
  case S64: return atomics<int64_t>(m, op, p, a, b, old);
  case U64: return atomics<uint64_t>(m, op, p, a, b, old);
  case F64: return atomics<double>(m, op, p, a, b, old);
  }
}
void atomicGlobal(Warp &w, uint32_t site, Mask m, AtomicOp op, AtomicType t, const U8 &p, const void *a, const void *b, void *old) {
  if (t < S64) check<4>(w, w.sites[site], m, p, 4, ATOMIC);
  else check<8>(w, w.sites[site], m, p, 8, ATOMIC);
  atomics(m, op, t, p, a, b, old);
}
void atomicShared(Warp &w, Mask m, AtomicOp op, AtomicType t, const U8 &offset, const void *a, const void *b, void *old) {
  sharedAtomic(w, m, offset, t < S64 ? 4 : 8);
  atomics(m, op, t, offset + (uint64_t)w.block->shared, a, b, old);
}
void atomicGeneric(Warp &w, uint32_t site, Mask m, AtomicOp op, AtomicType t, const U8 &p, const void *a, const void *b, void *old) {
  Mask s = inShared(w, p) & m;
  if (m & ~s) atomicGlobal(w, site, m & ~s, op, t, p, a, b, old);
  if (s) atomicShared(w, s, op, t, p - (uint64_t)w.block->shared, a, b, old);
}

#define FAKE_BOTH(B, C)                                                                                     \
  template void loadGlobal<B, C>(Warp &, uint32_t, Mask, const U8 &, void *);                               \
  template void storeGlobal<B, C>(Warp &, uint32_t, Mask, const U8 &, const void *);                        \
  template void loadLocal<B, C>(Warp &, Mask, const U8 &, void *);                                          \
  template void storeLocal<B, C>(Warp &, Mask, const U8 &, const void *);                                   \
  template void loadGeneric<B, C>(Warp &, uint32_t, Mask, const U8 &, void *);                              \
  template void storeGeneric<B, C>(Warp &, uint32_t, Mask, const U8 &, const void *);
FAKE_EACH_WIDTH(FAKE_BOTH)

// ---- cp.async: the source is checked here, the rest is in shared.cpp

void checkAsyncSource(Warp &w, uint32_t site, int lane, uint64_t from, uint32_t n) {
  reach(w, w.sites[site], lane, from, n, READ);
}

} // namespace fake
