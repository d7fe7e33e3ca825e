// driver.h: what the files of the fake driver share. One lock protects everything; calls may come from any
// thread, but a context is current per thread, as in the real driver.
#pragma once
#include <cuda.h>
#include "grid.h"
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace fake {

typedef std::vector<uint64_t> Clock; // by stream: how many of its operations came before

// Effects are the bytes that an operation touched.
typedef std::vector<Touched> Effects;

// Operation is what a stream or a graph runs. before looks at pinned sources when it is enqueued and gives
// what checks them when it runs.
struct Operation {
  std::string name;
  std::function<CUresult(Effects &)> run;
  std::vector<std::pair<const char *, size_t>> pinned; // read when it runs
};

struct Item {
  Operation op;
  Clock clock;
  std::vector<std::pair<CUstream_st *, uint64_t>> after; // operations of other streams to wait for
  std::vector<uint64_t> sums, versions;                  // of the pinned sources
  struct CUevent_st *event = nullptr;
  uint64_t eventSeq = 0;
};

struct Node { Operation op; std::vector<size_t> after; };
struct Capture { CUgraph_st *graph; CUstream_st *origin; CUstreamCaptureMode mode; bool broken = false; };

struct Done { uint64_t seq; std::string name; Effects effects; };

} // namespace fake

struct CUstream_st {
  CUctx_st *ctx;
  unsigned flags;
  size_t id;
  std::deque<fake::Item> queue;
  uint64_t queued = 0, finished = 0;
  fake::Clock clock;                 // of the last operation queued
  std::deque<fake::Done> log;        // finished operations that others may still collide with
  fake::Capture *capture = nullptr;
  std::vector<size_t> tail;          // in a capture: the nodes the next one comes after
  std::vector<std::pair<CUstream_st *, uint64_t>> waits; // for the next operation
  bool dead = false;
};
struct CUevent_st {
  CUctx_st *ctx;
  unsigned flags;
  CUstream_st *stream = nullptr; // where it was recorded last
  uint64_t seq = 0;
  fake::Clock clock;
  double time = 0;
  fake::Capture *capture = nullptr;
  std::vector<size_t> nodes;
  bool dead = false;
};
struct CUctx_st {
  int device;
  bool primary;
  CUresult fault = CUDA_SUCCESS; // sticks, as on a real device
  CUstream_st legacy{};          // the default stream
  std::vector<CUstream_st *> streams;
  std::map<CUctx_st *, bool> peers;
  std::vector<fake::Range> may;  // what its kernels may touch, and when that was computed
  uint64_t mayVersion = 0;
};
struct CUgraph_st { std::vector<fake::Node> nodes; };
struct CUgraphExec_st { std::vector<fake::Node> nodes; CUctx_st *ctx; };

namespace fake {

struct Allocation {
  size_t bytes, mapped;
  int device;             // -1: pinned host memory
  char *map;
  bool live = true;       // false before and after its time in stream order
  bool pooled = false;    // from a device's pool
  uint64_t version = 0;   // of pinned memory: how often the device wrote it
};

extern std::recursive_mutex lock;
typedef std::lock_guard<std::recursive_mutex> Locked;
extern bool initialized;
extern std::map<uint64_t, Allocation> allocations;
extern uint64_t allocationsVersion; // counts changes of what may be touched
extern std::vector<CUctx_st *> contexts;
bool poolOpen(int device, int to); // may kernels of one device use the pool of another?

CUresult say(CUresult, const char *format, ...) __attribute__((format(printf, 2, 3)));
CUctx_st *current();
// usable gives the current context, or why there is none to use.
CUresult usable(const char *call, CUctx_st *&);
#define FAKE_CONTEXT(c) Locked locked(fake::lock); CUctx_st *c; if (CUresult r_ = usable(__func__, c)) return r_
#define FAKE_TRY(x) do { if (CUresult r_ = (x)) return r_; } while (0)

Allocation *find(uint64_t address, size_t bytes);
std::string explain(uint64_t address, CUctx_st *);
CUresult inside(CUctx_st *, uint64_t address, size_t bytes, const char *call, bool peersToo);
const std::vector<Range> &mayTouch(CUctx_st *);

// ---- streams
CUresult enqueue(CUctx_st *, CUstream, Operation);
CUresult finish(CUstream_st *);
CUresult finishContext(CUctx_st *);
CUresult refuseCapture(CUctx_st *, const char *call); // a call that a capture forbids
void newStream(CUctx_st *, CUstream_st *, unsigned flags);
double now();
uint64_t randomNumber();
CUresult runNodes(const std::vector<Node> &, Effects &);
uint64_t checksum(const char *, size_t);

} // namespace fake
