// warp.h: the machine that translated kernels run on.
//
// A warp's 32 threads run in lockstep: a register is a vector of 32 lanes, a predicate is a word of 32
// bits, and a kernel is one C++ function that works for a whole warp. Where threads part, each group of
// threads waits at the number of the basic block it is to run next, and the group with the smallest
// number goes first, so that they meet again where the branches do. A warp is a fiber: it is switched
// away only at block barriers.
#pragma once
#include <cstdint>
#include <cstring>
#include <vector>

namespace fake {

#define FAKE_VECTOR(T) T __attribute__((ext_vector_type(32)))
typedef FAKE_VECTOR(uint8_t) U1;
typedef FAKE_VECTOR(int8_t) I1;
typedef FAKE_VECTOR(uint16_t) U2;
typedef FAKE_VECTOR(int16_t) I2;
typedef FAKE_VECTOR(uint32_t) U4;
typedef FAKE_VECTOR(int32_t) I4;
typedef FAKE_VECTOR(uint64_t) U8;
typedef FAKE_VECTOR(int64_t) I8;
typedef FAKE_VECTOR(float) F4;
typedef FAKE_VECTOR(double) F8;
typedef uint16_t Halves __attribute__((ext_vector_type(64))); // the 16-bit halves of a U4
typedef uint32_t Mask; // bit l: lane l

struct Dim { uint32_t x, y, z; };

// A piece of memory that a kernel may touch.
struct Range { uint64_t lo, hi; };

// What one memory instruction of a kernel has touched so far of the allocation it touched last.
struct Site { uint64_t lo, hi; Range in; bool write; };

// Threads of a warp that are to go on at block pc. need is not 0 when they wait there for other threads.
struct Group { uint32_t pc; Mask mask, need; const char *at; };

// One cp.async instruction whose bytes have not arrived.
struct Arrival { uint32_t to[32]; uint64_t from[32]; uint32_t n[32], batch[32]; Mask mask; uint32_t bytes; };

struct Block;
struct Warp {
  U4 tid[3], linear;     // thread indices in the block
  Block *block;
  Site *sites;           // one for every memory instruction of the kernel
  uint32_t index;        // in the block
  uint32_t line;         // of the PTX text, for messages
  Mask all, live;        // threads at the start, threads that have not returned
  uint32_t groups;       // 0: all live threads are together
  Group group[32];
  uint32_t synced;       // moment of the last warp barrier
  uint32_t batch[32];    // cp.async.commit_group so far, by lane
  const char *frame;     // local memory of its threads
  uint64_t frameBytes;
  std::vector<Arrival> arrivals;
  void *stack, *sp;      // the fiber
  bool done, waiting;
};

struct Block {
  Dim ctaid, nctaid, ntid;
  char *shared;          // the block's shared memory
  uint32_t sharedBytes;
  struct Shadow *shadow; // who touched which byte of it, and when
  const struct Launch *launch;
  struct Trace *trace;   // what left the sites
};

// A translated kernel.
struct Kernel {
  const char *name;
  void (*run)(Warp &, const char *const *params);
  uint32_t sites;
};

// ---- control (grid.cpp, diverge.cpp)

[[noreturn]] void fault(const Warp &, int lane, const char *format, ...) __attribute__((format(printf, 3, 4)));
void park(Warp &, uint32_t pc, Mask, const char *barrier = nullptr); // threads wait to run block pc (at a barrier)
void await(Warp &, uint32_t pc, Mask, Mask need, const char *op);    // threads wait at block pc for others
uint32_t next(Warp &, Mask &);                                       // the block to run, and who runs it; ~0: none
void barrier(Warp &);                                                // all live threads of the warp are here

// ---- memory (global.cpp, shared.cpp). Addresses of lanes outside the mask are ignored; out holds
// Count vectors of 32 elements of Bytes.

template <int Bytes, int Count> void loadGlobal(Warp &, uint32_t site, Mask, const U8 &address, void *out);
template <int Bytes, int Count> void storeGlobal(Warp &, uint32_t site, Mask, const U8 &address, const void *in);
template <int Bytes, int Count> void loadShared(Warp &, Mask, const U8 &offset, void *out);
template <int Bytes, int Count> void storeShared(Warp &, Mask, const U8 &offset, const void *in);
template <int Bytes, int Count> void loadGeneric(Warp &, uint32_t site, Mask, const U8 &address, void *out);
template <int Bytes, int Count> void storeGeneric(Warp &, uint32_t site, Mask, const U8 &address, const void *in);
template <int Bytes, int Count> void loadLocal(Warp &, Mask, const U8 &address, void *out);
template <int Bytes, int Count> void storeLocal(Warp &, Mask, const U8 &address, const void *in);

enum AtomicOp { ADD, MIN, MAX, AND, OR, XOR, EXCH, CAS, INC, DEC };
enum AtomicType { S32, U32, F32, S64, U64, F64 };
void atomicGlobal(Warp &, uint32_t site, Mask, AtomicOp, AtomicType, const U8 &address, const void *a, const void *b, void *old);
void atomicShared(Warp &, Mask, AtomicOp, AtomicType, const U8 &offset, const void *a, const void *b, void *old);
void atomicGeneric(Warp &, uint32_t site, Mask, AtomicOp, AtomicType, const U8 &address, const void *a, const void *b, void *old);

void copyAsync(Warp &, uint32_t site, Mask, const U8 &to, const U8 &from, uint32_t bytes, const U4 &n);
void commitAsync(Warp &, Mask);
void waitAsync(Warp &, Mask, uint32_t n);
void warpBarrier(Warp &, Mask);

// ---- warp operations (warpop.cpp); the caller has checked that the threads they need are together

enum Shuffle { UP, DOWN, BFLY, IDX };
U4 shuffle(Warp &, Mask, Shuffle, const U4 &value, const U4 &b, const U4 &c, const U4 &members, Mask &inRange);
void loadMatrix(Warp &, const U8 &offset, int n, bool transposed, U4 *out);
void mmaBF16(U4 *d, const U4 *a, const U4 *b, const U4 *c); // m16n8k16

} // namespace fake
