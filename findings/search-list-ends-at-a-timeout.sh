#!/usr/bin/env bash
# glibc 2.36 (Debian 12), c-ares as in pycares 5.2.1 and dnspython 2.9.2 (PyPI); a search list whose first domain cannot be asked.
#
# One expects that a query which goes unanswered, or is refused, is a failure for the time being: the next domain of the list is asked, or
# the caller is told to try again. glibc does the first when the server says SERVFAIL. After a timeout or REFUSED it leaves out the rest
# of the list, asks for the name as it stands, is told that there is none at the top, and says so for the whole: EAI_NONAME, "not known".
# The name exists in the second domain, and nobody has asked there. The other two give the error of the first query, and ask no more.
# An answer without an address (a name that exists, with records of another type) ends the list for dnspython, and not for the others.
# In a pod, where ndots is 5 and `name.namespace` is found in the second domain, a name server that was away for a few seconds so becomes
# "there is no such service", which callers take for final, and names that belong to the cluster are asked for at the top.
#
# Needs root (namespaces, a resolv.conf of their own) and Python 3.11. Sends nothing, but for what pip and apt fetch.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 2; }
if [ -z "${SEARCH_PLACE:-}" ]; then
  place=$(mktemp -d)
  trap 'rm -rf "$place"' EXIT
  (cd "$place" && apt-get download -q libc6=2.36-9+deb12u14 python3.11-minimal=3.11.2-6+deb12u9 libpython3.11-minimal=3.11.2-6+deb12u9 \
    libexpat1=2.5.0-1+deb12u5 zlib1g=1:1.2.13.dfsg-1 >/dev/null 2>&1 && for package in *.deb; do dpkg -x "$package" .; done)
  python3 -m venv "$place/venv"
  "$place/venv/bin/pip" install -q --disable-pip-version-check dnspython==2.9.2 pycares==5.2.1 dnslib==0.9.26
  SEARCH_PLACE=$place unshare -n -m bash "$0"
  exit
fi
place=$SEARCH_PLACE
ip link set lo up
printf '%s\n' "nameserver 127.0.0.1" "search one.test two.test" "options ndots:5 timeout:1 attempts:2" >"$place/resolv.conf"
echo "hosts: dns" >"$place/nsswitch.conf"
for file in resolv.conf nsswitch.conf; do mount --bind "$place/$file" "/etc/$file"; done

cat >"$place/server.py" <<'PYTHON'
import socket, sys
from dnslib import A, DNSRecord, QTYPE, RCODE, RR

# Below one.test a name's first label is what is said about it; below two.test each has an address; there is nothing else.
with socket.socket(type=socket.SOCK_DGRAM) as server, open(sys.argv[1], "w", buffering=1) as log:
    server.bind(("127.0.0.1", 53))
    print("ready", file=log)
    while True:
        packet, client = server.recvfrom(4096)
        query = DNSRecord.parse(packet)
        name, answer = str(query.q.qname), query.reply()
        print(name, file=log)
        said = name.split(".")[0]
        if name.endswith(".two.test."):
            answer.add_answer(RR(name, QTYPE.A, rdata=A("10.2.2.2")))
        elif not name.endswith(".one.test.") or said == "nxdomain":
            answer.header.rcode = RCODE.NXDOMAIN
        elif said == "nothing":
            continue
        elif said != "nodata":
            answer.header.rcode = getattr(RCODE, said.upper())
        server.sendto(answer.pack(), client)
PYTHON
cat >"$place/clients.py" <<'PYTHON'
import socket, sys

def glibc(name):
    try:
        return socket.getaddrinfo(name, None, socket.AF_INET)[0][4][0]
    except socket.gaierror as error:
        return next(code for code in dir(socket) if code.startswith("EAI_") and getattr(socket, code) == error.errno)

def cares(name):
    import pycares, threading
    done, said = threading.Event(), []
    channel = pycares.Channel()
    channel.getaddrinfo(name, None, family=socket.AF_INET, callback=lambda result, error: (said.append((result, error)), done.set()))
    done.wait(20)
    result, error = said[0]
    return "10.2.2.2" if error is None else pycares.errno.errorcode[error]

def dnspython(name):
    import dns.exception, dns.resolver
    try:
        return dns.resolver.resolve(name, "A", search=True)[0].address
    except dns.exception.DNSException as error:
        return type(error).__name__

print({"glibc": glibc, "c-ares": cares, "dnspython": dnspython}[sys.argv[1]](sys.argv[2]))
PYTHON

"$place/venv/bin/python" "$place/server.py" "$place/log" & server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
for _ in $(seq 100); do grep -qs ready "$place/log" && break; sleep 0.1; done

# Debian's Python, with the C library beside it and no other.
debian_python() {
  local libraries; libraries=$(echo "$place"/lib/*-linux-gnu)
  PYTHONHOME=$place/usr timeout 30 "$libraries"/ld-linux-*.so.* --library-path "$libraries:$(echo "$place"/usr/lib/*-linux-gnu)" "$place/usr/bin/python3.11" -S "$@"
}
lookup() {
  case $1 in
  glibc) debian_python "$place/clients.py" "$@" ;;
  *) timeout 30 "$place/venv/bin/python" "$place/clients.py" "$@" ;;
  esac
}
expect() {
  local wanted=$1 before found
  before=$(wc -l <"$place/log")
  found="$(lookup "$2" "$3.x"), asked:$(tail -n +$((before + 1)) "$place/log" | uniq | sed "s/^$3\.x\.//; s/^$/top/" | tr '\n' ' ' | sed 's/^/ /; s/ $//')"
  echo "one.test says $3, $2: $found"
  [ "$found" = "$wanted" ]
}
debian_python -c 'import os; print(os.confstr("CS_GNU_LIBC_VERSION"))'
for client in glibc c-ares dnspython; do expect "10.2.2.2, asked: one.test. two.test." $client nxdomain; done
expect "10.2.2.2, asked: one.test. two.test." glibc nodata
expect "10.2.2.2, asked: one.test. two.test." c-ares nodata
expect "NoAnswer, asked: one.test." dnspython nodata
expect "10.2.2.2, asked: one.test. two.test." glibc servfail
expect "ARES_ESERVFAIL, asked: one.test." c-ares servfail
expect "NoNameservers, asked: one.test." dnspython servfail
expect "EAI_NONAME, asked: one.test. top" glibc refused
expect "ARES_EREFUSED, asked: one.test." c-ares refused
expect "NoNameservers, asked: one.test." dnspython refused
expect "EAI_NONAME, asked: one.test. top" glibc nothing
expect "ARES_ETIMEOUT, asked: one.test." c-ares nothing
expect "LifetimeTimeout, asked: one.test." dnspython nothing
