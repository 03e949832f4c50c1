"""What containers are given (environment, identity, kernel settings) and the smaller APIs of nodes.

After Kubernetes' conformance tests of [sig-node]; pods' life cycle is elsewhere.
"""
import base64
import json
import re
import time
import unittest

from conformance import IDLE, MERGE, STRATEGIC, Case, condition, container, pod, setUpModule, tearDownModule, unique  # noqa: F401

DATA = {"data-1": "value-1", "data-2": "value-2", "data-3": "value-3"}
RESOURCES = {"requests": {"cpu": "250m", "memory": "32Mi"}, "limits": {"cpu": "1250m", "memory": "64Mi"}}


def b64(text):
    return base64.b64encode(text.encode()).decode()


def once(*containers, **more):
    return pod(unique("once"), *containers, restartPolicy="Never", **more)


def field(name, path):
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def resource(name, path):
    return {"name": name, "valueFrom": {"resourceFieldRef": {"resource": path}}}


class Environment(Case):
    def env(self, **more):
        """The lines a container's `env` prints; no shell in between, as shells drop names they cannot hold."""
        return self.output(once(dict({"name": "c", "image": "busybox", "command": ["env"]}, **more))).splitlines()


class ConfigMaps(Environment):
    def config_map(self, **more):
        return self.create(dict({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": unique("configmap")}, "data": DATA}, **more))

    def test_a_key_becomes_an_environment_variable(self):
        """[sig-node] ConfigMap should be consumable via environment variable"""
        name = self.config_map()["metadata"]["name"]
        self.assertIn("CONFIG_DATA_1=value-1", self.env(
            env=[{"name": "CONFIG_DATA_1", "valueFrom": {"configMapKeyRef": {"name": name, "key": "data-1"}}}]))

    def test_all_keys_become_environment_variables(self):
        """[sig-node] ConfigMap should be consumable via the environment"""
        name = self.config_map()["metadata"]["name"]
        lines = self.env(envFrom=[{"configMapRef": {"name": name}}, {"prefix": "p-", "configMapRef": {"name": name}}])
        for key, value in DATA.items():
            self.assertIn("%s=%s" % (key, value), lines)
            self.assertIn("p-%s=%s" % (key, value), lines)

    def test_an_empty_key_is_refused(self):
        """[sig-node] ConfigMap should fail to create ConfigMap with empty key"""
        status = self.refused(422, self.config_map, data={"": "value-1"})
        self.assertEqual(status["reason"], "Invalid")

    def test_lives_through_create_patch_list_and_deletion_as_a_collection(self):
        """[sig-node] ConfigMap should run through a ConfigMap lifecycle"""
        name = unique("configmap")
        self.config_map(metadata={"name": name, "labels": {"test-configmap-static": "true"}}, data={"valueName": "value"})
        found = self.get("ConfigMap", name)
        self.assertEqual((found["data"]["valueName"], found["metadata"]["labels"]["test-configmap-static"]), ("value", "true"))
        self.patch("ConfigMap", name, {"metadata": {"labels": {"test-configmap": "patched"}}, "data": {"valueName": "value1"}})
        everywhere = self.core.list_config_map_for_all_namespaces(label_selector="test-configmap=patched").items
        found = [c for c in everywhere if (c.metadata.name, c.metadata.namespace) == (name, self.ns)]
        self.assertEqual([(c.data, c.metadata.labels) for c in found],
                         [({"valueName": "value1"}, {"test-configmap-static": "true", "test-configmap": "patched"})])
        self.delete_collection("ConfigMap", label_selector="test-configmap-static=true")
        self.assertEqual(self.list("ConfigMap", label_selector="test-configmap-static=true"), [])


class Secrets(Environment):
    def secret(self, **more):
        return self.create(dict({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": unique("secret")},
                                 "data": {key: b64(value + "\n") for key, value in DATA.items()}}, **more))

    def test_a_key_becomes_an_environment_variable(self):
        """[sig-node] Secrets should be consumable from pods in env vars"""
        name = self.secret()["metadata"]["name"]
        self.assertIn("SECRET_DATA=value-1", self.env(env=[{"name": "SECRET_DATA", "valueFrom": {"secretKeyRef": {"name": name, "key": "data-1"}}}]))

    def test_all_keys_become_environment_variables(self):
        """[sig-node] Secrets should be consumable via the environment"""
        name = self.secret()["metadata"]["name"]
        lines = self.env(envFrom=[{"secretRef": {"name": name}}, {"prefix": "p-", "secretRef": {"name": name}}])
        for key, value in DATA.items():
            self.assertIn("%s=%s" % (key, value), lines)
            self.assertIn("p-%s=%s" % (key, value), lines)

    def test_an_empty_key_is_refused(self):
        """[sig-node] Secrets should fail to create secret due to empty secret key"""
        status = self.refused(422, self.secret, data={"": b64("value-1\n")})
        self.assertEqual(status["reason"], "Invalid")

    def test_is_patched_and_deleted_as_a_collection(self):
        """[sig-node] Secrets should patch a secret"""
        name = unique("secret")

        def everywhere():
            found = self.core.list_secret_for_all_namespaces(label_selector="testsecret-constant=true").items
            return [s for s in found if (s.metadata.name, s.metadata.namespace) == (name, self.ns)]
        self.secret(metadata={"name": name, "labels": {"testsecret-constant": "true"}}, data={"key": b64("value")}, type="Opaque")
        self.assertEqual(len(everywhere()), 1)
        self.patch("Secret", name, {"metadata": {"labels": {"testsecret": "true"}}, "data": {"key": b64("value1")}})
        self.assertEqual(self.get("Secret", name)["data"], {"key": b64("value1")})
        self.delete_collection("Secret", label_selector="testsecret=true")
        self.assertEqual(everywhere(), [])


class DownwardAPI(Environment):
    def test_a_pod_learns_its_name_namespace_and_address(self):
        """[sig-node] Downward API should provide pod name, namespace and IP address as env vars"""
        it = once({"name": "c", "image": "busybox", "command": ["env"], "resources": RESOURCES, "env": [
            field("POD_NAME", "metadata.name"), field("POD_NAMESPACE", "metadata.namespace"), field("POD_IP", "status.podIP")]})
        lines, name = self.output(it).splitlines(), it["metadata"]["name"]
        self.assertIn("POD_NAME=" + name, lines)
        self.assertIn("POD_NAMESPACE=" + self.ns, lines)
        self.assertIn("POD_IP=" + self.get("Pod", name)["status"]["podIP"], lines)

    def test_a_pod_learns_its_hosts_address(self):
        """[sig-node] Downward API should provide host IP as an env var"""
        it = once({"name": "c", "image": "busybox", "command": ["env"], "resources": RESOURCES, "env": [field("HOST_IP", "status.hostIP")]})
        lines = self.output(it).splitlines()
        self.assertIn("HOST_IP=" + self.get("Pod", it["metadata"]["name"])["status"]["hostIP"], lines)
        self.assertTrue(any(re.fullmatch(r"HOST_IP=\d+\.\d+\.\d+\.\d+", line) for line in lines), lines)

    def test_a_container_learns_its_limits_and_requests(self):
        """[sig-node] Downward API should provide container's limits.cpu/memory and requests.cpu/memory as env vars"""
        lines = self.env(resources=RESOURCES, env=[resource("CPU_LIMIT", "limits.cpu"), resource("MEMORY_LIMIT", "limits.memory"),
                                                   resource("CPU_REQUEST", "requests.cpu"), resource("MEMORY_REQUEST", "requests.memory")])
        for line in "CPU_LIMIT=2", "MEMORY_LIMIT=67108864", "CPU_REQUEST=1", "MEMORY_REQUEST=33554432":
            self.assertIn(line, lines)

    def test_without_limits_a_container_learns_what_the_node_can_give(self):
        """[sig-node] Downward API should provide default limits.cpu/memory from node allocatable"""
        lines = self.env(env=[resource("CPU_LIMIT", "limits.cpu"), resource("MEMORY_LIMIT", "limits.memory")])
        for name in "CPU_LIMIT", "MEMORY_LIMIT":
            self.assertTrue(any(re.fullmatch(name + "=[1-9][0-9]*", line) for line in lines), lines)

    def test_a_pod_learns_its_uid(self):
        """[sig-node] Downward API should provide pod UID as env vars"""
        it = once({"name": "c", "image": "busybox", "command": ["env"], "resources": RESOURCES, "env": [field("POD_UID", "metadata.uid")]})
        lines = self.output(it).splitlines()
        self.assertIn("POD_UID=" + self.get("Pod", it["metadata"]["name"])["metadata"]["uid"], lines)


class VariableExpansion(Environment):
    def work(self, *mounts, script="true", env=()):
        """A pod with an emptyDir, mounted as (path, subPathExpr) say."""
        return once(container(script=script, env=list(env), volumeMounts=[
            dict({"name": "work", "mountPath": path}, **({"subPathExpr": expression} if expression else {})) for path, expression in mounts]),
            volumes=[{"name": "work", "emptyDir": {}}])

    def annotated(self, annotations):
        it = self.work(("/subpath_mount", "$(ANNOTATION)/$(POD_NAME)"), ("/volume_mount", None),
                       script=IDLE,
                       env=[{"name": "POD_NAME", "value": "foo"}, field("ANNOTATION", "metadata.annotations['mysubpath']")])
        it["metadata"]["annotations"] = annotations
        return self.create(it)["metadata"]["name"]

    def ends(self, name):
        self.delete("Pod", name)
        self.until("%s is gone" % name, lambda: self.gone("Pod", name))

    def cannot_be_made(self, name):
        def look():
            state = self.get("Pod", name)["status"]["containerStatuses"][0]["state"]
            self.assertEqual(state.get("waiting", {}).get("reason"), "CreateContainerConfigError", state)
            return True
        self.until("%s has an error in its configuration" % name, look)

    def test_variables_are_composed_of_variables(self):
        """[sig-node] Variable Expansion should allow composing env vars into new env vars"""
        lines = self.env(env=[{"name": "FOO", "value": "foo-value"}, {"name": "BAR", "value": "bar-value"},
                              {"name": "FOOBAR", "value": "$(FOO);;$(BAR)"}])
        for line in "FOO=foo-value", "BAR=bar-value", "FOOBAR=foo-value;;bar-value":
            self.assertIn(line, lines)

    def test_commands_hold_variables(self):
        """[sig-node] Variable Expansion should allow substituting values in a container's command"""
        self.assertIn("test-value", self.output(once(container(
            script='TEST_VAR=wrong echo "$(TEST_VAR)"', env=[{"name": "TEST_VAR", "value": "test-value"}]))))

    def test_arguments_hold_variables(self):
        """[sig-node] Variable Expansion should allow substituting values in a container's args"""
        self.assertIn("test-value", self.output(once(
            {"name": "c", "image": "busybox", "command": ["sh", "-c"], "args": ['TEST_VAR=wrong echo "$(TEST_VAR)"'],
             "env": [{"name": "TEST_VAR", "value": "test-value"}]})))

    def test_names_hold_almost_all_printable_characters(self):
        """[sig-node] Variable Expansion allow almost all printable ASCII characters as environment variable names"""
        names = ["!\"#$%&'()", "* +,-./0123456789", ":;<>?@", "[\\]^_`{}|~"]
        lines = self.env(env=[{"name": name, "value": "value-%d" % i} for i, name in enumerate(names)])
        for i, name in enumerate(names):
            self.assertIn("%s=value-%d" % (name, i), lines)

    def test_subpaths_hold_variables(self):
        """[sig-node] Variable Expansion should allow substituting values in a volume subpath"""
        it = self.work(("/logscontainer", "$(POD_NAME)"), ("/testcontainer", None))
        name = it["metadata"]["name"]
        it["spec"]["containers"][0].update(command=["sh", "-c", "test -d /testcontainer/%s; echo $?" % name],
                                           env=[{"name": "POD_NAME", "value": name}])
        self.assertEqual(self.output(it).strip(), "0")

    def test_a_subpath_does_not_lead_out_of_the_volume(self):
        """[sig-node] Variable Expansion should fail substituting values in a volume subpath with backticks"""
        it = self.create(self.work(("/logscontainer", "$(POD_NAME)"), env=[{"name": "POD_NAME", "value": ".."}]))["metadata"]["name"]
        self.cannot_be_made(it)
        self.ends(it)

    def test_a_subpath_is_not_absolute(self):
        """[sig-node] Variable Expansion should fail substituting values in a volume subpath with absolute path"""
        it = self.create(self.work(("/logscontainer", "$(POD_NAME)"), env=[{"name": "POD_NAME", "value": "/tmp"}]))["metadata"]["name"]
        self.cannot_be_made(it)
        self.ends(it)

    def test_a_subpath_that_fails_is_mended(self):
        """[sig-node] Variable Expansion should verify that a failing subpath expansion can be modified during the lifecycle of a container"""
        name = self.annotated({"notmysubpath": "mypath"})
        self.cannot_be_made(name)
        self.never("it runs", lambda: self.get("Pod", name)["status"]["phase"] == "Running", seconds=1)

        def mend(obj):
            obj["metadata"]["annotations"]["mysubpath"] = "mypath"
        self.update("Pod", name, mend)
        self.pod_is(name, "Running")
        self.ends(name)

    def test_files_are_written_below_a_subpath(self):
        """[sig-node] Variable Expansion should succeed in writing subpaths in container"""
        name = self.annotated({"mysubpath": "mypath"})
        self.pod_is(name, "Running")
        self.shell(name, "touch /volume_mount/mypath/foo/test.log && test -f /subpath_mount/test.log")

        def move(obj):
            obj["metadata"]["annotations"]["mysubpath"] = "mynewpath"
        self.update("Pod", name, move)
        self.pod_is(name, "Running")
        self.ends(name)


class SecurityContext(Case):
    def test_runs_as_a_user(self):
        """[sig-node] Security Context When creating a container with runAsUser should run the container with uid 65534"""
        self.assertEqual(self.output(once(container(script="id -u", securityContext={"runAsUser": 65534}))).strip(), "65534")

    def test_is_not_privileged(self):
        """[sig-node] Security Context When creating a pod with privileged should run the container as unprivileged when false"""
        self.assertIn("Operation not permitted", self.output(once(container(
            script="ip link add dummy0 type dummy 2>&1 || true", securityContext={"privileged": False}))))

    def test_writes_to_its_root(self):
        """[sig-node] Security Context When creating a pod with readOnlyRootFilesystem should run the container with writable rootfs when
        readOnlyRootFilesystem=false"""
        self.output(once(container(script="touch checkfile", securityContext={"readOnlyRootFilesystem": False})))

    def test_a_pods_user_and_group(self):
        """[sig-node] Security Context should support pod.Spec.SecurityContext.RunAsUser And pod.Spec.SecurityContext.RunAsGroup"""
        text = self.output(once(container(script="id"), securityContext={"runAsUser": 1001, "runAsGroup": 2002}))
        self.assertRegex(text, r"^uid=1001\b.* gid=2002\b")

    def test_a_containers_user_and_group_come_before_the_pods(self):
        """[sig-node] Security Context should support container.SecurityContext.RunAsUser And container.SecurityContext.RunAsGroup"""
        text = self.output(once(container(script="id", securityContext={"runAsUser": 1002, "runAsGroup": 2002}),
                                securityContext={"runAsUser": 1001, "runAsGroup": 2001}))
        self.assertRegex(text, r"^uid=1002\b.* gid=2002\b")

    def test_privileges_do_not_grow(self):
        """[sig-node] Security Context when creating containers with AllowPrivilegeEscalation should not allow privilege escalation when false"""
        # A set-uid copy of busybox: its crontab, which has to be root, says whether it has become so. The container
        # that may become root shows that the check can tell the one from the other.
        mount = [{"name": "bin", "mountPath": "/bin/set-uid"}]
        ask = "grep NoNewPrivs /proc/self/status; /bin/set-uid/busybox crontab -l 2>&1; true"
        it = once(container("false", ask, volumeMounts=mount, securityContext={"runAsUser": 1000, "allowPrivilegeEscalation": False}),
                  container("true", ask, volumeMounts=mount, securityContext={"runAsUser": 1000, "allowPrivilegeEscalation": True}),
                  initContainers=[container("copy", "cp /bin/busybox /bin/set-uid/ && chmod 4755 /bin/set-uid/busybox", volumeMounts=mount)],
                  volumes=[{"name": "bin", "emptyDir": {}}])
        text = self.output(it, container="false")
        self.assertRegex(text, r"NoNewPrivs:\s*1")
        self.assertIn("must be suid", text)
        text = self.logs(it["metadata"]["name"], "true")
        self.assertRegex(text, r"NoNewPrivs:\s*0")
        self.assertNotIn("must be suid", text)


class Sysctls(Case):
    def test_are_set_in_the_pod(self):
        """[sig-node] Sysctls should support sysctls"""
        it = once({"name": "c", "image": "busybox", "command": ["sysctl", "kernel.shm_rmid_forced"]},
                  securityContext={"sysctls": [{"name": "kernel.shm_rmid_forced", "value": "1"}]})
        self.assertIn("kernel.shm_rmid_forced = 1", self.output(it))
        self.assertEqual([e for e in self.events(it["metadata"]["name"]) if e["type"] == "Warning"], [])

    def test_names_that_are_no_names_are_refused(self):
        """[sig-node] Sysctls should reject invalid sysctls"""
        status = self.refused(422, self.create, once(securityContext={"sysctls": [
            {"name": "foo-", "value": "bar"}, {"name": "kernel.shmmax", "value": "100000000"},
            {"name": "safe-and-unsafe", "value": "100000000"}, {"name": "bar..", "value": "42"}]}))
        for words in 'Invalid value: "foo-"', 'Invalid value: "bar.."':
            self.assertIn(words, status["message"])
        for words in "safe-and-unsafe", "kernel.shmmax":
            self.assertNotIn(words, status["message"])


class RuntimeClasses(Case):
    def runtime_class(self, handler="test-handler", **more):
        name = "%s-%s" % (self.ns, unique("class"))
        made = self.create(dict({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": handler}, **more))
        self.addCleanup(self.forget, "RuntimeClass", name)
        return made["metadata"]["name"]

    def with_class(self, name):
        return once(container(script="true"), runtimeClassName=name, automountServiceAccountToken=False)

    def scheduled(self, name):
        it = self.create(self.with_class(name))["metadata"]["name"]
        self.addCleanup(self.delete, "Pod", it, gracePeriodSeconds=0)
        self.until("%s is scheduled" % it, lambda: condition(self.get("Pod", it), "PodScheduled")["status"] == "True")
        return self.get("Pod", it)

    def test_a_class_that_does_not_exist_is_refused(self):
        """[sig-node] RuntimeClass should reject a Pod requesting a non-existent RuntimeClass"""
        status = self.refused(403, self.create, self.with_class(self.ns + "-nonexistent"), dry_run="All")
        self.assertEqual(status["reason"], "Forbidden")

    def test_a_class_that_is_deleted_is_refused(self):
        """[sig-node] RuntimeClass should reject a Pod requesting a deleted RuntimeClass"""
        name = self.runtime_class("runc")
        self.delete("RuntimeClass", name)
        self.until("the class is gone", lambda: self.gone("RuntimeClass", name))
        self.until("pods of it are refused", lambda: self.refused(403, self.create, self.with_class(name), dry_run="All"))

    def test_pods_of_a_class_are_scheduled(self):
        """[sig-node] RuntimeClass should schedule a Pod requesting a RuntimeClass without PodOverhead"""
        self.assertFalse(self.scheduled(self.runtime_class())["spec"].get("overhead"))

    def test_pods_of_a_class_have_its_overhead(self):
        """[sig-node] RuntimeClass should schedule a Pod requesting a RuntimeClass and initialize its Overhead"""
        overhead = {"cpu": "10m", "memory": "1Mi"}
        self.assertEqual(self.scheduled(self.runtime_class(overhead={"podFixed": overhead}))["spec"]["overhead"], overhead)

    def test_the_api(self):
        """[sig-node] RuntimeClass should support RuntimeClasses API operations"""
        groups = {g["name"]: g for g in json.loads(self.raw("GET", "/apis")[2])["groups"]}
        self.assertIn("node.k8s.io", groups)
        for group in groups["node.k8s.io"], json.loads(self.raw("GET", "/apis/node.k8s.io")[2]):
            self.assertIn("v1", [v["version"] for v in group["versions"]])
        resources = json.loads(self.raw("GET", "/apis/node.k8s.io/v1")[2])["resources"]
        self.assertIn("runtimeclasses", [r["name"] for r in resources])

        label = unique("class")
        names = [label + "-%d" % i for i in (1, 2, 3)]
        objects = [{"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name, "labels": {"test": label}},
                    "handler": name + "-handler"} for name in names]
        for name in names:
            self.addCleanup(self.forget, "RuntimeClass", name)
        selector = "test=" + label
        made = self.create(objects[0])
        self.assertEqual(self.refused(409, self.create, objects[0])["reason"], "AlreadyExists")
        self.create(objects[1])
        with self.watching("RuntimeClass", label_selector=selector) as events:
            self.create(objects[2])
            self.assertEqual(self.get("RuntimeClass", names[0])["metadata"]["uid"], made["metadata"]["uid"])
            self.assertEqual(len(self.list("RuntimeClass", label_selector=selector)), 3)
            patched = self.patch("RuntimeClass", names[0], {"metadata": {"annotations": {"patched": "true"}}}, MERGE)
            self.assertEqual(patched["metadata"]["annotations"], {"patched": "true"})
            patched["metadata"]["annotations"]["updated"] = "true"
            self.assertEqual(self.replace(patched)["metadata"]["annotations"]["updated"], "true")
            self.until("the watch tells of it all", lambda: (
                any(kind == "ADDED" and obj["metadata"]["name"] == names[2] for kind, obj in events)
                and any(kind == "MODIFIED" and obj["metadata"].get("annotations") == {"patched": "true"} for kind, obj in events)
                and any(kind == "MODIFIED" and "updated" in obj["metadata"].get("annotations", {}) for kind, obj in events)))
        self.delete("RuntimeClass", names[0])
        self.assertTrue(self.gone("RuntimeClass", names[0]))
        self.assertEqual(len(self.list("RuntimeClass", label_selector=selector)), 2)
        self.delete_collection("RuntimeClass", label_selector=selector)
        self.assertEqual(self.list("RuntimeClass", label_selector=selector), [])


class NoExecuteTaints(Case):
    taint = {"key": "kubernetes.io/e2e-evict-taint-key", "value": "evictTaintVal", "effect": "NoExecute"}

    def tolerant(self, name, seconds, **spec):
        it = pod(unique(name), labels={"group": name}, tolerations=[dict(self.taint, tolerationSeconds=seconds)], **spec)
        self.create(it)
        return self.pod_is(it["metadata"]["name"], "Running")

    def put(self, node):
        def change(obj):
            obj["spec"].setdefault("taints", []).append(dict(self.taint, timeAdded=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())))
        self.addCleanup(self.take, node)
        self.assertIn(self.taint["key"], [t["key"] for t in self.update("Node", node, change)["spec"]["taints"]])

    def take(self, node):
        def change(obj):
            obj["spec"]["taints"] = [t for t in obj["spec"].get("taints") or [] if t["key"] != self.taint["key"]]
        self.assertNotIn(self.taint["key"], [t["key"] for t in self.update("Node", node, change)["spec"].get("taints") or []])

    def test_a_taint_taken_away_evicts_nobody(self):
        """[sig-node] NoExecuteTaintManager Single Pod removing taint cancels eviction"""
        it = self.tolerant("taint-eviction-4", 2)
        with self.watching("Pod", label_selector="group=taint-eviction-4") as events:
            self.put(it["spec"]["nodeName"])
            self.never("the pod is gone", lambda: self.gone("Pod", it["metadata"]["name"]), seconds=0.5)
            self.take(it["spec"]["nodeName"])
            self.never("the pod is evicted", lambda: any(kind == "DELETED" for kind, _ in events), seconds=4)
        self.assertNotIn("deletionTimestamp", self.get("Pod", it["metadata"]["name"])["metadata"])

    def test_pods_are_evicted_when_their_time_is_over(self):
        """[sig-node] NoExecuteTaintManager Multiple Pods evicts pods with minTolerationSeconds"""
        first = self.tolerant("taint-eviction-b", 1)
        node = first["spec"]["nodeName"]
        host = self.get("Node", node)["metadata"]["labels"]["kubernetes.io/hostname"]
        second = self.tolerant("taint-eviction-b", 4, nodeSelector={"kubernetes.io/hostname": host})
        self.assertEqual(second["spec"]["nodeName"], node)
        start, gone = time.monotonic(), {}
        self.put(node)

        def both():
            for obj in first, second:
                if obj["metadata"]["name"] not in gone and self.gone("Pod", obj["metadata"]["name"]):
                    gone[obj["metadata"]["name"]] = time.monotonic() - start
            return len(gone) == 2
        self.until("both pods are evicted", both)
        # The taint's time has whole seconds, so a controller that counts from it is early by up to one.
        early, late = gone[first["metadata"]["name"]], gone[second["metadata"]["name"]]
        self.assertTrue(early < 3 <= late, "evicted after %.1f s and %.1f s" % (early, late))


class PodTemplates(Case):
    def template(self, name=None, **metadata):
        return self.create({"apiVersion": "v1", "kind": "PodTemplate", "metadata": dict({"name": name or unique("template")}, **metadata),
                            "template": {"spec": {"containers": [{"name": "nginx", "image": "nginx"}]}}})["metadata"]["name"]

    def test_live_through_create_patch_and_delete(self):
        """[sig-node] PodTemplates should run the lifecycle of PodTemplates"""
        def everywhere():
            return self.core.list_pod_template_for_all_namespaces(label_selector="podtemplate-static=true").items
        self.assertEqual(everywhere(), [])
        name = self.template(labels={"podtemplate-static": "true"})
        self.assertEqual(self.get("PodTemplate", name)["metadata"]["name"], name)
        self.patch("PodTemplate", name, {"metadata": {"labels": {"podtemplate": "patched"}}}, STRATEGIC)
        self.assertEqual(self.get("PodTemplate", name)["metadata"]["labels"]["podtemplate"], "patched")
        self.assertEqual([t.metadata.name for t in everywhere()], [name])
        self.delete("PodTemplate", name)
        self.assertEqual(everywhere(), [])

    def test_are_deleted_as_a_collection(self):
        """[sig-node] PodTemplates should delete a collection of pod templates"""
        for i in 1, 2, 3:
            self.template("test-podtemplate-%d" % i, labels={"podtemplate-set": "true"})
        self.assertEqual(len(self.list("PodTemplate", label_selector="podtemplate-set=true")), 3)
        self.delete_collection("PodTemplate", label_selector="podtemplate-set=true")
        self.until("all are gone", lambda: not self.list("PodTemplate", label_selector="podtemplate-set=true"))

    def test_are_replaced(self):
        """[sig-node] PodTemplates should replace a pod template"""
        def annotate(obj):
            obj["metadata"]["annotations"] = {"updated": "true"}
        self.assertEqual(self.update("PodTemplate", self.template(), annotate)["metadata"]["annotations"], {"updated": "true"})


class Leases(Case):
    def test_the_api(self):
        """[sig-node] Lease lease API should be available"""
        def spec(holder, seconds, acquired, renewed, transitions):
            # The Go client's zero time plus some seconds, with microseconds.
            times = ["0001-01-01T00:%02d:%02d.000000Z" % divmod(time, 60) for time in (acquired, renewed)]
            return {"holderIdentity": holder, "leaseDurationSeconds": seconds, "acquireTime": times[0], "renewTime": times[1],
                    "leaseTransitions": transitions}

        def lease(name, **metadata):
            return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": dict({"name": name}, **metadata),
                    "spec": spec("holder", 30, 2, 5, 0)}
        made = self.create(lease("lease"))
        self.assertEqual(self.get("Lease", "lease")["spec"], spec("holder", 30, 2, 5, 0))
        made["spec"] = spec("holder2", 30, 20, 50, 1)
        self.replace(made)
        self.assertEqual(self.get("Lease", "lease")["spec"], spec("holder2", 30, 20, 50, 1))
        self.patch("Lease", "lease", {"spec": spec("holder3", 60, 50, 70, 2)}, STRATEGIC)
        self.assertEqual(self.get("Lease", "lease")["spec"], spec("holder3", 60, 50, 70, 2))
        self.create(lease("lease2", labels={"deletecollection": "true"}))
        self.assertEqual({i["metadata"]["name"] for i in self.list("Lease")}, {"lease", "lease2"})
        self.delete_collection("Lease", label_selector="deletecollection=true")
        self.assertEqual([i["metadata"]["name"] for i in self.list("Lease")], ["lease"])
        self.delete("Lease", "lease")
        self.assertEqual(self.refused(404, self.get, "Lease", "lease")["reason"], "NotFound")
        self.assertEqual(self.raw("GET", "/apis/coordination.k8s.io/v1/leases")[0], 200)


class NodeLeases(Case):
    """Not among upstream's conformance tests, but every cluster is expected to do it."""

    def test_a_nodes_lease_is_renewed(self):
        """[sig-node] NodeLease the kubelet should create and update a lease in the kube-node-lease namespace"""
        name = self.list("Node")[-1]["metadata"]["name"]

        def lease():
            found = self.get("Lease", name, "kube-node-lease")["spec"]
            self.assertEqual(found["holderIdentity"], name)
            return found
        first = self.until("the node has a lease", lease)
        self.until("it is renewed", lambda: lease()["renewTime"] > first["renewTime"], seconds=first["leaseDurationSeconds"], interval=0.5)

    def test_nodes_own_their_leases(self):
        """[sig-node] NodeLease should have OwnerReferences set"""
        for lease in self.list("Lease", "kube-node-lease"):
            self.assertEqual([(o["apiVersion"], o["kind"], o["name"]) for o in lease["metadata"]["ownerReferences"]],
                             [("v1", "Node", lease["metadata"]["name"])])


class NodeLifecycle(Case):
    def test_of_the_object(self):
        """[sig-node] Node Lifecycle should run through the lifecycle of a node"""
        name = unique("e2e-fake-node")
        made = self.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"unschedulable": True}, "status": {
            "phase": "Running", "conditions": [{"type": "Ready", "status": "True", "reason": "E2E", "message": "Set from e2e test"}]}})
        self.addCleanup(self.forget, "Node", name)
        self.assertEqual(made["metadata"]["name"], name)
        self.assertEqual(self.get("Node", name)["metadata"]["name"], name)
        patched = self.patch("Node", name, {"metadata": {"labels": {name: "patched"}}}, STRATEGIC)
        self.assertEqual(patched["metadata"]["labels"][name], "patched")
        self.assertGreater(int(patched["metadata"]["resourceVersion"]), int(made["metadata"]["resourceVersion"]))
        self.assertEqual([n["metadata"]["name"] for n in self.list("Node", label_selector=name + "=patched")], [name])

        def relabel(obj):
            obj["metadata"]["labels"][name] = "updated"
        self.assertEqual(self.update("Node", name, relabel)["metadata"]["labels"][name], "updated")
        self.delete("Node", name)
        self.until("the node is gone", lambda: self.gone("Node", name))


if __name__ == "__main__":
    unittest.main()
