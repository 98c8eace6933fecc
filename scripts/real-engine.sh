# Sourced by the suites that need a real Docker Engine and the stand-in as an image. A running engine is
# used only through names and labels of our own; without one, an engine with a private socket and data
# folder is started, and ended with the suite.
# shellcheck shell=bash

running_engine() {
  local host
  host="${DOCKER_HOST:-unix:///var/run/docker.sock}"
  case "$host" in unix://*) ;; *) return 1 ;; esac
  DOCKER_HOST="$host" timeout 5 docker version >/dev/null 2>&1 && say "$host"
}

# Sets FORGEKEEPER_TEST_STANDIN and FORGEKEEPER_TEST_DOCKER; without the second there is no engine here.
real_engine() {
  FK_ENGINE="$(mktemp -d /tmp/forgekeeper-engine.XXXXXX)"
  trap '"$FK_ROOT/scripts/engine.sh" remove "$FK_ENGINE" || rm -rf "$FK_ENGINE"' EXIT
  must "static stand-in" "$FK_ROOT/scripts/static-standin.sh"
  FORGEKEEPER_TEST_STANDIN="$("$FK_ROOT/scripts/static-standin.sh" --path)"
  export FORGEKEEPER_TEST_STANDIN
  if ! can_be_root || ! have dockerd; then
    unset FORGEKEEPER_TEST_DOCKER
    say "   no real engine: starting dockerd needs root, or sudo without a password" >&3
    return 0
  fi
  if FORGEKEEPER_TEST_DOCKER="$(running_engine)"; then
    say "   using the running engine at $FORGEKEEPER_TEST_DOCKER" >&3
  else
    must "an engine of our own" "$FK_ROOT/scripts/engine.sh" start "$FK_ENGINE"
    FORGEKEEPER_TEST_DOCKER="unix://$FK_ENGINE/docker.sock"
  fi
  export FORGEKEEPER_TEST_DOCKER
}
