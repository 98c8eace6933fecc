# Clients that nobody here wrote talk to the stand-ins: Docker's command line, and one public
# Python client of each API.
source "$(dirname "${BASH_SOURCE[0]}")/../suite.sh"
cd "$FK_ROOT"
have python3 || skip "there is no python3 on this machine"
# The script keeps its virtual environment there.
export FORGEKEEPER_CACHE="$FK_CACHE"
step "public clients" bash tests/clients/run.sh
