"""[sig-apps]: Deployments, ReplicaSets, ReplicationControllers, StatefulSets and PodDisruptionBudgets."""
import datetime

from conformance import (MERGE, STRATEGIC, Case, condition, container, pod, setUpModule, tearDownModule, unique, web)  # noqa: F401
from kubernetes.dynamic.exceptions import DynamicApiError

REVISION, HASH = "deployment.kubernetes.io/revision", "pod-template-hash"
APACHE = {"name": "webserver", "image": "httpd:2.4"}


def workload(kind, name, labels, *containers, replicas=1, annotations=None, spec=None, **more):
    """A Deployment, ReplicaSet, StatefulSet or ReplicationController; spec: more of the pods' spec."""
    core = kind == "ReplicationController"
    return {"apiVersion": "v1" if core else "apps/v1", "kind": kind,
            "metadata": {"name": name, "labels": dict(labels), "annotations": annotations or {}},
            "spec": dict({"replicas": replicas, "selector": labels if core else {"matchLabels": labels},
                          "template": {"metadata": {"labels": labels},
                                       "spec": dict({"terminationGracePeriodSeconds": 0, "containers": list(containers) or [container()]},
                                                    **(spec or {}))}}, **more)}


def owner(obj):
    return next((o for o in obj["metadata"].get("ownerReferences", []) if o.get("controller")), {})


def in_order(wanted, found):
    """Whether the items of wanted appear in found in their order."""
    rest = iter(found)
    return all(item in rest for item in wanted)


class Apps(Case):
    def namespace(self):
        """A namespace of the test's own."""
        name = unique("e2e-apps")
        self.core.create_namespace({"metadata": {"name": name}})
        self.addCleanup(self.core.delete_namespace, name, _preload_content=False)
        return name

    def make(self, obj, namespace=None):
        """Creates an object that goes with the test."""
        made = self.create(obj, namespace)
        kind = "%s %s" % (obj["apiVersion"], obj["kind"])
        self.addCleanup(self.forget, kind, made["metadata"]["name"], namespace, propagationPolicy="Background")
        return made

    def pods(self, selector, namespace=None):
        """The pods that are not on their way out, by name."""
        found = self.list("Pod", namespace, label_selector=selector)
        return sorted((p for p in found if "deletionTimestamp" not in p["metadata"]), key=lambda p: p["metadata"]["name"])

    def running(self, selector, count, namespace=None):
        def look():
            found = self.pods(selector, namespace)
            return found if len(found) == count and all(p["status"].get("phase") == "Running" for p in found) else None
        return self.until("%d pods of %s run" % (count, selector), look)

    def status(self, kind, name):
        """The object as its status subresource serves it."""
        return self.kind(kind).status.get(name=name, namespace=self.ns).to_dict()

    def patch_part(self, kind, name, part, body, content_type=STRATEGIC):
        return getattr(self.kind(kind), part).patch(name=name, namespace=self.ns, body=body, content_type=content_type).to_dict()

    def update_status(self, kind, name, change):
        """Like update(), for the status subresource."""
        for _ in range(20):
            obj = self.get(kind, name)
            change(obj)
            try:
                return self.kind(kind).status.replace(body=obj, namespace=self.ns).to_dict()
            except DynamicApiError as error:
                if error.status != 409:
                    raise
        self.fail("20 conflicts in a row at the status of " + name)

    def check_scale(self, kind, name):
        """From one replica to two with PUT and to four with PATCH, both at the scale subresource."""
        resource = self.kind(kind).scale
        scale = resource.get(name=name, namespace=self.ns).to_dict()
        self.assertEqual((scale["spec"]["replicas"], scale["status"]["replicas"]), (1, 1))
        del scale["metadata"]["resourceVersion"]
        scale["spec"]["replicas"] = 2
        self.assertEqual(resource.replace(body=scale, namespace=self.ns).to_dict()["spec"]["replicas"], 2)
        self.assertEqual(self.get(kind, name)["spec"]["replicas"], 2)
        self.patch_part(kind, name, "scale", {"metadata": {"creationTimestamp": None}, "spec": {"replicas": 4}, "status": {"replicas": 0}})
        self.assertEqual(self.get(kind, name)["spec"]["replicas"], 4)

    def check_status(self, kind, name, labels):
        """Conditions that PUT and PATCH write to the status subresource are seen by a watch."""
        def seen(test):
            def look():
                return [c for t, o in list(events) if o["metadata"]["name"] == name for c in o["status"].get("conditions", []) if test(c)]
            self.until("the watch shows the condition", look)
        self.assertEqual(self.status(kind, name)["metadata"]["name"], name)
        with self.watching(kind, label_selector=labels) as events:
            new = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test"}
            updated = self.update_status(kind, name, lambda o: o["status"].setdefault("conditions", []).append(new))
            self.assertEqual({k: condition(updated, "StatusUpdate").get(k) for k in new}, new)
            seen(lambda c: (c["type"], c.get("reason"), c.get("message")) == ("StatusUpdate", "E2E", "Set from e2e test"))
            patched = self.patch_part(kind, name, "status", {"status": {"conditions": [{"type": "StatusPatched", "status": "True"}]}}, MERGE)
            self.assertEqual([c["type"] for c in patched["status"]["conditions"]], ["StatusPatched"])
            seen(lambda c: c["type"] == "StatusPatched")

    def check_serves(self, name):
        """Its pods serve their names, asked through the pods' proxy without a port."""
        for found in self.running("name=" + name, 1):
            own = found["metadata"]["name"]

            def answer():
                status, _, text = self.raw("GET", "/api/v1/namespaces/%s/pods/%s/proxy/" % (self.ns, own))
                return status == 200 and text.strip() == own
            self.until("%s answers with its name" % own, answer)

    def check_release(self, name, uid):
        """A pod whose label is changed loses its owner."""
        def relabel(obj):
            obj["metadata"]["labels"] = {"name": "not-matching-name"}
        chosen = self.until("it has a pod", lambda: self.pods("name=" + name))[0]["metadata"]["name"]
        self.update("Pod", chosen, relabel)
        self.until("the pod is released", lambda: owner(self.get("Pod", chosen)).get("uid") != uid)

    def check_adoption(self, name, make_owner):
        """A pod that is there before its controller becomes its controller's, or goes; the controller's uid."""
        self.make(pod(name, APACHE, labels={"name": name}))
        self.ready(name)
        uid = make_owner()["metadata"]["uid"]
        self.until("the orphan is adopted or gone", lambda: self.gone("Pod", name) or owner(self.get("Pod", name)).get("uid") == uid)
        return uid


class Deployments(Apps):
    def replica_sets(self, name):
        """(the ReplicaSet of the Deployment's present template or None, the others)."""
        def template(obj):
            found = dict(obj["spec"]["template"])
            found["metadata"] = {"labels": {k: v for k, v in found["metadata"]["labels"].items() if k != HASH}}
            return found
        deployment = self.get("Deployment", name)
        own = [r for r in self.list("ReplicaSet") if owner(r).get("uid") == deployment["metadata"]["uid"]]
        new = [r for r in own if template(r) == template(deployment)]
        return (new[0] if new else None), [r for r in own if r not in new[:1]]

    def revision_is(self, name, revision, image):
        """Waits for the revision and image of the Deployment and of its new ReplicaSet."""
        def look():
            deployment, (new, _) = self.get("Deployment", name), self.replica_sets(name)
            self.assertIn(HASH, new["spec"]["selector"]["matchLabels"])
            for obj in (deployment, new):
                self.assertEqual(obj["metadata"]["annotations"][REVISION], revision)
                self.assertIn(image, [c["image"] for c in obj["spec"]["template"]["spec"]["containers"]])
            return new
        return self.until("revision %s with %s" % (revision, image), lambda: self.replica_sets(name)[0] and look())

    def complete(self, name, check=None):
        """Waits until all replicas are up to date and available; check(deployment) holds all the while."""
        def look():
            found = self.get("Deployment", name)
            if check:
                broken = check(found)
                if broken:
                    raise RuntimeError(broken)
            wanted, status = found["spec"]["replicas"], found["status"]
            self.assertGreaterEqual(status.get("observedGeneration", 0), found["metadata"]["generation"])
            self.assertEqual([status.get(f) for f in ("updatedReplicas", "replicas", "availableReplicas")], [wanted] * 3)
            return found
        return self.until("deployment %s is complete" % name, look, interval=0.02)

    def test_rolling_update_deletes_old_pods_and_creates_new_ones(self):
        """[sig-apps] Deployment RollingUpdateDeployment should delete old pods and create new ones"""
        self.make(workload("ReplicaSet", "rolling-update-set", {"name": "sample-pod", "pod": "httpd"}, APACHE,
                           annotations={REVISION: "3546343826724305832"}))
        self.running("name=sample-pod", 1)
        self.make(workload("Deployment", "rolling-update", {"name": "sample-pod"}, strategy={"type": "RollingUpdate"}))
        self.revision_is("rolling-update", "3546343826724305833", "busybox")
        self.complete("rolling-update")
        self.assertEqual([r["metadata"]["name"] for r in self.replica_sets("rolling-update")[1]], ["rolling-update-set"])
        self.until("the old pod is gone", lambda: [p["spec"]["containers"][0]["image"] for p in self.pods("name=sample-pod")] == ["busybox"])

    def test_recreate_deletes_old_pods_before_it_creates_new_ones(self):
        """[sig-apps] Deployment RecreateDeployment should delete old pods and create new ones"""
        def change(obj):
            obj["spec"]["template"]["spec"]["containers"][0].update(name="httpd", image="httpd:2.4")
        self.make(workload("Deployment", "recreate", {"name": "sample-pod-3"}, strategy={"type": "Recreate"}))
        self.revision_is("recreate", "1", "busybox")
        self.complete("recreate")
        with self.watching("Deployment", field_selector="metadata.name=recreate") as events:
            generation = self.update("Deployment", "recreate", change)["metadata"]["generation"]

            def done(obj):
                status = obj["status"]
                return (status.get("replicas") == status.get("updatedReplicas") == obj["spec"]["replicas"]
                        and generation <= status["observedGeneration"])
            self.until("the rollout is done", lambda: any(done(o) for _, o in list(events)))
        for _, obj in events:
            if obj["status"].get("updatedReplicas", 0) > 0:
                self.assertEqual(obj["status"].get("replicas"), obj["status"]["updatedReplicas"], "new pods alongside old ones: %s" % obj["status"])

    def test_old_replica_sets_are_deleted(self):
        """[sig-apps] Deployment deployment should delete old replica sets"""
        self.make(workload("ReplicaSet", "cleanup-set", {"name": "cleanup-pod", "pod": "httpd"}, APACHE))
        self.running("name=cleanup-pod", 1)
        with self.watching("Pod", label_selector="name=cleanup-pod") as events:
            self.make(workload("Deployment", "cleanup", {"name": "cleanup-pod"}, container("new"), revisionHistoryLimit=0))
            self.complete("cleanup")
            self.until("no old replica set is left", lambda: not self.replica_sets("cleanup")[1] and self.gone("ReplicaSet", "cleanup-set"))
        self.assertEqual([o["spec"]["containers"][0]["name"] for t, o in events if t == "ADDED"], ["new"])

    def test_a_rollover_replaces_a_rollout_that_is_stuck(self):
        """[sig-apps] Deployment deployment should support rollover"""
        def change(obj):
            obj["spec"]["template"]["spec"]["containers"] = [container("agnhost")]

        def replicas(name):
            found = self.get("ReplicaSet", name)
            return found["spec"]["replicas"], found["status"].get("replicas", 0)

        def within_strategy(deployment):
            new, old = self.replica_sets("rollover")
            created = sum(r["spec"]["replicas"] for r in old + ([new] if new else []))
            available = deployment["status"].get("availableReplicas", 0)
            return None if not new or created <= 2 and available >= 1 else "%d pods, %d available" % (created, available)

        self.make(workload("ReplicaSet", "rollover-set", {"name": "rollover-pod", "pod": "httpd"}, APACHE))
        self.running("name=rollover-pod", 1)
        self.until("the replica set is ready", lambda: self.get("ReplicaSet", "rollover-set")["status"].get("readyReplicas") == 1)
        self.make(workload("Deployment", "rollover", {"name": "rollover-pod"}, container("redis", image="redis-replica:nonexistent"),
                           minReadySeconds=2, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}))

        def stuck():
            status = self.get("Deployment", "rollover")["status"]
            return status.get("observedGeneration", 0) >= 1 and status.get("updatedReplicas", 0) >= 1
        self.until("the new replica set has its pod", stuck)
        middle = self.revision_is("rollover", "1", "redis-replica:nonexistent")["metadata"]["name"]
        self.until("both have a replica", lambda: replicas("rollover-set") == replicas(middle) == (1, 1))

        generation = self.update("Deployment", "rollover", change)["metadata"]["generation"]
        self.until("the change is observed", lambda: self.get("Deployment", "rollover")["status"]["observedGeneration"] >= generation)
        self.revision_is("rollover", "2", "busybox")
        self.complete("rollover", within_strategy)
        self.assertEqual((replicas("rollover-set"), replicas(middle)), ((0, 0), (0, 0)))

    def test_the_scale_subresource(self):
        """[sig-apps] Deployment Deployment should have a working scale subresource"""
        self.make(workload("Deployment", "scaled", {"name": "scaled"}, APACHE))
        self.revision_is("scaled", "1", "httpd:2.4")
        self.complete("scaled")
        self.check_scale("Deployment", "scaled")

    def test_scaling_amid_a_rollout_is_proportional(self):
        """[sig-apps] Deployment deployment should support proportional scaling"""
        def change(obj):
            obj["spec"]["template"]["spec"]["containers"][0]["image"] = "webserver:404"

        def replicas(name, wanted, available=None):
            def look():
                found = self.get("ReplicaSet", name)
                self.assertGreaterEqual(found["status"]["observedGeneration"], found["metadata"]["generation"])
                self.assertEqual((found["spec"]["replicas"], found["status"].get("replicas", 0)), (wanted, wanted))
                return available is None or found["status"].get("availableReplicas", 0) == available
            self.until("%s has %d replicas" % (name, wanted), look)

        self.make(workload("Deployment", "proportional", {"name": "proportional"}, container(image="busybox"), replicas=10,
                           strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}))
        self.running("name=proportional", 10)
        self.complete("proportional")
        first = self.replica_sets("proportional")[0]["metadata"]["name"]
        generation = self.update("Deployment", "proportional", change)["metadata"]["generation"]
        self.until("the change is observed", lambda: self.get("Deployment", "proportional")["status"]["observedGeneration"] >= generation)
        replicas(first, 8, available=8)
        second = self.replica_sets("proportional")[0]["metadata"]["name"]
        replicas(second, 5, available=0)
        self.assertGreaterEqual(self.get("Deployment", "proportional")["status"]["availableReplicas"], 8)
        self.update("Deployment", "proportional", lambda o: o["spec"].update(replicas=30))
        replicas(first, 20)
        replicas(second, 13)

    def test_the_life_of_a_deployment(self):
        """[sig-apps] Deployment should run the lifecycle of a Deployment"""
        name, label = "lifecycle", {"test-deployment-static": "true"}
        before = self.list("Deployment", label_selector="test-deployment-static=true")
        self.assertEqual(before, [])

        def seen(kind=None, image=None, **status):
            def look():
                return [o for t, o in list(events) if kind in (None, t) and o["metadata"]["name"] == name
                        and o["metadata"]["labels"]["test-deployment-static"] == "true"
                        and all(o["status"].get(k, 0) == v for k, v in status.items())
                        and image in (None, o["spec"]["template"]["spec"]["containers"][0]["image"])]
            self.until("%s event with %s %s" % (kind, status, image), look)

        with self.watching("Deployment", label_selector="test-deployment-static=true") as events:
            obj = workload("Deployment", name, label, container(name, image="busybox:1"), replicas=2, spec={"terminationGracePeriodSeconds": 1})
            self.make(obj)
            seen("ADDED")
            seen(readyReplicas=2)
            self.patch("Deployment", name, {
                "metadata": {"labels": {"test-deployment": "patched"}},
                "spec": {"replicas": 1, "template": {"spec": {
                    "TerminationGracePeriodSeconds": 1, "containers": [{"name": name, "image": "busybox:2"}]}}}})
            seen("MODIFIED")
            seen(readyReplicas=1, updatedReplicas=1, unavailableReplicas=0, image="busybox:2")
            everywhere = self.kind("Deployment").get(label_selector="test-deployment-static=true").to_dict()["items"]
            self.assertIn((name, self.ns), [(d["metadata"]["name"], d["metadata"]["namespace"]) for d in everywhere])

            # A PUT without a resourceVersion replaces whatever is there.
            obj["metadata"].update(namespace=self.ns, labels=dict(label, **{"test-deployment": "updated"}))
            obj["spec"].update(replicas=2)
            obj["spec"]["template"]["spec"]["containers"][0]["image"] = "httpd:2.4"
            self.replace(obj)
            found = self.status("Deployment", name)
            self.assertEqual(found["spec"]["template"]["spec"]["containers"][0]["image"], "httpd:2.4")
            self.assertEqual(found["metadata"]["labels"]["test-deployment"], "updated")
            seen(readyReplicas=2, updatedReplicas=2, unavailableReplicas=0, image="httpd:2.4")

            # Upstream lets this fail: fewer ready than available replicas are invalid. Labels do not change either way.
            try:
                self.patch_part("Deployment", name, "status", {"metadata": {"labels": {"test-deployment": "patched-status"}},
                                                               "status": {"readyReplicas": 0}})
            except DynamicApiError as error:
                self.assertEqual(error.status, 422, error.body)
            found = self.status("Deployment", name)
            self.assertEqual(found["spec"]["template"]["spec"]["containers"][0]["image"], "httpd:2.4")
            self.assertEqual(found["metadata"]["labels"]["test-deployment"], "updated")
            self.complete(name)
            self.kind("Deployment").delete(namespace=self.ns, label_selector="test-deployment-static=true", body={"gracePeriodSeconds": 1})
            seen("DELETED")

    def test_the_status_subresource(self):
        """[sig-apps] Deployment should validate Deployment Status endpoints"""
        self.make(workload("Deployment", "status", {"name": "status", "e2e": "testing"}, APACHE))
        self.revision_is("status", "1", "httpd:2.4")
        self.complete("status")
        self.check_status("Deployment", "status", "e2e=testing")


class ReplicaSets(Apps):
    def test_it_serves_an_image_on_each_replica(self):
        """[sig-apps] ReplicaSet should serve a basic image on each replica with a public image"""
        self.make(workload("ReplicaSet", "my-hostname", {"name": "my-hostname"}, web(port=9376)))
        self.check_serves("my-hostname")

    def test_it_adopts_matching_pods_and_releases_others(self):
        """[sig-apps] ReplicaSet should adopt matching pods on creation and release no longer matching pods"""
        name = "pod-adoption-release"
        uid = self.check_adoption(name, lambda: self.make(workload("ReplicaSet", name, {"name": name}, APACHE)))
        self.check_release(name, uid)

    def test_the_scale_subresource(self):
        """[sig-apps] ReplicaSet Replicaset should have a working scale subresource"""
        self.make(workload("ReplicaSet", "scaled", {"name": "scaled", "pod": "httpd"}, APACHE))
        self.running("name=scaled", 1)
        self.until("the status says so", lambda: self.get("ReplicaSet", "scaled")["status"].get("replicas") == 1)
        self.check_scale("ReplicaSet", "scaled")

    def test_replace_and_patch(self):
        """[sig-apps] ReplicaSet Replace and Patch tests"""
        name = "patched"
        with self.watching("ReplicaSet", label_selector="test-rs=patched") as events:
            self.make(workload("ReplicaSet", name, {"name": "patched", "pod": "httpd"}, APACHE))
            self.running("name=patched", 1)
            self.update("ReplicaSet", name, lambda o: o["spec"].update(replicas=2))
            # The patch names another container than the template's, which therefore becomes the second.
            self.patch("ReplicaSet", name, {
                "metadata": {"labels": {"test-rs": "patched"}},
                "spec": {"replicas": 3, "template": {"spec": {
                    "terminationGracePeriodSeconds": 0, "containers": [container(name, image="busybox:3")]}}}})

            def look():
                return [o for _, o in list(events) if o["metadata"]["labels"]["test-rs"] == "patched"
                        and (o["status"].get("readyReplicas"), o["status"].get("availableReplicas")) == (3, 3)
                        and o["spec"]["template"]["spec"]["containers"][0]["image"] == "busybox:3"
                        and o["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 0]
            found = self.until("the watch shows three replicas of the patched template", look)
            self.assertEqual([c["name"] for c in found[0]["spec"]["template"]["spec"]["containers"]], [name, "webserver"])

    def test_a_collection_is_listed_and_deleted(self):
        """[sig-apps] ReplicaSet should list and delete a collection of ReplicaSets"""
        def everywhere():
            return self.kind("ReplicaSet").get(label_selector="e2e=" + value).to_dict()["items"]
        value = unique("v")
        self.create(workload("ReplicaSet", "collected", {"name": "collected", "e2e": value}, APACHE, replicas=3))
        self.running("e2e=" + value, 3)
        self.assertEqual(len(everywhere()), 1)
        self.kind("ReplicaSet").delete(namespace=self.ns, label_selector="e2e=" + value, body={"gracePeriodSeconds": 1})
        self.assertEqual(everywhere(), [])
        self.until("the pods go with it", lambda: not self.pods("e2e=" + value))

    def test_the_status_subresource(self):
        """[sig-apps] ReplicaSet should validate Replicaset Status endpoints"""
        self.make(workload("ReplicaSet", "status", {"name": "status", "pod": "httpd"}, APACHE))
        self.running("name=status", 1)
        self.check_status("ReplicaSet", "status", "name=status,pod=httpd")


class ReplicationControllers(Apps):
    def controller(self, name, *containers, **more):
        return workload("ReplicationController", name, {"name": name}, *(containers or [APACHE]), **more)

    def test_it_serves_an_image_on_each_replica(self):
        """[sig-apps] ReplicationController should serve a basic image on each replica with a public image"""
        obj = self.controller("my-hostname", web(port=9376))
        del obj["spec"]["selector"]  # which is then the labels of the template
        self.assertEqual(self.make(obj)["spec"]["selector"], {"name": "my-hostname"})
        self.check_serves("my-hostname")

    def test_an_exceeded_quota_shows_as_a_condition(self):
        """[sig-apps] ReplicationController should surface a failure condition on a common issue like exceeded quota"""
        ns, kind = self.namespace(), "v1 ReplicationController"
        self.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "quota"}, "spec": {"hard": {"pods": "2"}}}, ns)
        self.until("the quota is counted", lambda: self.get("ResourceQuota", "quota", ns)["status"]["hard"]["pods"] == "2")

        def failing(generation):
            found = self.get(kind, "exceeding", ns)
            self.assertGreaterEqual(found["status"]["observedGeneration"], generation)
            return bool(condition(found, "ReplicaFailure"))
        generation = self.create(self.controller("exceeding", container(), replicas=3), ns)["metadata"]["generation"]
        self.until("the controller fails", lambda: failing(generation))
        self.assertEqual(condition(self.get(kind, "exceeding", ns), "ReplicaFailure")["status"], "True")
        generation = self.update(kind, "exceeding", lambda o: o["spec"].update(replicas=2), ns)["metadata"]["generation"]
        self.until("the failure is gone", lambda: not failing(generation))

    def test_it_adopts_matching_pods(self):
        """[sig-apps] ReplicationController should adopt matching pods on creation"""
        self.check_adoption("pod-adoption", lambda: self.make(self.controller("pod-adoption")))

    def test_it_releases_pods_that_match_no_longer(self):
        """[sig-apps] ReplicationController should release no longer matching pods"""
        self.check_release("pod-release", self.make(self.controller("pod-release"))["metadata"]["uid"])

    def test_the_life_of_a_replication_controller(self):
        """[sig-apps] ReplicationController should test the lifecycle of a ReplicationController"""
        name, kind = "rc-test", "v1 ReplicationController"
        with self.watching("ReplicationController", label_selector="test-rc-static=true") as events:
            def next_event(what, test):
                """The first event that test(type, object) accepts, of those no earlier call has passed."""
                def look():
                    for index in range(self.passed, len(events)):
                        if test(*events[index]):
                            self.passed = index + 1
                            return events[index]
                self.until(what, look)
            self.passed = 0
            self.make(workload("ReplicationController", name, {"test-rc-static": "true"}, APACHE))
            next_event("it is added", lambda t, o: t == "ADDED")
            next_event("its pod is ready", lambda t, o: (o["status"].get("replicas"), o["status"].get("readyReplicas")) == (1, 1))
            patched = self.patch(kind, name, {"metadata": {"labels": {"test-rc": "patched"}}})
            self.assertEqual(patched["metadata"]["labels"]["test-rc"], "patched")
            next_event("the patch shows", lambda t, o: t == "MODIFIED")
            patched = self.patch_part(kind, name, "status", {"status": {"readyReplicas": 0, "availableReplicas": 0}})
            self.assertEqual(patched["status"].get("readyReplicas", 0), 0)
            next_event("the patch of the status shows", lambda t, o: t == "MODIFIED")
            next_event("it has its replica", lambda t, o: o["status"].get("replicas") == 1)
            self.assertEqual(self.status(kind, name)["status"]["replicas"], 1)
            self.patch_part(kind, name, "scale", {"metadata": {"creationTimestamp": None}, "spec": {"replicas": 2}, "status": {"replicas": 0}})
            next_event("the scale shows", lambda t, o: t == "MODIFIED")
            next_event("two are ready", lambda t, o: (o["status"].get("replicas"), o["status"].get("readyReplicas")) == (2, 2))
            self.assertEqual(self.get(kind, name)["metadata"]["labels"]["test-rc"], "patched")
            self.update_status(kind, name, lambda o: o["status"].update(availableReplicas=1, readyReplicas=1))
            next_event("the update of the status shows", lambda t, o: t == "MODIFIED")
            listed = self.kind(kind).get(label_selector="test-rc-static=true").to_dict()["items"]
            self.assertEqual([(o["metadata"]["name"], o["metadata"]["namespace"], o["metadata"]["labels"]["test-rc"]) for o in listed],
                             [(name, self.ns, "patched")])
            self.delete_collection(kind, label_selector="test-rc-static=true")
            next_event("it is deleted", lambda t, o: t == "DELETED")

    def test_its_scale_is_read_and_updated(self):
        """[sig-apps] ReplicationController should get and update a ReplicationController scale"""
        name, kind = "rc-scale", "v1 ReplicationController"
        self.make(self.controller(name))
        self.until("it has a replica", lambda: self.get(kind, name)["status"].get("replicas") == 1)
        scale = self.kind(kind).scale.get(name=name, namespace=self.ns).to_dict()
        self.assertEqual(scale["status"]["replicas"], 1)
        del scale["metadata"]["resourceVersion"]
        scale["spec"]["replicas"] = 2
        self.kind(kind).scale.replace(body=scale, namespace=self.ns)
        self.until("it has two", lambda: self.get(kind, name)["status"].get("replicas") == 2)


class StatefulSets(Apps):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.core.create_namespaced_service(cls.ns, {
            "metadata": {"name": "test"}, "spec": {"clusterIP": "None", "selector": {"foo": "bar"}, "ports": [{"port": 80, "name": "http"}]}})

    def stateful(self, name, replicas, probe=True, **more):
        """Apache, ready as long as it has its page."""
        one = dict(APACHE, readinessProbe={"httpGet": {"path": "/index.html", "port": 80}, "periodSeconds": 1, "failureThreshold": 1})
        return workload("StatefulSet", name, {"foo": "bar", "name": name}, one if probe else APACHE, replicas=replicas,
                        **dict({"serviceName": "test", "updateStrategy": {"type": "RollingUpdate"}}, **more))

    def members(self, name):
        return sorted(self.list("Pod", label_selector="name=" + name), key=lambda p: p["metadata"]["name"])

    def all_ready(self, name, count, ready=True):
        """Waits until it has so many pods, all of them running and ready (or not ready)."""
        def look():
            found = self.members(name)
            return found if len(found) == count and all(
                p["status"].get("phase") == "Running" and "deletionTimestamp" not in p["metadata"]
                and condition(p, "Ready").get("status") == ("True" if ready else "False") for p in found) else None
        return self.until("%d pods of %s are %sready" % (count, name, "" if ready else "not "), look)

    def observed(self, name):
        """The set once its controller has seen its last change."""
        def look():
            found = self.get("StatefulSet", name)
            return found if found["status"].get("observedGeneration", 0) >= found["metadata"]["generation"] else None
        return self.until("%s is observed" % name, look)

    def ready_replicas(self, name, count):
        self.until("%s has %d ready replicas" % (name, count), lambda: self.get("StatefulSet", name)["status"].get("readyReplicas", 0) == count)

    def spoil(self, *names):
        for name in names:
            self.shell(name, "mv -v /usr/local/apache2/htdocs/index.html /tmp/ || true")

    def mend(self, *names):
        for name in names:
            self.shell(name, "mv -v /tmp/index.html /usr/local/apache2/htdocs/ || true")

    def scale_to(self, name, count):
        self.update("StatefulSet", name, lambda o: o["spec"].update(replicas=count))

    def image(self, name, image):
        self.update("StatefulSet", name, lambda o: o["spec"]["template"]["spec"]["containers"][0].update(image=image))
        return self.observed(name)["status"]

    def are(self, name, *wanted):
        """The pods' (image, revision), in order."""
        self.assertEqual([(p["spec"]["containers"][0]["image"], p["metadata"]["labels"]["controller-revision-hash"]) for p in self.members(name)],
                         list(wanted))

    def rolled_out(self, name, revision):
        """Waits until the update to the revision is complete."""
        def look():
            status = self.get("StatefulSet", name)["status"]
            return len(self.members(name)) == 3 and status.get("updatedReplicas") == 3 and status["currentRevision"] == revision
        self.until("all of %s is at %s" % (name, revision), look)

    def test_rolling_updates_and_rollbacks(self):
        """[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should perform rolling updates and roll backs of template
        modifications"""
        name, broken = "rolling", "rolling-1"
        self.make(self.stateful(name, 3))
        self.all_ready(name, 3)
        status = self.observed(name)["status"]
        first = status["currentRevision"]
        self.assertEqual(first, status["updateRevision"])
        self.are(name, *[("httpd:2.4", first)] * 3)

        def roll(image, revision=None):
            """To the image while one pod is not ready, and on once it is; the revision it came to."""
            before = self.get("StatefulSet", name)["status"]["currentRevision"]
            self.spoil(broken)
            self.until("%s is not ready" % broken, lambda: condition(self.get("Pod", broken), "Ready")["status"] == "False")
            status = self.image(name, image)
            self.assertEqual(status["currentRevision"], before)
            self.assertNotEqual(status["currentRevision"], status["updateRevision"])
            self.assertIn(revision, (None, status["updateRevision"]), "a rollback takes the earlier revision")
            self.mend(broken)
            self.ready(broken)
            self.rolled_out(name, status["updateRevision"])
            self.are(name, *[(image, status["updateRevision"])] * 3)
            return status["updateRevision"]
        with self.watching("Pod", label_selector="name=" + name) as events:
            roll("httpd:2.5")
            self.assertTrue(in_order([name + "-2", name + "-1", name + "-0"], [o["metadata"]["name"] for t, o in events if t == "DELETED"]))
            roll("httpd:2.4", first)
            gone = [o["metadata"]["name"] for t, o in events if t == "DELETED"]
        self.assertTrue(in_order([name + "-%d" % i for i in (2, 1, 0, 2, 1, 0)], gone), gone)

    def test_canary_and_phased_updates(self):
        """[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should perform canary updates and phased rolling updates of
        template modifications"""
        def strategy(partition):
            return {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}
        name = "canary"
        self.make(self.stateful(name, 3, updateStrategy=strategy(3)))
        self.all_ready(name, 3)
        status = self.observed(name)["status"]
        old = ("httpd:2.4", status["currentRevision"])
        self.assertEqual(status["currentRevision"], status["updateRevision"])
        self.are(name, old, old, old)
        status = self.image(name, "httpd:2.5")
        new = ("httpd:2.5", status["updateRevision"])
        self.assertNotEqual(status["currentRevision"], status["updateRevision"])
        self.are(name, old, old, old)

        def phase(partition):
            self.update("StatefulSet", name, lambda o: o["spec"].update(updateStrategy=strategy(partition)))
            wanted = [old] * partition + [new] * (3 - partition)

            def look():
                found = self.observed(name)
                self.assertEqual(found["status"].get("updatedReplicas", 0), 3 - partition)
                if not partition:
                    self.assertEqual(found["status"]["currentRevision"], found["status"]["updateRevision"])
                self.are(name, *wanted)
                return True
            self.until("a partition of %d is rolled out" % partition, look)
            self.all_ready(name, 3)
            self.are(name, *wanted)
        phase(2)
        for index in (0, 2):
            self.delete("Pod", "%s-%d" % (name, index), gracePeriodSeconds=0)
        self.all_ready(name, 3)
        self.are(name, old, old, new)
        phase(1)
        phase(0)
        self.assertEqual(self.get("StatefulSet", name)["status"]["currentRevision"], new[1])

    def test_scaling_is_ordered_and_halts_at_an_unready_pod(self):
        """[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] Scaling should happen in predictable order and halt if any
        stateful pod is unhealthy"""
        name = "ordered"
        names = ["ordered-0", "ordered-1", "ordered-2"]
        with self.watching("Pod", label_selector="name=" + name) as events:
            self.make(self.stateful(name, 1))
            self.all_ready(name, 1)
            self.spoil(names[0])
            self.all_ready(name, 1, ready=False)
            self.ready_replicas(name, 0)
            self.scale_to(name, 3)
            self.never("it scales up beside an unready pod", lambda: len(self.members(name)) != 1, seconds=2)
            self.mend(names[0])
            self.all_ready(name, 3)
            self.assertEqual([o["metadata"]["name"] for t, o in list(events) if t == "ADDED"], names)
            self.spoil(*names)
            self.ready_replicas(name, 0)
            self.all_ready(name, 3, ready=False)
            self.scale_to(name, 0)
            self.never("it scales down beside an unready pod", lambda: len(self.members(name)) != 3, seconds=2)
            self.mend(*names)
            self.until("all pods are gone", lambda: not self.members(name))
            self.until("the watch shows it", lambda: len([e for e in list(events) if e[0] == "DELETED"]) >= 3)
        self.assertEqual([o["metadata"]["name"] for t, o in events if t == "DELETED"], names[::-1])

    def test_burst_scaling_goes_on_beside_unready_pods(self):
        """[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] Burst scaling should run to completion even with unhealthy
        pods"""
        name = "burst"
        self.make(self.stateful(name, 1, podManagementPolicy="Parallel"))
        self.all_ready(name, 1)
        self.spoil("burst-0")
        self.all_ready(name, 1, ready=False)
        self.ready_replicas(name, 0)
        self.scale_to(name, 3)
        self.until("it has three pods", lambda: len(self.members(name)) == 3)
        self.mend("burst-0")
        self.all_ready(name, 3)
        self.spoil("burst-0", "burst-1", "burst-2")
        self.ready_replicas(name, 0)
        self.all_ready(name, 3, ready=False)
        self.scale_to(name, 0)
        self.until("it has no pods", lambda: not self.members(name))
        self.until("the status says so", lambda: self.get("StatefulSet", name)["status"]["replicas"] == 0)

    def test_a_rejected_pod_is_created_again(self):
        """[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] Should recreate evicted statefulset"""
        port = {"hostPort": 21017, "containerPort": 21017, "name": "conflict"}
        self.make(pod("conflicting", dict(APACHE, ports=[port]), nodeName="node-2", terminationGracePeriodSeconds=0))
        self.pod_is("conflicting", "Running")
        with self.watching("Pod", field_selector="metadata.name=evicted-0") as events:
            obj = self.stateful("evicted", 1, probe=False)
            obj["spec"]["template"]["spec"].update(nodeName="node-2", containers=[dict(APACHE, ports=[port])])
            self.make(obj)
            self.until("the pod is created and deleted", lambda: [e for e in list(events) if e[0] == "DELETED"])
            first = next(o for t, o in events if t == "DELETED")
            self.assertEqual(first["status"].get("phase"), "Failed")
        self.delete("Pod", "conflicting", gracePeriodSeconds=0)

        def look():
            found = self.get("Pod", "evicted-0")
            return found["status"].get("phase") == "Running" and found["metadata"]["uid"] != first["metadata"]["uid"]
        self.until("another pod runs in its place", look)

    def test_the_scale_subresource(self):
        """[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should have a working scale subresource"""
        self.make(self.stateful("scaled", 1))
        self.all_ready("scaled", 1)
        self.observed("scaled")
        self.check_scale("StatefulSet", "scaled")

    def test_a_collection_is_listed_patched_and_deleted(self):
        """[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should list, patch and delete a collection of StatefulSets"""
        def everywhere():
            return self.kind("StatefulSet").get(label_selector="test-ss=patched").to_dict()["items"]
        name = "collected"
        self.create(self.stateful(name, 1))
        self.all_ready(name, 1)
        self.observed(name)
        self.patch("StatefulSet", name, {
            "metadata": {"labels": {"test-ss": "patched"}},
            "spec": {"replicas": 2, "template": {"spec": {
                "TerminationGracePeriodSeconds": 1, "containers": [container(name, image="busybox:3")]}}}})
        found = self.get("StatefulSet", name)
        self.assertEqual(found["spec"]["replicas"], 2)
        self.assertEqual(found["spec"]["template"]["spec"]["containers"][0]["image"], "busybox:3")
        self.all_ready(name, 2)
        self.observed(name)
        self.assertEqual(len(everywhere()), 1)
        self.kind("StatefulSet").delete(namespace=self.ns, label_selector="test-ss=patched", body={"gracePeriodSeconds": 1})
        self.assertEqual(everywhere(), [])

    def test_the_status_subresource(self):
        """[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should validate Statefulset Status endpoints"""
        self.make(self.stateful("status", 1))
        self.all_ready("status", 1)
        self.observed("status")
        self.patch("StatefulSet", "status", {"metadata": {"labels": {"e2e": "testing"}}})
        self.check_status("StatefulSet", "status", "e2e=testing")


class DisruptionController(Apps):
    KIND = "PodDisruptionBudget"

    def processed(self, name, namespace=None):
        def look():
            found = self.get(self.KIND, name, namespace)
            return found if found["status"].get("observedGeneration", 0) >= found["metadata"]["generation"] else None
        return self.until("the budget %s is processed" % name, look)

    def budget(self, name, minimum, labels, namespace=None):
        self.make({"apiVersion": "policy/v1", "kind": self.KIND, "metadata": {"name": name, "labels": labels},
                   "spec": {"selector": {"matchLabels": {"foo": name}}, "minAvailable": minimum}}, namespace)
        return self.processed(name, namespace)

    def healthy(self, name, count):
        """Pods of the label foo=name that are ready and not going."""
        def look():
            found = [p for p in self.pods("foo=" + name) if condition(p, "Ready").get("status") == "True"]
            return found if len(found) >= count else None
        return self.until("%d pods are healthy" % count, look)

    def single_pods(self, name, count):
        for index in range(count):
            self.make(pod("%s-%d" % (name, index), labels={"foo": name}))
        return [p["metadata"]["name"] for p in self.healthy(name, count)]

    def evict(self, name):
        return self.core.create_namespaced_pod_eviction(
            name, self.ns, {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": self.ns}},
            _preload_content=False)

    def blocked(self, name):
        status = self.refused(429, self.evict, name)
        self.assertIn("DisruptionBudget", [c.get("reason") for c in status["details"]["causes"]])

    def test_collections_are_listed_and_deleted(self):
        """[sig-apps] DisruptionController Listing PodDisruptionBudgets for all namespaces should list and delete a collection of
        PodDisruptionBudgets"""
        def names(namespace):
            found = self.kind(self.KIND).get(namespace=namespace, label_selector="foo_pdb=bar_pdb").to_dict()["items"]
            return sorted(o["metadata"]["name"] for o in found)
        first, second, labels = self.namespace(), self.namespace(), {"foo_pdb": "bar_pdb"}
        self.budget("foo", 2, labels, first)
        self.budget("foo2", "1%", labels, first)
        self.budget("foo3", 2, labels, second)
        self.assertEqual(names(None), ["foo", "foo2", "foo3"])
        self.assertEqual(names(first), ["foo", "foo2"])
        status, _, text = self.raw("DELETE", "/apis/policy/v1/namespaces/%s/poddisruptionbudgets" % first)
        self.assertEqual(status, 200, text)
        self.until("the collection is gone", lambda: not self.list(self.KIND, first))
        self.assertEqual(names(second), ["foo3"])

    def test_a_budget_is_created_updated_patched_and_deleted(self):
        """[sig-apps] DisruptionController should create a PodDisruptionBudget"""
        self.budget("made", "1%", {"foo": "bar"})
        self.assertEqual(self.update(self.KIND, "made", lambda o: o["spec"].update(minAvailable="2%"))["spec"]["minAvailable"], "2%")
        self.processed("made")
        self.assertEqual(self.patch(self.KIND, "made", {"spec": {"minAvailable": "3%"}}, MERGE)["spec"]["minAvailable"], "3%")
        self.processed("made")
        self.delete(self.KIND, "made")
        self.until("it is gone", lambda: self.gone(self.KIND, "made"))

    def test_the_status_says_how_many_disruptions_are_allowed(self):
        """[sig-apps] DisruptionController should observe PodDisruptionBudget status updated"""
        self.budget("observed", 1, {"foo": "bar"})
        self.single_pods("observed", 3)
        self.until("disruptions are allowed", lambda: self.get(self.KIND, "observed")["status"]["disruptionsAllowed"] > 0)

    def test_the_status_is_updated_and_patched(self):
        """[sig-apps] DisruptionController should update/patch PodDisruptionBudget status"""
        self.budget("status", 1, {"foo": "bar"})
        name = self.single_pods("status", 1)[0]
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.update_status(self.KIND, "status", lambda o: o["status"].update(disruptedPods={name: now}))
        self.processed("status")
        self.assertIn(name, self.status(self.KIND, "status")["status"]["disruptedPods"])
        patched = self.patch_part(self.KIND, "status", "status", {"status": {"disruptedPods": None}}, MERGE)
        self.assertFalse(patched["status"].get("disruptedPods"))

    def test_an_eviction_is_blocked_until_the_budget_allows_it(self):
        """[sig-apps] DisruptionController should block an eviction until the PDB is updated to allow it"""
        self.budget("blocking", 3, {"foo": "bar"})
        self.make(workload("ReplicaSet", "blocking", {"foo": "blocking"}, replicas=3))
        first = self.healthy("blocking", 3)[0]["metadata"]["name"]
        self.blocked(first)
        self.update(self.KIND, "blocking", lambda o: o["spec"].update(minAvailable=2))
        self.processed("blocking")
        self.healthy("blocking", 3)
        self.until("the budget counts three", lambda: self.get(self.KIND, "blocking")["status"]["currentHealthy"] == 3)
        self.evict(first)
        self.patch(self.KIND, "blocking", {"spec": {"minAvailable": None, "maxUnavailable": 0}}, MERGE)
        self.processed("blocking")
        second = self.healthy("blocking", 3)[0]["metadata"]["name"]
        self.blocked(second)
        self.delete(self.KIND, "blocking")
        self.until("the budget is gone", lambda: self.gone(self.KIND, "blocking"))
        self.healthy("blocking", 3)
        self.evict(second)


del Apps  # which has no tests of its own
