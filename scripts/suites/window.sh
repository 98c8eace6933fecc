# The real program in a real WebKitGTK window, driven through WebDriver on the demo host.
source "$(dirname "${BASH_SOURCE[0]}")/../suite.sh"
source "$(dirname "${BASH_SOURCE[0]}")/../real-engine.sh"
cd "$FK_ROOT"
[ "$(uname -s)" = Linux ] || skip "WebKitWebDriver drives the window on Linux only"
for tool in WebKitWebDriver Xvfb dbus-run-session; do
  have "$tool" || skip "\`$tool\` is missing on this machine"
done
must "npm packages" npm_packages
must "pages" ui_dist
must "programs" cargo build --locked --workspace --bins
real_engine
FORGEKEEPER_BIN="$CARGO_TARGET_DIR/debug/forgekeeper"
export FORGEKEEPER_BIN
window_test_again() { one_node_test "$1" "$2" scripts/with-screen.sh; }
FK_SECOND_TRY=window_test_again
step "window tests" scripts/with-screen.sh node --test --test-concurrency=1 --test-reporter=spec tests/e2e/*.test.mjs
FK_SECOND_TRY=""

if have gnome-keyring-daemon; then
  step "a real Secret Service" scripts/with-keyring.sh cargo test --locked --package forgekeeper-keeper --lib -- \
    --include-ignored a_real_secret_service
fi
