// graph.cpp: stream capture and graphs. A launch is one operation of its stream; inside it the nodes run in
// an order drawn from the seed that their dependencies allow.
#include "driver.h"
#include <algorithm>
#include <set>

namespace fake {
static std::set<CUgraphExec_st *> graphs; // instantiated and not destroyed

void reportGraphs(int device) {
  for (CUgraphExec_st *g : graphs)
    if (g->ctx->device == device) say(CUDA_SUCCESS, "leak: a graph of %zu nodes of device %d was never destroyed", g->nodes.size(), device);
}
CUresult runNodes(const std::vector<Node> &nodes, Effects &effects) {
  std::vector<bool> done(nodes.size());
  std::vector<Effects> touched(nodes.size());
  std::vector<std::vector<bool>> before(nodes.size(), std::vector<bool>(nodes.size())); // before[i][j]: j comes first
  for (size_t left = nodes.size(); left; left--) {
    std::vector<size_t> can;
    for (size_t i = 0; i < nodes.size(); i++)
      if (!done[i] && std::all_of(nodes[i].after.begin(), nodes[i].after.end(), [&](size_t j) { return done[j]; })) can.push_back(i);
    const size_t i = can[randomNumber() % can.size()];
    for (size_t j : nodes[i].after) {
      before[i][j] = true;
      for (size_t k = 0; k < nodes.size(); k++)
        if (before[j][k]) before[i][k] = true;
    }
    FAKE_TRY(nodes[i].op.run(touched[i]));
    done[i] = true;
    if (!settings().streamRaces) continue;
    for (size_t j = 0; j < nodes.size(); j++) {
      if (!done[j] || j == i || before[i][j]) continue;
      for (const Touched &a : touched[j])
        for (const Touched &b : touched[i])
          if ((a.write || b.write) && a.lo < b.hi && b.lo < a.hi)
            return say(CUDA_ERROR_LAUNCH_FAILED, "%s and %s in a graph have no order between them and touch the same bytes from %#llx", nodes[i].op.name.c_str(), nodes[j].op.name.c_str(), (unsigned long long)std::max(a.lo, b.lo));
    }
  }
  for (const Effects &e : touched) effects.insert(effects.end(), e.begin(), e.end());
  return CUDA_SUCCESS;
}
} // namespace fake

using namespace fake;
extern "C" {
CUresult cuStreamBeginCapture(CUstream s, CUstreamCaptureMode mode) {
  FAKE_CONTEXT(c);
  if (!s || s == CU_STREAM_LEGACY) return say(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "the default stream cannot capture");
  if (s->ctx != c || s->dead) return CUDA_ERROR_INVALID_HANDLE;
  if (s->capture) return say(CUDA_ERROR_ILLEGAL_STATE, "cuStreamBeginCapture: the stream captures already");
  s->capture = new Capture{new CUgraph_st, s, mode, false};
  s->tail.clear();
  return CUDA_SUCCESS;
}
CUresult cuStreamEndCapture(CUstream s, CUgraph *graph) {
  FAKE_CONTEXT(c);
  *graph = nullptr;
  if (!s || !s->capture) return say(CUDA_ERROR_ILLEGAL_STATE, "cuStreamEndCapture: the stream does not capture");
  Capture *capture = s->capture;
  if (capture->origin != s) return say(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "cuStreamEndCapture: the capture began in another stream");
  // What other streams captured must lead back here.
  std::vector<bool> reached(capture->graph->nodes.size());
  std::vector<size_t> todo = s->tail;
  while (!todo.empty()) {
    size_t i = todo.back();
    todo.pop_back();
    if (reached[i]) continue;
    reached[i] = true;
    for (size_t j : capture->graph->nodes[i].after) todo.push_back(j);
  }
  const bool joined = std::all_of(reached.begin(), reached.end(), [](bool b) { return b; });
  for (CUctx_st *x : contexts)
    for (CUstream_st *o : x->streams)
      if (o->capture == capture) o->capture = nullptr, o->tail.clear();
  if (capture->broken) return say(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "cuStreamEndCapture: the capture was broken by an earlier call");
  if (!joined) return say(CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "cuStreamEndCapture: work of another stream was not joined back by an event");
  *graph = capture->graph;
  return CUDA_SUCCESS;
}
CUresult cuStreamIsCapturing(CUstream s, CUstreamCaptureStatus *status) {
  Locked l(fake::lock);
  *status = !s || !s->capture ? CU_STREAM_CAPTURE_STATUS_NONE : s->capture->broken ? CU_STREAM_CAPTURE_STATUS_INVALIDATED : CU_STREAM_CAPTURE_STATUS_ACTIVE;
  return CUDA_SUCCESS;
}
CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long) {
  FAKE_CONTEXT(c);
  if (!graph) return CUDA_ERROR_INVALID_VALUE;
  *exec = new CUgraphExec_st{graph->nodes, c};
  graphs.insert(*exec);
  return CUDA_SUCCESS;
}
CUresult cuGraphUpload(CUgraphExec, CUstream) { return CUDA_SUCCESS; }
CUresult cuGraphLaunch(CUgraphExec exec, CUstream s) {
  FAKE_CONTEXT(c);
  if (!exec) return CUDA_ERROR_INVALID_VALUE;
  if (!graphs.count(exec)) return say(CUDA_ERROR_INVALID_HANDLE, "a graph is launched that was destroyed");
  if (exec->ctx != c) return say(CUDA_ERROR_INVALID_CONTEXT, "a graph of device %d is launched on device %d", exec->ctx->device, c->device);
  auto nodes = std::make_shared<std::vector<Node>>(exec->nodes);
  Operation op{"cuGraphLaunch", [nodes](Effects &e) { return runNodes(*nodes, e); }, {}};
  for (const Node &n : *nodes) op.pinned.insert(op.pinned.end(), n.op.pinned.begin(), n.op.pinned.end());
  return enqueue(c, s, std::move(op));
}
CUresult cuGraphExecDestroy(CUgraphExec exec) {
  Locked l(fake::lock);
  if (!graphs.erase(exec)) return say(CUDA_ERROR_INVALID_HANDLE, "cuGraphExecDestroy: there is no such graph, or it was destroyed before");
  delete exec;
  return CUDA_SUCCESS;
}
CUresult cuGraphDestroy(CUgraph graph) {
  Locked l(fake::lock);
  delete graph;
  return CUDA_SUCCESS;
}
CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode *, size_t *n) {
  Locked l(fake::lock);
  *n = graph->nodes.size(); // how many; the nodes themselves are not handed out
  return CUDA_SUCCESS;
}
}
