// Package roofline says how fast a model could run: what the machine allows at this moment ([Measure])
// and what the work costs in arithmetic and in bytes read ([Cost]). Their ratio to a measured time is
// what the benchmark commands print (Williams, Waterman and Patterson, Roofline: an insightful visual
// performance model), beside the memory that it took ([PeakMemory]).
//
// A cost counts what the model's definition asks for: products with weights and attention, a
// multiply-add as two operations. It leaves out norms, activations, rotary embedding and softmax, which
// are of lower order, and whatever a device computes twice or in vain to be faster. A rate made from it
// is therefore a lower bound of what the arithmetic units did.
package roofline
