// Package stages is a stage's life: its flags and recipe, its log and metrics, where its records come
// from and go to, and an orderly end.
//
// A stage is a command of one of the five binaries. Its main.go lists its flags and hands [Main] an
// action; the action asks for a [Source] and a [Sink] by [Endpoint] and loops: next batch, work,
// write, acknowledge. Whether the batches come from a file, a pipe or JetStream is decided by the
// endpoint alone; the packages below this folder do the parts (table: files, bus: JetStream).
//
// The order in that loop is what makes a pipeline safe to kill at any moment: a batch is acknowledged
// only after what was made from it has been acknowledged by the server, and what is made from it is
// published under an id derived from it, so that work done twice is stored once.
package stages
