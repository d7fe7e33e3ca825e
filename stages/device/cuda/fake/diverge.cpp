// diverge.cpp: groups of a warp's threads that are at different places of the kernel.
#include "warp.h"
#include <cstdio>
#include <cstdlib>

namespace fake {

static void add(Warp &w, uint32_t pc, Mask m, Mask need, const char *at) {
  bool atBarrier = at && !need;
  for (uint32_t i = 0; i < w.groups; i++) {
    Group &g = w.group[i];
    if (g.pc == pc && (g.at && !g.need) == atBarrier) { // they meet
      g.mask |= m;
      if (!atBarrier) g.need = 0, g.at = nullptr;
      return;
    }
  }
  w.group[w.groups++] = {pc, m, need, at};
}

void park(Warp &w, uint32_t pc, Mask m, const char *barrier) { add(w, pc, m, 0, barrier); }
void await(Warp &w, uint32_t pc, Mask m, Mask need, const char *op) {
  for (uint32_t i = 0; i < w.groups; i++)
    if (w.group[i].pc == pc && !(w.group[i].at && !w.group[i].need)) { add(w, pc, m, need, op); return; }
  w.group[w.groups++] = {pc, m, need, op};
}

static void take(Warp &w, uint32_t i, Mask &m) {
  m = w.group[i].mask;
  w.group[i] = w.group[--w.groups];
}

[[noreturn]] static void stuck(Warp &w) {
  char text[400];
  int n = 0;
  for (uint32_t i = 0; i < w.groups && n < 300; i++) {
    const Group &g = w.group[i];
    n += snprintf(text + n, sizeof text - n, "%sthreads %08x wait at %s", i ? ", " : "", g.mask, g.at);
    if (g.need) n += snprintf(text + n, sizeof text - n, " for threads %08x", g.need & w.live & ~g.mask);
  }
  fault(w, __builtin_ctz(w.group[0].mask), "the threads of warp %u never meet: %s", w.index, text);
}

uint32_t next(Warp &w, Mask &m) {
  for (;;) {
    int best = -1;
    bool barriers = w.groups > 0;
    for (uint32_t i = 0; i < w.groups; i++) {
      const Group &g = w.group[i];
      if (!g.at && (best < 0 || g.pc < w.group[best].pc)) best = i;
      if (!g.at || g.need || g.pc != w.group[0].pc) barriers = false;
    }
    if (best >= 0) {
      uint32_t pc = w.group[best].pc;
      take(w, best, m);
      return pc;
    }
    if (!w.groups) return ~0u;
    if (barriers) { // one group, and every live thread is in it
      uint32_t pc = w.group[0].pc;
      take(w, 0, m);
      barrier(w);
      return pc;
    }
    bool freed = false; // those they wait for may have returned meanwhile
    for (uint32_t i = 0; i < w.groups; i++) {
      Group &g = w.group[i];
      if (g.need && !(g.need & w.live & ~g.mask)) g.need = 0, g.at = nullptr, freed = true;
    }
    if (!freed) stuck(w);
  }
}

} // namespace fake
