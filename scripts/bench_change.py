"""What a change costs the daemon where there is much already: its processor time, as the kernel counts it.

BESIDE=/path/to/minik names another build, which then does the same in the same run: the ratio is to that."""
import contextlib, json, os, time

import bench
from bench_policies import await_idle, policy

PODS, POLICIES, SERVICES, MANY, SCALED = 484, 1000, 1000, 3000, 500
# An ext4 without a journal passes over every inode that was deleted within so many seconds when it makes a new one (recently_deleted in
# fs/ext4/ialloc.c): without a pause the build that is measured second would pay for what the first left.
FORGOTTEN = 40


def processor_seconds():
    """What the daemon has used."""
    pid = (bench.RUN / "daemon.pid").read_text().split()[0]
    fields = (bench.pathlib.Path("/proc") / pid / "stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def build(path):
    """Measures this build for a while."""
    own, bench.MINIK = bench.MINIK, path
    try:
        yield
    finally:
        bench.MINIK = own


def beside(measure):
    """What `measure` says of this build, and of the one beside it, if there is one."""
    other = os.environ.get("BESIDE")
    if other is None:
        return measure(), None
    with build(other):
        time.sleep(FORGOTTEN)
        before = measure()
    time.sleep(FORGOTTEN)
    return measure(), before


def compare(what, now, before, limit, budget):
    """One line: budgets are ratios to the other build."""
    ratio = None if before is None else now / before
    bench.row(
        what, bench.seconds(now), "" if before is None else f"the other build: {bench.seconds(before)}", ratio,
        budget if ratio is not None else "", None if ratio is None else ratio < limit)


def send(api, method, path, body=None, kind="application/json"):
    api.request(method, path, body=None if body is None else json.dumps(body), headers={"Content-Type": kind})
    answer = api.getresponse()
    data = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {data.decode()[:300]}")
    return json.loads(data)


def post_services():
    """The seconds, and the daemon's, that Services take which are posted one after the other where there is much."""
    pods = [bench.pod(f"pod{n}", group=f"g{n % 50}") for n in range(PODS)]
    with bench.cluster(bench.write("cluster.yaml", [bench.cluster_document(3)])):
        bench.create_pods(bench.write("pods.yaml", pods), PODS)
        api = bench.API()
        for number in range(POLICIES):
            send(api, "POST", "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies", policy(number))
        await_idle()
        before, start = processor_seconds(), time.monotonic()
        for number in range(SERVICES):
            api.create("services", bench.service(f"service{number}", group=f"g{number % 50}"))
        took = time.monotonic() - start
        await_idle()
        # A second of it is the look whether it is idle, which is hardly any processor's.
        return took, processor_seconds() - before


def measure_posting(_):
    now, before = beside(post_services)
    for place, what in enumerate((f"{SERVICES} Services posted singly, {PODS} pods, {POLICIES} policies", "the daemon's CPU for them")):
        compare(what, now[place], before and before[place], 0.1, "< 0.1 x")


def probed():
    """Its readiness probe fails each second."""
    document = bench.pod("probed", "node1", group="g1")
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    document["spec"]["containers"][0]["readinessProbe"] = probe
    return document


def stubborn():
    """It is asked to go and does not."""
    document = bench.pod("stubborn", "node2", group="g2")
    document["spec"]["terminationGracePeriodSeconds"] = 300
    document["spec"]["containers"][0]["command"] = ["sh", "-c", "trap '' TERM; while true; do sleep 1; done"]
    return document


def share(seconds=20):
    """The daemon's share of a processor while one pod is not ready and another ends slowly."""
    with bench.cluster(bench.write("cluster.yaml", [bench.cluster_document(3), bench.pod("still", "node3", group="g3")])):
        api = bench.API()
        for number in range(MANY):
            api.create("services", bench.service(f"service{number}", group=f"g{number}"))
        for document in (probed(), stubborn()):
            api.create("pods", document)
        time.sleep(5)
        await_idle_or_not()
        send(api, "DELETE", "/api/v1/namespaces/default/pods/stubborn")
        time.sleep(2)
        before, start = processor_seconds(), time.monotonic()
        time.sleep(seconds)
        return (processor_seconds() - before) / (time.monotonic() - start)


def await_idle_or_not():
    """Waits until the Services are where they belong; a daemon that never comes to rest is what is to be measured."""
    with contextlib.suppress(RuntimeError):
        await_idle()


def measure_share(_):
    now, before = beside(share)
    what = f"CPU, a probe that fails, a slow end, {MANY:,} Services"
    ratio = None if before is None else now / before
    bench.row(what, f"{now:.1%} of a core", "" if before is None else f"the other build: {before:.1%}", ratio, "< 2 %", now < 0.02)


def scale_deployment():
    """The daemon's processor time for a Deployment that grows to many pods and shrinks to none."""
    template = bench.pod("unused", app="bench")
    deployment = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "bench"},
        "spec": {
            "replicas": 0, "selector": {"matchLabels": {"app": "bench"}},
            "template": {"metadata": {"labels": {"app": "bench"}}, "spec": template["spec"]},
        },
    }
    path = "/apis/apps/v1/namespaces/default/deployments"
    with bench.cluster(bench.write("cluster.yaml", [bench.cluster_document(3)])):
        api = bench.API()
        send(api, "POST", path, deployment)
        await_idle()
        before, took = processor_seconds(), []
        for replicas in (SCALED, 0):
            start = time.monotonic()
            send(api, "PATCH", f"{path}/bench", {"spec": {"replicas": replicas}}, "application/merge-patch+json")

            def is_there():
                status = send(api, "GET", f"{path}/bench").get("status", {})
                time.sleep(0.25)
                if replicas:
                    return status.get("readyReplicas", 0) == replicas
                return not status.get("replicas") and len(list(bench.shims())) <= 1

            bench.until(is_there, 300, f"a Deployment of {replicas}")
            took.append(time.monotonic() - start)
        await_idle()
        return processor_seconds() - before, *took


def measure_deployment(_):
    now, before = beside(scale_deployment)
    compare(f"CPU, a Deployment scaled to {SCALED} and back", now[0], before and before[0], 0.5, "< 0.5 x")
    for place, what in ((1, f"to {SCALED}, until all are ready"), (2, "back, until all are gone")):
        bench.row(what, bench.seconds(now[place]), "" if before is None else f"the other build: {bench.seconds(before[place])}")
