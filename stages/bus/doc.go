// Package bus carries the records of a run between stages over NATS JetStream.
//
// A run named R owns, on one NATS server or cluster:
//
//	openrs-R-problems, -rollouts, -scored, -metrics   streams, subjects openrs.R.<stream>
//	openrs-R-dead                                     stream of what could not be processed, subjects openrs.R.dead.<stage>
//	openrs-R                                          key-value bucket: ends of streams, policies, configurations
//	openrs-R-policy                                   object store: the bytes of policies, where no file system is shared
//
// What lives here: connecting ([Connect]), creating or attaching to a run ([Bus.Run]), publishing
// with acknowledgement and without duplicates ([Run.Publish]), sharing a stream's work among
// processes ([Run.Consume]), reading a stream again from any place ([Run.Replay]), the end of a
// stream ([Run.MarkEnd]), dead letters ([Run.Dead]), the policy store ([Run.Policies]) and the small
// facts of a run ([Run.PutConfig]).
//
// What does not: the meaning of a message. Bodies are opaque bytes here; the caller encodes and
// decodes record batches. The server for tests is in the package bustest, so that no binary links it.
//
// # Nothing lost, nothing twice
//
// A publisher gives each message an id that it derives from its input, and retries with the same id
// until the server has acknowledged it. A consumer acknowledges its input only after the server has
// acknowledged its output. So whatever dies in between, the input comes again and its output is
// recognised as a duplicate. The server remembers ids for [RunOptions.DuplicateWindow] only; readers
// drop groups that they have already seen, which covers what is older. Every message carries the
// SHA-256 of its body, and no body is handed over that does not match it.
//
// Streams keep their messages (limits retention) and refuse new ones when they are full instead of
// dropping old ones, because a run is resumed, scored anew and audited by reading them again.
//
// # Where to start reading
//
// layout.go (names and configurations), then publish.go, consume.go and end.go; policy.go for weights.
package bus
