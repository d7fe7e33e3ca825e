// Package schemas defines the records that stages exchange: problems, rollouts, scored rollouts and
// metrics. Each kind has one file with its Go struct and its columns; the Arrow schema and the
// conversion in both directions follow from that one list of columns.
//
// Start with [Kind], then read rollouts.go. A stage uses a [Table]:
//
//	rows, err := schemas.Rollouts().Decode(record)
//	record, err := schemas.ScoredRollouts().Encode(mem, rows)
//
// [Check] compares a schema with a kind before anything is read, [Conform] brings a record from
// elsewhere into exactly this package's schema, and [GroupRanges] finds the groups in a batch.
//
// What does not live here: files, pipes and messages (stages/table and stages/bus), and anything that
// gives the values a meaning (rewards, losses).
//
// # Ownership
//
// Records returned by Encode and Conform belong to the caller, who releases them. Decode copies what
// it returns, so rows outlive the record and the memory that it was read from.
package schemas
