#!/usr/bin/env bash
# A Docker Engine of our own, in a folder of its own: private socket, data, pid file.
#   scripts/engine.sh start DIR    starts it and waits until it answers; DIR/docker.sock is its socket
#   scripts/engine.sh stop DIR     ends it; its data stays, so that `start` brings the containers back
#   scripts/engine.sh pause DIR    freezes it (connections open, nothing answers); `resume` thaws it
#   scripts/engine.sh remove DIR   ends it and removes everything it left
# Nothing here touches an engine that somebody else runs.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

verb="${1:-}" dir="${2:-}"
[ -n "$verb" ] && [ -n "$dir" ] || die "usage: scripts/engine.sh start|stop|pause|resume|remove DIR"
socket="$dir/docker.sock" pidfile="$dir/dockerd.pid"

pid() { [ -f "$pidfile" ] && as_root cat "$pidfile"; }
running() { local p; p="$(pid)" && as_root kill -0 "$p" 2>/dev/null; }
answers() { DOCKER_HOST="unix://$socket" timeout 5 docker version >/dev/null 2>&1; }

# Names of the firewall chains that an engine makes; those that were there before are not ours.
chains() { for t in nat filter; do as_root iptables -w -t "$t" -S 2>/dev/null | sed -nE "s/^-N (DOCKER.*)/$t \1/p"; done; true; }
new_chains() { chains | { grep -vxFf "$dir/before" || true; }; }

# drop_rules TABLE PATTERN
drop_rules() {
  local rule
  { as_root iptables -w -t "$1" -S 2>/dev/null | grep -E -- "^-A.*$2" || true; } | while read -r rule; do
    # shellcheck disable=SC2086
    as_root iptables -w -t "$1" -D ${rule#-A } 2>/dev/null || true
  done
}

start() {
  need_tool dockerd "Install docker.io."
  running && return 0
  mkdir -p "$dir"
  if [ ! -f "$dir/before" ]; then
    {
      if ip link show docker0 >/dev/null 2>&1; then say bridge; fi
      if as_root iptables -w -S FORWARD 2>/dev/null | grep -qx -- '-P FORWARD ACCEPT'; then say forward-accept; fi
      chains
    } >"$dir/before"
  fi
  as_root rm -f "$pidfile" "$socket"
  as_root setsid dockerd \
    --host "unix://$socket" --group "$(id -gn)" \
    --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$pidfile" \
    --log-level warn >>"$dir/dockerd.log" 2>&1 </dev/null &
  local i
  for i in $(seq 1 150); do
    answers && return 0
    sleep 0.2
  done
  tail -n 20 "$dir/dockerd.log" >&2
  die "dockerd did not answer within 30 s"
}

stop() {
  local p i
  p="$(pid)" || return 0
  as_root kill -CONT "$p" 2>/dev/null || true
  as_root kill -TERM "$p" 2>/dev/null || return 0
  for i in $(seq 1 150); do
    as_root kill -0 "$p" 2>/dev/null || return 0
    sleep 0.2
  done
  warn "dockerd did not end within 30 s; killing it"
  as_root kill -KILL "$p" 2>/dev/null || true
}

remove() {
  stop
  if [ -f "$dir/before" ]; then
    if ! grep -qx bridge "$dir/before"; then
      as_root ip link delete docker0 2>/dev/null || true
      drop_rules filter ' docker0( |$)'
      drop_rules nat ' docker0( |$)|172\.17\.0\.0/16'
    fi
    local table chain
    while read -r table chain; do
      # Rules that jump into the chain go first, then what is in it.
      drop_rules "$table" " -j $chain( |\$)"
      as_root iptables -w -t "$table" -F "$chain" 2>/dev/null || true
    done < <(new_chains)
    while read -r table chain; do
      as_root iptables -w -t "$table" -X "$chain" 2>/dev/null || true
    done < <(new_chains)
    if grep -qx forward-accept "$dir/before"; then as_root iptables -w -P FORWARD ACCEPT 2>/dev/null || true; fi
  fi
  # Mounts that a killed engine left would make the removal cross into them.
  { grep -o " $dir/[^ ]*" /proc/mounts || true; } | sort -r | while read -r mount; do
    as_root umount -l "$mount" 2>/dev/null || true
  done
  as_root rm -rf --one-file-system "$dir"
}

case "$verb" in
  start) start ;;
  stop) stop ;;
  pause) as_root kill -STOP "$(pid)" ;;
  resume) as_root kill -CONT "$(pid)" ;;
  remove) remove ;;
  *) die "unknown verb \`$verb\`" ;;
esac
