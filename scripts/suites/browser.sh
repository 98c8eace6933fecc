# The pages in Chromium against the fake backend; axe-core looks at each in both themes.
source "$(dirname "${BASH_SOURCE[0]}")/../suite.sh"
cd "$FK_ROOT/ui"
[ -x /usr/bin/chromium ] || have chromium || skip "there is no Chromium on this machine"
must "npm packages" npm_packages
FK_SECOND_TRY=one_node_test
step "pages in Chromium, with axe" npm run test:e2e
