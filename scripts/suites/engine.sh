# Integration tests: stand-ins on real sockets, and a real Docker Engine. A running engine is used
# only through names and labels of our own; without one, an engine with a private socket and data
# folder is started and ended here.
source "$(dirname "${BASH_SOURCE[0]}")/../suite.sh"
cd "$FK_ROOT"

work="$(mktemp -d /tmp/forgekeeper-engine.XXXXXX)"
clean_up() { "$FK_ROOT/scripts/engine.sh" remove "$work" || rm -rf "$work"; }
trap clean_up EXIT

must "static stand-in" "$FK_ROOT/scripts/static-standin.sh"
FORGEKEEPER_TEST_STANDIN="$("$FK_ROOT/scripts/static-standin.sh" --path)"
export FORGEKEEPER_TEST_STANDIN

running_engine() {
  local host
  host="${DOCKER_HOST:-unix:///var/run/docker.sock}"
  case "$host" in unix://*) ;; *) return 1 ;; esac
  DOCKER_HOST="$host" timeout 5 docker version >/dev/null 2>&1 && say "$host"
}

# Tests that need an engine, or root for one of their own, are marked `ignored` with that reason.
ignored=()
if ! can_be_root || ! have dockerd; then
  unset FORGEKEEPER_TEST_DOCKER
  say "   no real engine: starting dockerd needs root, or sudo without a password" >&3
else
  ignored=(--include-ignored)
  if FORGEKEEPER_TEST_DOCKER="$(running_engine)"; then
    say "   using the running engine at $FORGEKEEPER_TEST_DOCKER" >&3
  else
    must "an engine of our own" "$FK_ROOT/scripts/engine.sh" start "$work"
    FORGEKEEPER_TEST_DOCKER="unix://$work/docker.sock"
  fi
  export FORGEKEEPER_TEST_DOCKER
  if [ "$(id -u)" -ne 0 ]; then
    host="$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')"
    export "CARGO_TARGET_${host}_RUNNER=sudo -n -E"
  fi
fi

must "programs" cargo build --locked --workspace --bins
must "libraries in the driver's place" cargo build --locked -p forgekeeper-standin-nvml --examples
FORGEKEEPER_TEST_CTL="$CARGO_TARGET_DIR/debug/forgekeeperctl"
export FORGEKEEPER_TEST_CTL
# A snapshot that differs is a failure here, never a new file.
export INSTA_UPDATE=no
integration_test_again() {
  cargo test --locked --package forgekeeper-tests --test integration -- --include-ignored --exact "$2"
}
FK_SECOND_TRY=integration_test_again
step "cargo test -p forgekeeper-tests" cargo test --locked --workspace --test integration --no-fail-fast -- "${ignored[@]}"
