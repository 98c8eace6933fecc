#!/usr/bin/env bash
# Builds the stand-in as one static binary, which `docker import` can put into a container.
#   scripts/static-standin.sh [--path]    --path only says where it is
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need_rust_and_node
cd "$FK_ROOT"
# The flag must not reach build scripts and macros, hence the explicit target.
target="$(rustc -vV | sed -n 's/^host: //p')"
folder="$FK_CACHE/static-target"
standin="$folder/$target/debug/forgekeeper-standin"
if [ "${1:-}" = --path ]; then
  say "$standin"
  exit 0
fi
RUSTFLAGS="-C target-feature=+crt-static" CARGO_TARGET_DIR="$folder" \
  cargo build --locked -p forgekeeper-standin --bin forgekeeper-standin --target "$target"
if ldd "$standin" 2>/dev/null | grep '=>'; then
  die "the stand-in is not statically linked"
fi
