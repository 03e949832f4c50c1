"""What the API costs a client: scripts/bench runs this as its part `api`."""
import base64, http.client, json, os, pathlib, queue, socket, sqlite3, ssl, statistics, tempfile, threading, time

import yaml

import bench

PODS, LISTED, WATCHES, WRITES = 500, 1000, 500, 300
STALLED, LARGE, CHANGES = 200, 100_000, 100


class API:
    """HTTPS with the administrator's certificate, as kubectl would."""

    def __init__(self):
        config = yaml.safe_load(bench.run(f"{bench.MINIK} kubeconfig -c {bench.NAME}"))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        files = {}
        for name, data in (("ca", cluster["certificate-authority-data"]), ("crt", user["client-certificate-data"]), ("key", user["client-key-data"])):
            files[name] = bench.WORK / f"api.{name}"
            files[name].write_bytes(base64.b64decode(data))
        self.context = ssl.create_default_context(cafile=str(files["ca"]))
        self.context.load_cert_chain(files["crt"], files["key"])
        self.host = cluster["server"].removeprefix("https://")

    def connect(self):
        connection = http.client.HTTPSConnection(self.host, context=self.context, timeout=60)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    @staticmethod
    def ask(connection, method, path, body=None, kind="application/json"):
        connection.request(method, path, body=json.dumps(body) if body is not None else None, headers={"Content-Type": kind})
        answer = connection.getresponse()
        data = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {data[:300]}")
        return data


def pod(number):
    # No scheduler takes it: it is an object and nothing more.
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{number}", "labels": {"app": "api"}}, "spec": {
        "schedulerName": "none", "containers": [{"name": "c", "image": "busybox", "env": [{"name": "A", "value": "b"}]}]}}


def cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def by_hand(count):
    """The same number of documents into SQLite with the same settings, each a transaction of its own."""
    with tempfile.TemporaryDirectory(dir="/var/lib/minik") as directory:
        database = sqlite3.connect(f"{directory}/store.db", isolation_level=None)
        database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; CREATE TABLE objects (name TEXT PRIMARY KEY, json TEXT)")
        text = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "uid": "0" * 36, "namespace": "default"}, "data": {"n": "1"}})
        start = time.monotonic()
        for number in range(count):
            database.execute("BEGIN")
            database.execute("INSERT INTO objects VALUES (?, ?)", (f"c{number}", text))
            database.execute("COMMIT")
        return count / (time.monotonic() - start)


def measure_api(runs):
    os.makedirs("/var/lib/minik", exist_ok=True)
    stored = statistics.median(json.loads(bench.run(f"{bench.MINIK} measure-store"))["perSecond"] for _ in range(max(1, runs // 2)))
    hand = by_hand(10_000)
    bench.row("creates a second, validated and durable", f"{stored:.0f}", f"sqlite3 by hand {hand:.0f}", stored / hand, "> 2000", stored > 2000)
    bench.run(f"{bench.MINIK} up {bench.write('api.yaml', [{'apiVersion': 'minik.dev/v1', 'kind': 'Cluster', 'metadata': {'name': bench.NAME}}])} --no-kubeconfig")
    try:
        api = API()
        connection = api.connect()
        pods = "/api/v1/namespaces/default/pods"
        for number in range(PODS):
            api.ask(connection, "POST", pods, pod(number))
        watch_latency(api, connection, pods)
        for number in range(PODS, LISTED):
            api.ask(connection, "POST", pods, pod(number))
        listing(api, connection, pods, runs)
        idle_watches(api, pods)
        stalled_watchers(api, connection)
        stalled_exec(api, connection, pods)
    finally:
        bench.run(f"{bench.MINIK} down {bench.NAME}")


def watch_latency(api, connection, pods):
    revision = json.loads(api.ask(connection, "GET", f"{pods}?limit=1"))["metadata"]["resourceVersion"]
    watching = api.connect()
    watching.request("GET", f"{pods}?watch=1&resourceVersion={revision}")
    answer = watching.getresponse()
    seen = queue.Queue()

    def read():
        while line := answer.readline():
            now = time.monotonic()
            seen.put((now, json.loads(line)["object"]["metadata"]["labels"].get("turn")))

    threading.Thread(target=read, daemon=True).start()
    delays, writes = [], []
    for turn in range(WRITES):
        start = time.monotonic()
        api.ask(connection, "PATCH", f"{pods}/p{turn % PODS}", {"metadata": {"labels": {"turn": str(turn)}}}, "application/merge-patch+json")
        writes.append(time.monotonic() - start)
        while True:
            when, what = seen.get(timeout=10)
            if what == str(turn):
                break
        delays.append(when - start)
    delays.sort()
    p99 = delays[int(len(delays) * 0.99)]
    bench.row(f"write to event at a client, {PODS} pods, p99", bench.seconds(p99), f"median {bench.seconds(statistics.median(delays))}", None, "< 5 ms", p99 < 0.005)
    bench.row("one PATCH over TLS, median", bench.seconds(statistics.median(writes)))


def listing(api, connection, pods, runs):
    times, size = [], 0
    for _ in range(max(3, runs)):
        start = time.monotonic()
        data = api.ask(connection, "GET", f"{pods}?labelSelector=app%3Dapi")
        times.append(time.monotonic() - start)
        size = len(data)
        if len(json.loads(data)["items"]) != LISTED:
            raise RuntimeError("the list is short")
    value = statistics.median(times)
    bench.row(f"list of {LISTED} pods as JSON", bench.seconds(value), f"{size / 1e6:.1f} MB", None, "< 50 ms", value < 0.05)


def idle_watches(api, pods):
    pid = int((bench.RUN / "daemon.pid").read_text().split()[0])
    before = cpu(pid)
    time.sleep(5)
    alone = cpu(pid) - before
    held = []
    revision = json.loads(api.ask(api.connect(), "GET", f"{pods}?limit=1"))["metadata"]["resourceVersion"]
    for _ in range(WATCHES):
        connection = api.connect()
        connection.request("GET", f"{pods}?watch=1&resourceVersion={revision}")
        connection.getresponse()
        held.append(connection)
    time.sleep(2)
    before = cpu(pid)
    time.sleep(5)
    watched = cpu(pid) - before
    memory = int(next(line.split()[1] for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))) // 1024
    bench.row(f"{WATCHES} idle watches: processor time in 5 s", bench.seconds(watched), f"without them {bench.seconds(alone)}", None, "none", watched - alone < 0.05)
    bench.row(f"daemon with {LISTED} pod objects and {WATCHES} watches", f"{memory} MB RSS")
    for connection in held:
        connection.close()


def resident(pid):
    return int(next(line.split()[1] for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))) / 1024


def stalled_watchers(api, connection):
    """Watchers of a large object that changes, none of which reads."""
    maps = "/api/v1/namespaces/default/configmaps"
    pid = int((bench.RUN / "daemon.pid").read_text().split()[0])
    api.ask(connection, "POST", maps, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "large"}, "data": {"a": "x" * LARGE}})
    held = []
    for _ in range(STALLED):
        watching = api.connect()
        watching.request("GET", f"{maps}?watch=1&fieldSelector=metadata.name%3Dlarge")
        held.append(watching)
    time.sleep(2)
    before = resident(pid)
    for turn in range(CHANGES):
        api.ask(connection, "PATCH", f"{maps}/large", {"metadata": {"labels": {"turn": str(turn)}}}, "application/merge-patch+json")
    time.sleep(2)
    cost = resident(pid) - before
    bench.row(f"{STALLED} watchers that do not read, {CHANGES} changes of {LARGE // 1000} KB", f"{cost:.0f} MB more", "", None, "< 50 MB", cost < 50)
    for watching in held:
        watching.close()


def stalled_exec(api, connection, pods):
    """`exec -- yes` over a WebSocket whose client reads its head and no more."""
    pid = int((bench.RUN / "daemon.pid").read_text().split()[0])
    api.ask(connection, "POST", pods, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "talker"}, "spec": {
        "containers": [{"name": "c", "image": "busybox", "command": ["sleep", "600"]}]}})
    deadline = time.monotonic() + 60
    while json.loads(api.ask(connection, "GET", f"{pods}/talker")).get("status", {}).get("phase") != "Running":
        if time.monotonic() > deadline:
            raise RuntimeError("the pod does not start")
        time.sleep(0.2)
    before = resident(pid)
    talking = api.connect()
    talking.request("GET", f"{pods}/talker/exec?command=yes&stdout=1", headers={
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": base64.b64encode(b"0" * 16).decode(),
        "Sec-WebSocket-Protocol": "v4.channel.k8s.io"})
    time.sleep(5)
    first = resident(pid)
    time.sleep(5)
    growth = resident(pid) - first
    bench.row("exec of `yes` that nobody reads", f"{first - before:.1f} MB", f"{growth:.1f} MB more in 5 s", None, "< 1 MB more", growth < 1)
    talking.close()
