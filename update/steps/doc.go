// Package steps puts scored groups together into optimizer steps.
//
// Groups arrive in any order, some twice, some of later steps before the last of this one. An
// [Assembler] keeps them until a step is complete and hands the steps out in order, each with its
// groups in order of id, so that what is trained on depends on what was scored and not on who was
// faster. It is a state machine without I/O.
package steps
