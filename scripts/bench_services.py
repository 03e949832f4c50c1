"""The Services' part of the benchmark: what they cost on their way into the kernel, and there, beside the same in kube-proxy's layout."""
import contextlib, json, os, signal, statistics, struct, subprocess, sys, time

import bench
import bench_nftables as nft
from bench_change import processor_seconds, send
from bench_policies import await_idle

SIZES = (10, 1000, 5000, 10_000)
MANY, MOST = 10_000, 30_000
duration = 60


def milliseconds(value):
    return f"{value * 1000:.3f} ms"


@contextlib.contextmanager
def namespace(name):
    """A network namespace of this name, while it is measured."""
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    bench.run(f"ip netns add {name}")
    try:
        yield f"/run/netns/{name}"
    finally:
        bench.run(f"ip netns del {name}")


# kube-proxy's layout, by raw batches: a verdict map to a chain for each Service, which throws dice in a nameless map of endpoints
# (kubernetes pkg/proxy/nftables 1.36: Services without affinity have no chains for endpoints).


class KubeProxyTable:
    def __init__(self, where):
        self.socket = nft.Socket(where)
        self.bytes = 0
        batch = nft.Batch("kube-proxy").add_table().add_chain("services").add_chain("mark-for-masquerade")
        batch.add_chain("nat-prerouting", (0, -100), "nat").add_chain("nat-output", (3, -100), "nat")
        service = [nft.ADDRESS, nft.PROTOCOL, nft.PORT]
        batch.add_set("service-ips", service, data="verdict")
        batch.add_set("cluster-ips", [nft.ADDRESS])
        batch.add_rule("services", nft.destination(0), nft.protocol(1), nft.port(2), nft.lookup("service-ips", 0, "verdict"))
        for chain in ("nat-prerouting", "nat-output"):
            batch.add_rule(chain, nft.go(nft.JUMP, "services"))
        self.socket.apply(batch)

    @staticmethod
    def names(number):
        chain = f"service-{number:08X}-default/service{number}/tcp/"
        return chain, nft.address(f"10.1.{number >> 8 & 255}.{number & 255}")

    def add(self, batch, number, endpoints=2, isNew=True):
        """A Service as kube-proxy writes it, or its chain anew with other endpoints."""
        chain, address = self.names(number)
        if isNew:
            batch.add_chain(chain)
        else:
            batch.flush_chain(chain)
        numbers = batch.add_set("__map%d", [nft.NUMBER], nft.ANONYMOUS | nft.CONSTANT, data=[nft.ADDRESS, nft.PORT])
        targets = [
            (struct.pack("=I", each), nft.key(nft.address(f"10.244.1.{each + 2}"), struct.pack(">H", 7000))) for each in range(endpoints)
        ]
        batch.add_elements("__map%d", targets, set_id=numbers)
        batch.add_rule(chain, nft.dice(endpoints, 0), nft.lookup("__map%d", 0, 0, numbers), nft.destination_nat(0, 1))
        if isNew:
            batch.add_elements("cluster-ips", [(address, None, f"default/service{number}")])
            key = nft.key(address, b"\x06", struct.pack(">H", 80))
            batch.add_elements("service-ips", [(key, nft.verdict(nft.GOTO, chain), f"default/service{number}")])

    def load(self, count):
        """The processor's seconds and the clock's. Some hundreds in a transaction: the kernel looks for a nameless map among all of one
        transaction, and ten thousand in one take it 84 seconds."""
        took = []
        for start in range(0, count, 500):
            batch = nft.Batch("kube-proxy")
            for number in range(start, min(start + 500, count)):
                self.add(batch, number)
            took.append(self.socket.apply(batch))
        return [sum(values) for values in zip(*took)]

    def each(self, count, change):
        took = []
        for number in range(count):
            batch = nft.Batch("kube-proxy")
            change(batch, number)
            took.append(self.socket.apply(batch) + (len(batch.bytes),))
        return [statistics.median(values) for values in zip(*took)]

    def more(self, there, count=20):
        """One more Service, one more endpoint: the processor's seconds, the clock's, and the bytes."""
        service = self.each(count, lambda batch, number: self.add(batch, there + number))
        endpoint = self.each(count, lambda batch, number: self.add(batch, number % there, 3, False))
        return service, endpoint


def peer(count):
    with namespace("bench-peer") as where:
        table = KubeProxyTable(where)
        return table.load(count), table.more(count)


def ours(count, where, more=20):
    return json.loads(bench.run(f"{bench.MINIK} measure-services --namespace {where} --services {count} --more {more}", timeout=600))


def measure_kernel():
    """The same Services from the store into one kernel, and in kube-proxy's layout."""
    found = {}
    for count in SIZES:
        with namespace("bench-ours") as where:
            found[count] = ours(count, where), peer(count)
    mine, (load, _) = found[MANY]
    took = mine["all"]["seconds"]
    bench.row(
        f"{MANY:,} Services x 2 endpoints, store to kernel", bench.seconds(took), f"their layout, kernel alone: {bench.seconds(load[1])}",
        load[1] / took, "< 1 s", took < 1)
    for part, index, what in (("service", 0, "Service"), ("endpoint", 1, "endpoint")):
        base = found[SIZES[0]][0][part]["seconds"]
        for count in SIZES:
            mine, (_, more) = found[count]
            its = mine[part]
            bench.row(
                f"one more {what} at {count:,}, in the kernel after", f"{milliseconds(its['seconds'])}, {its['bytes']:.0f} B",
                f"theirs: {milliseconds(more[index][1])}, {more[index][2]:.0f} B", its["seconds"] / base, "< 3 ms", its["seconds"] < 0.003)
            bench.row(
                "  and processor", milliseconds(its["processor"]), f"theirs, kernel alone: {milliseconds(more[index][0])}",
                more[index][0] / its["processor"])


# What a connection costs

SERVER = """
import socket
listener = socket.socket(); listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); listener.bind(("", 7000)); listener.listen(256)
while True: listener.accept()[0].close()
"""
CLIENT = """
import json, socket, sys, time
took = []
for _ in range(int(sys.argv[2])):
    client = socket.socket(); start = time.perf_counter(); client.connect((sys.argv[1], 80)); took.append(time.perf_counter() - start); client.close()
print(json.dumps(took))
"""
ROUTER = """
set -e
for n in client server; do
  ip netns add bench-$n; ip link add bench-$n type veth peer name eth0 netns bench-$n; ip link set bench-$n netns bench-ours; ip -n bench-ours link set bench-$n up
  ip -n bench-$n link set eth0 up; ip -n bench-$n link set lo up
done
ip -n bench-ours addr add 10.244.0.1/24 dev bench-client; ip -n bench-ours addr add 10.244.1.1/24 dev bench-server; ip -n bench-ours link set lo up
ip netns exec bench-ours sysctl -qw net.ipv4.ip_forward=1
ip -n bench-client addr add 10.244.0.2/24 dev eth0; ip -n bench-client route add default via 10.244.0.1
for a in 2 3 4; do ip -n bench-server addr add 10.244.1.$a/24 dev eth0; done; ip -n bench-server route add default via 10.244.1.1
"""


def latencies(count, connects=4000):
    """The seconds of connects to the first of so many Services, through one router."""
    with namespace("bench-ours") as where:
        first = ours(count, where, 1)["first"]
        bench.run("for n in client server; do ip netns del bench-$n 2> /dev/null; done; true")
        try:
            bench.run(ROUTER)
            listening = subprocess.Popen(["ip", "netns", "exec", "bench-server", sys.executable, "-c", SERVER])
            try:
                time.sleep(0.5)
                command = ["ip", "netns", "exec", "bench-client", sys.executable, "-c", CLIENT, first, str(connects)]
                return sorted(json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout))
            finally:
                listening.kill()
                listening.wait()
        finally:
            bench.run("for n in client server; do ip netns del bench-$n; done")


def measure_latency(rounds=3):
    """Turn by turn, so that what else the machine does meets both."""
    found = {10: [], MOST: []}
    for _ in range(rounds):
        for count, values in found.items():
            values.append(latencies(count))
    for name, place in (("p50", 0.5), ("p99", 0.99)):
        few, many = (min(each[int(place * len(each))] for each in found[count]) for count in (10, MOST))
        bench.row(
            f"connect through a Service, {name}, at {MOST:,}", f"{many * 1e6:.1f} us", f"at 10: {few * 1e6:.1f} us", many / few, "< 1.05 x",
            many / few < 1.05)


# A cluster with many


def post_services(workers, count):
    """The seconds in which the API takes so many Services, one after the other."""
    with bench.cluster(bench.write("cluster.yaml", [bench.cluster_document(workers)])):
        api = bench.API()
        start, before = time.monotonic(), processor_seconds()
        for number in range(count):
            api.create("services", {
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": f"service{number}"}, "spec": {"ports": [{"port": 80}]}})
            send(api, "POST", SLICES, slice_of(number))
        took = time.monotonic() - start
        await_idle()
        rss, pss, _ = bench.memories()
        spent = processor_seconds() - before
        os.kill(int((bench.RUN / "daemon.pid").read_text().split()[0]), signal.SIGKILL)
        return took, spent, rss, bench.timed(f"{bench.MINIK} up {bench.WORK / 'cluster.yaml'}")


SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


def slice_of(number, endpoints=(2, 3)):
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": f"service{number}-a", "labels": {"kubernetes.io/service-name": f"service{number}"}},
        "ports": [{"name": "", "port": 7000, "protocol": "TCP"}],
        "endpoints": [{"addresses": [f"10.244.1.{each}"], "conditions": {"ready": True}} for each in endpoints],
    }


def measure_posting(count=MANY):
    # A cluster has one node at the least, which follows, too.
    alone, followed = post_services(0, count), post_services(2, count)
    bench.row(
        f"{count:,} Services posted, three nodes following", bench.seconds(followed[0]), f"one node: {bench.seconds(alone[0])}",
        followed[0] / alone[0], "< 1.3 x", followed[0] / alone[0] < 1.3)
    bench.row("  the daemon's processor time", bench.seconds(followed[1]), f"one node: {bench.seconds(alone[1])}", followed[1] / alone[1])
    bench.row(f"daemon, {count:,} Services", f"{followed[2]:.1f} MB RSS", f"one node: {alone[2]:.1f} MB", followed[2] / alone[2], "< 150 MB", followed[2] < 150)
    bench.row(f"up with {count:,} Services in its store", bench.seconds(followed[3]), "", None, "< 3 s", followed[3] < 3)


# Endpoints that change while clients connect


def measure_changing(clients=50, rate=100):
    """Two servers, of which one is ready at each moment, and changes; clients connect all the while."""
    documents = [bench.cluster_document(2), bench.pod("client", "node1"), bench.pod("one", "node1"), bench.pod("two", "node2")]
    with bench.cluster(bench.write("cluster.yaml", documents)):
        addresses = [json.loads(bench.run(f"{bench.MINIK} get pod {name} -c {bench.NAME} -o json"))["status"]["podIP"] for name in ("one", "two")]
        listening = [
            subprocess.Popen(["nsenter", f"--net=/run/netns/{bench.NAME}_default_{name}", sys.executable, "-c", SERVER]) for name in ("one", "two")]
        try:
            api = bench.API()
            made = send(api, "POST", "/api/v1/namespaces/default/services", {
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": "changing"}, "spec": {"ports": [{"port": 80}]}})

            def slice_with(ready):
                document = slice_of(0)
                document["metadata"] = {"name": "changing-a", "labels": {"kubernetes.io/service-name": "changing"}}
                document["endpoints"] = [
                    {"addresses": [address], "conditions": {"ready": number == ready}} for number, address in enumerate(addresses)]
                return document

            send(api, "POST", SLICES, slice_with(0))
            time.sleep(2)
            client = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{bench.NAME}_default_client", sys.executable, "-c", CONNECTING, made["spec"]["clusterIP"],
                 str(clients), str(duration)], stdout=subprocess.PIPE, text=True)
            start, changes = time.monotonic(), 0
            while time.monotonic() - start < duration:
                changes += 1
                send(api, "PUT", f"{SLICES}/changing-a", slice_with(changes % 2))
                time.sleep(max(0, start + changes / rate - time.monotonic()))
            took = time.monotonic() - start
            said = json.loads(client.communicate(timeout=60)[0])
        finally:
            for each in listening:
                each.kill()
                each.wait()
    bench.row(
        f"{changes / took:.0f} endpoint changes a second for {took:.0f} s, {clients} clients", f"{said['failed']} failed",
        f"of {said['connects']:,} connections; most {said['most'] * 1000:.0f} ms", None, "none", said["failed"] == 0)


CONNECTING = """
import json, socket, sys, threading, time
address, count, duration = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
end, lock, total, failed, most = time.monotonic() + duration - 1, threading.Lock(), 0, 0, 0
def run():
    global total, failed, most
    while time.monotonic() < end:
        start = time.monotonic()
        try:
            with socket.create_connection((address, 80), timeout=5): pass
            bad = 0
        except OSError: bad = 1
        took = time.monotonic() - start
        with lock: total, failed, most = total + 1, failed + bad, max(most, took)
        time.sleep(0.02)
threads = [threading.Thread(target=run) for _ in range(count)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps({"connects": total, "failed": failed, "most": most}))
"""


def measure_services(_):
    measure_kernel()
    measure_latency()
    measure_posting()
    measure_changing()
