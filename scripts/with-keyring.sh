#!/usr/bin/env bash
# Runs a command with an unlocked Secret Service of its own: a message bus, a keyring in a throw-away
# home, nothing of the user's.
#   scripts/with-keyring.sh cargo test …
set -euo pipefail
home="$(mktemp -d /tmp/forgekeeper-keyring.XXXXXX)"
trap 'rm -rf "$home"' EXIT
export XDG_DATA_HOME="$home/data" XDG_RUNTIME_DIR="$home/run"
mkdir -m 700 -p "$XDG_DATA_HOME" "$XDG_RUNTIME_DIR"
dbus-run-session -- bash -c '
  printf forgekeeper | gnome-keyring-daemon --unlock --components=secrets >/dev/null
  exec "$@"
' with-keyring "$@"
