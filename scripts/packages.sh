#!/usr/bin/env bash
# Installs the Debian/Ubuntu packages that Forgekeeper needs and this machine lacks.
#   scripts/packages.sh build|test|windows|bench …
# On other systems it prints what is needed and goes on: the tools may be there under other names.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

packages_of() {
  case "$1" in
    build) say build-essential pkg-config libwebkit2gtk-4.1-dev libssl-dev libayatana-appindicator3-dev \
      librsvg2-dev libdbus-1-dev curl file ;;
    test) say docker.io iptables iproute2 busybox-static webkit2gtk-driver xvfb dbus dbus-x11 gnome-keyring \
      imagemagick chromium fonts-dejavu-core python3-venv procps ;;
    windows) say rustc-web cargo-web rust-web-src gcc-mingw-w64-x86-64 g++-mingw-w64-x86-64 wine wine64 ;;
    bench) say xdotool zstd ;;
    *) die "unknown package group \`$1\`; known: build, test, windows, bench" ;;
  esac
}

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# A tool that does the same work, put there by other means (Docker's own packages, for one).
stands_in() {
  case "$1" in
    docker.io) have dockerd && have docker ;;
    chromium) [ -x /usr/bin/chromium ] ;;
    *) return 1 ;;
  esac
}

[ $# -gt 0 ] || die "usage: scripts/packages.sh build|test|windows|bench …"
wanted=()
for group in "$@"; do
  read -r -a names <<<"$(packages_of "$group")"
  wanted+=("${names[@]}")
done

if ! have apt-get || ! have dpkg-query; then
  say "This is no Debian or Ubuntu; what is needed here, under Debian's names: ${wanted[*]}"
  say "Going on; a missing tool will be named when it is needed."
  exit 0
fi

missing=()
for package in "${wanted[@]}"; do
  installed "$package" || stands_in "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

say "Installing ${#missing[@]} missing packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# sudo drops the environment, so the variable is repeated behind it.
install() { as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; }
known() { apt-cache show "$1" >/dev/null 2>&1; }
for package in "${missing[@]}"; do
  known "$package" && continue
  say "Refreshing the package lists (\`apt-get update\`) …"
  as_root apt-get update -q
  break
done
absent=()
for package in "${missing[@]}"; do known "$package" || absent+=("$package"); done
[ ${#absent[@]} -eq 0 ] || die "this release has no package named: ${absent[*]}"
if ! install "${missing[@]}"; then
  # Old lists name files that the archive no longer has.
  say "Trying again with fresh package lists …"
  as_root apt-get update -q
  install "${missing[@]}"
fi
