// stream.cpp: streams and events. Nothing runs until somebody waits for it; then the streams' operations
// run one at a time in an order that is drawn from the seed and legal: an operation comes after those
// queued before it in its stream and after the events it waits for. Each operation carries a clock of what
// is sure to come before it, so two that touch the same bytes with neither first are reported, whatever
// order was drawn.
#include "driver.h"
#include <algorithm>
#include <chrono>

namespace fake {

static std::vector<CUstream_st *> streams; // by id
static Clock known;                        // what the host has waited for

uint64_t randomNumber() {
  static uint64_t state = settings().seed * 0x9e3779b97f4a7c15ull + 1;
  state = state * 6364136223846793005ull + 1442695040888963407ull;
  return state >> 33;
}
double now() { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
static void join(Clock &a, const Clock &b) {
  if (a.size() < b.size()) a.resize(b.size());
  for (size_t i = 0; i < b.size(); i++) a[i] = std::max(a[i], b[i]);
}
static uint64_t at(const Clock &c, size_t i) { return i < c.size() ? c[i] : 0; }
static void set(Clock &c, size_t i, uint64_t v) {
  if (c.size() <= i) c.resize(i + 1);
  c[i] = v;
}
void newStream(CUctx_st *c, CUstream_st *s, unsigned flags) {
  s->ctx = c, s->flags = flags, s->id = streams.size();
  streams.push_back(s);
}
uint64_t checksum(const char *p, size_t n) {
  uint64_t h = n;
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t v;
    __builtin_memcpy(&v, p, 8);
    h = (h ^ v) * 0x9e3779b97f4a7c15ull;
    h ^= h >> 29;
  }
  for (; n; p++, n--) h = (h ^ (unsigned char)*p) * 0x100000001b3ull;
  return h;
}

// collide reports the operations of other streams that touch the same bytes with no order between.
static CUresult collide(const Item &it, CUstream_st *s, const Effects &effects) {
  for (CUstream_st *o : streams) {
    if (o == s) continue;
    for (auto d = o->log.rbegin(); d != o->log.rend() && d->seq > at(it.clock, o->id); ++d)
      for (const Touched &a : d->effects)
        for (const Touched &b : effects)
          if ((a.write || b.write) && a.lo < b.hi && b.lo < a.hi)
            return say(CUDA_ERROR_LAUNCH_FAILED, "%s on stream %zu of device %d and %s on stream %zu of device %d have no order between them, and %s what the other %s: bytes %#llx to %#llx",
                       it.op.name.c_str(), s->id, s->ctx->device, d->name.c_str(), o->id, o->ctx->device, b.write ? "the first writes" : "the first reads", a.write ? "writes" : "reads",
                       (unsigned long long)std::max(a.lo, b.lo), (unsigned long long)std::min(a.hi, b.hi));
  }
  return CUDA_SUCCESS;
}

static CUresult execute(CUstream_st *s, Item &it) {
  for (size_t i = 0; i < it.op.pinned.size(); i++) {
    auto [p, n] = it.op.pinned[i];
    Allocation *a = find((uint64_t)p, n);
    if (a && a->version == it.versions[i] && checksum(p, n) != it.sums[i])
      return say(CUDA_ERROR_LAUNCH_FAILED, "%s: the host changed the pinned source (%zu bytes at %p) before the operation ran", it.op.name.c_str(), n, p);
  }
  Effects effects;
  FAKE_TRY(it.op.run(effects));
  if (it.event && it.event->seq == it.eventSeq && it.event->stream == s) it.event->time = now();
  if (!settings().streamRaces || effects.empty()) return CUDA_SUCCESS;
  FAKE_TRY(collide(it, s, effects));
  // Operations that everything to come follows need no memory; the others are few.
  while (!s->log.empty() && s->log.front().seq <= at(known, s->id)) s->log.pop_front();
  s->log.push_back({s->finished + 1, it.op.name, std::move(effects)});
  if (s->log.size() > 4096) s->log.pop_front();
  return CUDA_SUCCESS;
}

static bool ready(CUstream_st *s) {
  if (s->queue.empty()) return false;
  for (auto &[o, seq] : s->queue.front().after)
    if (o->finished < seq) return false;
  return true;
}
template <class Until> static CUresult drain(Until until) {
  std::vector<CUstream_st *> can;
  while (!until()) {
    can.clear();
    for (CUstream_st *s : streams)
      if (ready(s)) can.push_back(s);
    if (can.empty()) return say(CUDA_ERROR_LAUNCH_TIMEOUT, "no stream can go on: each waits for an event that nobody will record");
    CUstream_st *s = can[randomNumber() % can.size()];
    Item it = std::move(s->queue.front());
    s->queue.pop_front();
    if (!s->ctx->fault) {
      CUresult r = execute(s, it);
      if (r) s->ctx->fault = r;
    }
    s->finished++;
  }
  return CUDA_SUCCESS;
}
CUresult finish(CUstream_st *s) {
  FAKE_TRY(drain([s] { return s->queue.empty(); }));
  join(known, s->clock);
  return s->ctx->fault;
}
CUresult finishContext(CUctx_st *c) {
  FAKE_TRY(drain([c] { return c->legacy.queue.empty() && std::all_of(c->streams.begin(), c->streams.end(), [](CUstream_st *s) { return s->queue.empty(); }); }));
  join(known, c->legacy.clock);
  for (CUstream_st *s : c->streams) join(known, s->clock);
  return c->fault;
}
CUresult refuseCapture(CUctx_st *c, const char *call) {
  for (CUstream_st *s : c->streams)
    if (s->capture && s->capture->mode != CU_STREAM_CAPTURE_MODE_RELAXED) {
      s->capture->broken = true;
      return say(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "%s while a stream of the context captures", call);
    }
  return CUDA_SUCCESS;
}

// stream finds the queue behind a handle and checks that it may be used here.
static CUresult stream(CUctx_st *c, CUstream h, CUstream_st *&s) {
  s = h && h != CU_STREAM_LEGACY ? h : &c->legacy;
  if (h == CU_STREAM_PER_THREAD) return say(CUDA_ERROR_NOT_SUPPORTED, "the stream per thread is not in the fake driver");
  if (s->ctx != c) return say(CUDA_ERROR_INVALID_HANDLE, "a stream of device %d is used while the context of device %d is current", s->ctx->device, c->device);
  if (s->dead) return say(CUDA_ERROR_INVALID_HANDLE, "a stream is used that was destroyed");
  return CUDA_SUCCESS;
}
static void order(Item &it, CUstream_st *after) {
  if (!after->queued) return;
  it.after.push_back({after, after->queued});
  join(it.clock, after->clock);
}
static CUresult push(CUstream_st *s, Item it) {
  CUctx_st *c = s->ctx;
  if (s == &c->legacy) { // in order with every stream that did not ask to be left alone
    for (CUstream_st *o : c->streams)
      if (!(o->flags & CU_STREAM_NON_BLOCKING) && !o->dead) order(it, o);
  } else if (!(s->flags & CU_STREAM_NON_BLOCKING)) order(it, &c->legacy);
  for (auto &w : s->waits) it.after.push_back(w);
  s->waits.clear();
  join(it.clock, known);
  join(it.clock, s->clock);
  set(it.clock, s->id, ++s->queued);
  s->clock = it.clock;
  for (auto [p, n] : it.op.pinned) {
    Allocation *a = find((uint64_t)p, n);
    it.sums.push_back(checksum(p, n)), it.versions.push_back(a ? a->version : 0);
  }
  s->queue.push_back(std::move(it));
  return settings().eager ? finish(s) : CUDA_SUCCESS;
}
CUresult enqueue(CUctx_st *c, CUstream h, Operation op) {
  CUstream_st *s;
  FAKE_TRY(stream(c, h, s));
  if (s->capture) {
    if (s->capture->broken) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    auto &nodes = s->capture->graph->nodes;
    nodes.push_back({std::move(op), s->tail});
    s->tail = {nodes.size() - 1};
    return CUDA_SUCCESS;
  }
  if (s == &c->legacy)
    for (CUstream_st *o : c->streams)
      if (o->capture && !(o->flags & CU_STREAM_NON_BLOCKING)) {
        o->capture->broken = true;
        return say(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "%s on the default stream while a blocking stream captures", op.name.c_str());
      }
  Item it;
  it.op = std::move(op);
  return push(s, std::move(it));
}
} // namespace fake

using namespace fake;
extern "C" {
CUresult cuStreamCreate(CUstream *s, unsigned flags) {
  FAKE_CONTEXT(c);
  *s = new CUstream_st{};
  newStream(c, *s, flags);
  c->streams.push_back(*s);
  return CUDA_SUCCESS;
}
CUresult cuStreamCreateWithPriority(CUstream *s, unsigned flags, int) { return cuStreamCreate(s, flags); }
CUresult cuStreamGetFlags(CUstream s, unsigned *flags) { return *flags = s ? s->flags : 0, CUDA_SUCCESS; }
CUresult cuStreamGetPriority(CUstream, int *p) { return *p = 0, CUDA_SUCCESS; }
CUresult cuStreamDestroy(CUstream h) {
  FAKE_CONTEXT(c);
  CUstream_st *s;
  FAKE_TRY(stream(c, h, s));
  CUresult r = finish(s); // the driver lets what is queued run on; nothing can be told apart here
  s->dead = true;         // kept, so that a later use is seen
  return r;
}
CUresult cuStreamSynchronize(CUstream h) {
  FAKE_CONTEXT(c);
  CUstream_st *s;
  FAKE_TRY(stream(c, h, s));
  if (s->capture) {
    s->capture->broken = true;
    return say(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "cuStreamSynchronize of a capturing stream");
  }
  if (s == &c->legacy) return finishContext(c);
  return finish(s);
}
CUresult cuStreamQuery(CUstream h) {
  FAKE_CONTEXT(c);
  CUstream_st *s;
  FAKE_TRY(stream(c, h, s));
  if (s->capture) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  if (s->queue.empty()) return join(known, s->clock), CUDA_SUCCESS;
  // A query gives a little time, so that a caller who polls gets there.
  const uint64_t before = s->finished;
  FAKE_TRY(drain([=] { return s->finished > before || s->queue.empty(); }));
  if (!s->queue.empty()) return CUDA_ERROR_NOT_READY;
  join(known, s->clock);
  return c->fault;
}
CUresult cuStreamWaitEvent(CUstream h, CUevent e, unsigned) {
  FAKE_CONTEXT(c);
  CUstream_st *s;
  FAKE_TRY(stream(c, h, s));
  if (!e || e->dead) return say(CUDA_ERROR_INVALID_HANDLE, "cuStreamWaitEvent: the event was destroyed");
  if (e->capture) { // the stream joins the capture
    if (s->capture && s->capture != e->capture) return say(CUDA_ERROR_STREAM_CAPTURE_MERGE, "cuStreamWaitEvent would merge two captures");
    s->capture = e->capture;
    for (size_t n : e->nodes)
      if (std::find(s->tail.begin(), s->tail.end(), n) == s->tail.end()) s->tail.push_back(n);
    return CUDA_SUCCESS;
  }
  if (s->capture) {
    s->capture->broken = true;
    return say(CUDA_ERROR_STREAM_CAPTURE_ISOLATION, "cuStreamWaitEvent: a capturing stream waits for an event recorded outside the capture");
  }
  if (!e->stream) return CUDA_SUCCESS; // never recorded: nothing to wait for
  s->waits.push_back({e->stream, e->seq});
  join(s->clock, e->clock);
  return CUDA_SUCCESS;
}
CUresult cuLaunchHostFunc(CUstream h, CUhostFn fn, void *data) {
  FAKE_CONTEXT(c);
  return enqueue(c, h, {"cuLaunchHostFunc", [=](Effects &) { return fn(data), CUDA_SUCCESS; }, {}});
}
CUresult cuEventCreate(CUevent *e, unsigned flags) {
  FAKE_CONTEXT(c);
  *e = new CUevent_st{};
  (*e)->ctx = c, (*e)->flags = flags;
  return CUDA_SUCCESS;
}
CUresult cuEventDestroy(CUevent e) {
  Locked l(fake::lock);
  if (!e || e->dead) return say(CUDA_ERROR_INVALID_HANDLE, "cuEventDestroy: the event was destroyed before");
  e->dead = true; // kept, so that a later use is seen
  return CUDA_SUCCESS;
}
CUresult cuEventRecord(CUevent e, CUstream h) {
  FAKE_CONTEXT(c);
  CUstream_st *s;
  FAKE_TRY(stream(c, h, s));
  if (!e || e->dead) return say(CUDA_ERROR_INVALID_HANDLE, "cuEventRecord: the event was destroyed");
  if (e->ctx != c) return say(CUDA_ERROR_INVALID_HANDLE, "an event of device %d is recorded on device %d", e->ctx->device, c->device);
  e->capture = s->capture;
  if (s->capture) return e->nodes = s->tail, CUDA_SUCCESS;
  Item it;
  it.op = {"cuEventRecord", [](Effects &) { return CUDA_SUCCESS; }, {}};
  it.event = e, it.eventSeq = s->queued + 1;
  e->stream = s, e->seq = s->queued + 1;
  CUresult r = push(s, std::move(it));
  e->clock = s->clock;
  return r;
}
CUresult cuEventQuery(CUevent e) {
  Locked l(fake::lock);
  if (!e || e->dead) return CUDA_ERROR_INVALID_HANDLE;
  if (e->capture) return CUDA_ERROR_CAPTURED_EVENT;
  if (!e->stream) return CUDA_SUCCESS;
  if (e->stream->finished < e->seq) {
    const uint64_t before = e->stream->finished;
    FAKE_TRY(drain([=] { return e->stream->finished > before; }));
  }
  if (e->stream->finished < e->seq) return CUDA_ERROR_NOT_READY;
  join(known, e->clock);
  return e->stream->ctx->fault;
}
CUresult cuEventSynchronize(CUevent e) {
  Locked l(fake::lock);
  if (!e || e->dead) return say(CUDA_ERROR_INVALID_HANDLE, "cuEventSynchronize: the event was destroyed");
  if (e->capture) return say(CUDA_ERROR_CAPTURED_EVENT, "cuEventSynchronize of an event recorded in a capture");
  if (!e->stream) return CUDA_SUCCESS;
  FAKE_TRY(drain([e] { return e->stream->finished >= e->seq; }));
  join(known, e->clock);
  return e->stream->ctx->fault;
}
CUresult cuEventElapsedTime(float *ms, CUevent a, CUevent b) {
  Locked l(fake::lock);
  if (a->dead || b->dead || ((a->flags | b->flags) & CU_EVENT_DISABLE_TIMING) || !a->stream || !b->stream) return say(CUDA_ERROR_INVALID_HANDLE, "cuEventElapsedTime: an event without a time");
  if (a->stream->finished < a->seq || b->stream->finished < b->seq) return CUDA_ERROR_NOT_READY;
  *ms = (float)(b->time - a->time);
  return CUDA_SUCCESS;
}
}
