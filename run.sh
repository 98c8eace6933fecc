#!/usr/bin/env bash
# Builds Forgekeeper and opens its window; installs what is missing first.
#   ./run.sh            opens the window
#   ./run.sh --demo     opens it on the demo host: no Docker, no GPU needed
# Everything after ./run.sh is passed on. A second start builds nothing.
source "$(dirname "${BASH_SOURCE[0]}")/scripts/common.sh"
cd "$FK_ROOT"

need_rust_and_node
./scripts/packages.sh build
npm_packages
ui_dist

target="${CARGO_TARGET_DIR:-$FK_ROOT/target}"
program="$target/release/forgekeeper"
if [ ! -x "$program" ]; then
  say "Building Forgekeeper. The first time this takes about 5 to 15 minutes, later ones seconds."
fi
# Cargo itself knows what is out of date; with nothing to do it takes less than a second.
cargo build --locked --release --package forgekeeper --bin forgekeeper
# Tauri wrote these while it built; as they are newer than the build's start, cargo would take them
# for a change and build the program once more at the second start.
find src-tauri/permissions -exec touch -d 2000-01-01 {} +
if [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
  die "there is no screen (neither DISPLAY nor WAYLAND_DISPLAY is set); the program is at $program"
fi
say "Opening the window …"
exec "$program" "$@"
