// module.cpp: modules and launches. A module's PTX is translated when it is loaded; a kernel is compiled when
// it is first launched, and kept on disk under a name made of its code.
#include "driver.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <sstream>
#include <algorithm>
#include <sys/stat.h>
#include <unistd.h>

struct CUfunc_st {
  std::string name, source;   // the C++ file
  CUmod_st *module;
  uint32_t shared, maxThreads;
  std::vector<uint32_t> params; // bytes
  uint32_t dynamic = 49152;     // the most dynamic shared memory a launch may ask for
  const fake::Kernel *kernel = nullptr;
};
struct CUmod_st {
  int device;
  std::map<std::string, std::unique_ptr<CUfunc_st>> functions;
  bool dead = false;
};

namespace fake {

static const uint32_t sharedLimit = 101376; // sm_86, a block

static std::string setting(const char *name) {
  const char *v = getenv(name);
  return v ? v : "";
}
static std::string hexHash(const std::string &s) { // FNV-1a, twice
  uint64_t a = 0xcbf29ce484222325ull, b = 0x84222325cbf29ce4ull;
  for (unsigned char ch : s) a = (a ^ ch) * 0x100000001b3ull, b = (b + ch) * 0x9e3779b97f4a7c15ull ^ (b >> 31);
  char text[40];
  snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)a, (unsigned long long)b);
  return text;
}
static std::string readFile(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream s;
  s << in.rdbuf();
  return s.str();
}
static const std::string &cacheFolder() {
  static const std::string dir = setting("FAKECUDA_CACHE").empty() ? "/tmp" : setting("FAKECUDA_CACHE");
  return dir;
}
// command runs a shell command. The signal mask and handlers of the host program are not inherited.
static int command(const std::string &text) { return system(text.c_str()); }

// translate makes the folder with a module's index and one C++ file for each kernel.
static CUresult translate(const std::string &ptx, std::string &dir, std::string &why) {
  const std::string tool = setting("FAKECUDA_PTX2C");
  if (tool.empty()) return say(CUDA_ERROR_INVALID_PTX, "FAKECUDA_PTX2C does not say where the translator is (use test.sh)");
  dir = cacheFolder() + "/" + hexHash(ptx + tool + setting("FAKECUDA_MUTANT"));
  if (!access((dir + "/index").c_str(), R_OK)) return CUDA_SUCCESS;
  const std::string tmp = dir + "." + std::to_string(getpid());
  mkdir(tmp.c_str(), 0777);
  std::ofstream(tmp + "/module.ptx", std::ios::binary) << ptx;
  if (command("'" + tool + "' -o '" + tmp + "' < '" + tmp + "/module.ptx' 2> '" + tmp + "/errors'")) {
    why = readFile(tmp + "/errors");
    return say(CUDA_ERROR_INVALID_PTX, "the PTX (kept in %s) could not be translated: %s", tmp.c_str(), why.c_str());
  }
  if (rename(tmp.c_str(), dir.c_str())) command("rm -rf '" + tmp + "'"); // another process was first
  return CUDA_SUCCESS;
}
static CUresult compile(CUfunc_st *f) {
  if (f->kernel) return CUDA_SUCCESS;
  const std::string include = setting("FAKECUDA_INCLUDE"), flags = setting("FAKECUDA_FLAGS");
  static const std::string headers = readFile(include + "/warp.h") + readFile(include + "/lane.h");
  const std::string code = readFile(f->source), so = cacheFolder() + "/" + hexHash(code + headers + flags) + ".so";
  if (access(so.c_str(), R_OK)) {
    const std::string tmp = so + "." + std::to_string(getpid());
    if (command("clang++-14 " + flags + " -w -I'" + include + "' -shared -o '" + tmp + "' '" + f->source + "'") || rename(tmp.c_str(), so.c_str()))
      return say(CUDA_ERROR_INVALID_PTX, "kernel %s: its translation %s could not be compiled", f->name.c_str(), f->source.c_str());
  }
  void *lib = dlopen(so.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!lib) return say(CUDA_ERROR_INVALID_PTX, "%s", dlerror());
  f->kernel = (const Kernel *)dlsym(lib, "fake_kernel");
  return f->kernel ? CUDA_SUCCESS : CUDA_ERROR_INVALID_PTX;
}
static std::string where(uint64_t a, void *c) { return explain(a, (CUctx_st *)c); }

// check refuses what the hardware would.
static CUresult check(CUctx_st *c, CUfunc_st *f, Dim g, Dim b, uint32_t shared) {
  const char *n = f->name.c_str();
  if (f->module->dead) return say(CUDA_ERROR_INVALID_HANDLE, "%s: its module was unloaded", n);
  if (f->module->device != c->device) return say(CUDA_ERROR_INVALID_HANDLE, "%s was loaded on device %d and is launched on device %d", n, f->module->device, c->device);
  if (!g.x || !g.y || !g.z || g.x > 2147483647u || g.y > 65535 || g.z > 65535) return say(CUDA_ERROR_INVALID_VALUE, "%s: a grid of %u × %u × %u", n, g.x, g.y, g.z);
  const uint64_t threads = (uint64_t)b.x * b.y * b.z;
  if (!threads || threads > 1024 || b.z > 64) return say(CUDA_ERROR_INVALID_VALUE, "%s: a block of %u × %u × %u", n, b.x, b.y, b.z);
  if (f->maxThreads && threads > f->maxThreads) return say(CUDA_ERROR_INVALID_VALUE, "%s: a block of %llu threads, it was compiled for %u at most", n, (unsigned long long)threads, f->maxThreads);
  if (shared > f->dynamic) return say(CUDA_ERROR_INVALID_VALUE, "%s: %u bytes of dynamic shared memory, the limit is %u (cuFuncSetAttribute)", n, shared, f->dynamic);
  if (f->shared + shared > (f->dynamic > 49152 ? sharedLimit : 49152u))
    return say(CUDA_ERROR_INVALID_VALUE, "%s: %u static and %u dynamic bytes of shared memory are too many", n, f->shared, shared);
  return CUDA_SUCCESS;
}
} // namespace fake

using namespace fake;
extern "C" {
static CUresult loadModule(CUctx_st *c, CUmodule *m, const void *image, std::string &why) {
  const std::string ptx((const char *)image);
  if (ptx.find(".version") == std::string::npos) return say(CUDA_ERROR_INVALID_IMAGE, "cuModuleLoadData: not PTX");
  std::string dir;
  FAKE_TRY(translate(ptx, dir, why));
  auto module = std::make_unique<CUmod_st>();
  module->device = c->device;
  std::ifstream index(dir + "/index"); // a line a kernel: name, static shared memory, threads, parameters
  std::string line;
  while (std::getline(index, line)) {
    std::istringstream in(line);
    auto f = std::make_unique<CUfunc_st>();
    in >> f->name >> f->shared >> f->maxThreads;
    for (uint32_t n; in >> n;) f->params.push_back(n);
    f->source = dir + "/" + f->name + ".cpp", f->module = module.get();
    module->functions[f->name] = std::move(f);
  }
  *m = module.release();
  return CUDA_SUCCESS;
}
CUresult cuModuleLoadData(CUmodule *m, const void *image) {
  FAKE_CONTEXT(c);
  FAKE_TRY(refuseCapture(c, __func__));
  std::string why;
  return loadModule(c, m, image, why);
}
CUresult cuModuleLoadDataEx(CUmodule *m, const void *image, unsigned n, CUjit_option *options, void **values) {
  FAKE_CONTEXT(c);
  FAKE_TRY(refuseCapture(c, __func__));
  std::string why;
  CUresult r = loadModule(c, m, image, why);
  char *text = nullptr;
  size_t size = 0;
  for (unsigned i = 0; i < n; i++) {
    if (options[i] == CU_JIT_ERROR_LOG_BUFFER) text = (char *)values[i];
    if (options[i] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES) size = (size_t)(uintptr_t)values[i];
  }
  if (text && size) snprintf(text, size, "%s", why.c_str());
  return r;
}
CUresult cuModuleLoad(CUmodule *m, const char *file) {
  const std::string text = readFile(file);
  return text.empty() ? CUDA_ERROR_FILE_NOT_FOUND : cuModuleLoadData(m, text.c_str());
}
CUresult cuModuleUnload(CUmodule m) {
  FAKE_CONTEXT(c);
  if (m->dead) return say(CUDA_ERROR_INVALID_HANDLE, "cuModuleUnload: unloaded before");
  FAKE_TRY(finishContext(c));
  m->dead = true; // kept, so that a later launch is seen
  return CUDA_SUCCESS;
}
CUresult cuModuleGetFunction(CUfunction *f, CUmodule m, const char *name) {
  FAKE_CONTEXT(c);
  auto it = m->functions.find(name);
  if (m->dead || it == m->functions.end()) return CUDA_ERROR_NOT_FOUND;
  *f = it->second.get();
  return CUDA_SUCCESS;
}
CUresult cuFuncSetAttribute(CUfunction f, CUfunction_attribute a, int v) {
  FAKE_CONTEXT(c);
  if (a == CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT) return CUDA_SUCCESS;
  if (a != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || v < 0) return CUDA_ERROR_INVALID_VALUE;
  if ((uint32_t)v + f->shared > sharedLimit) return say(CUDA_ERROR_INVALID_VALUE, "%s: %d bytes of dynamic shared memory with %u static, a block has %u", f->name.c_str(), v, f->shared, sharedLimit);
  f->dynamic = v;
  return CUDA_SUCCESS;
}
CUresult cuFuncGetAttribute(int *v, CUfunction_attribute a, CUfunction f) {
  FAKE_CONTEXT(c);
  switch (a) {
  case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *v = f->maxThreads ? f->maxThreads : 1024; return CUDA_SUCCESS;
  case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *v = f->shared; return CUDA_SUCCESS;
  case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *v = f->dynamic; return CUDA_SUCCESS;
  case CU_FUNC_ATTRIBUTE_NUM_REGS: *v = 0; return CUDA_SUCCESS; // only the real compiler knows
  case CU_FUNC_ATTRIBUTE_PTX_VERSION: case CU_FUNC_ATTRIBUTE_BINARY_VERSION: *v = 80; return CUDA_SUCCESS;
  default: *v = 0; return CUDA_SUCCESS;
  }
}
CUresult cuLaunchKernel(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, CUstream s, void **params, void **extra) {
  FAKE_CONTEXT(c);
  if (!f || extra) return CUDA_ERROR_INVALID_VALUE;
  const Dim g{gx, gy, gz}, b{bx, by, bz};
  FAKE_TRY(check(c, f, g, b, shared));
  FAKE_TRY(compile(f));
  auto values = std::make_shared<std::vector<std::string>>(); // copied now, as the driver does
  for (size_t i = 0; i < f->params.size(); i++) values->emplace_back((const char *)params[i], f->params[i]);
  return enqueue(c, s, {f->name, [=](Effects &effects) {
    std::vector<const char *> p;
    for (const std::string &v : *values) p.push_back(v.data());
    const Launch launch{f->kernel, p.data(), g, b, f->shared + shared, &mayTouch(c), where, c};
    const std::string wrong = run(launch, effects);
    for (const Touched &t : effects)
      if (t.write)
        if (Allocation *a = find(t.lo, 1); a && a->device < 0) a->version++;
    if (wrong.empty()) return CUDA_SUCCESS;
    return say(wrong.find("multiple of") != std::string::npos ? CUDA_ERROR_MISALIGNED_ADDRESS : wrong.find("global") != std::string::npos ? CUDA_ERROR_ILLEGAL_ADDRESS : CUDA_ERROR_LAUNCH_FAILED,
               "kernel %s on device %d: %s", f->name.c_str(), c->device, wrong.c_str()); }, {}});
}
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *n, CUfunction f, int threads, size_t shared, unsigned) {
  FAKE_CONTEXT(c);
  const size_t each = f->shared + shared + 1024;
  *n = threads > 0 ? (int)std::min({(size_t)(1536 / threads), (size_t)(102400 / each), (size_t)16}) : 0;
  return CUDA_SUCCESS;
}
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *n, CUfunction f, int threads, size_t shared) { return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(n, f, threads, shared, 0); }
}
