// Package table reads and writes the records of package schemas: files (.arrow, .parquet, .jsonl,
// .jsonl.gz, .jsonl.zst), Arrow IPC streams on standard input and output ("-"), and single messages
// for streams ([EncodeIPC], [DecodeIPC]).
//
// Start with table.go: [Open] and [Create] are what a stage uses. What they return is the same for
// all formats:
//
//   - A [Reader] gives records in exactly the schema of their kind, checked before the first batch.
//     Batches of rollouts and scored rollouts hold whole groups, about [BatchRows] rows. Memory is
//     bounded by a few batches, or, for .arrow files, by the largest batch that was written.
//   - A [Writer] of a file replaces it only when Close succeeds; after an error or Abort the file
//     that was there before is untouched. A stream is flushed after each record.
//
// [OpenRows] reads any table (also .json) as plain maps, for data sets with columns of their own.
//
// Nothing here trusts its input: an Arrow message's header is verified before the Arrow library sees
// it, its buffers after (verify.go, validate.go), and faults are errors that name file, place, what was
// expected and what was found. Not here: JetStream (stages/bus) and what the values mean.
package table
