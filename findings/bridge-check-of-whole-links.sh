#!/usr/bin/env bash
# CNI plugins 1.1.1 (Debian 12), plugin bridge: CHECK of links that nobody has touched.
#
# CHECK says whether a container's network still is as ADD left it, so one expects it to succeed for as long as nobody changes anything. Two
# ordinary networks fail it while every packet passes:
# - A bridge that is no gateway is given no MAC by the plugin, so the kernel lets it take the lowest of its ports' and changes it as ports
#   come and go. ADD wrote the bridge's MAC of that moment into the result, CHECK compares: the arrival or departure of *another* container
#   makes a healthy one fail with "Bridge interface br0 Mac doesn't match".
# - A network without `ipam` is valid (layer 2 alone), ADD answers it with no address; CHECK asks an address plugin all the same, which has no
#   name: "no plugin name provided", at once.
# With isGateway or isDefaultGateway and an `ipam` CHECK succeeds. Whoever calls CHECK by the clock and mends what fails would take
# containers apart for nothing.
#
# Needs root (network namespaces of its own). Sends nothing.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 2; }
place=$(mktemp -d)
trap 'for n in 1 2; do ip netns del bridge-check-$n 2>/dev/null || true; done; ip netns del bridge-check 2>/dev/null || true; rm -rf "$place"' EXIT
(cd "$place" && apt-get download -q containernetworking-plugins=1.1.1+ds1-3+b5 >/dev/null 2>&1 && dpkg -x containernetworking-plugins_*.deb .)
for n in "" -1 -2; do ip netns add "bridge-check$n"; done

python3 - "$place" <<'END'
import json, subprocess, sys
place, programs = sys.argv[1], f"{sys.argv[1]}/usr/lib/cni"

def call(command, number, configuration, interface="eth0"):
    variables = {
        "CNI_COMMAND": command, "CNI_CONTAINERID": f"c{number}", "CNI_NETNS": f"/run/netns/bridge-check-{number}",
        "CNI_IFNAME": interface, "CNI_PATH": programs, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    }
    done = subprocess.run(
        ["ip", "netns", "exec", "bridge-check", f"{programs}/bridge"], input=json.dumps(configuration), env=variables, capture_output=True, text=True)
    answer = json.loads(done.stdout) if done.stdout.strip() else {}
    return answer if command == "ADD" else answer.get("msg", "whole")

addresses = {"type": "host-local", "dataDir": f"{place}/leases", "ranges": [[{"subnet": "10.9.0.0/24"}]]}
plain = {"cniVersion": "1.0.0", "name": "plain", "type": "bridge", "bridge": "br0", "ipam": addresses}
results = {n: call("ADD", n, plain) for n in (1, 2)}
mac = lambda n: next(i["mac"] for i in results[n]["interfaces"] if i["name"] == "br0")
verdicts = {n: call("CHECK", n, dict(plain, prevResult=results[n])) for n in (1, 2)}
if verdicts == {1: "whole", 2: "whole"}:  # the second MAC was the higher one: the bridge changes when the first goes
    call("DEL", 1, dict(plain, prevResult=results[1]))
    verdicts = {2: call("CHECK", 2, dict(plain, prevResult=results[2]))}
print("not a gateway:", sorted(set(v.split(":")[0] for v in verdicts.values()) - {"whole"}))
assert any("Mac doesn't match" in v for v in verdicts.values()), verdicts

layer2 = {"cniVersion": "1.0.0", "name": "layer2", "type": "bridge", "bridge": "br1"}
result = call("ADD", 1, layer2, "eth1")
verdict = call("CHECK", 1, dict(layer2, prevResult=result), "eth1")
print("without ipam: ADD made", len(result["interfaces"]), "interfaces; CHECK:", verdict)
assert verdict == "no plugin name provided", verdict

gateway = {"cniVersion": "1.0.0", "name": "gateway", "type": "bridge", "bridge": "br2", "isGateway": True, "ipam": addresses}
results = {n: call("ADD", n, gateway, "eth2") for n in (1, 2)}
verdicts = [call("CHECK", n, dict(gateway, prevResult=results[n]), "eth2") for n in (1, 2)]
print("a gateway:", verdicts)
assert verdicts == ["whole", "whole"], verdicts
END
