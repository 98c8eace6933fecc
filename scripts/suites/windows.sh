# Cross-builds both programs for Windows and runs the command line under Wine. Slow and heavy, so
# only on request: ./test.sh windows, or ./test.sh --with windows.
source "$(dirname "${BASH_SOURCE[0]}")/../suite.sh"
cd "$FK_ROOT"
[ -x /usr/bin/cargo ] && [ -d /usr/lib/rustlib/src/rust/library ] ||
  skip "Debian's cargo-web, rustc-web and rust-web-src are needed; rustup's toolchain here has no Windows std"
have x86_64-w64-mingw32-gcc || skip "mingw-w64 is missing"
wine_program="$(command -v wine64 || command -v wine || { [ -x /usr/lib/wine/wine64 ] && say /usr/lib/wine/wine64; } || true)"
[ -n "$wine_program" ] || skip "wine is missing"
must "npm packages" npm_packages
must "pages" ui_dist

target="$FK_CACHE/windows-target"
built="$target/x86_64-pc-windows-gnu/debug"

cross_build() {
  # No debug information: it triples the size and nobody steps through it here.
  env RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc PATH="/usr/bin:$PATH" CARGO_TARGET_DIR="$target" \
    /usr/bin/cargo build --locked -Zbuild-std=std,panic_unwind --target x86_64-pc-windows-gnu \
    --config profile.dev.debug=0 -p forgekeeper -p forgekeeper-cli
  ls -l "$built"/*.exe
}
FK_STEP_FAILED=0
step "forgekeeper.exe and forgekeeperctl.exe" cross_build
[ "$FK_STEP_FAILED" -eq 0 ] || exit 1

# Wine 8 lacks a library that Rust's std asks for random bytes. This stands in for it in the test
# folder and is never shipped.
run_dir="$target/wine-run"
wine_aid() {
  rm -rf "$run_dir"
  mkdir -p "$run_dir"
  cat >"$run_dir/prng.c" <<'C'
#include <stddef.h>
unsigned char __stdcall SystemFunction036(void *buffer, unsigned long length);
__declspec(dllexport) int __stdcall ProcessPrng(unsigned char *data, size_t length) {
    while (length > 0) {
        unsigned long part = length > 0x10000000 ? 0x10000000 : (unsigned long)length;
        if (!SystemFunction036(data, part)) return 0;
        data += part;
        length -= part;
    }
    return 1;
}
C
  x86_64-w64-mingw32-gcc -shared -O1 -o "$run_dir/bcryptprimitives.dll" "$run_dir/prng.c" -ladvapi32
  cp "$built/forgekeeperctl.exe" "$run_dir/"
  # Programs built by mingw may want its run-time libraries beside them.
  local dll
  for dll in libgcc_s_seh-1.dll libstdc++-6.dll libwinpthread-1.dll; do
    if x86_64-w64-mingw32-objdump -p "$built/forgekeeperctl.exe" | grep -q "DLL Name: $dll"; then
      cp "$(find /usr/lib/gcc/x86_64-w64-mingw32 /usr/x86_64-w64-mingw32 -name "$dll" | sort | head -n 1)" "$run_dir/"
    fi
  done
}
must "test aid for Wine" wine_aid

export WINEPREFIX="$FK_CACHE/wine" WINEDEBUG=-all WINEARCH=win64
# Neither Gecko nor Mono, and no window of the first start.
export WINEDLLOVERRIDES="mscoree,mshtml=;winemenubuilder.exe=d"
unset DISPLAY
trap "wineserver -k 2>/dev/null || true" EXIT

in_wine() { (cd "$run_dir" && timeout "$1" "$wine_program" "${@:2}"); }
must "Wine's first start" in_wine 240 cmd /c ver

demo_status() {
  local rc=0
  in_wine 120 ./forgekeeperctl.exe --demo status --json >"$run_dir/status.json" 2>"$run_dir/status.err" || rc=$?
  cat "$run_dir/status.json" "$run_dir/status.err"
  say "exit code $rc"
  # 0 all green, 1 something degraded or failing, 3 unknown: all are answers. 2 is wrong use.
  case "$rc" in 0 | 1 | 3) ;; *) return 1 ;; esac
  node -e '
    const state = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
    const ids = (state.services ?? state).map((s) => s.id);
    for (const id of ["myia", "myia-turbo"]) {
      if (!ids.includes(id)) throw new Error(`service ${id} is missing; found ${ids.join(", ")}`);
    }
    console.log(`both services are there: ${ids.join(", ")}`);
  ' "$run_dir/status.json"
}
step "forgekeeperctl.exe --demo status --json" demo_status
say "--- result" >&3
sed -n '1,12p' "$run_dir/status.json" | cut -c1-200 | sed 's/^/   | /' >&3

bad_use() {
  local rc=0
  in_wine 60 ./forgekeeperctl.exe --no-such-option || rc=$?
  say "exit code $rc"
  [ "$rc" -eq 2 ]
}
step "forgekeeperctl.exe refuses a wrong option with code 2" bad_use
