#!/usr/bin/env bash
# kubernetes 37.0.2 and lightkube 1.0.1 (PyPI), kubectl 1.20.2 (Debian 12); a time of type MicroTime that falls on a whole second.
#
# One expects of a typed client that it can send back what it has received. Kubernetes writes the renewTime of a Lease as
# `2026-01-02T03:04:05.000000Z`, and reads nothing else: six digits after the second, neither none nor nine. Both Python clients make a
# datetime of it, and write that without a fraction when it has no microseconds: `05+00:00`, or `05Z`. So the object they were given is
# refused when it comes back, "cannot parse ... as .000000"; and whoever fills the field with now() is refused once in a million times, who
# cuts the microseconds off always. Times of type Time, such as creationTimestamp beside it, take either form, so both fields look alike
# in the clients' types (datetime) and are not. It is met with leader election, heartbeats of nodes and events (eventTime).
#
# A server in Go decodes as kubectl does with --local, which reads a file into its Go type: a Lease it could read it then calls no pod.
# Needs Python 3.11 or later. Sends nothing, but for what pip and apt fetch.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
(cd "$place" && apt-get download -q kubernetes-client=1.20.5+really1.20.2-1.1+deb12u1 >/dev/null 2>&1 && dpkg -x kubernetes-client_*.deb .)
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check kubernetes==37.0.2 lightkube==1.0.1

cat >"$place/clients.py" <<'PYTHON'
import json, sys

# A Lease as it is received, and what each client sends when it sends the same back.
lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
         "metadata": {"name": "leader", "creationTimestamp": "2026-01-02T03:04:05Z"}, "spec": {"renewTime": sys.argv[1]}}

def official():
    from kubernetes.client import ApiClient
    client = ApiClient()
    return client.sanitize_for_serialization(client.deserialize(json.dumps(lease), "V1Lease", "application/json"))

def light():
    from lightkube.resources.coordination_v1 import Lease
    return Lease.from_dict(lease).to_dict()

json.dump({"received": lambda: lease, "kubernetes": official, "lightkube": light}[sys.argv[2]](), sys.stdout)
PYTHON

# How Kubernetes reads what this client sends back of a Lease that was received with this renewTime.
sent_back() {
  "$place/venv/bin/python" "$place/clients.py" "$1" "$2" >"$place/lease.json"
  local sent said
  sent=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["spec"]["renewTime"])' "$place/lease.json")
  said=$(HOME=$place timeout 60 "$place/usr/bin/kubectl" set image --local -f "$place/lease.json" a=b 2>&1 || true)
  case $said in
  *"cannot parse"*) echo "$sent refused" ;;
  *"not a pod or does not have a pod template: *v1.Lease"*) echo "$sent read" ;;
  *) echo "$sent $said" ;;
  esac
}
expect() { local wanted=$1 found; found=$(sent_back "$2" "$3"); echo "$2 by way of $3: $found"; [ "$found" = "$wanted" ]; }

whole=2026-01-02T03:04:05.000000Z part=2026-01-02T03:04:05.001200Z
expect "$whole read" $whole received
expect "2026-01-02T03:04:05+00:00 refused" $whole kubernetes
expect "2026-01-02T03:04:05Z refused" $whole lightkube
expect "2026-01-02T03:04:05.001200+00:00 read" $part kubernetes
expect "$part read" $part lightkube
