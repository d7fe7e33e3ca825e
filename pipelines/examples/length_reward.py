#!/usr/bin/env python3
"""A reward in another process, for `score`:

    score --reward accuracy --reward 'exec/brevity=0.2:python3 pipelines/examples/length_reward.py'

It reads rollouts as an Arrow IPC stream from standard input: each record batch is one group, the
completions of one problem. For each batch it writes one batch to standard output, with one float32 column
and a row for each rollout in the same order; a null is "no reward". It ends when its input ends.
What it writes to standard error goes to the log of `score`. Needs pyarrow.

The reward here: 1 for the shortest completion of the group, 0 for the longest, by tokens, and in
between linearly; 0.5 if all are as long.
"""

import sys

import pyarrow as pa


def rewards(group: pa.RecordBatch) -> list[float]:
    # All columns of a rollout are there: problem, answer, completion, finish_reason, logprobs, ...
    lengths = [len(ids) for ids in group.column("completion_ids").to_pylist()]
    low, high = min(lengths), max(lengths)
    if low == high:
        return [0.5] * len(lengths)
    return [(high - n) / (high - low) for n in lengths]


def main() -> None:
    schema = pa.schema([("reward", pa.float32())])
    with pa.ipc.open_stream(sys.stdin.buffer) as groups:
        out = pa.ipc.new_stream(sys.stdout.buffer, schema)
        for group in groups:
            out.write_batch(pa.record_batch([pa.array(rewards(group), pa.float32())], schema=schema))
            sys.stdout.buffer.flush()  # score waits for this batch before it sends the next one
        out.close()


if __name__ == "__main__":
    main()
