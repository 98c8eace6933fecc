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

# step LABEL COMMAND… : runs one part of a suite; a failure is recorded and the suite goes on.
step() {
  local label="$1" out rc=0 started counts passed failed skipped
  shift
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
