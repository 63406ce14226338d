# Sourced by scripts that need the running service for a while, after common.sh: a bank's sidecar and a
# server on a Unix socket and a free loopback port, both ended with the script.

M3_BIN="$M3_ROOT/build/release/bin"
M3_WORK=""
M3_TARGET=""
M3_PIDS=()

# Installs what is missing and builds the given targets; everything it says goes to standard error.
build_programs() {
  {
    scripts/setup
    cmake --preset release
    cmake --build --preset release --parallel "$(job_count)" --target "$@"
  } >&2 </dev/null
}

# Makes M3_WORK, a folder that goes with the script, and has the script stop what it started.
make_work_folder() {
  M3_WORK="$(mktemp --directory --tmpdir memory3.XXXXXX)"
  trap stop_service EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

stop_service() {
  local pid
  for pid in "${M3_PIDS[@]}"; do
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$M3_WORK"
}

# start_service BANK SERVER_FLAGS...: sets M3_TARGET. The server may still be loading its model when
# this returns.
start_service() {
  local bank="$1" server deadline
  shift
  "$M3_BIN/memory3-retrieval" --bank "$bank" --taught "$M3_WORK/taught" \
    --listen_address "unix:$M3_WORK/retrieval" --metrics_address 127.0.0.1:0 \
    >"$M3_WORK/retrieval.log" 2>&1 </dev/null &
  M3_PIDS+=($!)
  "$M3_BIN/memory3-server" --bank "$bank" --taught_dir "$M3_WORK/taught" --memory_policy strict \
    --retrieval_target "unix:$M3_WORK/retrieval" --listen_address 127.0.0.1:0 \
    --port_file "$M3_WORK/port" --metrics_address 127.0.0.1:0 "$@" \
    >"$M3_WORK/server.log" 2>&1 </dev/null &
  server=$!
  M3_PIDS+=("$server")
  # The port is bound before the model is loaded, so it comes soon or never.
  deadline=$((SECONDS + 60))
  while [[ ! -s $M3_WORK/port ]]; do
    if ! kill -0 "$server" 2>/dev/null || ((SECONDS > deadline)); then
      cat "$M3_WORK/retrieval.log" "$M3_WORK/server.log" >&2
      die "the server did not start"
    fi
    sleep 0.05
  done
  M3_TARGET="127.0.0.1:$(<"$M3_WORK/port")"
}

# make_world SEED DIR: the invented encyclopaedia and the questions about it.
make_world() {
  PYTHONPATH="$M3_ROOT/training" PYTHONDONTWRITEBYTECODE=1 \
    python3 -m memory3_training.world --seed "$1" --out "$2" >&2 </dev/null
}
