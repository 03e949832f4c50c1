"""lightkube: typed verbs, apply, watches, waits, streams and a generic resource.

KUBECONFIG names a file whose current context is the cluster.
"""
import faulthandler
import secrets
import signal
import time
import unittest

from lightkube import ApiError, Client
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.apps_v1 import DeploymentSpec
from lightkube.models.core_v1 import Container, PodSpec, PodTemplateSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.operators import exists, in_, not_equal, not_exists
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace, Node, Pod
from lightkube.types import CascadeType, PatchType


def setUpModule():
    faulthandler.dump_traceback_later(60, exit=True)


def tearDownModule():
    faulthandler.cancel_dump_traceback_later()


class Lightkube(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ns = "lightkube-" + secrets.token_hex(3)
        cls.client = Client(namespace=cls.ns, field_manager="tester")
        cls.client.create(Namespace(metadata=ObjectMeta(name=cls.ns)))

    @classmethod
    def tearDownClass(cls):
        cls.client.delete(Namespace, cls.ns)
        cls.client.close()

    def run(self, result=None):
        """No test takes longer than this, whatever it waits for."""
        signal.signal(signal.SIGALRM, lambda *_: self.fail("a test took more than 25 s"))
        signal.alarm(25)
        try:
            return super().run(result)
        finally:
            signal.alarm(0)

    def until(self, what, test, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            it = test()
            if it:
                return it
            time.sleep(0.05)
        self.fail("not in %d s: %s" % (seconds, what))

    def refused(self, code, reason, call, *args, **kwargs):
        with self.assertRaises(ApiError) as caught:
            call(*args, **kwargs)
        status = caught.exception.status
        self.assertEqual((status.code, status.reason, caught.exception.response.status_code), (code, reason, code))
        return status

    def gone(self, kind, name):
        try:
            self.client.get(kind, name)
        except ApiError as error:
            return error.status.code == 404
        return False

    def config_map(self, name, labels=None, **data):
        return ConfigMap(metadata=ObjectMeta(name=name, namespace=self.ns, labels=labels), data=data or None)

    def deployment(self, name, replicas=1):
        container = Container(name="main", image="busybox", command=["sleep", "3600"])
        return Deployment(metadata=ObjectMeta(name=name), spec=DeploymentSpec(
            replicas=replicas, selector=LabelSelector(matchLabels={"app": name}), template=PodTemplateSpec(
                metadata=ObjectMeta(labels={"app": name}),
                spec=PodSpec(terminationGracePeriodSeconds=0, containers=[container]))))

    def pod(self, name, *command):
        container = Container(name="main", image="busybox", command=list(command))
        return self.client.create(Pod(metadata=ObjectMeta(name=name), spec=PodSpec(
            terminationGracePeriodSeconds=0, restartPolicy="Never", containers=[container])))

    def test_create_get_replace_delete(self):
        made = self.client.create(self.config_map("basic", a="1"))
        self.assertTrue(made.metadata.uid)
        self.refused(409, "AlreadyExists", self.client.create, self.config_map("basic"))
        it = self.client.get(ConfigMap, "basic")
        it.data["a"] = "2"
        self.assertEqual(self.client.replace(it).data, {"a": "2"})
        self.refused(409, "Conflict", self.client.replace, it)  # its version is the one before
        self.client.delete(ConfigMap, "basic", dry_run=True)
        self.client.delete(ConfigMap, "basic")
        status = self.refused(404, "NotFound", self.client.get, ConfigMap, "basic")
        self.assertEqual((status.details.name, status.details.kind), ("basic", "configmaps"))
        self.assertEqual(self.client.create(self.config_map("dry"), dry_run=True).metadata.name, "dry")
        self.assertTrue(self.gone(ConfigMap, "dry"))
        status = self.refused(422, "Invalid", self.client.create, self.config_map("No_Name"))
        self.assertEqual((status.details.causes[0].field, status.details.causes[0].reason), ("metadata.name", "FieldValueInvalid"))

    def test_list_by_selectors_in_chunks(self):
        for i in range(7):
            self.client.create(self.config_map("page-%d" % i, labels={"page": str(i), "set": "1"}))
        names = lambda **options: [it.metadata.name[5:] for it in self.client.list(ConfigMap, **options)]
        self.assertEqual(names(labels={"set": "1"}, chunk_size=3), list("0123456"))
        self.assertEqual(names(labels={"page": in_(["1", "5"])}), ["1", "5"])
        self.assertEqual(names(labels={"set": exists(), "page": not_equal("3")}), list("012456"))
        self.assertEqual(names(labels={"set": "1", "page": not_exists()}), [])
        self.assertEqual(names(labels={"set": "1"}, fields={"metadata.name": "page-2"}), ["2"])
        listing = self.client.list(ConfigMap, labels={"set": "1"})
        self.assertTrue(list(listing) and listing.resourceVersion)
        self.client.deletecollection(ConfigMap)
        self.until("all are gone", lambda: names(labels={"set": "1"}) == [])
        self.assertEqual(sorted(node.metadata.name for node in self.client.list(Node)), ["node-1", "node-2", "node-3"])

    def test_patches(self):
        self.client.create(self.config_map("patched", a="1", b="2"))
        patch = lambda change, kind: self.client.patch(ConfigMap, "patched", change, patch_type=kind).data
        self.assertEqual(patch({"data": {"a": None}}, PatchType.MERGE), {"b": "2"})
        self.assertEqual(patch({"data": {"c": "3"}}, PatchType.STRATEGIC), {"b": "2", "c": "3"})
        self.assertEqual(patch([{"op": "remove", "path": "/data/b"}], PatchType.JSON), {"c": "3"})
        self.refused(404, "NotFound", self.client.patch, ConfigMap, "absent", {"data": {}}, patch_type=PatchType.MERGE)

    def test_apply(self):
        applied = lambda manager, force=False, **data: self.client.apply(
            self.config_map("applied", **data), field_manager=manager, force=force)
        it = applied("one", a="1", b="1")
        self.assertEqual([(m.manager, m.operation) for m in it.metadata.managedFields], [("one", "Apply")])
        status = self.refused(409, "Conflict", applied, "two", a="2")
        self.assertEqual((status.details.causes[0].reason, status.details.causes[0].field), ("FieldManagerConflict", ".data.a"))
        self.assertEqual(applied("two", force=True, a="2").data, {"a": "2", "b": "1"})
        self.assertEqual(applied("one", c="1").data, {"a": "2", "c": "1"})

    def test_deployment_wait_scale_and_cascade(self):
        self.client.create(self.deployment("many", 2))
        self.assertEqual(self.client.wait(Deployment, "many", for_conditions=["Available"]).metadata.name, "many")
        pods = lambda: list(self.client.list(Pod, labels={"app": "many"}))
        ready = lambda count: self.client.get(Deployment, "many").status.readyReplicas == count
        self.until("two pods", lambda: len(pods()) == 2 and ready(2))
        scale = self.client.get(Deployment.Scale, "many")
        self.assertEqual((scale.spec.replicas, scale.status.selector), (2, "app=many"))
        scale.spec.replicas = 3
        self.assertEqual(self.client.replace(scale, "many").spec.replicas, 3)
        self.until("three ready", lambda: ready(3))
        it = self.client.get(Deployment.Status, "many")
        self.assertEqual((it.metadata.generation, it.status.observedGeneration), (2, 2))
        self.client.delete(Deployment, "many", cascade=CascadeType.FOREGROUND)
        self.until("it and its pods are gone", lambda: self.gone(Deployment, "many") and not pods())

    def test_watch(self):
        first = self.client.create(self.config_map("watched", labels={"watch": "1"}, n="1"))
        self.client.patch(ConfigMap, "watched", {"data": {"n": "2"}})
        self.client.delete(ConfigMap, "watched")

        def seen(count, **options):
            events = []
            for kind, it in self.client.watch(ConfigMap, fields={"metadata.name": "watched"}, server_timeout=10, **options):
                events.append((kind, it.data["n"]))
                if len(events) == count:
                    return events
        version = first.metadata.resourceVersion
        self.assertEqual(seen(2, resource_version=version), [("MODIFIED", "2"), ("DELETED", "2")])
        self.assertEqual(seen(1, resource_version=str(int(version) - 1), labels={"watch": "1"}), [("ADDED", "1")])

    def test_log_and_exec(self):
        self.pod("shell", "sh", "-c", "echo one; echo two; exec sleep 3600")
        self.client.wait(Pod, "shell", for_conditions=["Ready"])
        self.until("the log", lambda: list(self.client.log("shell")) == ["one\n", "two\n"])
        self.assertEqual(list(self.client.log("shell", tail_lines=1, newlines=False)), ["two"])
        done = self.client.exec("shell", command=["sh", "-c", "cat; echo err >&2; exit 4"], stdin="in\n", stdout=True, stderr=True,
                                timeout=10)
        self.assertEqual((done.stdout, done.stderr, done.exit_code), ("in\n", "err\n", 4))
        self.refused(404, "NotFound", lambda: list(self.client.log("absent")))
        self.pod("short", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done")
        self.until("started", lambda: not self.client.get(Pod, "short").status.phase == "Pending")
        self.assertEqual(list(self.client.log("short", follow=True, newlines=False)), ["1", "2", "3"])

    def test_generic_resource(self):
        group = "lk%s.example.com" % secrets.token_hex(3)
        schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "size": {"type": "integer", "maximum": 9}}}, "status": {"type": "object", "properties": {"phase": {"type": "string"}}}}}
        self.client.create(CustomResourceDefinition.from_dict({"metadata": {"name": "things." + group}, "spec": {
            "group": group, "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"}, "versions": [{
                "name": "v1", "served": True, "storage": True, "subresources": {"status": {}}, "schema": {"openAPIV3Schema": schema}}]}}))
        self.addCleanup(self.client.delete, CustomResourceDefinition, "things." + group)
        self.client.wait(CustomResourceDefinition, "things." + group, for_conditions=["Established"])
        Thing = create_namespaced_resource(group, "v1", "Thing", "things")
        thing = lambda name, size: Thing(apiVersion=group + "/v1", kind="Thing", metadata=ObjectMeta(name=name), spec={"size": size})

        def first():  # it is served a moment after it is established
            try:
                return self.client.create(thing("it", 3))
            except ApiError as error:
                self.assertEqual(error.response.status_code, 404)
        made = self.until("served", first)
        self.assertEqual((made.spec, made.metadata.generation), ({"size": 3}, 1))
        self.refused(422, "Invalid", self.client.create, thing("big", 10))
        it = self.client.patch(Thing, "it", {"spec": {"size": 5}}, patch_type=PatchType.MERGE)
        self.assertEqual((it.spec, it.metadata.generation), ({"size": 5}, 2))
        it = self.client.patch(Thing.Status, "it", {"status": {"phase": "Good"}, "spec": {"size": 7}}, patch_type=PatchType.MERGE)
        self.assertEqual((it.status, it["spec"], it.metadata.generation), ({"phase": "Good"}, {"size": 5}, 2))
        self.assertEqual(self.client.apply(thing("applied", 2)).spec, {"size": 2})
        self.assertEqual([i.metadata.name for i in self.client.list(Thing)], ["applied", "it"])
        for kind, it in self.client.watch(Thing, fields={"metadata.name": "it"}, server_timeout=5):
            self.assertEqual((kind, it.status), ("ADDED", {"phase": "Good"}))
            break
        self.client.delete(Thing, "it")
        self.assertTrue(self.gone(Thing, "it"))
