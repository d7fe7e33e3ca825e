// # Attention
//
// attention.h states the one order of sums and what a block is given to do. attention_simt.h is the arithmetic of the float32
// kernels (attention_f32.cu, attention_backward_f32.cu), attention_mma.h that of the bfloat16 ones (attention_bf16.cu,
// attention_backward_bf16.cu); attention.cu, attention_backward.cu and cache.cu do not multiply matrices. Heads have at most 128
// columns and are computed as 32, 64 or 128.
//
// Registers are those of ptxas 11.8 -arch=sm_86; no kernel spills. Blocks is how many fit on a multiprocessor of an A40. Sizes
// are for heads of 32, 64 and 128 columns.
//
//	kernel                 registers       shared, KiB    threads  blocks
//	attention_f32        168, 138, 180     9,  17,  33        128  3, 3, 2
//	attention_split_f32  142, 154, 170     6,  11,  21         32  14, 8, 4
//	attention_dq_f32     114, 142, 148    17,  33,  65        128  4, 2, 1
//	attention_dkdv_f32    80, 113, 144    17,  33,  65        128  5, 2, 1
//	attention_bf16       127, 167, 254    12,  24,  48        128  4, 3, 2
//	attention_split_bf16 121, 173, 253     9,  18,  36         32  10, 5, 2
//	attention_dq_bf16    124, 127, 240    24,  48,  96        256  2, 2, 1
//	attention_dkdv_bf16  101, 174, 255    24,  48,  96        256  2, 1, 1
//	attention_merge       40,  43,  44             0          256
//	attention_stats, attention_add_shares, cache_write, cache_copy: 16 to 30 registers
//
// A query whose chunks of keys are done by several blocks costs one more kernel, attention_merge, and 4·(columns + 2) bytes
// written and read for each chunk and query head: of 256 keys of 128 columns in bfloat16, read by six heads, 5 %.
package kernels
