"""kr8s, its sync API: pods, deployments, selectors, watches, tables.

KUBECONFIG names a file whose current context is the cluster.
"""
import faulthandler
import secrets
import signal
import threading
import time
import unittest
import urllib.request

import kr8s
from kr8s.objects import ConfigMap, Deployment, Namespace, Node, Pod, Service


def setUpModule():
    faulthandler.dump_traceback_later(60, exit=True)


def tearDownModule():
    faulthandler.cancel_dump_traceback_later()


class Kr8s(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.api = kr8s.api()
        cls.space = Namespace({"metadata": {"name": "kr8s-" + secrets.token_hex(3)}})
        cls.space.create()
        cls.ns = cls.space.name

    @classmethod
    def tearDownClass(cls):
        cls.space.delete()

    def run(self, result=None):
        """No test takes longer than this, whatever it waits for."""
        signal.signal(signal.SIGALRM, lambda *_: self.fail("a test took more than 25 s"))
        signal.alarm(25)
        try:
            return super().run(result)
        finally:
            signal.alarm(0)

    def make(self, kind, name, **fields):
        it = kind(dict({"metadata": {"name": name, "namespace": self.ns, "labels": {"name": name}}}, **fields))
        it.create()
        return it

    def pod(self, name, *command, image="busybox", **spec):
        container = {"name": "main", "image": image}
        if command:
            container["command"] = list(command)
        return self.make(Pod, name, spec=dict({"terminationGracePeriodSeconds": 0, "containers": [container]}, **spec))

    def until(self, what, test, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if test():
                return
            time.sleep(0.05)
        self.fail("not in %d s: %s" % (seconds, what))

    def test_version_and_discovery(self):
        self.assertRegex(self.api.version()["gitVersion"], r"^v1\.36\.")
        kinds = {(r["version"], r["kind"]) for r in self.api.api_resources()}
        for version, kind in (("v1", "Pod"), ("apps/v1", "Deployment"), ("batch/v1", "Job"), ("networking.k8s.io/v1", "NetworkPolicy"),
                              ("policy/v1", "PodDisruptionBudget"), ("coordination.k8s.io/v1", "Lease")):
            self.assertIn((version, kind), kinds)
        self.assertTrue({"v1", "apps/v1", "rbac.authorization.k8s.io/v1"} <= set(self.api.api_versions()))
        for name in ("deploy", "deployment", "Deployment", "deployments.apps"):
            self.assertEqual(self.api.lookup_kind(name), ("deployment.apps/v1", "deployments", True))
        self.assertEqual(sorted(node.name for node in kr8s.get("nodes")), ["node-1", "node-2", "node-3"])
        self.assertTrue(all(Node.get(name).metadata.uid for name in ("node-1", "node-2", "node-3")))

    def test_pod_from_creation_to_deletion(self):
        pod = self.pod("life", "sh", "-c", "for i in 1 2 3; do echo line-$i; done; exec sleep 3600")
        pod.wait("condition=Ready", timeout=10)
        self.assertTrue(pod.ready() and pod.exists())
        self.assertEqual((pod.status.phase, pod.namespace), ("Running", self.ns))
        self.assertEqual(list(pod.logs(tail_lines=2)), ["line-2", "line-3"])
        self.assertEqual(len(list(pod.logs(timestamps=True))), 3)
        pod.delete()
        pod.wait("delete", timeout=10)
        self.assertFalse(pod.exists())
        with self.assertRaises(kr8s.NotFoundError):
            pod.refresh()
        with self.assertRaises(kr8s.NotFoundError):
            Pod.get("life", namespace=self.ns, timeout=1)

    def test_exec(self):
        pod = self.pod("shell", "sleep", "3600")
        done = pod.exec(["sh", "-c", "echo out; echo err >&2"], timeout=10)
        self.assertEqual((done.stdout, done.stderr, done.returncode), (b"out\n", b"err\n", 0))
        done = pod.exec(["sh", "-c", "exit 5"], check=False, timeout=10)
        self.assertEqual(done.returncode, 5)
        # The library's task group wraps it.
        with self.assertRaises((kr8s.ExecError, ExceptionGroup)):
            pod.exec(["false"], timeout=10)

    def test_followed_logs_end_with_the_pod(self):
        pod = self.pod("slow", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done", restartPolicy="Never")
        pod.wait(["jsonpath='{.status.phase}'=Running", "jsonpath='{.status.phase}'=Succeeded"], timeout=10)
        self.assertEqual(list(pod.logs(follow=True, timeout=10)), ["1", "2", "3"])
        pod.wait("jsonpath='{.status.phase}'=Succeeded", timeout=10)

    def test_port_forward_to_pod_and_service(self):
        pod = self.pod("web", image="httpd")
        pod.wait("condition=Ready", timeout=10)
        service = self.make(Service, "web", spec={"selector": {"name": "web"}, "ports": [{"port": 80}]})
        self.until("the service is ready", service.ready)
        self.assertEqual([p.name for p in service.ready_pods()], ["web"])
        for target in (pod, service):
            with target.portforward(80, local_port="auto") as port:
                for _ in range(2):
                    with urllib.request.urlopen("http://127.0.0.1:%d/" % port, timeout=5) as answer:
                        self.assertIn(b"It works!", answer.read())
        self.assertIn("It works!", service.proxy_http_get("").text)

    def deployment(self, name, replicas):
        labels = {"name": name}
        return self.make(Deployment, name, spec={"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [
                {"name": "main", "image": "busybox", "command": ["sleep", "3600"]}]}}})

    def test_deployment_scaled_and_deleted(self):
        it = self.deployment("many", 1)
        it.wait("condition=Available", timeout=10)
        for replicas in (3, 1):
            it.scale(replicas)
            self.assertEqual(it.replicas, replicas)
            self.until("%d pods" % replicas, lambda: len(it.pods()) == replicas and it.ready())
        pod, = it.pods()
        self.assertEqual(pod.exec(["echo", "hi"], timeout=10).stdout, b"hi\n")
        it.delete(propagation_policy="Foreground")
        it.wait("delete", timeout=10)
        self.assertEqual(list(kr8s.get("pods", namespace=self.ns, label_selector={"name": "many"})), [])

    def test_labels_annotations_and_patches(self):
        it = self.make(ConfigMap, "patched", data={"a": "1", "b": "2"})
        it.label(tier="front", gone="soon")
        it.annotate({"example.com/note": "a note"})
        it.remove_label("gone")
        self.assertEqual((dict(it.labels), dict(it.annotations)),
                         ({"name": "patched", "tier": "front"}, {"example.com/note": "a note"}))
        it.patch({"data": {"a": None, "c": "3"}})
        it.patch([{"op": "replace", "path": "/data/b", "value": "4"}], type="json")
        self.assertEqual(dict(ConfigMap.get("patched", namespace=self.ns).raw["data"]), {"b": "4", "c": "3"})
        with self.assertRaises(kr8s.ServerError) as caught:
            it.patch([{"op": "test", "path": "/data/b", "value": "no"}], type="json")
        self.assertEqual(caught.exception.response.status_code, 422)
        with self.assertRaises(kr8s.ServerError) as caught:
            self.make(ConfigMap, "patched")
        self.assertEqual((caught.exception.response.status_code, caught.exception.status["reason"]), (409, "AlreadyExists"))

    def test_selectors_and_tables(self):
        for name, tier in (("s-1", "x"), ("s-2", "y"), ("s-3", "y")):
            self.make(ConfigMap, name).label(tier=tier)
        names = lambda **selectors: [it.name for it in kr8s.get("configmaps", namespace=self.ns, **selectors)]
        self.assertEqual(names(label_selector={"tier": "y"}), ["s-2", "s-3"])
        self.assertEqual(names(label_selector="tier in (x,y),name!=s-2"), ["s-1", "s-3"])
        self.assertEqual(names(field_selector={"metadata.name": "s-1"}), ["s-1"])
        self.assertEqual(ConfigMap.get(namespace=self.ns, label_selector={"name": "s-3"}).name, "s-3")
        self.assertEqual([it.name for it in kr8s.get("cm", "s-1", "s-3", namespace=self.ns)], ["s-1", "s-3"])
        table, = kr8s.get("configmaps", namespace=self.ns, label_selector="tier=y", as_object=kr8s.objects.Table)
        self.assertEqual([column["name"] for column in table.column_definitions], ["Name", "Data", "Age"])
        self.assertEqual([row["cells"][0] for row in table.rows], ["s-2", "s-3"])

    def test_watch(self):
        since = self.make(ConfigMap, "before").metadata.resourceVersion

        def work():
            it = self.make(ConfigMap, "watched", data={"n": "1"})
            it.patch({"data": {"n": "2"}})
            it.delete()
        worker, seen = threading.Thread(target=work), []
        worker.start()
        for kind, it in self.api.watch("configmaps", namespace=self.ns, since=since, field_selector="metadata.name=watched"):
            seen.append((kind, it.raw["data"]["n"]))
            if kind == "DELETED":
                break
        worker.join()
        self.assertEqual(seen, [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")])
