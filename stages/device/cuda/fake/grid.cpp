// grid.cpp: runs the blocks of a launch on a few worker threads. A block runs on one worker; its warps are
// fibers that take turns at barriers.
#include "grid.h"
#include "lane.h"
#include <condition_variable>
#include <csetjmp>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <sys/mman.h>
#include <thread>

namespace fake {

const Settings &settings() {
  auto number = [](const char *name, uint64_t otherwise) { const char *v = getenv(name); return v && *v ? strtoull(v, nullptr, 0) : otherwise; };
  static const Settings s = [&] {
    Settings s;
    int cores = std::thread::hardware_concurrency();
    s.threads = number("FAKECUDA_THREADS", cores < 1 ? 1 : cores > 8 ? 8 : cores);
    s.order = number("FAKECUDA_ORDER", 0);
    s.races = number("FAKECUDA_RACES", 1);
    s.uninitialized = number("FAKECUDA_UNINITIALIZED", 1);
    s.streamRaces = number("FAKECUDA_STREAM_RACES", 1);
    s.eager = number("FAKECUDA_EAGER", 0);
    s.quiet = number("FAKECUDA_QUIET", 0);
    s.leaks = number("FAKECUDA_LEAKS", 0);
    s.seed = number("FAKECUDA_SEED", 1);
    s.memory = number("FAKECUDA_MEMORY", 48305799168ull);
    s.devices = number("FAKECUDA_DEVICES", 4);
    s.peers = number("FAKECUDA_PEERS", 1);
    return s;
  }();
  return s;
}

struct Trace { std::map<std::pair<uint64_t, bool>, Touched> seen; };
void keep(Trace *t, const Site &s) {
  if (s.hi <= s.lo) return;
  auto [it, fresh] = t->seen.try_emplace({s.in.lo, s.write}, Touched{s.lo, s.hi, s.write});
  if (!fresh) {
    if (s.lo < it->second.lo) it->second.lo = s.lo;
    if (s.hi > it->second.hi) it->second.hi = s.hi;
  }
}

// ---- fibers: a switch saves what the calling convention wants saved

extern "C" void fake_switch(void **from, void *to);
asm(R"(
.text
.globl fake_switch
.type fake_switch,@function
fake_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size fake_switch,.-fake_switch
)");

struct Worker {
  void *home;                 // stack pointer of the worker itself
  sigjmp_buf out;             // where a fault goes
  char message[700];
  std::vector<Warp *> warps;
  std::vector<Site> sites;
  std::vector<char> shared;
  Shadow *shadow = newShadow();
  Trace trace;
  Block block;
  const Launch *launch;
  Warp *current;
  uint64_t random = 1;
};
static thread_local Worker *self;

void fault(const Warp &w, int lane, const char *format, ...) {
  Worker &k = *self;
  const Block &b = *w.block;
  int n = snprintf(k.message, sizeof k.message, "PTX line %u, block (%u,%u,%u) thread (%u,%u,%u): ", w.line, b.ctaid.x, b.ctaid.y, b.ctaid.z, w.tid[0][lane], w.tid[1][lane], w.tid[2][lane]);
  va_list list;
  va_start(list, format);
  vsnprintf(k.message + n, sizeof k.message - n, format, list);
  va_end(list);
  siglongjmp(k.out, 1);
}

void barrier(Warp &w) {
  w.waiting = true;
  fake_switch(&w.sp, self->home);
}

static void body() {
  Worker &k = *self;
  Warp &w = *k.current;
  k.launch->kernel->run(w, k.launch->params);
  w.done = true;
  fake_switch(&w.sp, k.home);
  __builtin_unreachable();
}

static Warp *newWarp() {
  Warp *w = new Warp();
  w->stack = mmap(nullptr, stackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (w->stack == MAP_FAILED) abort();
  return w;
}

static void prepare(Worker &k, Warp &w, uint32_t index, uint32_t threads) {
  const Dim d = k.launch->block;
  w.block = &k.block, w.sites = k.sites.data(), w.index = index;
  const uint32_t left = threads - 32 * index;
  w.all = w.live = left >= 32 ? ~0u : (1u << left) - 1;
  w.groups = 0, w.synced = 0, w.done = w.waiting = false;
  memset(w.batch, 0, sizeof w.batch);
  w.arrivals.clear();
  for (uint32_t l = 0; l < 32; l++) {
    uint32_t i = 32 * index + l;
    w.linear[l] = i, w.tid[0][l] = i % d.x, w.tid[1][l] = i / d.x % d.y, w.tid[2][l] = i / d.x / d.y;
  }
  void **sp = (void **)((char *)w.stack + stackBytes) - 2;
  *sp = (void *)body;
  w.sp = sp - 6;
}

static void runBlock(Worker &k) {
  const Launch &launch = *k.launch;
  const uint32_t threads = launch.block.x * launch.block.y * launch.block.z, n = (threads + 31) / 32;
  startBlock(k.shadow, launch.shared);
  memset(k.block.shared, 0xff, launch.shared);
  for (uint32_t i = 0; i < n; i++) prepare(k, *k.warps[i], i, threads);
  const int order = settings().order;
  for (uint32_t done = 0; done < n;) {
    k.random = k.random * 6364136223846793005ull + 1442695040888963407ull;
    const uint32_t first = order == 2 ? (k.random >> 33) % n : 0;
    const bool down = order == 1 || (order == 2 && (k.random >> 32 & 1));
    uint32_t waiting = 0;
    for (uint32_t j = 0; j < n; j++) {
      uint32_t i = (j + first) % n;
      Warp &w = *k.warps[down ? n - 1 - i : i];
      if (!w.done && !w.waiting) {
        k.current = &w;
        fake_switch(&k.home, w.sp);
        if (w.done) done++;
      }
      waiting += w.waiting;
    }
    if (waiting && waiting + done == n) {
      blockBarrier(k.shadow);
      for (uint32_t i = 0; i < n; i++) k.warps[i]->waiting = false;
    }
  }
}

// ---- the pool: a launch is one job that all workers share

struct Job {
  const Launch *launch;
  uint64_t total, stride, offset;
  std::atomic<uint64_t> taken{0};
  std::atomic<bool> failed{false};
  std::string message;
  std::vector<Touched> *touched;
  int left;
};
struct Pool {
  std::mutex mutex;
  std::condition_variable work, idle;
  Job *job = nullptr;
  uint64_t round = 0;
  int busy = 0;
};
static Pool &pool();

static void share(Worker &k, Job &job) {
  const Launch &launch = *job.launch;
  k.launch = &launch;
  const uint32_t warps = (launch.block.x * launch.block.y * launch.block.z + 31) / 32;
  while (k.warps.size() < warps) k.warps.push_back(newWarp());
  k.sites.assign(launch.kernel->sites, Site{1, 0, {1, 0}, false});
  k.shared.resize(launch.shared + 1024);
  k.trace.seen.clear();
  Block &b = k.block;
  b.ntid = launch.block, b.nctaid = launch.grid, b.sharedBytes = launch.shared, b.shadow = k.shadow, b.launch = &launch, b.trace = &k.trace;
  b.shared = (char *)(((uintptr_t)k.shared.data() + 1023) & ~(uintptr_t)1023);
  if (sigsetjmp(k.out, 0) == 0) {
    for (uint64_t i; !job.failed && (i = job.taken++) < job.total;) {
      const uint64_t id = settings().order == 1 ? job.total - 1 - i : settings().order == 2 ? (i * job.stride + job.offset) % job.total : i;
      const Dim g = launch.grid;
      b.ctaid = {(uint32_t)(id % g.x), (uint32_t)(id / g.x % g.y), (uint32_t)(id / g.x / g.y)};
      runBlock(k);
    }
  } else if (!job.failed.exchange(true)) job.message = k.message;
  for (const Site &s : k.sites) keep(&k.trace, s);
}

static void work() {
  Pool &p = pool();
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr); // the host's signals are not for us
  Worker k;
  self = &k;
  uint64_t round = 0;
  for (;;) {
    Job *job;
    {
      std::unique_lock<std::mutex> lock(p.mutex);
      p.work.wait(lock, [&] { return p.job && p.round != round; });
      job = p.job, round = p.round;
      p.busy++;
    }
    share(k, *job);
    std::lock_guard<std::mutex> lock(p.mutex);
    for (auto &[key, t] : k.trace.seen) job->touched->push_back(t);
    p.busy--;
    if (job->taken >= job->total || job->failed) p.job = nullptr; // late risers find nothing
    if (!p.busy && !p.job) p.idle.notify_all();
  }
}
static Pool &pool() {
  static Pool *p = [] { // never freed: workers outlive main
    return new Pool;
  }();
  return *p;
}

std::string run(const Launch &launch, std::vector<Touched> &touched) {
  static const bool started = [] {
    for (int i = 0; i < settings().threads; i++) std::thread(work).detach();
    return true;
  }();
  (void)started;
  Pool &p = pool();
  Job job;
  job.launch = &launch;
  job.total = (uint64_t)launch.grid.x * launch.grid.y * launch.grid.z;
  job.touched = &touched;
  // A step that shares no factor with the number of blocks visits each once.
  job.stride = job.total / 2 + settings().seed % 64 * 2 + 1, job.offset = settings().seed % job.total;
  auto gcd = [](uint64_t a, uint64_t b) { while (b) { uint64_t t = a % b; a = b; b = t; } return a; };
  while (gcd(job.stride, job.total) != 1) job.stride++;
  std::unique_lock<std::mutex> lock(p.mutex);
  p.job = &job, p.round++;
  if (job.total == 1) p.work.notify_one(); else p.work.notify_all();
  p.idle.wait(lock, [&] { return !p.busy && !p.job; });
  return job.message;
}

} // namespace fake
