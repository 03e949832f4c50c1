"""Many pods that end at once: how long it takes, what becomes of the others' connections, and what the daemon keeps of it."""
import contextlib, json, subprocess, time

from bench import (
    API, NAME, POLICY, RUN, address_of, cluster, cluster_document, create_pods, inside, memory, pod, row, seconds, shims, until, write)

SERVER = ["nc", "-l", "-p", "7", "-e", "cat"]
# Ends when it is asked to.
OBEDIENT = ["sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"]
# Echoes on one connection until its input ends; how many, and the longest wait for one.
CLIENT = """
import select, socket, sys, time
s = socket.create_connection((sys.argv[1], 7), 10)
s.settimeout(10)
count, longest = 0, 0.0
while not select.select([sys.stdin], [], [], 0.02)[0]:
    start = time.monotonic()
    s.sendall(b"x")
    assert s.recv(1) == b"x", "the connection has ended"
    count, longest = count + 1, max(longest, time.monotonic() - start)
print(count, longest)
"""


@contextlib.contextmanager
def echoing(client, address):
    """A connection that is used all the while; the list gets how often, and the longest wait."""
    process = subprocess.Popen(
        [*inside(f"{NAME}_default_{client}").split(), "python3", "-c", CLIENT, address],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    result = []
    try:
        yield result
        out, err = process.communicate("\n", timeout=30)
        if process.returncode != 0:
            raise RuntimeError(f"the connection of pods that stay: {err.strip()[-300:]}")
        result += [int(out.split()[0]), float(out.split()[1])]
    finally:
        process.kill()


def daemon_memory():
    return memory((RUN / "daemon.pid").read_text().split()[0], "Rss")


def obedient(name):
    document = pod(name, app="bench")
    document["spec"]["terminationGracePeriodSeconds"] = 30
    document["spec"]["containers"][0]["command"] = OBEDIENT
    return document


def gone(selector, stay):
    """Deletes what a selector chooses, and waits until the API knows none of it, and all shims but `stay` have ended; the seconds that took."""
    api, path = API(), f"/api/v1/namespaces/default/pods?labelSelector={selector}"
    start = time.monotonic()
    api.request("DELETE", path)
    answer = api.getresponse()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"delete pods: {answer.status}")

    def is_empty():
        api.request("GET", path)
        if not json.loads(api.getresponse().read())["items"] and len(list(shims())) <= stay:
            return True
        time.sleep(0.2)
        return False

    until(is_empty, 300, "pods that were deleted are still there")
    return time.monotonic() - start


def measure_endings(_, pods=500):
    stay = [pod("client", "node1"), pod("server", "node2")]
    stay[1]["spec"]["containers"][0]["command"] = SERVER
    with cluster(write("cluster.yaml", [cluster_document(3), POLICY, *stay])):
        time.sleep(10)
        others = len(list(shims()))
        idle = daemon_memory()
        took = create_pods(write("pods.yaml", [obedient(f"pod{n}") for n in range(pods)]), pods)
        row(f"apply {pods} pods, until all run", seconds(took), f"each {seconds(took / pods)}")
        time.sleep(5)
        most = daemon_memory()
        with echoing("client", address_of("pod", "server")) as echoes:
            took = gone("app%3Dbench", others)
        row(
            f"delete {pods} pods, until all are gone", seconds(took), f"{echoes[0]} echoes of others, <= {seconds(echoes[1])}", None, "< 10 s",
            took < 10)
        least, deadline = daemon_memory(), time.monotonic() + 60
        while time.monotonic() < deadline:
            time.sleep(2)
            least = min(least, daemon_memory())
        row(
            "daemon, within a minute of their end", f"{least:.1f} MB RSS", f"idle: {idle:.1f} MB, with them: {most:.1f}", least / idle, "< 1.3 x",
            least / idle < 1.3)
