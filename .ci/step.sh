# step WHAT: says what comes next, and after how long.
step() { printf '\n== %s (%d s)\n' "$*" $((SECONDS + ${CI_BEGAN:-0})); }
