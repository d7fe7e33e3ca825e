# Functions that the pipelines share. Source it from bash with `set -euo pipefail`.

# build DIR: the five binaries into DIR.
build() {
  mkdir -p "$1"
  CGO_ENABLED=0 go build -o "$1/" ./curate ./generate ./score ./update ./evaluate
}

# start_nats DIR: a nats-server with JetStream for one machine, on a free port of the loopback
# interface, its data in DIR. Sets NATS_URL and nats_pid. Every acknowledged message is on disk
# (sync_interval: always): a run survives a power cut.
start_nats() {
  mkdir -p "$1"
  cat >"$1/nats.conf" <<CONF
host: 127.0.0.1
port: -1
max_payload: 8MB
ports_file_dir: "$1"
jetstream { store_dir: "$1/data", sync_interval: always }
CONF
  rm -f "$1"/*.ports
  # The server itself and not `go tool nats-server`, which would leave it behind when killed.
  "$(go tool -n nats-server)" -c "$1/nats.conf" >"$1/nats.log" 2>&1 &
  nats_pid=$!
  for _ in $(seq 100); do
    NATS_URL=$(sed -n 's/.*"nats":\["\([^"]*\)".*/\1/p' "$1"/*.ports 2>/dev/null || true)
    [ -n "$NATS_URL" ] && break
    kill -0 "$nats_pid" 2>/dev/null || break
    sleep 0.1
  done
  if [ -z "$NATS_URL" ]; then
    echo "nats-server did not start:" >&2
    tail -n 5 "$1/nats.log" >&2
    return 1
  fi
  export NATS_URL
}

# follow LOGS PID…: waits for the processes and shows update's progress. The first that fails ends it
# with the last words of all logs.
follow() {
  local logs=$1 shown='' line pid running
  shift
  while :; do
    line=$(grep 'msg=trained' "$logs/update.log" 2>/dev/null | tail -n 1 | sed 's/.* \(step=.*\) loss=.*/  \1/' || true)
    [ "$line" = "$shown" ] || echo "$line"
    shown=$line
    running=0
    for pid in "$@"; do
      if kill -0 "$pid" 2>/dev/null; then
        running=1
      elif ! wait "$pid"; then
        echo "a stage has failed; the last lines of the logs in $logs:" >&2
        for line in "$logs"/*.log; do tail -n 2 "$line" >&2; done
        return 1
      fi
    done
    [ $running = 1 ] || return 0
    sleep 1
  done
}

# claim DIR: makes this script the only one at work in DIR, a run's folder. Processes that a killed one has left
# behind, by the numbers in DIR/pids, are ended first; a script that is alive keeps its run.
claim() {
  local pid
  if [ -f "$1/pids" ]; then
    read -r pid <"$1/pids" || true
    if [ "$pid" != $$ ] && at_work "$pid" "$0"; then
      echo "another ${0##*/} is at work in $1" >&2
      return 1
    fi
    for pid in $(tail -n +2 "$1/pids"); do
      end_stage "$pid" "$1"
    done
  fi
  echo $$ >"$1/pids"
}

# at_work PID TEXT: whether a process is alive and has TEXT in its command line.
at_work() {
  case " $(ps -o args= -p "$1" 2>/dev/null) " in
    *"$2"*) return 0 ;;
  esac
  return 1
}

# end_stage PID DIR: ends a process of the run in DIR, if it is one: numbers of processes are given out again.
end_stage() {
  local text=" --run ${2##*/} "
  at_work "$1" "$text" || text="$2/"
  at_work "$1" "$text" || return 0
  kill "$1" 2>/dev/null || return 0
  for _ in $(seq 150); do
    at_work "$1" "$text" || return 0
    sleep 0.1
  done
  kill -9 "$1" 2>/dev/null || true
}
