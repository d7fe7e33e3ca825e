// grid.h: launches of translated kernels.
#pragma once
#include "warp.h"
#include <atomic>
#include <string>

namespace fake {

// What a launch was asked to do, and what it may touch.
struct Launch {
  const Kernel *kernel;
  const char *const *params;
  Dim grid, block;
  uint32_t shared;               // bytes, static and dynamic
  const std::vector<Range> *may; // sorted
  // explain says what an address is that is not in may, for messages.
  std::string (*explain)(uint64_t address, void *context);
  void *context;
};

// An access of a launch: the bytes that one of its memory instructions touched are within [lo, hi).
struct Touched { uint64_t lo, hi; bool write; };

// run executes the whole grid and returns an empty string, or what went wrong.
std::string run(const Launch &, std::vector<Touched> &touched);

// Settings are read once, from the environment (README.md).
struct Settings {
  int threads, order;
  bool races, uninitialized, streamRaces, eager, quiet, leaks;
  uint64_t seed, memory;
  int devices;
  bool peers;
};
const Settings &settings();

// ---- between the runtime's files

// Every width of loads and stores: bytes of an element, elements.
#define FAKE_EACH_WIDTH(M) M(1, 1) M(1, 2) M(1, 4) M(2, 1) M(2, 2) M(2, 4) M(4, 1) M(4, 2) M(4, 4) M(8, 1) M(8, 2)

static const uint64_t stackBytes = 1 << 20; // of a warp

struct Trace;
void keep(Trace *, const Site &); // a site moves on to another allocation
void checkAsyncSource(Warp &, uint32_t site, int lane, uint64_t from, uint32_t n);
void sharedAtomic(Warp &, Mask, const U8 &offset, uint32_t bytes);

struct Shadow;
Shadow *newShadow();
void freeShadow(Shadow *);
void startBlock(Shadow *, uint32_t bytes);
void blockBarrier(Shadow *);

} // namespace fake
