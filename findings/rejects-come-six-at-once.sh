#!/usr/bin/env bash
# nftables 1.0.6 (Debian 12), Linux 6.18; the statement `reject` of TCP connections on their way through a router.
#
# "Connection refused" is not always said at once. A plain `reject` answers a SYN with an ICMP error, and Linux sends one peer six of
# those in a row and then one a second (net.ipv4.icmp_ratelimit, icmp_ratemask: errors "destination unreachable" are among the
# limited). The seventh client in a second hears nothing, sends its SYN again after a second, and is refused then: the same rule, and the
# same closed door, takes a second. With `reject with tcp reset` each is refused at once, for a RST is no ICMP error. So is what is
# rejected on the client's own machine: loopback is not limited.
# It is met with Services without endpoints, which kube-proxy's tables reject so: retries that should fail fast pile up, on clients
# outside of the node alone.
#
# Needs root (network namespaces). Sends nothing outside them, 24 connections in all.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 2; }
place=$(mktemp -d)
trap 'ip netns del sixth-client 2>/dev/null || true; ip netns del sixth-router 2>/dev/null || true; rm -rf "$place"' EXIT
(cd "$place" && apt-get download -q nftables=1.0.6-2+deb12u2 libnftables1=1.0.6-2+deb12u2 >/dev/null && for package in *.deb; do dpkg -x "$package" .; done)
nft() { local namespace=$1; shift; ip netns exec "$namespace" env LD_LIBRARY_PATH="$(echo "$place"/usr/lib/*-linux-gnu)" "$place/usr/sbin/nft" "$@"; }

ip netns add sixth-client
ip netns add sixth-router
ip -n sixth-client link add eth0 type veth peer name eth0 netns sixth-router
ip -n sixth-client addr add 10.8.0.2/24 dev eth0
ip -n sixth-router addr add 10.8.0.1/24 dev eth0
for namespace in sixth-client sixth-router; do ip -n "$namespace" link set lo up; ip -n "$namespace" link set eth0 up; done
ip -n sixth-client route add default via 10.8.0.1
ip -n sixth-router route add 10.1.0.0/16 dev lo
ip netns exec sixth-router sysctl -qw net.ipv4.ip_forward=1

cat >"$place/client.py" <<'PYTHON'
import socket, time

quick = late = 0
for _ in range(8):
    tcp, began = socket.socket(), time.monotonic()
    tcp.settimeout(5)
    try:
        tcp.connect(("10.1.0.5", 80))
        print("connected")
    except ConnectionRefusedError:
        if time.monotonic() - began < 0.5:
            quick += 1
        else:
            late += 1
print(f"{quick} refused at once, {late} after a second")
PYTHON

ask() { ip netns exec sixth-client python3 "$place/client.py"; }
forwarded() { nft sixth-router "add table ip t; add chain ip t c { type filter hook forward priority 0; }; add rule ip t c ip daddr 10.1.0.5 $1"; }
forwarded 'reject'
plain=$(ask)
nft sixth-router flush ruleset
sleep 7  # until the peer may hear six again
forwarded 'meta l4proto tcp reject with tcp reset'
reset=$(ask)
nft sixth-router flush ruleset
nft sixth-client 'add table ip t; add chain ip t c { type filter hook output priority 0; }; add rule ip t c ip daddr 10.1.0.5 reject'
own=$(ask)

echo "$(uname -r), $(nft sixth-client --version), icmp_ratelimit $(ip netns exec sixth-router sysctl -n net.ipv4.icmp_ratelimit)"
echo "reject, by a router:                $plain"
echo "reject with tcp reset, by a router: $reset"
echo "reject, where it is sent:           $own"
[ "$plain" = "6 refused at once, 2 after a second" ]
[ "$reset" = "8 refused at once, 0 after a second" ]
[ "$own" = "8 refused at once, 0 after a second" ]
