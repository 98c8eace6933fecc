# Clippy over everything; the shell embeds ui/dist, so that must be there first.
source "$(dirname "${BASH_SOURCE[0]}")/../suite.sh"
cd "$FK_ROOT"
must "npm packages" npm_packages
must "pages" ui_dist
step "clippy" cargo clippy --locked --workspace --all-targets -- -D warnings
