# Integration tests: stand-ins on real sockets, and a real Docker Engine.
source "$(dirname "${BASH_SOURCE[0]}")/../suite.sh"
source "$(dirname "${BASH_SOURCE[0]}")/../real-engine.sh"
cd "$FK_ROOT"
real_engine

# Tests that need an engine, or root for one of their own, are marked `ignored` with that reason.
ignored=()
if [ -n "${FORGEKEEPER_TEST_DOCKER:-}" ]; then
  ignored=(--include-ignored)
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
  cargo test --locked --workspace --test integration -- --include-ignored --exact "$2"
}
FK_SECOND_TRY=integration_test_again
step "cargo test -p forgekeeper-tests" cargo test --locked --workspace --test integration --no-fail-fast -- "${ignored[@]}"
