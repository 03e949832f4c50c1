#!/usr/bin/env bash
# iproute2 6.1.0 (Debian 12); the option -j where a program has no JSON to give.
#
# One expects of `-j` an error or JSON. Some subcommands of programs that do know the option take it and print words for people, with exit
# code 0: `tc -j class show` (while `tc -j qdisc show` beside it prints JSON), `ip -j mptcp limits` (while `ip -j mptcp endpoint` prints JSON).
# A device without classes answers with an empty line instead of `[]`. So whoever reads -j has to check, command by command, that it is JSON.
#
# Needs root (a network namespace). Sends nothing.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 2; }
place=$(mktemp -d)
trap 'ip netns del json-option 2>/dev/null || true; rm -rf "$place"' EXIT
(cd "$place" && apt-get download -q iproute2=6.1.0-3 >/dev/null 2>&1 && dpkg -x iproute2_*.deb .)
PATH=$place/bin:$place/sbin:$place/usr/bin:$PATH

ip netns add json-option
ip -n json-option link add d0 type veth peer name d1
tc -n json-option qdisc add dev d0 root handle 1: htb default 10
tc -n json-option class add dev d0 parent 1: classid 1:10 htb rate 10mbit

# What a reader of JSON makes of a command's answer.
read_json() {
  local answer; answer=$("$@") || { echo "exit code $?"; return; }
  python3 -c '
import json, sys
text = sys.stdin.read()
try: json.loads(text); print("JSON")
except ValueError: print("no JSON: " + " ".join(text.split()[:3]) if text.strip() else "an empty line")
' <<<"$answer"
}
in_namespace() { ip netns exec json-option "$@"; }

echo "$(ip -V)"
expect() { local wanted=$1 found; shift; found=$(read_json in_namespace "$@"); echo "$*: $found"; [ "$found" = "$wanted" ]; }
expect "JSON" tc -j qdisc show dev d0
expect "no JSON: class htb 1:10" tc -j class show dev d0
expect "an empty line" tc -j class show dev d1
expect "JSON" ip -j mptcp endpoint
expect "no JSON: add_addr_accepted 0 subflows" ip -j mptcp limits
