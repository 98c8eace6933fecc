# The pages without a browser: types, lint with the import rules, unit tests, build.
source "$(dirname "${BASH_SOURCE[0]}")/../suite.sh"
cd "$FK_ROOT/ui"
must "npm packages" npm_packages
step "svelte-check" npm run check
step "eslint and prettier" npm run lint
step "vitest" npm test
step "build" npm run build
