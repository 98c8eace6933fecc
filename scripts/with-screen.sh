#!/usr/bin/env bash
# Runs a command on a virtual screen of its own, with a session bus of its own.
#   scripts/with-screen.sh COMMAND…
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need_tool Xvfb "Install xvfb."
need_tool dbus-run-session "Install dbus."
number="$(mktemp)"
# Xvfb chooses a free display and writes its number once it is ready.
exec 9<>"$number"
Xvfb -displayfd 9 -screen 0 1440x1000x24 -nolisten tcp >/dev/null 2>&1 &
screen=$!
trap 'kill $screen 2>/dev/null || true; rm -f "$number"' EXIT
for _ in $(seq 1 100); do
  [ -s "$number" ] && break
  kill -0 "$screen" 2>/dev/null || die "Xvfb ended at once"
  sleep 0.1
done
[ -s "$number" ] || die "Xvfb did not come up within 10 s"
DISPLAY=":$(tr -d '\n' <"$number")"
export DISPLAY
# No GPU behind it: WebKitGTK must not look for one, and GTK must not look for Wayland.
export GDK_BACKEND=x11 LIBGL_ALWAYS_SOFTWARE=1 NO_AT_BRIDGE=1
unset WAYLAND_DISPLAY
dbus-run-session -- "$@" 9>&-
