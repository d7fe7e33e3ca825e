// shared.cpp: a block's shared memory, and the check that its threads do not race for it.
//
// For every two bytes there are two stamps: who wrote them last and who read them since the last barrier.
// A stamp is the moment (counted in barriers) and the thread. Two accesses are ordered if a barrier of the
// block lies between them, or a warp barrier if both are of one warp; shuffles, votes and the other warp
// operations order nothing. A cp.async stamps its bytes as underway until its thread waits for them. Bytes
// that nobody has written in this block may not be read.
#include "grid.h"
#include "lane.h"

namespace fake {

// Stamp: moment << 12 | severalWarps << 11 | severalLanes << 10 | warp << 5 | lane
static const uint32_t SEVERAL_WARPS = 1 << 11, SEVERAL_LANES = 1 << 10, SEVERAL = SEVERAL_WARPS | SEVERAL_LANES, WHO = 1023, WARP = 31 << 5;
static const uint32_t UNDERWAY = ~0u;
static const uint32_t LAST = (1 << 20) - 2; // the last moment that fits

struct Shadow {
  std::vector<uint32_t> wrote, read; // one for every two bytes
  uint32_t now = 1, start = 1, epoch = 1;
  bool underway = false; // some stamps may say so
};
Shadow *newShadow() { return new Shadow; }
void freeShadow(Shadow *s) { delete s; }
void startBlock(Shadow *s, uint32_t bytes) {
  size_t n = bytes / 2 + 16;
  if (s->wrote.size() < n) s->wrote.resize(n), s->read.resize(n);
  if (s->now > LAST / 2) {
    std::fill(s->wrote.begin(), s->wrote.end(), 0);
    std::fill(s->read.begin(), s->read.end(), 0);
    s->now = 0;
  }
  if (s->underway) { // of a block that ended without waiting
    for (uint32_t &t : s->wrote)
      if (t == UNDERWAY) t = 0;
    s->underway = false;
  }
  s->start = s->epoch = ++s->now;
}
void blockBarrier(Shadow *s) {
  if (s->now >= LAST - 1) { // start counting again, remembering only what was written
    for (uint32_t &t : s->wrote)
      if (t != UNDERWAY) t = t >> 12 >= s->start ? 1 << 12 : 0;
    std::fill(s->read.begin(), s->read.end(), 0);
    s->start = s->now = 1;
  }
  s->epoch = ++s->now;
}
void warpBarrier(Warp &w, Mask) {
  Shadow *s = w.block->shadow;
  if (s->now < LAST) ++s->now;
  w.synced = s->now;
}

static uint32_t me(const Warp &w, int lane) { return w.index << 5 | lane; }

[[noreturn]] static void race(Warp &w, int lane, uint64_t half, const char *what, uint32_t other, const char *did) {
  if (other & SEVERAL_WARPS) fault(w, lane, "race in shared memory at byte %llu: %s, and threads of several warps %s it with no barrier between", (unsigned long long)half * 2, what, did);
  fault(w, lane, "race in shared memory at byte %llu: %s, and thread %u%s %s it with no barrier between", (unsigned long long)half * 2, what,
        other & WHO, other & SEVERAL_LANES ? " or others of its warp" : "", did);
}

// ordered: may thread who of warp w come after the access with stamp t? (t is of this epoch)
static inline bool sameThread(uint32_t t, uint32_t who) { return (t & WHO) == who && !(t & SEVERAL); }
static inline bool sameWarp(uint32_t t, uint32_t who) { return !((t ^ who) & WARP) && !(t & SEVERAL_WARPS); }

static void badWrite(Warp &w, const Shadow &s, int lane, uint64_t half, uint32_t t, const char *what) { // after a write with stamp t
  uint32_t who = me(w, lane);
  if (t == UNDERWAY) fault(w, lane, "shared memory at byte %llu is %s while a cp.async into it is underway: no thread has waited for it", (unsigned long long)half * 2, what);
  if (t >> 12 < s.start) {
    if (settings().uninitialized && what[0] == 'r') fault(w, lane, "shared memory at byte %llu is read, and no thread of the block has written it", (unsigned long long)half * 2);
    return;
  }
  if (t >> 12 < s.epoch || sameThread(t, who)) return;
  if (sameWarp(t, who) && t >> 12 < w.synced) return;
  race(w, lane, half, what, t, "wrote");
}
static inline uint32_t readStamp(const Warp &w, const Shadow &s, uint32_t r, uint32_t mine) {
  uint32_t same = !((r ^ mine) & WARP), several = r & SEVERAL_WARPS;
  uint32_t merged = mine | (r & SEVERAL) | (same ? ((r ^ mine) & 31 ? SEVERAL_LANES : 0) : SEVERAL_WARPS);
  bool fresh = r < s.epoch << 12 || (same && !several && r < w.synced << 12);
  return fresh ? mine : merged;
}

// noteRead checks and stamps the n halves from half on; who is the stamp of the reader's first half and
// each lane covers `per` halves.
static inline __attribute__((always_inline)) void noteRead(Warp &w, Shadow &s, uint64_t half, uint32_t n, int lane, uint32_t flags, uint32_t per) {
  const uint32_t lo = s.start << 12, span = (s.epoch - s.start) << 12;
  uint32_t *wr = s.wrote.data() + half, *rd = s.read.data() + half;
  uint32_t bad = 0;
  for (uint32_t i = 0; i < n; i++) bad |= wr[i] - lo >= span;
  if (bad)
    for (uint32_t i = 0; i < n; i++)
      if (wr[i] - lo >= span) badWrite(w, s, lane + i / per, half + i, wr[i], "read");
  const uint32_t base = s.now << 12 | flags | w.index << 5;
  for (uint32_t i = 0; i < n; i++) rd[i] = readStamp(w, s, rd[i], base | (lane + i / per));
}
static inline __attribute__((always_inline)) void noteWrite(Warp &w, Shadow &s, uint64_t half, uint32_t n, int lane, uint32_t per, uint32_t stamp) {
  const uint32_t edge = s.epoch << 12;
  uint32_t *wr = &s.wrote[half], *rd = &s.read[half];
  uint32_t bad = 0;
  for (uint32_t i = 0; i < n; i++) bad |= (wr[i] >= edge) | (rd[i] >= edge);
  if (bad)
    for (uint32_t i = 0; i < n; i++) {
      uint32_t who = me(w, lane + i / per), r = rd[i];
      if (wr[i] >= edge) badWrite(w, s, lane + i / per, half + i, wr[i], "written");
      if (r >= edge && !sameThread(r, who) && !(sameWarp(r, who) && r >> 12 < w.synced))
        race(w, lane + i / per, half + i, "written", r, "read");
    }
  if (stamp == UNDERWAY)
    for (uint32_t i = 0; i < n; i++) wr[i] = UNDERWAY;
  else
    for (uint32_t i = 0; i < n; i++) wr[i] = s.now << 12 | w.index << 5 | (lane + i / per);
}

// admit checks bounds and alignment.
static inline void admit(Warp &w, Mask m, const U8 &o, uint32_t bytes, const char *verb) {
  Mask odd = bits((I8)((o & (uint64_t)(bytes - 1)) != 0ull)) & m;
  Mask out = w.block->sharedBytes < bytes ? m : bits((I8)(o > (uint64_t)(w.block->sharedBytes - bytes))) & m;
  if (__builtin_expect(out, 0)) {
    int l = __builtin_ctz(out);
    fault(w, l, "shared %s of %u bytes at byte %lld: the block has %u bytes", verb, bytes, (long long)at(o, l), w.block->sharedBytes);
  }
  if (__builtin_expect(odd, 0)) {
    int l = __builtin_ctz(odd);
    fault(w, l, "shared %s at byte %lld: the address must be a multiple of %u", verb, (long long)at(o, l), bytes);
  }
}
template <int Bytes> static inline bool consecutive(Mask m, const U8 &o) {
  if (m != ~0u) return false;
  return bits((I8)((o - lanes * (uint64_t)Bytes) != o[0])) == 0;
}
// distinct leaves out lanes that read what an earlier lane reads, for the usual patterns: those in which a
// bit of the lane's number does not matter.
static inline Mask distinct(Mask m, const U8 &o) {
  if (m != ~0u) return m;
  const U4 a = convert<U4>(o);
#define SAME(bit, keep) if (!bits((I4)(a != __builtin_shufflevector(a, a, FAKE_LANES(bit))))) m &= keep
#define FAKE_LANES(b) 0 & ~b, 1 & ~b, 2 & ~b, 3 & ~b, 4 & ~b, 5 & ~b, 6 & ~b, 7 & ~b, 8 & ~b, 9 & ~b, 10 & ~b, 11 & ~b, 12 & ~b, 13 & ~b, 14 & ~b, 15 & ~b, \
  16 & ~b, 17 & ~b, 18 & ~b, 19 & ~b, 20 & ~b, 21 & ~b, 22 & ~b, 23 & ~b, 24 & ~b, 25 & ~b, 26 & ~b, 27 & ~b, 28 & ~b, 29 & ~b, 30 & ~b, 31 & ~b
  SAME(1, 0x55555555u);
  SAME(2, 0x33333333u);
  SAME(4, 0x0f0f0f0fu);
  SAME(8, 0x00ff00ffu);
  SAME(16, 0x0000ffffu);
#undef FAKE_LANES
#undef SAME
  return m;
}
template <int Bytes> struct Word;
template <> struct Word<1> { typedef uint8_t T; };
template <> struct Word<2> { typedef uint16_t T; };
template <> struct Word<4> { typedef uint32_t T; };
template <> struct Word<8> { typedef uint64_t T; };

template <int Bytes, int Count> void loadShared(Warp &w, Mask m, const U8 &o, void *out) {
  typedef typename Word<Bytes>::T T;
  const int N = Bytes * Count, H = N < 2 ? 1 : N / 2;
  admit(w, m, o, N, "read");
  char *base = w.block->shared;
  T *to = (T *)out;
  const bool row = N >= 2 && consecutive<N>(m, o);
  if (settings().races) {
    Shadow &s = *w.block->shadow;
    if (row) noteRead(w, s, o[0] / 2, 32 * H, 0, 0, H);
    else {
      const Mask r = distinct(m, o);
      for (Mask u = r; u; u &= u - 1) noteRead(w, s, at(o, __builtin_ctz(u)) / 2, H, __builtin_ctz(u), r != m ? SEVERAL_LANES : 0, H);
    }
  }
#ifdef FAKE_AVX512
  if (N == 4 && m == ~0u && !row) {
    const H2 at = as<H2>(convert<U4>(o));
    const H2 v = {{_mm512_i32gather_epi32(at.h[0], base, 1), _mm512_i32gather_epi32(at.h[1], base, 1)}};
    memcpy(to, &v, sizeof v);
    return;
  }
#endif
  if (row && Count == 1) { memcpy(to, base + o[0], 32 * Bytes); return; }
  for (; m; m &= m - 1) {
    int l = __builtin_ctz(m);
    const T *p = (const T *)(base + at(o, l));
    for (int c = 0; c < Count; c++) to[32 * c + l] = p[c];
  }
}
template <int Bytes, int Count> void storeShared(Warp &w, Mask m, const U8 &o, const void *in) {
  typedef typename Word<Bytes>::T T;
  const int N = Bytes * Count, H = N < 2 ? 1 : N / 2;
  admit(w, m, o, N, "write");
  char *base = w.block->shared;
  const T *from = (const T *)in;
  const bool row = N >= 2 && consecutive<N>(m, o);
  if (settings().races) {
    Shadow &s = *w.block->shadow;
    if (row) noteWrite(w, s, o[0] / 2, 32 * H, 0, H, 0);
    else for (Mask r = m; r; r &= r - 1) noteWrite(w, s, at(o, __builtin_ctz(r)) / 2, H, __builtin_ctz(r), H, 0);
  }
  if (row && Count == 1) { memcpy(base + o[0], from, 32 * Bytes); return; }
  for (; m; m &= m - 1) {
    int l = __builtin_ctz(m);
    T *p = (T *)(base + at(o, l));
    for (int c = 0; c < Count; c++) p[c] = from[32 * c + l];
  }
}
#define FAKE_BOTH(B, C)                                                                   \
  template void loadShared<B, C>(Warp &, Mask, const U8 &, void *);                       \
  template void storeShared<B, C>(Warp &, Mask, const U8 &, const void *);
FAKE_EACH_WIDTH(FAKE_BOTH)

// Atomics are ordered among themselves, not with plain reads and writes.
void sharedAtomic(Warp &w, Mask m, const U8 &o, uint32_t bytes) {
  admit(w, m, o, bytes, "atomic");
  if (!settings().races) return;
  Shadow &s = *w.block->shadow;
  for (; m; m &= m - 1) {
    int l = __builtin_ctz(m);
    for (uint64_t h = at(o, l) / 2; h < (at(o, l) + bytes) / 2; h++) badWrite(w, s, l, h, s.wrote[h], "read by an atomic");
  }
}

// ---- ldmatrix

void loadMatrix(Warp &w, const U8 &o, int n, bool transposed, U4 *out) {
  Mask m = n == 4 ? ~0u : (1u << 8 * n) - 1;
  admit(w, m, o, 16, "ldmatrix read");
  if (settings().races)
    for (int l = 0; l < 8 * n; l++) noteRead(w, *w.block->shadow, at(o, l) / 2, 8, 0, SEVERAL_LANES, 8);
  for (int i = 0; i < n; i++) {
    Halves v; // 8 rows of 8
    for (int r = 0; r < 8; r++) memcpy((char *)&v + 16 * r, w.block->shared + at(o, 8 * i + r), 16);
    if (transposed) {
      Halves t;
      for (int r = 0; r < 8; r++)
        for (int c = 0; c < 8; c++) t[8 * c + r] = v[8 * r + c];
      v = t;
    }
    memcpy(&out[i], &v, sizeof v);
  }
}

// ---- cp.async

void copyAsync(Warp &w, uint32_t site, Mask m, const U8 &to, const U8 &from, uint32_t bytes, const U4 &n) {
  admit(w, m, to, bytes, "cp.async write");
  if (w.arrivals.size() >= 4096) fault(w, 0, "more than 4096 cp.async instructions are underway in a warp");
  w.block->shadow->underway = true;
  Arrival a{};
  a.mask = m, a.bytes = bytes;
  const Site &s = w.sites[site];
  for (Mask r = m; r; r &= r - 1) {
    int l = __builtin_ctz(r);
    uint64_t src = at(from, l);
    if (at(n, l) > bytes) fault(w, l, "cp.async of %u bytes is asked to read %u", bytes, at(n, l));
    if (at(n, l) && src & (bytes - 1)) fault(w, l, "cp.async of %u bytes from %#llx: the address must be a multiple of %u", at(n, l), (unsigned long long)src, bytes);
    if (at(n, l) && !(src >= s.lo && src + at(n, l) <= s.hi)) checkAsyncSource(w, site, l, src, at(n, l));
    a.to[l] = at(to, l), a.from[l] = src, a.n[l] = at(n, l), a.batch[l] = w.batch[l];
    if (settings().races) noteWrite(w, *w.block->shadow, at(to, l) / 2, bytes / 2, l, bytes / 2, UNDERWAY);
    memset(w.block->shared + at(to, l), 0xff, bytes);
  }
  w.arrivals.push_back(a);
}
void commitAsync(Warp &w, Mask m) {
  for (int l = 0; l < 32; l++) w.batch[l] += m >> l & 1;
}
void waitAsync(Warp &w, Mask m, uint32_t n) {
  Shadow &s = *w.block->shadow;
  const bool races = settings().races;
  size_t keep = 0;
  for (Arrival &a : w.arrivals) {
    for (Mask r = a.mask & m; r; r &= r - 1) {
      int l = __builtin_ctz(r);
      if (a.batch[l] + n >= w.batch[l]) continue;
      char *p = w.block->shared + a.to[l];
      if (a.n[l] == 16) memcpy(p, (const void *)a.from[l], 16);
      else {
        memcpy(p, (const void *)a.from[l], a.n[l]);
        memset(p + a.n[l], 0, a.bytes - a.n[l]);
      }
      if (races) {
        uint32_t *t = &s.wrote[a.to[l] / 2], stamp = s.now << 12 | me(w, l);
        for (uint32_t i = 0; i < a.bytes / 2; i++) t[i] = stamp;
      }
      a.mask &= ~(1u << l);
    }
    if (a.mask) {
      if (&w.arrivals[keep] != &a) w.arrivals[keep] = a;
      keep++;
    }
  }
  w.arrivals.resize(keep);
}

} // namespace fake
