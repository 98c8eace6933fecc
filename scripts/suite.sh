# Sourced by every file in scripts/suites/: steps, counts and skips. Output goes to the suite's log;
# file descriptor 3 is the terminal of test.sh.
# shellcheck shell=bash
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need_rust_and_node

# A suite run by hand reports to the terminal and to a throw-away file.
FK_RESULT="${FK_RESULT:-$(mktemp)}"
if ! { true >&3; } 2>/dev/null; then exec 3>&1; fi
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$FK_CACHE/target}"

# Adds up what known test programs print: libtest, vitest, node --test, pytest, and our own last line.
# Prints "PASSED FAILED SKIPPED", all zero when nothing was recognised.
count_tests() {
  awk '
    function number_before(word,   i) {
      for (i = 2; i <= NF; i++) { t = $i; gsub(/[^a-z]/, "", t); if (t == word && $(i-1) ~ /^[0-9]+$/) return $(i-1) }
      return 0
    }
    /^test result: / { passed += number_before("passed"); failed += number_before("failed"); skipped += number_before("ignored"); next }
    /^ +Tests +[0-9]/ { passed += number_before("passed"); failed += number_before("failed"); skipped += number_before("skipped") + number_before("todo"); next }
    /^(#|ℹ) (pass|fail|cancelled|skipped|todo) [0-9]+$/ {
      if ($2 == "pass") passed += $3
      else if ($2 == "fail" || $2 == "cancelled") failed += $3
      else skipped += $3
      next
    }
    /^=+ .* in [0-9.]+s/ { passed += number_before("passed"); failed += number_before("failed") + number_before("errors") + number_before("error"); skipped += number_before("skipped"); next }
    /^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { passed += $1; failed += $3; skipped += $5 }
    END { print passed + 0, failed + 0, skipped + 0 }
  ' "$1"
}

# The reasons that test programs give for what they did not run.
skip_reasons() {
  sed -nE \
    -e 's/^test (.+) \.\.\. ignored, (.+)$/\1: \2/p' \
    -e 's/^test (.+) \.\.\. ignored$/\1: no reason given/p' \
    -e 's/^ *[﹣-] (.+) \([0-9.]+ms\) # (SKIP|skip) ?(.*)$/\1: \3/p' \
    -e 's/^ok [0-9]+ - (.+) # (SKIP) ?(.*)$/\1: \3/p' \
    -e 's/^SKIPPED \[[0-9]+\] (.+)$/\1/p' \
    -e 's/^skipped:? (.+)$/\1/p' "$1"
}

# Names the tests that failed, each as FILE<TAB>NAME: of node --test (spec) and of libtest, which names no file.
failed_tests() {
  awk '
    /^test at / { file = $3; sub(/:[0-9]+:[0-9]+$/, "", file); next }
    /^✖ / && file != "" { name = $0; sub(/^✖ /, "", name); sub(/ \([0-9.]+ms\)$/, "", name); print file "\t" name; file = "" }
    /^test .+ \.\.\. FAILED$/ { name = $0; sub(/^test /, "", name); sub(/ \.\.\. FAILED$/, "", name); print "\t" name }
  ' "$1"
}

# Tests that play with windows, sockets and engines share two cores with what they play with. A few
# that fail are tried once more, each by itself. One that passes then is no failure, and it is named at
# the end of the run as unsteady: it has a defect of its own, or has found one.
FK_SECOND_TRY=""
FK_SECOND_TRIES=3

# second_try OUTPUT FAILED : sets FK_UNSTEADY to how many of the failed tests passed alone.
second_try() {
  local file name names
  FK_UNSTEADY=0
  [ -n "$FK_SECOND_TRY" ] || return 0
  names="$(failed_tests "$1")"
  # A failure that has no name is none of a single test.
  [ "$(grep -c . <<<"$names")" -eq "$2" ] && [ "$2" -le "$FK_SECOND_TRIES" ] || return 0
  while IFS= read -r name; do
    file="${name%%$'\t'*}" name="${name#*$'\t'}"
    printf '\n--- once more, alone: %s\n' "$name"
    if "$FK_SECOND_TRY" "$file" "$name" </dev/null; then
      FK_UNSTEADY=$((FK_UNSTEADY + 1))
      printf 'unsteady %s\n' "$name" >>"$FK_RESULT"
    fi
  done <<<"$names"
}

# one_node_test FILE NAME COMMAND… : runs one test of a file, and fails when there was none.
one_node_test() {
  local file="$1" name="$2" out rc=0
  shift 2
  out="$(mktemp)"
  # shellcheck disable=SC2016
  name="$(node -p 'process.argv[1].replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")' -- "$name")"
  "$@" node --test --test-reporter=spec --test-name-pattern="^$name\$" "$file" >"$out" 2>&1 || rc=$?
  cat "$out"
  grep -qE '^ℹ pass [1-9]' "$out" || rc=1
  rm -f "$out"
  return "$rc"
}

# step LABEL COMMAND… : runs one part of a suite; a failure is recorded and the suite goes on.
step() {
  local label="$1" out rc=0 started counts passed failed skipped
  shift
  FK_UNSTEADY=0
  out="$(mktemp)"
  started=$SECONDS
  printf '\n--- %s\n$ %s\n' "$label" "$*"
  # Not "if …; then": that would switch off errexit inside functions given as the command.
  set +e
  (
    set -e
    "$@"
  ) >"$out" 2>&1
  rc=$?
  set -e
  cat "$out"
  read -r passed failed skipped <<<"$(count_tests "$out")"
  if [ "$((passed + failed + skipped))" -eq 0 ]; then
    [ "$rc" -eq 0 ] && passed=1 || failed=1
  elif [ "$rc" -ne 0 ] && [ "$failed" -eq 0 ]; then
    # Every test passed and the program still failed: a leak, a crash at the end, a compile error elsewhere.
    failed=1
  fi
  if [ "$FK_PREPARING" -eq 0 ] && [ "$failed" -gt 0 ]; then
    second_try "$out" "$failed"
    passed=$((passed + FK_UNSTEADY)) failed=$((failed - FK_UNSTEADY))
    [ "$failed" -gt 0 ] || rc=0
  fi
  if [ "$FK_PREPARING" -eq 1 ] && [ "$failed" -eq 0 ]; then
    printf '   %-46s %s (%s)\n' "$label" "ready" "$(clock $((SECONDS - started)))" >&3
    rm -f "$out"
    return 0
  fi
  printf 'count %s %s %s\n' "$passed" "$failed" "$skipped" >>"$FK_RESULT"
  skip_reasons "$out" | sed 's/^/reason /' >>"$FK_RESULT"
  counts="$passed passed"
  [ "$failed" -eq 0 ] || counts="$counts, $failed FAILED"
  [ "$skipped" -eq 0 ] || counts="$counts, $skipped skipped"
  [ "$FK_UNSTEADY" -eq 0 ] || counts="$counts, $FK_UNSTEADY UNSTEADY"
  printf '   %-46s %s (%s)\n' "$label" "$counts" "$(clock $((SECONDS - started)))" >&3
  rm -f "$out"
  [ "$rc" -eq 0 ] || FK_STEP_FAILED=1
}

# Something a later step stands on (a build, an engine). It is no test: only its failure counts, and
# ends the suite.
must() {
  FK_PREPARING=1
  FK_STEP_FAILED=0
  step "$@"
  FK_PREPARING=0
  [ "$FK_STEP_FAILED" -eq 0 ] || exit 1
}

# skip REASON : the whole suite cannot run here.
skip() {
  printf 'count 0 0 1\nreason %s\n' "$*" >>"$FK_RESULT"
  say "skipped: $*"
  exit 0
}
FK_STEP_FAILED=0
FK_PREPARING=0
