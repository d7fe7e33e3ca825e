#!/usr/bin/env bash
# Runs the first experiment of the open-rs study: the 18,615 problems of open-s1, accuracy and format rewards, 4,096 tokens.
# The usage is that of pipelines/study.sh.
exec "$(dirname "$0")/study.sh" open-rs1 "$@"
