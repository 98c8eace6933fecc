# Shared by the scripts of this repository; sourced, never run. Bash 4 or newer.
# shellcheck shell=bash
set -euo pipefail

# Plain text everywhere: logs are read in files as often as on a terminal.
export NO_COLOR=1 CARGO_TERM_COLOR=never FORCE_COLOR=0

FK_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
# What is dear to rebuild and safe to lose: cargo targets, wheels, a Wine prefix.
# Outside the checkout, so that a fresh clone finds it again.
FK_CACHE="${FORGEKEEPER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/forgekeeper}"
export FK_ROOT FK_CACHE

say() { printf '%s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root: directly, or through sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif have sudo; then
    sudo -- "$@"
  else
    die "this needs root, and there is no sudo: $*"
  fi
}

# Whether as_root can work without asking anybody.
can_be_root() {
  [ "$(id -u)" -eq 0 ] || { have sudo && sudo -n true 2>/dev/null; }
}

# need_tool NAME HINT
need_tool() { have "$1" || die "\`$1\` is missing. $2"; }

need_rust_and_node() {
  # A shell that never sourced rustup's environment still has it here.
  [ -d "$HOME/.cargo/bin" ] && case ":$PATH:" in *":$HOME/.cargo/bin:"*) ;; *) PATH="$HOME/.cargo/bin:$PATH" ;; esac
  need_tool cargo "Install Rust 1.95 or newer: https://rustup.rs"
  need_tool node "Install Node.js 20 or newer: https://nodejs.org"
  need_tool npm "Install npm, which comes with Node.js"
  local major
  major="$(node -p 'process.versions.node.split(".")[0]')"
  [ "$major" -ge 20 ] || die "Node.js $major is too old; version 20 or newer is needed"
}

# Installs the npm packages of ui/ when package-lock.json changed since the last time.
npm_packages() {
  local ui="$FK_ROOT/ui" stamp sum
  stamp="$ui/node_modules/.forgekeeper-lock"
  sum="$(sha256sum <"$ui/package-lock.json" | cut -d' ' -f1)"
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ]; then
    return 0
  fi
  say "Installing the npm packages of ui/ (first time or after a change, about a minute) …"
  (cd "$ui" && npm ci --no-fund --no-audit)
  printf '%s\n' "$sum" >"$stamp"
}

# Builds ui/dist when a source is newer than it.
ui_dist() {
  local ui="$FK_ROOT/ui" stamp newer
  stamp="$ui/dist/index.html"
  if [ -f "$stamp" ]; then
    newer="$(find "$ui" \( -name node_modules -o -name dist -o -name paraglide \) -prune -o -type f -newer "$stamp" -print -quit)"
    [ -n "$newer" ] || return 0
  fi
  say "Building the window's pages …"
  (cd "$ui" && npm run build)
  # Vite may leave an unchanged file alone; the stamp must still be newer than the sources.
  touch "$stamp"
}

# seconds -> 1:05
clock() { printf '%d:%02d' "$(($1 / 60))" "$(($1 % 60))"; }
