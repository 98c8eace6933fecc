#!/usr/bin/env bash
# Runs every check and test of Forgekeeper; installs what they need first (Debian and Ubuntu).
#   ./test.sh                 everything that runs on this system
#   ./test.sh lint unit       only these suites
#   ./test.sh --with windows  everything, and the Windows cross-build under Wine
#   ./test.sh --list          what there is
# The last line says: N passed, N failed, N skipped. A skipped suite or test names its reason.
source "$(dirname "${BASH_SOURCE[0]}")/scripts/common.sh"
cd "$FK_ROOT"

# id | title | package groups. One file each in scripts/suites/.
SUITES=(
  "format|Formatting of the Rust code|"
  "ui|Pages: types, lint, unit tests, build|"
  "browser|Pages in a browser against the fake backend, with axe|test"
  "lint|Clippy, warnings are errors|build"
  "unit|Unit and table tests, bindings up to date|build"
  "tidy|House rules: layers, file sizes, tables with their fixtures and translations|build"
  "engine|Integration tests on stand-ins and on a real Docker Engine|build test"
  "clients|Stand-ins tried with Docker's command line and public Python clients|build test"
  "window|The real window through WebDriver, on the demo host|build test"
)
EXTRA=(
  "windows|Windows programs: cross-build, then forgekeeperctl.exe under Wine|build windows"
)

usage() { sed -n '2,8s/^# \{0,1\}//p' "$0"; }
field() { cut -d'|' -f"$2" <<<"$1"; }
row_of() {
  local row
  for row in "${SUITES[@]}" "${EXTRA[@]}"; do
    if [ "$(field "$row" 1)" = "$1" ]; then
      say "$row"
      return 0
    fi
  done
  die "no suite is called \`$1\`; ./test.sh --list names them"
}

chosen=()
with=()
while [ $# -gt 0 ]; do
  case "$1" in
    --list)
      for row in "${SUITES[@]}"; do printf '%-9s %s\n' "$(field "$row" 1)" "$(field "$row" 2)"; done
      for row in "${EXTRA[@]}"; do printf '%-9s %s (only with --with)\n' "$(field "$row" 1)" "$(field "$row" 2)"; done
      exit 0
      ;;
    --with)
      [ $# -ge 2 ] || die "--with needs the name of a suite"
      with+=("$(row_of "$2")")
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    -*) die "unknown option \`$1\`; see ./test.sh --help" ;;
    *) chosen+=("$(row_of "$1")") ;;
  esac
  shift
done
if [ ${#chosen[@]} -eq 0 ]; then chosen=("${SUITES[@]}"); fi
chosen+=("${with[@]}")

need_rust_and_node
logs="$FK_CACHE/logs/$(date +%Y%m%d-%H%M%S)-$$"
mkdir -p "$logs"
# Ten runs of logs are enough.
ls -1d "$FK_CACHE"/logs/*/ 2>/dev/null | sort | head -n -10 | xargs -r rm -rf --
say "Logs: $logs"

groups="$(for row in "${chosen[@]}"; do field "$row" 3; done | tr ' ' '\n' | sort -u | tr '\n' ' ')"
# shellcheck disable=SC2086
[ -z "${groups// /}" ] || ./scripts/packages.sh $groups

total_passed=0 total_failed=0 total_skipped=0
table=() reasons=() unsteady=()
began=$SECONDS
number=0
for row in "${chosen[@]}"; do
  id="$(field "$row" 1)" title="$(field "$row" 2)"
  number=$((number + 1))
  log="$logs/$id.log" result="$logs/$id.result"
  : >"$result"
  printf '\n[%d/%d] %s: %s\n' "$number" "${#chosen[@]}" "$id" "$title"
  started=$SECONDS
  rc=0
  FK_RESULT="$result" bash "scripts/suites/$id.sh" 3>&1 >"$log" 2>&1 || rc=$?
  took=$((SECONDS - started))
  read -r passed failed skipped <<<"$(awk '$1 == "count" { p += $2; f += $3; s += $4 } END { print p + 0, f + 0, s + 0 }' "$result")"
  # A suite that ended badly, or that did nothing at all, is never a success.
  if [ "$rc" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
  if [ $((passed + failed + skipped)) -eq 0 ]; then failed=1; fi
  while IFS= read -r reason; do
    reasons+=("$id: ${reason#reason }")
    printf '   skipped: %s\n' "${reason#reason }"
  done < <(grep '^reason ' "$result" || true)
  while IFS= read -r name; do
    unsteady+=("$id: ${name#unsteady }")
  done < <(grep '^unsteady ' "$result" || true)
  if [ "$failed" -gt 0 ]; then
    printf '   FAILED; the end of %s:\n' "$log"
    grep -nE '^(error|test .* FAILED|---- .* ----|not ok|✖)|panicked at|AssertionError' "$log" | head -n 40 | sed 's/^/   | /' || true
    tail -n 60 "$log" | sed 's/^/   | /'
    verdict=FAILED
  elif [ "$passed" -eq 0 ]; then
    verdict=skipped
  else
    verdict=ok
  fi
  table+=("$(printf '%-9s %-8s %6s passed %4s failed %4s skipped %8s' "$id" "$verdict" "$passed" "$failed" "$skipped" "$(clock "$took")")")
  total_passed=$((total_passed + passed))
  total_failed=$((total_failed + failed))
  total_skipped=$((total_skipped + skipped))
done

printf '\nSuites, with the time each took (min:s), %s in all:\n' "$(clock $((SECONDS - began)))"
printf '  %s\n' "${table[@]}"
if [ ${#reasons[@]} -gt 0 ]; then
  printf 'Skipped, and why:\n'
  printf '  %s\n' "${reasons[@]}"
fi
if [ ${#unsteady[@]} -gt 0 ]; then
  printf 'Unsteady: failed, and passed when tried once more alone. Look at these:\n'
  printf '  %s\n' "${unsteady[@]}"
fi
printf '%d passed, %d failed, %d skipped\n' "$total_passed" "$total_failed" "$total_skipped"
[ "$total_failed" -eq 0 ]
