# shellcheck shell=sh disable=SC2034
# What prerm and postinst share; scripts/package puts it into both.
# The daemons that prerm has ended wait here, by name, for a postinst of the same uptime: pods and Services go on meanwhile.
stopped=/run/minik-stopped

# The process of a cluster's daemon, if it runs: the file's number may be somebody else's by now.
daemon() {
  [ -r "/run/minik/$1/daemon.pid" ] || return 1
  pid=$(cut -d ' ' -f 1 "/run/minik/$1/daemon.pid") || return 1
  case $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") in
    *"minik serve $1 ") echo "$pid" ;;
    *) return 1 ;;
  esac
}

is_systemd() { [ -d /run/systemd/system ]; }
is_unit() { is_systemd && systemctl -q is-active "minik@$1.service"; }

# Ends a daemon and waits for its end: two must not serve one cluster.
stop_daemon() {
  if is_unit "$1"; then systemctl stop "minik@$1.service" || return 1; return 0; fi
  pid=$(daemon "$1") || return 0
  kill "$pid" 2>/dev/null || return 0
  tries=0
  while daemon "$1" >/dev/null; do
    tries=$((tries + 1))
    # What it holds is in its store: killed, it has lost nothing.
    [ "$tries" -ne 100 ] || kill -KILL "$pid" 2>/dev/null || true
    [ "$tries" -lt 120 ] || return 1
    sleep 0.1
  done
}
