"""The parts of the benchmark, and what they are made of. MINIK names the program, WORK a directory to fill."""
import argparse, contextlib, http.client, json, os, pathlib, queue, re, shutil, signal, socket, statistics, subprocess, sys
import threading, time

MINIK, WORK, LAB = os.environ["MINIK"], pathlib.Path(os.environ["WORK"]), pathlib.Path(__file__).parent.parent / "labs/netpol.yaml"
NAME = "bench"
RUN, STATE = pathlib.Path("/run/minik") / NAME, pathlib.Path("/var/lib/minik/clusters") / NAME
LOAD_LIMIT = 60  # seconds that loading Services may take; what is there by then is measured


# The table


def row(what, value, beside="", ratio=None, budget="", ok=None):
    """One line. `ok` is None where there is no budget, or where the noise is too much to tell."""
    verdict = {True: "ok", False: "MISSED", None: "unclear" if budget else ""}[ok]
    ratio = "" if ratio is None else f"{ratio:.2f}"
    print(f"{what:56} {value:>22}   {beside:32} {ratio:>6}   {budget:8} {verdict}".rstrip(), flush=True)


def seconds(value):
    return f"{value:.3f} s" if value >= 0.1 else f"{value * 1000:.2f} ms"


# Running things


def run(command, timeout=120):
    """Runs a shell command; its output. What it said on stderr is told when it fails."""
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise RuntimeError(f"{command.strip().splitlines()[0]}: exit {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout


def timed(command):
    start = time.monotonic()
    run(command)
    return time.monotonic() - start


def until(condition, timeout, what):
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"gave up after {timeout} s: {what}")
        time.sleep(0.005)


def inside(namespace):
    return f"nsenter --net=/run/netns/{namespace} "


# Clusters


def write(name, documents):
    """A manifest of these documents: JSON is YAML, too."""
    path = WORK / name
    path.write_text("\n---\n".join(json.dumps(document) for document in documents))
    return path


def cluster_document(workers):
    nodes = [{"name": "master", "role": "control-plane"}] + [{"name": f"node{n}"} for n in range(1, workers + 1)]
    return {"apiVersion": "minik.dev/v1", "kind": "Cluster", "metadata": {"name": NAME}, "spec": {"nodes": nodes}}


def pod(name, node=None, **labels):
    # Without the variables that name each Service: a thousand Services are seven thousand of them.
    spec = {
        "terminationGracePeriodSeconds": 0, "enableServiceLinks": False,
        "containers": [{"name": "main", "image": "busybox", "command": ["sleep", "3600"]}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec | ({"nodeName": node} if node else {})}


def service(name, **selector):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"selector": selector, "ports": [{"port": 5201}]}}


# Selects every pod of the benchmarks.
POLICY = {
    "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "bench"},
    "spec": {"podSelector": {"matchLabels": {"app": "bench"}}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "bench"}}}]}]},
}


@contextlib.contextmanager
def cluster(path):
    """The cluster of a file, while it is measured."""
    try:
        run(f"{MINIK} up {path}")
        yield
    finally:
        if STATE.exists():
            run(f"{MINIK} down {NAME}")


class API(http.client.HTTPConnection):
    """The cluster's API, one connection to its Unix socket."""

    def __init__(self):
        super().__init__("minik")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(str(RUN / "api.sock"))

    def create(self, plural, document):
        self.request("POST", f"/api/v1/namespaces/default/{plural}", json.dumps(document), {"Content-Type": "application/json"})
        answer = self.getresponse()
        body = answer.read()
        if answer.status != 201:
            raise RuntimeError(f"create {document['metadata']['name']}: {answer.status} {body.decode()[:300]}")

    def watch(self, plural):
        """The events of a kind of object, as they come."""
        self.request("GET", f"/api/v1/namespaces/default/{plural}?watch=true")
        for line in self.getresponse():
            event = json.loads(line)
            if event["type"] == "ERROR":
                raise RuntimeError(f"watch {plural}: {event['object']}")
            yield event["object"]


def create_pods(path, count):
    """Applies a file of pods; the seconds until all of them run."""
    watch = API().watch("pods")
    start = time.monotonic()
    apply = subprocess.Popen([MINIK, "apply", "-c", NAME, "-f", path], stdout=subprocess.DEVNULL)
    running = set()
    for seen in watch:
        if seen.get("status", {}).get("phase") == "Running":
            running.add(seen["metadata"]["name"])
        if len(running) == count:
            break
    took = time.monotonic() - start
    if apply.wait(60) != 0:
        raise RuntimeError(f"minik apply -f {path} failed")
    return took


# Memory, in MB


def memory(pid, field):
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(rf"^{field}:\s+(\d+)", rollup, re.M).group(1)) / 1024


def shims():
    """The shims of this cluster, by what they were started with."""
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if words[0].endswith(b"/minik-shim") and f"{RUN}/pods/" in words[2].decode():
                yield path.parent.name


def memories():
    """The daemon's RSS and PSS, and the PSS of each shim."""
    daemon = (RUN / "daemon.pid").read_text().split()[0]
    return memory(daemon, "Rss"), memory(daemon, "Pss"), [memory(pid, "Pss") for pid in shims()]


def memory_rows(where, limit, rss, pss, each):
    row(f"daemon, {where}", f"{rss:.1f} MB RSS", f"{pss:.1f} MB PSS", None, f"< {limit} MB", rss < limit)
    row(f"shim, mean of {len(each)}", f"{statistics.mean(each):.2f} MB PSS", "", None, "< 1.5 MB", statistics.mean(each) < 1.5)


# up: the lab comes and goes

# Links like the lab's, by ip alone: no processes, no rules, no files. A floor.
LINKS_BY_HAND = """
set -e
ip netns add bh-lan; ip -n bh-lan link add lan0 up type bridge
for n in 0 1 2; do
  ip netns add bh-$n; ip -n bh-lan link add v$n up master lan0 type veth peer name eth0 netns bh-$n
  ip -n bh-$n addr add 192.168.199.$((n+10))/24 dev eth0; ip -n bh-$n link set eth0 up
  ip -n bh-$n link add flannel.1 up type vxlan id 1 dev eth0 local 192.168.199.$((n+10)) dstport 8472 nolearning
  ip -n bh-$n addr add 10.244.$n.0/32 dev flannel.1; ip -n bh-$n link add cni0 up type bridge; ip -n bh-$n addr add 10.244.$n.1/24 dev cni0
done
for p in 0 1 2 3; do
  ip netns add bh-p$p; ip -n bh-$((p%3)) link add p$p up master cni0 type veth peer name eth0 netns bh-p$p
  ip -n bh-p$p addr add 10.244.$((p%3)).$((p+2))/24 dev eth0; ip -n bh-p$p link set eth0 up; ip -n bh-p$p route add default via 10.244.$((p%3)).1
done
"""
UNDO = "for name in $(ip netns list | awk '/^bh-/ {print $1}'); do ip netns del $name; done"


def await_answer():
    outside = f"{NAME}__outside"
    ask = (inside(outside) if os.path.exists(f"/run/netns/{outside}") else "") + "curl -s -m 1 http://192.168.200.129:33000 | grep -q 'It works'"
    until(lambda: subprocess.run(ask, shell=True).returncode == 0, 10, "the lab's Service does not answer")


def measure_up(runs):
    lab = WORK / "lab.yaml"
    lab.write_text(LAB.read_text().replace("name: netpol", f"name: {NAME}", 1))
    ups, answers, downs, hands = [], [], [], []
    for number in range(runs):
        hands.append(timed(LINKS_BY_HAND))
        run(UNDO)
        start = time.monotonic()
        with cluster(lab):
            ups.append(time.monotonic() - start)
            await_answer()
            answers.append(time.monotonic() - start)
            if number == 0:
                time.sleep(1)
                memory_of_lab = memories()
            start = time.monotonic()
        downs.append(time.monotonic() - start)
    hand = statistics.median(hands)
    for what, values, limit in [
        ("up labs/netpol.yaml, all pods Ready", ups, 1), ("up, and the Service answers at its NodePort", answers, 1), ("down", downs, 0.5),
    ]:
        middle = statistics.median(values)
        row(what, seconds(middle), f"links by ip: {seconds(hand)}", middle / hand, f"< {limit} s", middle < limit)
    memory_rows("that lab", 60, *memory_of_lab)


# pods: one more pod


def bare_pods(count):
    """Seconds per pod of the same kernel objects made by a C program, see bare.c."""
    layers = WORK / "layers"
    layers.mkdir()
    run(f"{MINIK} image assemble busybox")
    layer = json.loads(run(f"{MINIK} image inspect busybox"))[0]["RootFS"]["Layers"][0].removeprefix("sha256:")
    took = float(run(f"{WORK}/bare {count} /var/lib/minik/images/layers/{layer} {layers}"))
    shutil.rmtree(layers)
    return took


def measure_pods(runs, count=50):
    pods = write("pods.yaml", [pod(f"pod{n}", app="bench") for n in range(count)])
    ours, bare = [], []
    with cluster(write("cluster.yaml", [cluster_document(2), POLICY])):
        for _ in range(runs):
            bare.append(bare_pods(count))
            time.sleep(1)  # the kernel takes namespaces apart in its own time
            ours.append(create_pods(pods, count) / count)
            run(f"{MINIK} delete -c {NAME} pods --all")
            time.sleep(1)
    value, floor = statistics.median(ours), statistics.median(bare)
    row(f"a pod, of {count} applied at once", seconds(value), f"bare C loop: {seconds(floor)}", value / floor, "< 3 x", value / floor < 3)


# scale: 500 pods and 1,000 Services


def measure_scale(_, pods=500, services=1000):
    objects = write("pods.yaml", [pod(f"pod{n}", app="bench", group=f"g{n % 100}") for n in range(pods)])
    backends = write("services.yaml", [service(f"service{n}", group=f"g{n % 100}") for n in range(services)])
    with cluster(write("cluster.yaml", [cluster_document(3), POLICY])):
        took = timed(f"{MINIK} apply -c {NAME} -f {backends}")
        row(f"apply {services} Services", seconds(took), f"each {seconds(took / services)}")
        took = create_pods(objects, pods)
        row(f"apply {pods} pods that they select, until all run", seconds(took), f"each {seconds(took / pods)}")
        time.sleep(5)  # the endpoints follow the pods
        memory_rows(f"{pods} pods and {services} Services", 200, *memories())
        start = time.monotonic()
    row("down, of all that", seconds(time.monotonic() - start))


# What the kernel is told


class Monitor:
    """`nft monitor` in a node's network namespace: what the kernel was told, line by line, with the time."""

    def __init__(self, node):
        self.lines = queue.Queue()
        self.process = subprocess.Popen((inside(f"{NAME}_{node}") + "nft monitor").split(), stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put((time.monotonic(), line))

    def await_line(self, *words, timeout=20):
        """The time at which a line came that holds all these words."""
        deadline = time.monotonic() + timeout
        while True:
            when, line = self.lines.get(timeout=max(0.001, deadline - time.monotonic()))
            if all(word in line for word in words):
                return when

    def close(self):
        self.process.terminate()
        self.process.wait()


# throughput: minik's paths and the same built by hand

# Two nodes on a LAN, three pods: 1 and 2 on the first node, 3 on the second. Each node translates the address of a Service:
# from that rule on the kernel tracks every connection, which costs across nodes some 6 % and is no network of Services without.
# `bridge-nf-call-iptables` as minik's nodes have it, for answers of a pod on the same node must meet the translation.
PATHS_BY_HAND = """
set -e
ip netns add bh-lan; ip -n bh-lan link add lan0 up type bridge
for n in 1 2; do
  ip netns add bh-$n; ip -n bh-$n link set lo up
  ip -n bh-lan link add v$n up master lan0 type veth peer name eth0 netns bh-$n
  ip -n bh-$n addr add 192.168.199.1$n/24 dev eth0; ip -n bh-$n link set eth0 up
  ip -n bh-$n link add flannel.1 address 02:00:00:00:00:0$n mtu 1450 up type vxlan id 1 dev eth0 local 192.168.199.1$n dstport 8472 nolearning
  ip -n bh-$n addr add 10.244.$n.0/32 dev flannel.1
  ip -n bh-$n link add cni0 mtu 1450 up type bridge; ip -n bh-$n addr add 10.244.$n.1/24 dev cni0
  ip netns exec bh-$n sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1
  ip netns exec bh-$n nft 'table ip by-hand { chain services { type nat hook prerouting priority dstnat; ip daddr 10.1.0.1 tcp dport 5201 dnat to 10.244.1.12:5201; }; }'
done
for n in 1 2; do
  peer=$((3-n))
  ip -n bh-$n neigh add 10.244.$peer.0 lladdr 02:00:00:00:00:0$peer dev flannel.1
  bridge -n bh-$n fdb add 02:00:00:00:00:0$peer dev flannel.1 dst 192.168.199.1$peer
  ip -n bh-$n route add 10.244.$peer.0/24 via 10.244.$peer.0 dev flannel.1 onlink
done
for p in 1:1 2:1 3:2; do
  n=${p#*:} p=${p%:*}
  ip netns add bh-p$p; ip -n bh-p$p link set lo up
  ip -n bh-$n link add p$p mtu 1450 up master cni0 type veth peer name eth0 mtu 1450 netns bh-p$p
  ip -n bh-p$p addr add 10.244.$n.1$p/24 dev eth0; ip -n bh-p$p link set eth0 up; ip -n bh-p$p route add default via 10.244.$n.1
done
"""


# Both ends share one processor, the last: what counts is what a byte costs on its way, not how two processors take turns.
PINNED = f"taskset -c {os.cpu_count() - 1} "


@contextlib.contextmanager
def iperf_servers(namespaces):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    servers = [subprocess.Popen((inside(name) + PINNED + "iperf3 -s").split(), **quiet) for name in namespaces]
    try:
        for name in namespaces:
            until(lambda: ":5201" in run(inside(name) + "ss -Hltn"), 5, f"iperf3 -s in {name}")
        yield
    finally:
        for server in servers:
            server.terminate()
            server.wait()


class Sender:
    """A connection that iperf3 fills, but only while we let it run."""

    def __init__(self, namespace, address):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen((inside(namespace) + PINNED + f"iperf3 -t 300 -c {address}").split(), **quiet)

    def sent(self):
        line = re.search(r"eth0:(.*)", pathlib.Path(f"/proc/{self.process.pid}/net/dev").read_text())
        return int(line.group(1).split()[8])

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def run(self, duration):
        """Bits a second, while it runs for so long."""
        before, start = self.sent(), time.monotonic()
        self.process.send_signal(signal.SIGCONT)
        time.sleep(duration)
        self.stop()
        return (self.sent() - before) * 8 / (time.monotonic() - start)

    def close(self):
        self.process.kill()
        self.process.wait()


def carried(paths, slices=12):
    """Bits a second on each of two paths. They take turns of a fifth of a second, for what disturbs a machine lasts longer."""
    senders = [Sender(*path) for path in paths]
    results = {sender: [] for sender in senders}
    try:
        time.sleep(0.5)
        for sender in senders:
            sender.stop()
        for number in range(slices):
            for sender in senders[:: 1 if number % 2 else -1]:
                results[sender].append(sender.run(0.2))
    finally:
        for sender in senders:
            sender.close()
    time.sleep(0.2)  # a server takes one client at a time
    return [statistics.mean(results[sender]) for sender in senders]


def compare(what, ours, by_hand, rounds):
    """Prints what our path carries beside what one built by hand does, with new connections each round."""
    results = [carried([ours, by_hand]) for _ in range(rounds)]
    mine, hand = (statistics.mean(column) for column in zip(*results))
    ratios = [first / second for first, second in results]
    ratio = statistics.mean(ratios)
    error = statistics.stdev(ratios) / len(ratios) ** 0.5 if len(ratios) > 1 else 0
    by_hand = f"by ip and nft: {hand / 1e9:.2f} Gbit/s ±{error:.0%}"
    ok = None if abs(ratio - 0.97) < error else ratio > 0.97
    row(f"pod to pod, {what}", f"{mine / 1e9:.2f} Gbit/s", by_hand, ratio, "> 0.97", ok)


def address_of(kind, name):
    document = json.loads(run(f"{MINIK} get -c {NAME} {kind} {name} -o json"))
    return document["spec"]["clusterIP"] if kind == "service" else document["status"]["podIP"]


def measure_throughput(runs):
    run(UNDO)
    pods = [pod("client", "node1", app="bench"), pod("near", "node1", app="bench", near="yes"), pod("far", "node2", app="bench")]
    try:
        run(PATHS_BY_HAND)
        with cluster(write("cluster.yaml", [cluster_document(2), POLICY, service("near", near="yes"), *pods])):
            mine = f"{NAME}_default_"
            with iperf_servers([mine + "near", mine + "far", "bh-p2", "bh-p3"]):
                client = mine + "client"
                compare("same node", (client, address_of("pod", "near")), ("bh-p1", "10.244.1.12"), runs)
                compare("across nodes", (client, address_of("pod", "far")), ("bh-p1", "10.244.2.13"), runs)
                compare("through a Service, same node", (client, address_of("service", "near")), ("bh-p1", "10.1.0.1"), runs)
    finally:
        run(UNDO)
