// Drawing a token from a row of logits: device.Sampling, with a block for each row. Only the token and its
// log-probability leave the device.
//
// Probabilities are compared as integers, weight(z) = ⌊2⁴⁰·exp(z − top)⌋: sums of them are exact in any order, so
// threads may add as they come. A token of weight 0 (less than 10⁻¹² of the most probable) is never drawn. Vocabularies
// have at most 2²³ tokens.
//
// What top-k, top-p and min-p keep is found without sorting. A histogram of the distance from the largest logit bounds
// the tokens that can matter; if they are few, as they mostly are, they are listed in shared memory, and the rest works
// on the list, else on the whole row. Everything else is one question, asked up to five times (select below): what is
// the smallest key up to which the weights reach a target?
#include "softmax.h"

#define THREADS 1024
#define WARPS (THREADS / WARP)
#define BINS 256
#define BINS_PER_NAT 16.f  // the last bin holds all that is further than 15.94 below the largest logit
#define LIST 4096

// One row's parameters.
struct alignas(8) draw {
  double u;
  u32 kind;        // one of the following
  u32 topK;        // 0: all
  float topP;      // 0: all
  float minP;
};
enum { GREEDY, PLAIN, TRUNCATED };

// Results in place of a token id: the row has no distribution.
enum { IS_NAN = -1, IS_INF = -2, IS_EMPTY = -3 };

#define WEIGHT_OF_ONE 1099511627776.f  // 2⁴⁰
DEV u64 weight_of(float z, float top) { return (u64)(exp1(z - top) * WEIGHT_OF_ONE); }

// key_of is smaller the larger z is, and the same for z that are equal; z_of is its inverse.
DEV u32 key_of(float z) {
  u32 b = bits_of(z + 0.f);  // −0 becomes +0
  return (b >> 31) ? b : ~(b | 0x80000000u);
}
DEV float z_of(u32 key) { return float_of((key >> 31) ? key : ~key & 0x7fffffffu); }

// shared_count is a sum of integers that threads of a block add to in any order. 64-bit additions to shared memory are
// slow loops, two of 32 bits with the carry are not.
struct shared_count {
  u32 lo, hi;
  __device__ u64 get() const { return join(lo, hi); }
  __device__ void add(u64 v) {
    u32 low = (u32)v, high = (u32)(v >> 32);
    u32 old = __atomic_fetch_add(&lo, low, __ATOMIC_RELAXED);
    high += old + low < old;
    if (high != 0) __atomic_fetch_add(&hi, high, __ATOMIC_RELAXED);
  }
};

struct token {
  float z;
  u32 id;
};

// What a block shares.
struct shared_state {
  token list[LIST];
  shared_count bins[BINS];
  u32 counts[BINS];
  u64 parts[WARPS];
  u64 below;
  u32 length, digit, found;
};

// scan returns the sum of v over the threads before this one, and over all in total.
DEV u64 scan(u64 v, u64& total, u64* parts) {
  u64 sum = v;
#pragma unroll
  for (u32 o = 1; o < WARP; o *= 2) {
    u64 w = shfl_up(sum, o);
    if (lane_id() >= o) sum += w;
  }
  if (lane_id() == WARP - 1) parts[warp_id()] = sum;
  __syncthreads();
  u64 before = 0;
  total = 0;
  for (u32 i = 0; i < WARPS; i++) {
    if (i < warp_id()) before += parts[i];
    total += parts[i];
  }
  __syncthreads();
  return before + sum - v;
}

// find_bin looks for the first bin up to which the bins add up to target, or the last that is not empty, and sets
// s.digit to it and s.below to the sum before it. A whole warp; weight(bin) is not 0 for all.
template <class F> DEV void find_bin(shared_state& s, u64 target, F weight) {
  u64 sum = 0;
  u32 last = BINS;
  for (u32 k = 0; k < BINS / WARP; k++) {
    u32 bin = lane_id() * (BINS / WARP) + k;
    u64 w = weight(bin);
    sum += w;
    if (w != 0) last = bin;
  }
  u64 upto = sum;
#pragma unroll
  for (u32 o = 1; o < WARP; o *= 2) {
    u64 w = shfl_up(upto, o);
    if (lane_id() >= o) upto += w;
  }
  u32 reached = ballot(upto >= target), filled = ballot(sum != 0);
  // The lane in whose bins the target is reached; without one, the last that has anything.
  u32 lane = reached != 0 ? __builtin_ctz(reached) : 31 - __builtin_clz(filled);
  if (lane_id() != lane) return;
  u64 below = upto - sum;
  u32 bin = lane * (BINS / WARP);
  while (bin < last && below + weight(bin) < target) below += weight(bin++);
  s.digit = bin;
  s.below = below;
}

// A row on its way through top-k, top-p and min-p: its tokens, by number.
struct candidates {
  shared_state& s;
  const float* z;
  float scale, top;
  bool listed;
  u32 n;
  __device__ token get(u32 i) const { return listed ? s.list[i] : token{z[i] * scale, i}; }
};

// select returns the smallest key up to which (that included) the weights of tokens add up to target, and in below the
// sum before it; the largest key if they never do. item(token, key, weight) says what a token counts for, and returns
// false for one that does not take part; at least one must, with a weight. Keys are compared from bit bits on down.
template <class F> DEV u32 select(candidates& c, u32 bits, u64 target, u64& below, F item) {
  u32 key = 0;
  below = 0;
  for (int shift = (int)bits - 8; shift >= 0; shift -= 8) {
    for (u32 i = threadIdx.x; i < BINS; i += THREADS) c.s.bins[i] = {0, 0};
    __syncthreads();
    for (u32 i = threadIdx.x; i < c.n; i += THREADS) {
      u32 k;
      u64 w;
      if (item(c.get(i), k, w) && ((u64)(k ^ key) >> (shift + 8)) == 0) c.s.bins[k >> shift & (BINS - 1)].add(w);
    }
    __syncthreads();
    if (warp_id() == 0) find_bin(c.s, target - below, [&](u32 bin) { return c.s.bins[bin].get(); });
    __syncthreads();
    key |= c.s.digit << shift;
    below += c.s.below;
    __syncthreads();
  }
  return key;
}

// border is the last token that is kept, from the most to the least probable.
struct border {
  u32 key, id;
  __device__ bool keeps(token t) const {
    u32 k = key_of(t.z);
    return k < key || (k == key && t.id <= id);
  }
};

// narrow returns the border behind the fewest tokens within b that reach target: in number, or in weight.
DEV border narrow(candidates& c, border b, bool byWeight, u64 target) {
  u64 below;
  u32 key = select(c, 32, target, below, [&](token t, u32& k, u64& w) {
    k = key_of(t.z);
    u64 weight = weight_of(t.z, c.top);
    w = byWeight ? weight : 1;
    return weight != 0 && b.keeps(t);
  });
  // How many of the equals behind the larger ones, in order of id.
  u64 equals = target - below;
  if (byWeight) {
    u64 each = weight_of(z_of(key), c.top);
    equals = (equals + each - 1) / each;
  }
  u32 id = select(c, 24, equals, below, [&](token t, u32& k, u64& w) {
    k = t.id;
    w = 1;
    return key_of(t.z) == key && b.keeps(t);
  });
  return {key, id};
}

// total_of adds up the weights of the tokens that keep holds.
template <class F> DEV u64 total_of(candidates& c, F keep) {
  u64 sum = 0, total;
  for (u32 i = threadIdx.x; i < c.n; i += THREADS) {
    token t = c.get(i);
    if (keep(t)) sum += weight_of(t.z, c.top);
  }
  scan(sum, total, c.s.parts);
  return total;
}

// list_candidates fills in c: the tokens that top-k, top-p or min-p may keep and all that are more probable than any of
// these. It returns the weight of all tokens.
DEV u64 list_candidates(candidates& c, u32 vocabulary, draw p) {
  shared_state& s = c.s;
  for (u32 i = threadIdx.x; i < BINS; i += THREADS) {
    s.bins[i] = {0, 0};
    s.counts[i] = 0;
  }
  if (threadIdx.x == 0) s.length = 0;
  __syncthreads();
  auto bin_of = [&](float z) { return (u32)min_of((c.top - z) * BINS_PER_NAT, (float)(BINS - 1)); };
  u64 farWeight = 0;
  u32 far = 0;  // most tokens fall into the last bin: no contention for it
#pragma unroll 4
  for (u32 i = threadIdx.x; i < vocabulary; i += THREADS) {
    float z = c.z[i] * c.scale;
    u64 w = weight_of(z, c.top);
    if (w == 0) continue;
    u32 bin = bin_of(z);
    if (bin == BINS - 1) {
      far++;
      farWeight += w;
    } else {
      __atomic_fetch_add(&s.counts[bin], 1u, __ATOMIC_RELAXED);
      s.bins[bin].add(w);
    }
  }
  if (far != 0) {
    s.bins[BINS - 1].add(farWeight);
    __atomic_fetch_add(&s.counts[BINS - 1], far, __ATOMIC_RELAXED);
  }
  __syncthreads();
  u64 total;
  scan(threadIdx.x < BINS ? s.bins[threadIdx.x].get() : 0, total, s.parts);
  bool byOrder = p.topK > 0 || p.topP > 0;
  u32 last = BINS - 1;
  if (byOrder) {
    if (warp_id() == 0) {
      if (p.topK > 0)
        find_bin(s, p.topK, [&](u32 bin) { return (u64)s.counts[bin]; });
      else
        find_bin(s, max_of((u64)((double)p.topP * (double)total), (u64)1) + 1, [&](u32 bin) { return s.bins[bin].get(); });
    }
    __syncthreads();
    last = s.digit;
  }
  u32 lanesBelow = (1u << lane_id()) - 1;
  for (u32 at = 0; at < vocabulary; at += THREADS) {
    u32 i = at + threadIdx.x;
    float z = i < vocabulary ? c.z[i] * c.scale : -INFINITY;
    bool take = weight_of(z, c.top) != 0 && bin_of(z) <= last && (byOrder || exp1(z - c.top) >= p.minP);
    u32 lanes = ballot(take), from = 0;
    if (lanes == 0) continue;
    if (lane_id() == 0) from = __atomic_fetch_add(&s.length, (u32)__builtin_popcount(lanes), __ATOMIC_RELAXED);
    from = shfl(from, 0) + __builtin_popcount(lanes & lanesBelow);
    if (take && from < LIST) s.list[from] = {z, i};
  }
  __syncthreads();
  c.listed = s.length <= LIST;
  c.n = c.listed ? s.length : vocabulary;
  return total;
}

// draw_truncated draws among what top-k, top-p and min-p keep.
DEV u32 draw_truncated(shared_state& s, const float* z, u32 vocabulary, float scale, float top, draw p) {
  candidates c{s, z, scale, top, false, vocabulary};
  u64 left = list_candidates(c, vocabulary, p), below;
  border b = {~0u, ~0u};
  if (p.topK > 0) {
    b = narrow(c, b, false, p.topK);
    if (p.topP > 0) left = total_of(c, [&](token t) { return b.keeps(t); });
  }
  if (p.topP > 0) {
    double share = (double)p.topP * (double)left;
    u64 target = (u64)share;
    if ((double)target < share) target++;
    b = narrow(c, b, true, max_of(target, (u64)1));
  }
  auto kept = [&](token t) { return b.keeps(t) && exp1(t.z - top) >= p.minP; };
  u64 total = total_of(c, kept);
  return select(c, 24, min_of((u64)(p.u * (double)total), total - 1) + 1, below, [&](token t, u32& k, u64& w) {
    k = t.id;
    w = weight_of(t.z, top);
    return kept(t);
  });
}

// draw_plain draws among all tokens: the masses of the chunks, which are there already, tell in which of them the draw
// falls and at what part of it, so only that one is looked at.
DEV u32 draw_plain(shared_state& s, const float* z, u32 vocabulary, float scale, softmax_total t, const sums* chunks,
                   u32 n, double u) {
  double want = u * t.sum, before = 0, part = 1;
  u32 chunk = 0;
  for (u32 base = 0; base < n; base += WARP) {  // every warp the same
    u32 i = base + lane_id();
    double mass = i < n ? mass_of(chunks[i], t.top) : 0, upto = mass;
#pragma unroll
    for (u32 o = 1; o < WARP; o *= 2) {
      double w = double_of(shfl_up(bits_of(upto), o));
      if (lane_id() >= o) upto += w;
    }
    u32 filled = ballot(mass != 0), reached = ballot(mass != 0 && before + upto > want);
    if (filled != 0) chunk = base + 31 - __builtin_clz(filled);  // if rounding leads past everything: the end of the last
    if (reached != 0) {
      u32 lane = __builtin_ctz(reached);
      chunk = base + lane;
      double m = double_of(shfl(bits_of(mass), lane)), end = before + double_of(shfl(bits_of(upto), lane));
      part = (want - (end - m)) / m;
      break;
    }
    before += double_of(shfl(bits_of(upto), WARP - 1));
  }
  u32 from = chunk * CHUNK, end = min_of(from + CHUNK, vocabulary);
  float top = chunks[chunk].top;
  u64 w[CHUNK / THREADS], sum = 0, total;
#pragma unroll
  for (u32 k = 0; k < CHUNK / THREADS; k++) {
    u32 i = from + threadIdx.x * (CHUNK / THREADS) + k;
    w[k] = i < end ? weight_of(z[i] * scale, top) : 0;
    sum += w[k];
  }
  u64 at = scan(sum, total, s.parts);
  u64 target = min_of((u64)(max_of(part, 0.0) * (double)total), total - 1);
#pragma unroll
  for (u32 k = 0; k < CHUNK / THREADS; k++) {
    if (at <= target && target < at + w[k]) s.found = from + threadIdx.x * (CHUNK / THREADS) + k;
    at += w[k];
  }
  __syncthreads();
  return s.found;
}

// find_top returns the first token with the largest logit, top.
DEV u32 find_top(shared_state& s, const float* z, u32 vocabulary, float scale, float top, const sums* chunks, u32 n) {
  u32 chunk = 0;
  for (u32 base = 0; base < n; base += WARP) {
    u32 i = base + lane_id(), is = ballot(i < n && chunks[i].top == top);
    if (is == 0) continue;
    chunk = base + __builtin_ctz(is);
    break;
  }
  u32 from = chunk * CHUNK, end = min_of(from + CHUNK, vocabulary), first = ~0u;
  for (u32 i = from + threadIdx.x; i < end; i += THREADS)
    if (z[i] * scale == top) first = min_of(first, i);
#pragma unroll
  for (int o = WARP / 2; o > 0; o /= 2) first = min_of(first, shfl_xor(first, o));
  if (lane_id() == 0) s.parts[warp_id()] = first;
  __syncthreads();
  for (u32 i = 0; i < WARPS; i++) first = min_of(first, (u32)s.parts[i]);
  return first;
}

// ids[row] is the token drawn, or why there is none; logp[row] its log-probability. chunks are the sums of the row's
// logits at the scale (softmax_sums_f32), n to a row.
KERNEL(THREADS) sample_f32(int* ids, float* logp, const float* z, i64 ldz, u32 vocabulary, const sums* chunks, u32 n,
                           const float* scales, const draw* draws) {
  __shared__ shared_state s;
  u32 row = blockIdx.x;
  z += row * ldz;
  chunks += (u64)row * n;
  float scale = scales[row];
  draw p = draws[row];
  softmax_total t = combine(chunks, n);  // in every warp, the same bits
  if (!(t.top < INFINITY && t.top > -INFINITY)) {
    if (threadIdx.x == 0) {
      ids[row] = t.top != t.top ? IS_NAN : t.top > 0 ? IS_INF : IS_EMPTY;
      logp[row] = 0;
    }
    return;
  }
  u32 id;
  if (p.kind == GREEDY)
    id = find_top(s, z, vocabulary, scale, t.top, chunks, n);
  else if (p.kind == PLAIN)
    id = draw_plain(s, z, vocabulary, scale, t, chunks, n, p.u);
  else
    id = draw_truncated(s, z, vocabulary, scale, t.top, p);
  if (threadIdx.x == 0) {
    ids[row] = (int)id;
    logp[row] = t.log_prob(z[id] * scale);
  }
}
