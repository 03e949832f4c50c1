#!/usr/bin/env bash
# nftables 1.0.6 (Debian 12), Linux 6.18; the statement `reject` of a UDP datagram.
#
# A client whose datagram is rejected on its way through a router (hook forward) sees what one expects: send() succeeds, and the next
# recv() says ECONNREFUSED. The same rule in the hook output of the client's own machine is heard twice: send() itself fails with EPERM, as
# for `drop`, and the ICMP error arrives all the same, so that the recv() after it says ECONNREFUSED. A client that takes EPERM for "a
# firewall forbids it" is wrong, one that gives up at it never hears of the refusal. TCP sees ECONNREFUSED either way.
# It is met with Services without endpoints: on a node the client's error differs from that in a pod, for one and the same rule.
#
# Needs root (network namespaces). Sends nothing outside them.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 2; }
place=$(mktemp -d)
trap 'ip netns del reject-client 2>/dev/null || true; ip netns del reject-router 2>/dev/null || true; rm -rf "$place"' EXIT
(cd "$place" && apt-get download -q nftables=1.0.6-2+deb12u2 libnftables1=1.0.6-2+deb12u2 >/dev/null && for package in *.deb; do dpkg -x "$package" .; done)
nft() { local namespace=$1; shift; ip netns exec "$namespace" env LD_LIBRARY_PATH="$(echo "$place"/usr/lib/*-linux-gnu)" "$place/usr/sbin/nft" "$@"; }

ip netns add reject-client
ip netns add reject-router
ip -n reject-client link add eth0 type veth peer name eth0 netns reject-router
ip -n reject-client addr add 10.8.0.2/24 dev eth0
ip -n reject-router addr add 10.8.0.1/24 dev eth0
for namespace in reject-client reject-router; do ip -n "$namespace" link set lo up; ip -n "$namespace" link set eth0 up; done
ip -n reject-client route add default via 10.8.0.1
ip -n reject-router route add 10.1.0.0/16 dev lo
ip netns exec reject-router sysctl -qw net.ipv4.ip_forward=1

cat >"$place/client.py" <<'PYTHON'
import errno, socket, sys

def say(call):
    try:
        return call()
    except socket.timeout:
        return "timeout"
    except OSError as error:
        return errno.errorcode[error.errno]

udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.settimeout(2); udp.connect(("10.1.0.5", 53))
tcp = socket.socket(); tcp.settimeout(2)
print("udp send", say(lambda: "ok" if udp.send(b"x") == 1 else "?"), "recv", say(lambda: udp.recv(1)), "tcp", say(lambda: tcp.connect(("10.1.0.5", 80))))
PYTHON

ask() { ip netns exec reject-client python3 "$place/client.py"; }
nft reject-router 'add table ip t; add chain ip t c { type filter hook forward priority 0; }; add rule ip t c ip daddr 10.1.0.5 reject'
forwarded=$(ask)
nft reject-router flush ruleset
nft reject-client 'add table ip t; add chain ip t c { type filter hook output priority 0; }; add rule ip t c ip daddr 10.1.0.5 reject'
own=$(ask)
nft reject-client flush ruleset
nft reject-client 'add table ip t; add chain ip t c { type filter hook output priority 0; }; add rule ip t c ip daddr 10.1.0.5 drop'
dropped=$(ask)

echo "$(uname -r), $(nft reject-client --version)"
echo "rejected by a router:      $forwarded"
echo "rejected where it is sent: $own"
echo "dropped where it is sent:  $dropped"
[ "$forwarded" = "udp send ok recv ECONNREFUSED tcp ECONNREFUSED" ]
[ "$own" = "udp send EPERM recv ECONNREFUSED tcp ECONNREFUSED" ]
[ "$dropped" = "udp send EPERM recv timeout tcp timeout" ]
