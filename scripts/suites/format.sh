# Formatting of the Rust code. (That of the pages is a step of `npm run lint`.)
source "$(dirname "${BASH_SOURCE[0]}")/../suite.sh"
cd "$FK_ROOT"
step "cargo fmt" cargo fmt --all --check -- --color never
