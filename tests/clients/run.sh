#!/usr/bin/env bash
# Tries the stand-ins with clients nobody here wrote: the docker command line and three Python
# packages. One line per check, and a last line `N passed, N failed, N skipped`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${FORGEKEEPER_CACHE:-$HOME/.cache/forgekeeper}
mkdir -p "$cache"

mark=$(sha256sum "$here/requirements.txt" | cut -c1-12)
venv="$cache/clients-$mark"
if [ ! -e "$venv/done" ]; then
    echo "# installing the Python clients into $venv" >&2
    python3 -m venv "$venv" >&2
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
    touch "$venv/done"
fi

cargo build --quiet --manifest-path "$root/Cargo.toml" -p forgekeeper-standin >&2
target=${CARGO_TARGET_DIR:-$root/target}
work=$(mktemp -d)
site=
end() {
    [ -z "$site" ] || kill "$site" 2>/dev/null || true
    rm -rf "$work"
}
trap end EXIT

"$target/debug/forgekeeper-standin" site --speed 20 --json-endpoints >"$work/endpoints.json" &
site=$!
for _ in $(seq 100); do
    [ -s "$work/endpoints.json" ] && break
    sleep 0.1
done
if [ ! -s "$work/endpoints.json" ]; then
    echo "not ok the demo site starts"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi

# Proxies of the machine must not stand between the clients and loopback.
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
passed=0 failed=0 skipped=0
for check in "$here"/check_*.py; do
    log="$work/$(basename "$check").log"
    code=0
    timeout 180 "$venv/bin/python" "$check" "$work/endpoints.json" >"$log" || code=$?
    cat "$log"
    here_passed=$(grep -c '^ok ' "$log" || true)
    here_failed=$(grep -c '^not ok ' "$log" || true)
    here_skipped=$(grep -c '^skipped ' "$log" || true)
    # A script that dies without a word is a failure too.
    if [ "$code" -ne 0 ] && [ "$here_failed" -eq 0 ]; then
        echo "not ok $(basename "$check") ended with status $code"
        here_failed=1
    fi
    if [ "$code" -eq 0 ] && [ $((here_passed + here_failed + here_skipped)) -eq 0 ]; then
        echo "not ok $(basename "$check") checked nothing"
        here_failed=1
    fi
    passed=$((passed + here_passed)) failed=$((failed + here_failed)) skipped=$((skipped + here_skipped))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
