#!/usr/bin/env bash
# Runs the second experiment of the open-rs study: 7,000 problems of mixed difficulty, accuracy and format rewards, 3,584 tokens.
# The usage is that of pipelines/study.sh.
exec "$(dirname "$0")/study.sh" open-rs2 "$@"
