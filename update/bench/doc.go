// Package bench measures training: tokens a second through forward pass, objective, backward pass and
// optimizer, beside what the machine allows at the same moment.
//
// It measures the trainer that makes GRPO steps ([train.GRPO]) on groups of random tokens whose
// advantages are +1 and −1 in turn, so that every completion has a gradient; every step trains on the
// same groups. One step warms up, and the rates are of the median of the others.
//
// Operations are package roofline's: three times those of a forward pass, whether or not activations or
// logits are computed again.
package bench
