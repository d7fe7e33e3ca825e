// Package step has the steps that a recipe can put problems through.
//
// A step is a row of the table in table.go: its name and options for a recipe (recipe.Spec) and a
// function that makes it. What it makes is one of three kinds (step.go):
//
//   - a [Filter] looks at each row by itself. Rows are looked at in parallel.
//   - a [Judge] remembers rows that came before: duplicates, limits. What can be computed of a row alone is
//     done in parallel by Prepare; Decide is then called for one row after the other, in their order.
//   - an [Arranger] has to see all rows before the first can go on: orders and mixtures.
//
// So the outcome is the same whatever the number of threads. Random choices are a hash of seed, purpose and
// problem id (draw.go), so they do not depend on the place where a row was read, nor on what other rows
// there are.
//
// A step that takes a row out says why ([Removal]). It may change a row's answer, difficulty and metadata, never
// its problem or source, which its id is made of.
//
// Not here: reading (load), what runs the steps (refine), comparing texts (similar), and reading
// and comparing answers (score/answer).
package step
