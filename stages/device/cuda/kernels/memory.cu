// Copying and clearing of views whose rows have gaps between them. One warp takes 32 columns of a row at a time; blocks are
// 32 × 8 and go through the matrix in strides of the grid.
#include "gpu.h"

KERNEL(256) copy_f32(float* y, const float* x, u32 rows, u32 cols, u64 y_stride, u64 x_stride) {
  for (u32 r = blockIdx.y * blockDim.y + threadIdx.y; r < rows; r += gridDim.y * blockDim.y) {
    float* to = y + r * y_stride;
    const float* from = x + r * x_stride;
    for (u32 c = blockIdx.x * blockDim.x + threadIdx.x; c < cols; c += gridDim.x * blockDim.x) to[c] = from[c];
  }
}

KERNEL(256) zero_f32(float* y, u32 rows, u32 cols, u64 y_stride) {
  for (u32 r = blockIdx.y * blockDim.y + threadIdx.y; r < rows; r += gridDim.y * blockDim.y) {
    float* to = y + r * y_stride;
    for (u32 c = blockIdx.x * blockDim.x + threadIdx.x; c < cols; c += gridDim.x * blockDim.x) to[c] = 0;
  }
}
