#!/usr/bin/env bash
# Runs the third experiment of the open-rs study: 7,000 problems of mixed difficulty, cosine and format rewards, English asked for.
# The usage is that of pipelines/study.sh.
exec "$(dirname "$0")/study.sh" open-rs3 "$@"
