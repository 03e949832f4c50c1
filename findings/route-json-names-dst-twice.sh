#!/usr/bin/env bash
# iproute2 6.1.0 (Debian 12); `ip -j route` of a route that wraps its packets into IP (`encap ip`, `encap ip6`).
#
# One expects the tunnel's own addresses in an object of their own below `encap`, or under names of their own. They are written into the
# route's object instead, and one of them has the name that the route's destination already has: `dst` stands there twice, first the
# prefix, then the tunnel's far end. Most readers keep the last of two members (Python's and jq do), so that a route to 10.67.0.0/16
# becomes one to the single host 10.0.0.7, without an error; the prefix is in the answer, but nobody sees it. `src` beside it is the
# tunnel's near end, while the route's own source is `prefsrc`. The output for people tells the two apart, as does netlink.
# Whoever compares such a table with what it ought to be misses a route that is there, and adds it again each time.
#
# Needs root (a network namespace) and a kernel with light tunnels. Sends nothing.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 2; }
place=$(mktemp -d)
trap 'ip netns del route-twice 2>/dev/null || true; rm -rf "$place"' EXIT
(cd "$place" && apt-get download -q iproute2=6.1.0-3 >/dev/null 2>&1 && dpkg -x iproute2_*.deb .)
PATH=$place/bin:$place/sbin:$place/usr/bin:$PATH

ip netns add route-twice
ip -n route-twice link add d0 type veth peer name d1
for link in d0 d1; do ip -n route-twice link set $link up; done
ip -n route-twice addr add 10.0.0.1/24 dev d0
ip -n route-twice route add 10.66.0.0/16 via 10.0.0.2
ip -n route-twice route add 10.67.0.0/16 encap ip id 5 src 10.0.0.1 dst 10.0.0.7 via 10.0.0.2 || { echo "needs light tunnels" >&2; exit 2; }
ip -n route-twice route add 10.68.0.0/16 encap ip6 id 5 dst fd00::7 via 10.0.0.2

ip -V
ip -n route-twice route
found=$(ip -n route-twice -j route | python3 -c '
import json, sys
text = sys.stdin.read()
for route, read in zip(json.loads(text, object_pairs_hook=list), json.loads(text)):
    print("members called dst:", *[value for name, value in route if name == "dst"], "| a reader of JSON has:", read["dst"])
')
echo "$found"
[ "$found" = "members called dst: 10.0.0.0/24 | a reader of JSON has: 10.0.0.0/24
members called dst: 10.66.0.0/16 | a reader of JSON has: 10.66.0.0/16
members called dst: 10.67.0.0/16 10.0.0.7 | a reader of JSON has: 10.0.0.7
members called dst: 10.68.0.0/16 fd00::7 | a reader of JSON has: fd00::7" ]
