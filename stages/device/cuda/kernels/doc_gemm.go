// # Products of matrices
//
// gemm.h is the one algorithm of all products in bfloat16, gemm_bf16.cu its tiles, gemm_f32.cu the same in float32,
// gemm_pack.cu what brings operands into their form. stages/device/cuda/matmul_tiles.go chooses among the tiles; the choice
// never shows in the bits, since no tile splits the chain of an element.
//
// Registers are those of ptxas 11.8 -arch=sm_86 (sm_90 takes up to 12 more); no kernel spills. Blocks is how many fit on a
// multiprocessor of an A40, which has 65,536 registers and 100 KiB of shared memory. Intensity is FLOP for each byte read
// from the second-level cache; cache is the bytes a clock a multiprocessor then reads at its peak of 1,024 FLOP a clock.
//
//	kernel, m × n            registers  shared  threads  blocks  intensity  cache  expected of peak
//	forward 128×256                246   96 KiB     256       1         85     12  80–88 %
//	forward 128×128                252   48 KiB     128       2         64     16  75–82 %
//	forward 64×128                 158   48 KiB     128       2         43     24  55–70 %
//	forward 64×64                  118   48 KiB     128       2         32     32  45–58 %
//	forward 32×64                   80   48 KiB     128       2         21     48  30–42 %
//	forward 32×32                   56   48 KiB     128       2         16     64  20–28 %
//	backward 128×256               248   96 KiB     256       1         85     12  80–88 %
//	backward 128×128               246   48 KiB     128       2         64     16  75–82 %
//	backward 64×64                 122   48 KiB     128       2         32     32  45–58 %
//	gradient 128×256               238   96 KiB     256       1         85     12  80–88 %
//	gradient 128×128               236   48 KiB     128       2         64     16  75–82 %
//	gradient 64×64                 126   48 KiB     128       2         32     32  45–58 %
//	few 64×8, 64×16             56, 72   42, 38     128       2          limited by memory
//	few 16×8, 16×16            78, 110   34, 46      32       2          limited by memory
//	few deep 16×8, 16×16       78, 110   85, 91      32       1          limited by memory
//	f32 128×128          216, 222, 223   33 KiB     256       1          of 37 TFLOP/s: 60–70 %
//	f32 64×32               72, 80, 80   13 KiB     128       6          30–40 %
//	f32 64×8                        46   10 KiB     128       9          10–15 %
//	pack_f32, pad_bf16, pack_bf16  13–21      0     256       6          limited by memory
//
// None of the last column has been measured: it is what follows from the numbers below.
//
// The inner loop of forward 128×256 is 132 instructions for 64 mma.sync: two warps a scheduler issue 264 in the 2,048
// clocks that their products take, so instructions are no limit. Shared memory moves 32 KiB for 16 of k, 256 clocks of
// 1,024. A barrier every 32 of k costs some 60 clocks of 2,048, about 3 %. The second-level cache must give 12 bytes a
// clock a multiprocessor, 1.75 TB/s on an A40, whose cache is rated a little above 2 TB/s: that, and the clock that 300 W
// allow under such load, is what separates the estimate from the 149.7 TFLOP/s of the data sheet, for cuBLAS too. The last wave
// of blocks is counted by bestTile, not here: 4,096 rows of 1,536 outputs are 192 tiles for 84 multiprocessors, 76 % of the
// time of the whole.
//
// On an H100 or H200 mma.sync reaches about 62 % of what wgmma does, 2,540 FLOP a clock a multiprocessor. 128×256 then needs 30
// bytes a clock of a cache that gives about 23, so that some 45 % of the data sheet's 989 TFLOP/s is the most to expect.
//
// Rounding x beforehand costs 6 bytes a value. Against its product on an A40 that is 560/outputs of the time: 37 % for 1,536
// outputs, 3 % for 17,920; over a layer of Qwen2.5-1.5B 16 % forward and, dy being rounded once for both its products, 22 %
// backward. An operation that wrote its result rounded as well would save that (operand in matmul.go has the place for
// it).
//
// The kernels for few rows need, for the full rate of the memory, its rate times its latency of about 0.8 µs on the way: 0.56 MB
// on an A40, 3.8 MB on an H200. 1,536 outputs are 96 blocks of 16: 14 KiB of weights each is 1.3 MB, deep ones 38 KiB, 3.7
// MB; 17,920 outputs are 280 blocks of 64, of which 168 run at a time on an A40 with 24 KiB each, 4 MB. The weight is read
// once, in whole lines of 128 bytes. An element's chain takes about 35 clocks for 16 of k: 11 µs for k = 8,960, where an
// A40 needs 40 µs for the memory of 1,536 such rows, and an H200 6 µs: there this one product is limited by its chain.
package kernels
