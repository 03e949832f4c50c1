"""The cluster's DNS: queries for each second of processor time, beside a peer that answers from the same records, and how soon a new
Service has its name. CoreDNS is the peer where --coredns names a binary, dnsmasq where not."""
import contextlib, itertools, json, os, pathlib, re, signal, socket, statistics, struct, subprocess, time

import bench

FEW, MANY, CHANGES = 10, 10_000, 60
SECONDS, OUTSTANDING = 4, 64
OURS, PEERS = 10531, 10532
coredns = None  # a path

COREFILE = """.:{port} {{
    bind 127.0.0.1
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {kubeconfig}
        pods insecure
        ttl 30
    }}
}}
"""


def query(name, ident=1):
    return struct.pack(">6H", ident, 0x100, 1, 0, 0, 0) + b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0\0\1\0\1"


def ask(link, name):
    """The code of the answer, and how many records it has; None when there is none."""
    link.send(query(name))
    try:
        flags, _, count = struct.unpack(">3H", link.recv(4096)[2:8])
        return flags & 15, count
    except OSError:
        return None


def link_to(address, port):
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.settimeout(0.5)
    link.connect((address, port))
    return link


@contextlib.contextmanager
def server(port, command, name):
    """A server of its own, once it answers to the name."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        link = link_to("127.0.0.1", port)
        bench.until(lambda: ask(link, name) == (0, 1) or time.sleep(0.05), 60, f"{command[0]} answers to {name}")
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def processor_seconds(pid):
    """Of all threads of a process, to the nanosecond (proc(5), schedstat)."""
    return sum(int(path.read_text().split()[0]) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def queries_a_second(pid, port, name):
    """Queries that one second of the server's processor time answers, asked for as fast as it answers."""
    path = bench.WORK / "queries"
    path.write_text(f"{name} A\n")
    before = processor_seconds(pid)
    said = bench.run(f"dnsperf -s 127.0.0.1 -p {port} -d {path} -l {SECONDS} -c 4 -q {OUTSTANDING}")
    used = processor_seconds(pid) - before
    completed, codes = int(re.search(r"Queries completed: +(\d+)", said)[1]), re.search(r"Response codes: +(.*)", said)[1]
    if not codes.startswith(f"NOERROR {completed} "):
        raise RuntimeError(f"dnsperf: {completed} answers to {name}: {codes}")
    return completed / used


def peer_command(services):
    if coredns:
        kubeconfig, corefile = bench.WORK / "kubeconfig", bench.WORK / "Corefile"
        kubeconfig.write_text(bench.run(f"{bench.MINIK} kubeconfig {bench.NAME}"))
        corefile.write_text(COREFILE.format(port=PEERS, kubeconfig=kubeconfig))
        return "CoreDNS", [coredns, "-conf", str(corefile)]
    hosts = bench.WORK / "hosts"
    hosts.write_text("".join(f"{address} {name}.default.svc.cluster.local\n" for name, address in services))
    return "dnsmasq", [
        "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", f"--addn-hosts={hosts}", f"--port={PEERS}",
        "--cache-size=0", "--local=/cluster.local/", "--user=root", "--pid-file=", "--listen-address=127.0.0.1", "--bind-interfaces",
    ]


def services(api):
    api.request("GET", "/api/v1/namespaces/default/services")
    items = json.loads(api.getresponse().read())["items"]
    return [(x["metadata"]["name"], x["spec"]["clusterIP"]) for x in items if x["metadata"]["name"].startswith("dns-")]


def measure_queries(api, count):
    known = services(api)
    kind, command = peer_command(known)
    ours = [str(pathlib.Path(bench.MINIK).parent / "minik-dns"), str(bench.STATE / "dns/records.json"), str(OURS)]
    names = {"first": f"dns-0.default.svc.cluster.local", "last": f"dns-{count - 1}.default.svc.cluster.local"}
    with server(OURS, ours, names["last"]) as pid, server(PEERS, command, names["last"]) as other:
        for which, name in names.items():
            mine, theirs = queries_a_second(pid, OURS, name), queries_a_second(other, PEERS, name)
            budget = "> 2" if coredns else ""
            bench.row(
                f"DNS queries a CPU second, {count:,} Services, the {which}", f"{mine:,.0f}", f"{kind}: {theirs:,.0f}", mine / theirs, budget,
                mine / theirs > 2 if coredns else None)


# In a node's network: makes Services one after the other, and asks for each until it has its name.
NAMER = """
import json, os, socket, struct, sys, time
sys.path.insert(0, os.environ["SCRIPTS"])
import bench, bench_dns
api, link, took = bench.API(), bench_dns.link_to(sys.argv[1], 53), []
for number in range(int(sys.argv[3])):
    name = f"new-{sys.argv[2]}-{number}"
    api.create("services", bench.service(name, app="nobody"))
    start = time.monotonic()
    while bench_dns.ask(link, f"{name}.default.svc.cluster.local") != (0, 1): time.sleep(0.0002)
    took.append(time.monotonic() - start)
    time.sleep(0.05)
print(json.dumps(took))
"""


def measure_names(count):
    script = bench.WORK / "namer.py"
    script.write_text(NAMER)
    environment = f"SCRIPTS={pathlib.Path(__file__).parent} MINIK={bench.MINIK} WORK={bench.WORK} "
    took = json.loads(bench.run(f"{environment} {bench.inside(bench.NAME + '_node1')} python3 {script} 10.1.0.10 {count} {CHANGES}"))
    value = statistics.median(took)
    bench.row(
        f"a new Service's name answers, {count:,} Services", f"{bench.seconds(value)}, max {bench.seconds(max(took))}", "", None, "< 5 ms",
        value < 0.005)


def measure_dns(_):
    with bench.cluster(bench.write("cluster.yaml", [bench.cluster_document(1)])):
        api = bench.API()
        made = 0
        for count in (FEW, MANY):
            deadline = time.monotonic() + bench.LOAD_LIMIT * 2
            while made < count and time.monotonic() < deadline:
                api.create("services", bench.service(f"dns-{made}", app="nobody"))
                made += 1
            measure_names(made)
            measure_queries(api, made)
