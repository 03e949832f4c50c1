# shellcheck shell=bash
# Inside a root with the package and a network of its own: a cluster runs through an upgrade, a removal and a purge.
# shellcheck disable=SC2015
set -euo pipefail
cluster=$1
export KUBECONFIG=/root/kubeconfig
milliseconds() { echo $(($(date +%s%N) / 1000000)); }
fail() { echo "FAILED: $1" >&2; tail -20 "/var/lib/minik/clusters/$cluster/daemon.log" >&2 || true; cat /root/apt.log >&2 || true; exit 1; }
package() { apt-get -y -qq --no-install-recommends "$@" >/root/apt.log 2>&1 || fail "apt-get $*"; }

# From the host's side of the nodes' LAN, as somebody outside: minik itself may be gone.
answers() { timeout 5 busybox wget -qO- http://192.168.200.129:33000 2>/dev/null | grep -q 'It works'; }
# Processes by their first words, in order.
pids_of() {
  local directory
  for directory in /proc/[0-9]*; do
    case "$(tr '\0' ' ' 2>/dev/null <"$directory/cmdline")" in *"$1"*) basename "$directory" ;; esac
  done | sort -n | xargs
}
daemon() { pids_of "minik serve $cluster "; }
shims() { pids_of "minik-shim pod "; }
pods() { minik get pods -A -o json | grep '"uid"' | sort | xargs; }

# Asks all the while; each question that nobody answers is a line.
watch_answers() {
  : >/root/missed
  while [ ! -e /root/enough ]; do answers || date +%T.%N >>/root/missed; sleep 0.1; done
}
begin_watch() { rm -f /root/enough; watch_answers & watcher=$!; }
end_watch() { touch /root/enough; wait "$watcher"; [ ! -s /root/missed ] || fail "$1: $(wc -l </root/missed) questions had no answer"; }

tries=0
start=$(milliseconds)
minik up /root/lab.yaml >/root/up.log 2>&1 || { cat /root/up.log; fail "up"; }
until answers; do [ $(($(milliseconds) - start)) -lt 30000 ] || fail "no answer"; sleep 0.02; done
took=$(($(milliseconds) - start))
echo "an answering lab: install $(cat /root/install.ms) ms (download aside), up $took ms"
# What the package brings along is found.
minik lab list | grep -q '^one-node ' || fail "the labs are not found: $(minik lab list 2>&1)"
minik validate /usr/share/minik/labs/*/lab.yaml >/dev/null || fail "labs of the package are not valid"
was_daemon=$(daemon) was_shims=$(shims) was_pods=$(pods)
[ -n "$was_daemon" ] && [ -n "$was_shims" ] && [ -n "$was_pods" ] || fail "daemon \"$was_daemon\", shims \"$was_shims\", pods \"$was_pods\""

begin_watch
package install /root/new.deb
end_watch upgrade
[ "$(dpkg-query -W -f='${Version}' minik)" = 0.0.2 ] || fail "the upgrade left $(dpkg-query -W minik)"
new_daemon=$(daemon)
[ -n "$new_daemon" ] && [ "$new_daemon" != "$was_daemon" ] || fail "upgrade: the daemon was $was_daemon and is $new_daemon"
[ "$(readlink "/proc/$new_daemon/exe")" = /usr/libexec/minik/minik ] || fail "upgrade: the daemon is $(readlink "/proc/$new_daemon/exe")"
[ "$(shims)" = "$was_shims" ] || fail "upgrade: the shims were $was_shims and are $(shims)"
[ "$(pods)" = "$was_pods" ] || fail "upgrade: other pods"
minik status -c "$cluster" >/root/status.log || { cat /root/status.log; fail "status after the upgrade"; }
echo "upgrade: daemon $was_daemon gave way to $new_daemon, pods are the same, no question unanswered"

begin_watch
package remove minik
end_watch remove
[ -z "$(daemon)" ] || fail "remove: a daemon is left"
[ ! -e /usr/bin/minik ] && [ ! -e /usr/libexec/minik ] || fail "remove: programs are left"
[ "$(shims)" = "$was_shims" ] || fail "remove: the shims were $was_shims and are $(shims)"
[ -s "/var/lib/minik/clusters/$cluster/store.db" ] || fail "remove: the state is gone"
package install /root/new.deb
[ -n "$(daemon)" ] || fail "the daemon did not come back with the package"
[ "$(pods)" = "$was_pods" ] || fail "install again: other pods"
[ ! -e /var/lib/minik/removed ] && [ ! -e /run/minik-stopped ] || fail "install again: leftovers"
echo "remove: pods went on, the state stayed; installed again, the daemon came back"

# Under a unit the daemon is systemd's to start and end. There is none here: this one does its part, and notes what it is asked.
mkdir -p /run/systemd/system
cat >/usr/bin/systemctl <<'S'
#!/bin/sh
echo "$*" >>/root/systemctl.log
case "$*" in
  "-q is-active minik@"*) [ -e /run/unit.pid ] && kill -0 "$(cat /run/unit.pid)" ;;
  "stop minik@"*) kill "$(cat /run/unit.pid)"; while kill -0 "$(cat /run/unit.pid)" 2>/dev/null; do sleep 0.1; done ;;
  "start minik@"*)
    name=${2#minik@} name=${name%.service}
    setsid /usr/bin/minik serve "$name" >/root/serve.log 2>&1 &
    echo $! >/run/unit.pid
    until [ -S "/run/minik/$name/api.sock" ]; do sleep 0.1; done
    ;;
esac
S
chmod +x /usr/bin/systemctl
kill "$(daemon)"
until [ -z "$(daemon)" ]; do sleep 0.1; done
systemctl start "minik@$cluster.service"
until minik status -c "$cluster" >/root/status.log 2>&1; do [ "$((tries += 1))" -lt 100 ] || fail "minik serve does not serve"; sleep 0.1; done
unit=$(daemon)
package install --reinstall /root/new.deb
[ -n "$(daemon)" ] && [ "$(daemon)" != "$unit" ] && [ "$(daemon)" = "$(cat /run/unit.pid)" ] || fail "the unit was not started again"
grep -A 9 '^stop ' /root/systemctl.log | grep -q "^start minik@$cluster.service" || fail "systemd was not asked to stop and start the unit"
rm -r /run/systemd /usr/bin/systemctl
echo "unit: stopped and started by systemctl"

# A daemon that its user has ended is not started by an upgrade.
kill "$(daemon)"
until [ -z "$(daemon)" ]; do sleep 0.1; done
package install --reinstall /root/new.deb
[ -z "$(daemon)" ] || fail "an upgrade started a daemon that did not run"

# A purge by itself is a removal and a purge.
package purge minik
[ -z "$(shims)" ] || fail "purge: shims are left"
for path in /var/lib/minik /run/minik /run/minik-stopped "/sys/class/net/mk-$cluster"; do [ ! -e "$path" ] || fail "purge: $path is left"; done
[ -z "$(ls /run/netns 2>/dev/null)" ] || fail "purge: namespaces are left: $(ls /run/netns)"
! grep -q "minik-$cluster" "$KUBECONFIG" 2>/dev/null || fail "purge: the kubeconfig still names the cluster"
! dpkg-query -W minik 2>/dev/null || fail "purge: dpkg still knows minik"
echo "purge: nothing is left"

# What action.yml runs, with its inputs.
start=$(milliseconds)
MINIK_PACKAGE=/root/new.deb MINIK_LAB=/root/lab.yaml bash -eo pipefail /root/action.sh >/root/apt.log 2>&1 || fail "the action"
until answers; do [ $(($(milliseconds) - start)) -lt 30000 ] || fail "the action's lab does not answer"; sleep 0.02; done
echo "action: packages that it depends on installed before, $(($(milliseconds) - start)) ms until the lab answers"
grep -q "current-context.*minik-$cluster" "$KUBECONFIG" || fail "the action leaves no context"
minik down "$cluster" >/root/apt.log 2>&1 || fail "down"
package purge minik
[ ! -e /var/lib/minik ] || fail "purge of a package without clusters left /var/lib/minik"
