"""The policies' part of the benchmark: what a packet, a change and a question cost when there are many policies."""
import contextlib, json, queue, statistics, struct, subprocess, time

import bench
import bench_nftables as nft

PODS, POLICIES, RULES = 500, 1000, 10

SERVER = """
import socket
listener = socket.socket(); listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); listener.bind(("", 7000)); listener.listen(64)
while True: listener.accept()[0].close()
"""
# The seconds of each connect: the packet that policies judge is the first one.
CLIENT = """
import socket, statistics, sys, time
took = []
for _ in range(3000):
    client = socket.socket(); start = time.perf_counter(); client.connect((sys.argv[1], 7000)); took.append(time.perf_counter() - start); client.close()
print(statistics.median(took))
"""


def policy(number):
    """Selects the pods of one group, and the server's; its rules let ten other groups in."""
    peers = [{"from": [{"podSelector": {"matchLabels": {"group": f"g{(number + rule) % 50}"}}}], "ports": [{"port": 7000 + rule}]} for rule in range(RULES)]
    selector = {"matchLabels": {"server": "yes"}} if number % 50 == 0 else {"matchLabels": {"group": f"g{number % 50}"}}
    return {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": f"policy{number}"},
        "spec": {"podSelector": selector, "ingress": peers},
    }


def await_idle():
    """Waits until the daemon has done what it was told: a second with hardly any processor time."""
    def used():
        fields = (bench.pathlib.Path("/proc") / (bench.RUN / "daemon.pid").read_text().split()[0] / "stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        before = used()
        time.sleep(1)
        if used() - before < 3:
            return
    raise RuntimeError("the daemon does not come to rest")


def drain(monitor):
    """Forgets what the monitor has told so far, until it is silent."""
    with contextlib.suppress(queue.Empty):
        while True:
            monitor.lines.get(timeout=0.3)


def address(name):
    return json.loads(bench.run(f"{bench.MINIK} get pod {name} -c {bench.NAME} -o json"))["status"]["podIP"]


def connect_latency(client, server):
    target = address(server)
    listening = subprocess.Popen(["nsenter", f"--net=/run/netns/{bench.NAME}_default_{server}", "python3", "-c", SERVER])
    try:
        time.sleep(0.5)
        return float(subprocess.run(
            ["nsenter", f"--net=/run/netns/{bench.NAME}_default_{client}", "python3", "-c", CLIENT, target], capture_output=True, text=True, check=True, timeout=60
        ).stdout)
    finally:
        listening.kill()
        listening.wait()


def label_changes(count=20):
    """The seconds from sending a change of one pod's label until a node's kernel has it."""
    monitor, took = bench.Monitor("node1"), []
    api = bench.API()
    ip = address("pod7")
    try:
        for number in range(-1, count):
            drain(monitor)
            body = json.dumps({"metadata": {"labels": {"group": f"g{number % 2 + 20}"}}})
            start = time.monotonic()
            api.request("PATCH", "/api/v1/namespaces/default/pods/pod7", body, {"Content-Type": "application/merge-patch+json"})
            api.getresponse().read()
            try:
                when = monitor.await_line("add element", "kube-netpol", ip, timeout=5)
            except queue.Empty:
                if number >= 0:
                    raise
                continue  # the monitor was still reading what there is
            if number >= 0:
                took.append(when - start)
    finally:
        monitor.close()
    return took


# The kernel's share alone, by raw batches: classes of pods as numbers, and as chains that a verdict map leads to


def pod_address(number):
    return nft.address(f"10.244.{number >> 8}.{number & 255}")


def peers(count, first=()):
    """Keys of so many peers at one port each, each in a concatenation that begins with `first`."""
    return [(nft.key(*first, pod_address(n), b"\x06", struct.pack(">H", 7000 + n % 10)), None, "default/policy ingress[0]") for n in range(count)]


def mark(number):
    return struct.pack("=I", number * 2654435761 & 0xFFFFFFFF)


class ChainPerClass:
    def frame(self, batch):
        batch.add_chain("forward", (2, 0)).add_set("isolated", [nft.ADDRESS], data="verdict")
        batch.add_rule("forward", nft.destination(0), nft.lookup("isolated", 0, "verdict"))

    def add_class(self, batch, number, count):
        batch.add_chain(f"class{number}").add_set(f"ports{number}", [nft.ADDRESS, nft.PROTOCOL, nft.PORT])
        look = [nft.source(0), nft.protocol(1), nft.port(2), nft.lookup(f"ports{number}", 0), nft.counter(), nft.go(nft.RETURN)]
        batch.add_rule(f"class{number}", *look).add_rule(f"class{number}", nft.counter(), nft.go(nft.DROP))
        batch.add_elements(f"ports{number}", peers(count))

    def put(self, batch, pods):
        batch.add_elements("isolated", [(pod_address(pod), nft.verdict(nft.GOTO, f"class{number}"), f"default/pod{pod}") for pod, number in pods])


class NumberPerClass:
    def frame(self, batch):
        batch.add_chain("forward", (2, 0)).add_chain("judge")
        batch.add_set("isolated", [nft.ADDRESS], data=[nft.MARK])
        batch.add_set("ports", [nft.MARK, nft.ADDRESS, nft.PROTOCOL, nft.PORT])
        batch.add_set("isolation", [nft.MARK])
        batch.add_rule("forward", nft.destination(0), nft.lookup("isolated", 0, 0), nft.set_mark(0), nft.go(nft.GOTO, "judge"))
        batch.add_rule(
            "judge", nft.get_mark(0), nft.source(1), nft.protocol(2), nft.port(3), nft.lookup("ports", 0), nft.counter(), nft.go(nft.RETURN))
        batch.add_rule("judge", nft.get_mark(0), nft.lookup("isolation", 0), nft.counter(), nft.go(nft.DROP))

    def add_class(self, batch, number, count):
        batch.add_elements("ports", peers(count, [mark(number)])).add_elements("isolation", [(mark(number), None, "default/policy")])

    def put(self, batch, pods):
        batch.add_elements("isolated", [(pod_address(pod), mark(number), f"default/pod{pod}") for pod, number in pods])


def class_costs(layout, pods, classes, peers, count=20):
    """The kernel's processor seconds for a pod that goes to another class, and for one that goes to a new one."""
    kernel, batch = nft.Socket(), nft.Batch("bench").add_table()
    layout.frame(batch)
    for number in range(classes):
        layout.add_class(batch, number, peers)
    layout.put(batch, [(pod, pod % classes) for pod in range(pods)])
    kernel.apply(batch)
    found = []
    for first in (0, classes):
        took = []
        for number in range(first, first + count):
            batch = nft.Batch("bench").delete_elements("isolated", [pod_address(7)])
            if first:
                layout.add_class(batch, number, peers)
            layout.put(batch, [(7, number)])
            took.append(kernel.apply(batch)[0])
        found.append(statistics.median(took))
    kernel.apply(nft.Batch("bench").delete_table())
    return found


def measure_classes():
    """Run in a network namespace of its own."""
    for pods, classes in ((PODS, 50), (PODS, PODS), (5000, 5000)):
        chains, numbers = (class_costs(layout(), pods, classes, 20) for layout in (ChainPerClass, NumberPerClass))
        for what, theirs, mine in zip(("another class", "a new class of 20 elements"), chains, numbers):
            bench.row(
                f"a pod into {what}, {classes} there, kernel", bench.seconds(mine), f"chain per class: {bench.seconds(theirs)}",
                theirs / mine, "< 5 ms", mine < 0.005)


def measure_policies(_):
    with nft.namespace():
        measure_classes()
    pods = [bench.pod(f"pod{n}", group=f"g{n % 50}") for n in range(PODS - 11)]
    nine = [bench.pod(f"m{n}", f"node{n % 3 + 1}") for n in range(9)]
    for document in nine:
        document["metadata"]["namespace"] = "nine"
    ends = [bench.pod("client", "node1", group="g0"), bench.pod("server", "node1", server="yes")]
    first = policy(0)
    with bench.cluster(bench.write("cluster.yaml", [bench.cluster_document(3), {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "nine"}}, first])):
        bench.run(f"{bench.MINIK} apply -c {bench.NAME} -f {bench.write('nine.yaml', nine)}")
        bench.create_pods(bench.write("pods.yaml", pods + ends), len(pods) + 2)
        await_idle()
        few = connect_latency("client", "server")
        bench.run(f"{bench.MINIK} apply -c {bench.NAME} -f {bench.write('policies.yaml', [policy(n) for n in range(1, POLICIES)])}")
        await_idle()
        many = connect_latency("client", "server")
        bench.row(f"connect, {POLICIES} policies x {RULES} rules, {PODS} pods", f"{many * 1e6:.1f} us", f"one policy: {few * 1e6:.1f} us", many / few, "< 1.1 x", many / few < 1.1)
        took = label_changes()
        bench.row("a label, to a node's kernel, all those policies", bench.seconds(statistics.median(took)), f"max {bench.seconds(max(took))}", None, "< 50 ms", max(took) < 0.05)
        probe = f"{bench.MINIK} matrix -c {bench.NAME} -n nine --probe --ports 80,81,udp/80,udp/81,sctp/80,sctp/81"
        took = bench.timed(probe)
        bench.row("matrix of 9 pods, 2 ports x 3 protocols, real packets", bench.seconds(took), "and as many sources more", None, "< 5 s", took < 5)
    for count in (100, 1000, 10000):
        cost = json.loads(bench.run(f"{bench.MINIK} measure-policies --pods {count} --local {min(100, count)} --policies 1000 --rules 10"))
        label = cost["label"]
        bench.row(
            f"a label, compiled and compared, {count} pods", f"{label['milliseconds']:.2f} ms", f"{label['bytes']} bytes to the kernel")


def measure_changes(_):
    """What one object more costs the daemon's parts, kernels and disk left out: 484 pods, 1,000 policies and 1,000 Services on three nodes."""
    cost = json.loads(bench.run(f"{bench.MINIK} measure-changes", timeout=600))
    many = f"{cost['pods']} pods, {cost['policies']} policies, {cost['services']} Services"
    for name, what, budget in (
        ("policy", "a policy for one group of pods", 10), ("widePolicy", "a policy for every pod", 10), ("service", "a Service", None),
        ("label", "a pod's label", None), ("readiness", "a pod's readiness", None),
    ):
        took = cost[name]["milliseconds"]
        bench.row(
            f"{what} more or other, CPU", f"{took:.2f} ms", f"{many}; most {cost[name]['most']:.1f} ms", None, f"< {budget} ms" if budget else "",
            took < budget if budget else None)
    for name, what in (("firstPolicies", "policies"), ("firstServices", "services")):
        bench.row(f"{cost[what]} {what} posted at once, CPU", bench.seconds(cost[name]["milliseconds"] / 1000))
