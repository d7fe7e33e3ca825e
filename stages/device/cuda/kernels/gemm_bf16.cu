// gemm_bf16.cu: the tiles of gemm.h, as kernels. A name ends with the tile, m × n; matmul_tiles.go says when each
// is used. A block has 32 threads a warp; the grid is one-dimensional, a block a tile.
#include "gemm.h"

#define ARGS                                                                                                        \
  const void *a, int lda, const void *b, int ldb, float *c, int ldc, const float *bias, int add, int m, int n, int k
#define TILE(NAME, A, B, BM, BN, BK, WARPS_M, WARPS_N, STAGES, BLOCKS, START)                                       \
  KERNEL(32 * WARPS_M * WARPS_N, BLOCKS) NAME##_##BM##x##BN(ARGS) {                                                 \
    gemm<A<BM, BK, 32 * WARPS_M * WARPS_N>, B<BN, BK, 32 * WARPS_M * WARPS_N>, BK, WARPS_M, WARPS_N, STAGES, START>( \
        a, lda, b, ldb, Result{c, ldc, bias, add, m, n, k});                                                        \
  }

//   name                   A        B       BM   BN  BK warps stages blocks start
TILE(gemm_bf16_forward,     AlongK,  AlongK, 128, 256, 32, 2, 4, 4, 1, false)
TILE(gemm_bf16_forward,     AlongK,  AlongK, 128, 128, 32, 2, 2, 3, 2, false)
TILE(gemm_bf16_forward,     AlongK,  AlongK,  64, 128, 32, 2, 2, 4, 2, false)
TILE(gemm_bf16_forward,     AlongK,  AlongK,  64,  64, 64, 2, 2, 3, 2, false)
TILE(gemm_bf16_forward,     AlongK,  AlongK,  32,  64, 64, 2, 2, 4, 2, false)
TILE(gemm_bf16_forward,     AlongK,  AlongK,  32,  32, 64, 2, 2, 6, 2, false)
TILE(gemm_bf16_backward,    AcrossK, AlongK, 128, 256, 32, 2, 4, 4, 1, false)
TILE(gemm_bf16_backward,    AcrossK, AlongK, 128, 128, 32, 2, 2, 3, 2, false)
TILE(gemm_bf16_backward,    AcrossK, AlongK,  64,  64, 64, 2, 2, 3, 2, false)
TILE(gemm_bf16_gradient,    AcrossK, AcrossK, 128, 256, 32, 2, 4, 4, 1, true)
TILE(gemm_bf16_gradient,    AcrossK, AcrossK, 128, 128, 32, 2, 2, 3, 2, true)
TILE(gemm_bf16_gradient,    AcrossK, AcrossK,  64,  64, 64, 2, 2, 3, 2, true)

// Few rows: B is float32 as it is. Deep ones have a longer ring, for where there is more shared memory.
TILE(gemm_bf16_few,         AlongK,  FloatK,  16,   8, 64, 1, 1, 8, 2, false)
TILE(gemm_bf16_few,         AlongK,  FloatK,  16,  16, 64, 1, 1, 7, 2, false)
TILE(gemm_bf16_few_deep,    AlongK,  FloatK,  16,   8, 64, 1, 1, 20, 1, false)
TILE(gemm_bf16_few_deep,    AlongK,  FloatK,  16,  16, 64, 1, 1, 14, 1, false)
TILE(gemm_bf16_few,         AlongK,  FloatK,  64,   8, 64, 4, 1, 4, 2, false)
TILE(gemm_bf16_few,         AlongK,  FloatK,  64,  16, 64, 4, 1, 3, 2, false)
