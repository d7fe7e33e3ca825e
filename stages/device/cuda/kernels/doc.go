// Package kernels holds the code that runs on the GPU: CUDA C++ (*.cu, with gpu.h as their common dialect) and the PTX
// made of it, which is committed and embedded, so that a build needs no compiler but Go's and C's and a user only the
// driver. After a change run
//
//	go generate -tags cuda ./stages/device/cuda/kernels
//
// which needs Debian 12's clang-14 and nothing of NVIDIA's. The output is the same on every machine; generate.sh -check
// says whether what is committed is that.
//
// A kernel is named by its operation, the type of its values and its variant; names are unique over all files. The Go
// files of package cuda launch them and say in which order sums are taken.
//
// # Everything but products and attention
//
// These kernels move memory: a thread takes 16 bytes at a time where views are aligned, and asks that at run time, so that
// views with odd offsets give the same bits, only later. None spills, and none needs dynamic shared memory (registers by
// ptxas 11.8 -arch=sm_86).
//
//	kernel                                registers  shared  threads  bytes moved for each value
//	rmsnorm_f32_warp, _block                 23, 24       16  256, 128  8 (x is read twice, the second time from a cache)
//	rmsnorm_terms_f32_warp, _block           32, 30       16  256, 128  8
//	rmsnorm_weight_grad_f32, bias_grad_f32   80, 55   32,768       256  8, 4 (chains: 128 rows × 32 columns at a time)
//	rmsnorm_backward_f32                         30        0       256  12, or 16 when it adds
//	swiglu_f32, swiglu_backward_f32          27, 37        0       256  12, 20 for each value of y
//	rope_f32                                     30        0       256  8, and the table
//	gather_rows_f32, gather_rows_bf16        18, 17        0       256  8, 6
//	scatter_add_rows_f32                         32        0       256  4, and 8 for each row that is added to
//	scale_f32                                    13        0       256  8
//	dropout_f32                                  23        0       256  8, or 12 when it adds
//	adamw_f32                                    40        0       256  28
//	sum_squares_f32, sum_f64                 48, 24       64       256  4
//	softmax_sums_f32                             40       32       256  4 for each logit
//	logits_grad_f32, logits_grad_bf16        25, 22        0       256  8, 6 for each logit
//	logprobs_f32                                 34        0       256  16 for each chunk of a row
//	sample_f32                                   64   36,120     1,024  one chunk of a row; with top-k, top-p or min-p the row twice
package kernels
