# The rules of the house that no compiler knows.
source "$(dirname "${BASH_SOURCE[0]}")/../suite.sh"
cd "$FK_ROOT"
step "cargo xtask tidy" cargo xtask tidy
