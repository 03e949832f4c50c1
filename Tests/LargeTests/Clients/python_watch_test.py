"""Watches, leader election and the dynamic client through the official Python client."""
import json
import os
import secrets
import tempfile
import threading
import time

from kubernetes import client, utils, watch
from kubernetes.client import ApiException
from kubernetes.dynamic import DynamicClient, exceptions
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

import python_objects_test as objects
from python_objects_test import MERGE, setUpModule, tearDownModule  # noqa: F401: unittest calls them


class Watches(objects.Case):
    def events(self, count, seconds=5, **options):
        """The first `count` (type, name, data) that a watch of the class' own ConfigMaps gives."""
        seen = []
        watcher = watch.Watch()
        for event in watcher.stream(self.core.list_namespaced_config_map, self.ns, timeout_seconds=seconds, **options):
            seen.append((event["type"], event["object"].metadata.name, event["object"].data))
            if len(seen) == count:
                watcher.stop()
        return seen

    def now(self):
        return self.core.list_namespaced_config_map(self.ns).metadata.resource_version

    def test_changes_in_order_and_resumed(self):
        start = self.now()
        self.config_map("one", {"n": "1"})
        middle = self.core.patch_namespaced_config_map("one", self.ns, {"data": {"n": "2"}}, _content_type=MERGE)
        self.core.delete_namespaced_config_map("one", self.ns)
        told = [("ADDED", "one", {"n": "1"}), ("MODIFIED", "one", {"n": "2"}), ("DELETED", "one", {"n": "2"})]
        self.assertEqual(self.events(3, resource_version=start), told)
        self.assertEqual(self.events(1, resource_version=middle.metadata.resource_version), told[2:])
        self.config_map("picked", {"n": "3"})
        self.assertIn(("ADDED", "picked", {"n": "3"}), self.events(9, seconds=1))  # with no version, from what is there

    def test_selector_turns_leaving_into_deletion(self):
        start = self.now()
        self.config_map("leaver", {"n": "1"}, labels={"in": "yes"})
        self.config_map("stranger", {"n": "1"})
        for value in ("no", "yes"):
            self.core.patch_namespaced_config_map("leaver", self.ns, {"metadata": {"labels": {"in": value}}}, _content_type=MERGE)
        seen = self.events(3, resource_version=start, label_selector="in=yes")
        self.assertEqual([(kind, name) for kind, name, _ in seen], [(k, "leaver") for k in ("ADDED", "DELETED", "ADDED")])
        seen = self.events(3, resource_version=start, field_selector="metadata.name=leaver")
        self.assertEqual([kind for kind, _, _ in seen], ["ADDED", "MODIFIED", "MODIFIED"])

    def test_timeout_ends_a_quiet_watch(self):
        began = time.monotonic()
        self.assertEqual(self.events(1, seconds=1, resource_version=self.now(), field_selector="metadata.name=none"), [])
        self.assertTrue(0.8 < time.monotonic() - began < 4)

    def test_future_version_is_not_served(self):
        future = str(int(self.now()) + 10 ** 9)
        refusal = self.refused(504, "Timeout", self.core.list_namespaced_config_map, self.ns, resource_version=future)
        self.assertEqual(refusal["details"]["causes"][0]["reason"], "ResourceVersionTooLarge")
        try:  # a watch waits for it; "may", says the documentation, so a refusal is right too
            self.assertEqual(self.events(1, seconds=1, resource_version=future), [])
        except ApiException as error:
            self.assertEqual(error.status, 504)

    def stream(self, **query):
        """The raw events of a watch until the initial ones have ended."""
        names = dict(query, watch="true", allowWatchBookmarks="true", sendInitialEvents="true",
                     resourceVersionMatch="NotOlderThan", timeoutSeconds="5")
        answer = self.api.call_api(*self.api.param_serialize(
            "GET", "/api/v1/namespaces/%s/configmaps" % self.ns, query_params=list(names.items()), auth_settings=["BearerToken"]))
        self.assertEqual(answer.status, 200)
        try:
            for line in watch.watch.iter_resp_lines(answer.response):
                event = json.loads(line)
                yield event
                if event["type"] == "BOOKMARK":
                    return
        finally:
            answer.response.close()

    def test_initial_events_end_with_a_bookmark(self):
        for name in ("early-1", "early-2"):
            self.config_map(name, labels={"early": "1"})
        *added, mark = self.stream(labelSelector="early=1")
        self.assertEqual([(e["type"], e["object"]["metadata"]["name"]) for e in added], [("ADDED", "early-1"), ("ADDED", "early-2")])
        self.assertEqual((mark["type"], mark["object"]["kind"]), ("BOOKMARK", "ConfigMap"))
        self.assertEqual(mark["object"]["metadata"]["annotations"], {"k8s.io/initial-events-end": "true"})
        self.config_map("late", labels={"early": "1"})
        later = self.events(1, resource_version=mark["object"]["metadata"]["resourceVersion"], label_selector="early=1")
        self.assertEqual(later, [("ADDED", "late", {"k": "v"})])
        path = "/api/v1/namespaces/%s/configmaps" % self.ns
        code, _, status = self.raw("GET", path, [("watch", "true"), ("sendInitialEvents", "true")])  # needs resourceVersionMatch
        self.assertEqual((code, status["reason"]), (422, "Invalid"))

    def test_list_and_watch_agree_under_load(self):
        start, failures, state = self.now(), [], {}

        def work(me):
            try:
                for i in range(me, 200, 4):
                    name = "load-%03d" % i
                    self.config_map(name, {"n": "0"}, labels={"load": "1"})
                    self.core.patch_namespaced_config_map(name, self.ns, {"data": {"n": str(i)}}, _content_type=MERGE)
                    if i % 3 == 0:
                        self.core.delete_namespaced_config_map(name, self.ns)
            except Exception as error:
                failures.append(error)
        threads = [threading.Thread(target=work, args=(me,)) for me in range(4)]
        for thread in threads:
            thread.start()

        def end():
            for thread in threads:
                thread.join()
            self.config_map("load-end", labels={"load": "1"})
        closer = threading.Thread(target=end)
        closer.start()
        watcher, versions = watch.Watch(), []
        for event in watcher.stream(self.core.list_namespaced_config_map, self.ns, resource_version=start, label_selector="load=1",
                                    timeout_seconds=30):
            it = event["object"]
            versions.append(int(it.metadata.resource_version))
            self.assertEqual(event["type"] == "ADDED", it.metadata.name not in state)
            if event["type"] == "DELETED":
                del state[it.metadata.name]
            else:
                state[it.metadata.name] = (it.metadata.resource_version, it.data)
            if it.metadata.name == "load-end":
                watcher.stop()
        closer.join()
        listed = self.core.list_namespaced_config_map(self.ns, label_selector="load=1").items
        self.assertEqual((failures, state), ([], {i.metadata.name: (i.metadata.resource_version, i.data) for i in listed}))
        self.assertEqual((len(listed), versions), (200 - 67 + 1, sorted(set(versions))))

    def test_one_leader_at_a_time(self):
        leading, dead = [], set()

        class Lock(LeaseLock):  # one that can die
            def update(self, *args, **named):
                return self.identity not in dead and super().update(*args, **named)

        def candidate(name):
            lock = Lock("leader", self.ns, name)
            lock.api_instance = client.CoordinationV1Api(self.api)
            run = leaderelection.LeaderElection(electionconfig.Config(
                lock, lease_duration=3, renew_deadline=2, retry_period=1, onstarted_leading=lambda: leading.append(name),
                onstopped_leading=lambda: leading.append("-" + name))).run
            threading.Thread(target=run, daemon=True).start()
        leases = client.CoordinationV1Api(self.api)
        candidate("first")
        self.until("the first leads", lambda: leading == ["first"])
        candidate("second")
        renewed = leases.read_namespaced_lease("leader", self.ns).spec.renew_time
        self.until("renewed", lambda: leases.read_namespaced_lease("leader", self.ns).spec.renew_time > renewed)
        self.assertEqual((leading, leases.read_namespaced_lease("leader", self.ns).spec.holder_identity), (["first"], "first"))
        dead.add("first")
        self.addCleanup(dead.add, "second")
        self.until("the second leads", lambda: leading[1:] in (["-first", "second"], ["second", "-first"]), 15)
        self.assertEqual(leases.read_namespaced_lease("leader", self.ns).spec.holder_identity, "second")


class Dynamic(objects.Case):
    def resource(self, version, kind):
        def get():  # discovered anew each time
            with tempfile.TemporaryDirectory() as scratch:
                try:
                    return DynamicClient(self.api, os.path.join(scratch, "cache")).resources.get(api_version=version, kind=kind)
                except exceptions.ResourceNotFoundError:
                    return None
        return self.until("%s %s is discovered" % (version, kind), get)

    def test_server_side_apply(self):
        resource = self.resource("v1", "ConfigMap")

        def apply(manager, force=None, **data):
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ssa"}, "data": data}
            it = resource.server_side_apply(body, namespace=self.ns, field_manager=manager, force_conflicts=force)
            return it.data.to_dict(), sorted((m.manager, m.operation) for m in it.metadata.managedFields)
        self.assertEqual(apply("one", a="1", b="1"), ({"a": "1", "b": "1"}, [("one", "Apply")]))
        cause = self.refused(409, "Conflict", apply, "two", a="2")["details"]["causes"][0]
        self.assertEqual((cause["field"], cause["reason"]), (".data.a", "FieldManagerConflict"))
        self.assertEqual(apply("two", a="1")[1], [("one", "Apply"), ("two", "Apply")])  # the same value is shared
        self.assertEqual(apply("two", force=True, a="2")[0], {"a": "2", "b": "1"})
        self.assertEqual(apply("one", c="1")[0], {"a": "2", "c": "1"})  # what only "one" owned is gone
        self.refused(422, "Invalid", apply, None, a="1")

    def test_custom_resources(self):
        group, crds = secrets.token_hex(3) + ".example.com", self.resource("apiextensions.k8s.io/v1", "CustomResourceDefinition")
        size, anything = {"type": "integer", "minimum": 1, "default": 3}, {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": size}}, "status": anything}}
        crds.create({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things." + group},
                     "spec": {"group": group, "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"}, "versions": [{
                         "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
                         "subresources": {"status": {}}, "additionalPrinterColumns": [
                             {"name": "Size", "type": "integer", "jsonPath": ".spec.size"}]}]}})
        self.addCleanup(lambda: self.raw("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things." + group))
        path, things = "/apis/%s/v1/namespaces/%s/things" % (group, self.ns), self.resource(group + "/v1", "Thing")
        self.until("served", lambda: self.raw("GET", path)[0] == 200)
        body = lambda **spec: {"apiVersion": group + "/v1", "kind": "Thing", "metadata": {"name": "it"}, "spec": spec}
        self.assertEqual(things.create(body(unknown=1), namespace=self.ns).spec.to_dict(), {"size": 3})  # defaulted and pruned
        cause = self.refused(422, "Invalid", things.create, body(size=0), namespace=self.ns)["details"]["causes"][0]
        self.assertEqual((cause["field"], cause["reason"]), ("spec.size", "FieldValueInvalid"))
        change = dict(body(size=5), status={"phase": "Good"})
        it = things.patch(change, namespace=self.ns, content_type=MERGE)
        self.assertEqual((it.spec.size, it.status, it.metadata.generation), (5, None, 2))
        it = things.status.patch(dict(change, spec={"size": 9}), name="it", namespace=self.ns, content_type=MERGE)
        self.assertEqual((it.spec.size, it.status.phase, it.metadata.generation), (5, "Good", 2))
        self.refused(415, "UnsupportedMediaType", things.patch, change, namespace=self.ns)  # strategic
        table = self.raw("GET", path, Accept="application/json;as=Table;v=v1;g=meta.k8s.io")[2]
        self.assertEqual([c["name"] for c in table["columnDefinitions"]], ["Name", "Size"])
        self.assertEqual(table["rows"][0]["cells"], ["it", 5])
        crds.delete("things." + group)
        self.until("no longer served", lambda: self.raw("GET", path)[0] == 404)

    def test_create_from_yaml(self):
        one = lambda kind, **more: dict({"apiVersion": "v1", "kind": kind, "metadata": {"name": "made"}}, **more)
        documents = [self.deployment("made", 0), one("Service", spec={"ports": [{"port": 80}]}),
                     {"apiVersion": "v1", "kind": "List", "items": [one("ConfigMap"), one("Secret")]}]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write("\n---\n".join(map(json.dumps, documents)))
            file.flush()
            made = utils.create_from_yaml(self.api, file.name, namespace=self.ns)
            self.assertEqual([i.metadata.name for batch in made for i in batch], ["made"] * 4)
            with self.assertRaises(utils.FailToCreateError) as caught:
                utils.create_from_yaml(self.api, file.name, namespace=self.ns)
        self.assertEqual([error.status for error in caught.exception.api_exceptions], [409] * 4)
