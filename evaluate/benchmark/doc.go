// Package benchmark defines what a model is measured on: one row of a table
// for each benchmark, with its data, its prompt and its metric.
//
// Start with Load and with table.go, which has the rows; to add a benchmark,
// add a row. A row says how many problems there are, by what names people
// keep the file, how a problem and its gold answer are read from a row of it,
// which prompt is put around the question, and how answers are judged.
//
//   - alias.go: the names people know a benchmark by, lighteval's included
//   - prompt.go: the wording of prompts. It is data: a changed space is
//     another benchmark
//   - find.go: which files of a folder hold a benchmark
//   - row.go, answer.go: from a row of a file to a question and its gold
//     answer; every fault names the file, the row and the column
//   - choices.go: the seeded order of the options of multiple-choice questions
//   - content.go: a hash of what a file says, so that another edition of a
//     benchmark is noticed, whatever the file format
//
// The data are not here and are fetched by nobody: several of them may not be
// passed on. Options.Data names the folder that has them.
//
// Asking the model is generate's job, judging its answers score's; how often
// and how hot to sample is package protocol's, the figures are package
// report's.
package benchmark
