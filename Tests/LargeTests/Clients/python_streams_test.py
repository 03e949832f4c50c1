"""Exec, attach, port-forward, logs, proxies, bindings, the life of pods and ownership through the official Python client."""
import json
import time

from kubernetes import client, stream, watch
from kubernetes.client import ApiException

import python_objects_test as objects
from python_objects_test import MERGE, STRATEGIC, setUpModule, tearDownModule  # noqa: F401: unittest calls them


class Streams(objects.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pod(cls, "shell")
        cls.pod(cls, "web", containers=[{"name": "httpd", "image": "httpd", "ports": [{"containerPort": 80, "name": "http"}]}])

    def setUp(self):
        self.ready("shell"), self.ready("web")

    def open(self, pod, *command, call="exec", **options):
        options = dict({"stdout": True, "stderr": True, "stdin": False, "tty": False}, **options)
        if command:
            options["command"] = list(command)
        return stream.stream(getattr(self.core, "connect_get_namespaced_pod_" + call), pod, self.ns, _preload_content=False, **options)

    def run_to_end(self, socket):
        socket.run_forever(timeout=10)
        self.assertFalse(socket.is_open(), "the stream has not ended")
        return socket.read_stdout(), socket.read_stderr(), socket.returncode

    def test_exec_parts_the_streams_and_tells_the_code(self):
        for code in (0, 7, 137):
            run = self.open("shell", "sh", "-c", "echo 'out  put'; echo err >&2; exit %d" % code)
            self.assertEqual(self.run_to_end(run), ("out  put\n", "err\n", code))
        self.assertEqual(self.run_to_end(self.open("shell", "echo", "$HOME", "a b", "é")), ("$HOME a b é\n", "", 0))
        out = stream.stream(self.core.connect_get_namespaced_pod_exec, "shell", self.ns, command=["hostname"], container="main",
                            stdout=True, _request_timeout=10)
        self.assertEqual(out, "shell\n")
        big = self.run_to_end(self.open("shell", "sh", "-c", "yes 0123456789abcde | head -c 3200000"))
        self.assertEqual((len(big[0]), big[0] == "0123456789abcde\n" * 200000, big[2]), (3200000, True, 0))

    def test_exec_reads_stdin_to_its_end(self):
        run = self.open("shell", "sh", "-c", "read first; echo \"<$first>\"; wc -c", stdin=True)
        self.assertEqual(run.subprotocol, "v5.channel.k8s.io")
        run.write_stdin("one\n")
        self.assertEqual(run.readline_stdout(timeout=5), "<one>")
        run.write_stdin("x" * 100000)
        run.close_channel(0)
        self.assertEqual(self.run_to_end(run), ("100000\n", "", 0))

    def test_exec_on_a_terminal(self):
        script = 'test -t 0 && test -t 1 && until [ "$(stty size)" = "40 100" ]; do sleep 0.05; done; echo sized; read x; echo "<$x>" >&2'
        run = self.open("shell", "sh", "-c", script, stdin=True, stderr=False, tty=True)
        run.write_channel(4, json.dumps({"Width": 100, "Height": 40}))
        self.assertEqual(run.readline_stdout(timeout=5).strip(), "sized")
        run.write_stdin("typed\n")
        out, err, code = self.run_to_end(run)
        self.assertEqual((out, err, code), ("typed\r\n<typed>\r\n", "", 0))  # the echo, then stderr on the same terminal

    def test_exec_refused(self):
        for pod, options, status in (("absent", {}, 404), ("shell", {"container": "absent"}, 400)):
            with self.assertRaises(ApiException) as caught:
                self.open(pod, "true", **options)
            self.assertIn(str(status), caught.exception.reason)

    def test_attach_meets_the_running_process(self):
        self.pod("talker", containers=[{"name": "main", "image": "busybox", "stdin": True, "command": [
            "sh", "-c", 'while read x; do echo "got $x"; echo "err $x" >&2; done']}])
        self.ready("talker")
        for word in ("hello", "again"):
            run = self.open("talker", call="attach", stdin=True)
            run.write_stdin(word + "\n")
            self.assertEqual((run.readline_stdout(timeout=5), run.readline_stderr(timeout=5)), ("got " + word, "err " + word))
            run.close()
        self.assertEqual(self.core.read_namespaced_pod_log("talker", self.ns, tail_lines=4).count("again"), 2)

    def test_port_forward(self):
        for _ in range(2):
            forward = stream.portforward(self.core.connect_get_namespaced_pod_portforward, "web", self.ns, ports="80")
            socket, answer = forward.socket(80), b""
            socket.settimeout(5)
            socket.sendall(b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
            while True:
                piece = socket.recv(65536)
                if not piece:
                    break
                answer += piece
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n") and b"It works!" in answer, answer)
            self.assertIsNone(forward.error(80))
        forward = stream.portforward(self.core.connect_get_namespaced_pod_portforward, "web", self.ns, ports="81")
        forward.socket(81).sendall(b"anyone?")
        self.assertIn("refused", self.until("an error", lambda: forward.error(81)))

    def test_logs(self):
        self.pod("lines", "sh", "-c", "for i in 1 2 3 4 5; do echo line-$i; done; echo six >&2; exec sleep 3600")
        self.ready("lines")
        log = lambda **options: self.core.read_namespaced_pod_log("lines", self.ns, **options)
        whole = "line-1\nline-2\nline-3\nline-4\nline-5\nsix\n"
        self.until("all lines", lambda: log() == whole)
        self.assertEqual((log(tail_lines=2), log(tail_lines=0), log(limit_bytes=8)), ("line-5\nsix\n", "", "line-1\nl"))
        stamped = log(timestamps=True).splitlines()
        self.assertEqual([line.split(" ", 1)[1] for line in stamped], whole.splitlines())
        for line in stamped:
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d) ")
        self.assertEqual(log(since_seconds=600), whole)
        time.sleep(1.5)
        self.assertEqual(log(since_seconds=1), "")
        self.refused(400, "BadRequest", log, previous=True)
        self.refused(400, "BadRequest", log, container="absent")
        self.refused(404, "NotFound", self.core.read_namespaced_pod_log, "absent", self.ns)

    def test_followed_and_previous_logs(self):
        self.pod("slow", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.3; done", restartPolicy="Never")
        self.until("started", lambda: self.core.read_namespaced_pod_log("slow", self.ns) != "")
        follow = self.core.read_namespaced_pod_log("slow", self.ns, follow=True, _preload_content=False)
        self.assertEqual(b"".join(follow.stream()), b"1\n2\n3\n")  # it ends with the container
        lines = watch.Watch().stream(self.core.read_namespaced_pod_log, "slow", self.ns, tail_lines=2)
        self.assertEqual([next(lines), next(lines)], ["2", "3"])
        done = self.until("done", lambda: self.core.read_namespaced_pod("slow", self.ns).status.phase == "Succeeded")
        self.assertTrue(done)
        self.pod("twice", volumes=[{"name": "d", "emptyDir": {}}], containers=[{
            "name": "main", "image": "busybox", "volumeMounts": [{"name": "d", "mountPath": "/d"}], "command": [
                "sh", "-c", "test -e /d/x && echo second && exec sleep 3600; touch /d/x; echo first; exit 3"]}])
        self.until("restarted", lambda: self.core.read_namespaced_pod_log("twice", self.ns) == "second\n")
        self.assertEqual(self.core.read_namespaced_pod_log("twice", self.ns, previous=True), "first\n")
        status = self.ready("twice").status.container_statuses[0]
        self.assertEqual((status.restart_count, status.last_state.terminated.exit_code), (1, 3))

    def test_proxies(self):
        self.core.create_namespaced_service(self.ns, {"metadata": {"name": "web"}, "spec": {
            "selector": {"pod": "web"}, "ports": [{"name": "web", "port": 8080, "targetPort": "http"}]}})
        for name in ("web", "web:80", "http:web:80"):
            self.assertIn("It works!", self.core.connect_get_namespaced_pod_proxy(name, self.ns))
        proxy = self.core.connect_get_namespaced_service_proxy
        self.until("the service has an endpoint", lambda: "It works!" in proxy("web:web", self.ns))
        for name in ("web:8080", "http:web:web"):
            self.assertIn("It works!", proxy(name, self.ns))
        with self.assertRaises(ApiException) as caught:
            self.core.connect_get_namespaced_pod_proxy_with_path("web", self.ns, "missing")
        self.assertEqual((caught.exception.status, "Apache" in str(caught.exception.headers)), (404, True))  # the pod's own answer
        self.core.create_namespaced_service(self.ns, {"metadata": {"name": "hollow"}, "spec": {
            "selector": {"pod": "none"}, "ports": [{"port": 80}]}})
        self.refused(503, "ServiceUnavailable", proxy, "hollow", self.ns)
        self.refused(404, "NotFound", proxy, "absent", self.ns)


class Pods(objects.Case):
    def test_conditions_and_generations(self):
        self.pod("plain")
        it = self.ready("plain")
        self.assertEqual({c.type: (c.status, c.observed_generation) for c in it.status.conditions}, dict.fromkeys((
            "PodScheduled", "Initialized", "PodReadyToStartContainers", "ContainersReady", "Ready"), ("True", 1)))
        self.assertEqual((it.metadata.generation, it.status.observed_generation, it.status.phase, it.status.qos_class),
                         (1, 1, "Running", "BestEffort"))
        node = self.core.read_node(it.spec.node_name)
        self.assertIn((it.status.host_ip, "InternalIP"), [(a.address, a.type) for a in node.status.addresses])
        self.assertEqual([ip.ip for ip in it.status.pod_ips], [it.status.pod_ip])
        self.assertIn(node.metadata.name, ("node-2", "node-3"))
        self.assertEqual({t.key for t in it.spec.tolerations}, {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"})
        image = {"spec": {"containers": [{"name": "main", "image": "busybox:other"}]}}
        self.assertEqual(self.core.patch_namespaced_pod("plain", self.ns, image, _content_type=STRATEGIC).metadata.generation, 2)
        self.until("observed", lambda: self.core.read_namespaced_pod("plain", self.ns).status.observed_generation == 2)
        self.until("restarted", lambda: self.core.read_namespaced_pod("plain", self.ns).status.container_statuses[0].restart_count == 1)
        moved = {"spec": {"nodeName": "node-1"}}
        self.refused(422, "Invalid", self.core.patch_namespaced_pod, "plain", self.ns, moved, _content_type=MERGE)

    def test_readiness_gate_through_the_status_subresource(self):
        self.pod("gated", readinessGates=[{"conditionType": "example.com/ok"}])
        conditions = lambda: {c.type: c for c in self.core.read_namespaced_pod("gated", self.ns).status.conditions or []}
        self.until("containers ready", lambda: "ContainersReady" in conditions() and conditions()["ContainersReady"].status == "True")
        self.assertEqual((conditions()["Ready"].status, conditions()["Ready"].reason), ("False", "ReadinessGatesNotReady"))
        body = {"status": {"phase": "Failed", "conditions": [{"type": "example.com/ok", "status": "True"}]}}
        self.assertEqual(self.core.patch_namespaced_pod("gated", self.ns, body, _content_type=STRATEGIC).status.phase, "Running")
        del body["status"]["phase"]
        self.core.patch_namespaced_pod_status("gated", self.ns, body, _content_type=STRATEGIC)
        self.ready("gated")

    def test_binding(self):
        self.pod("bound", schedulerName="nobody")
        self.assertIsNone(self.core.read_namespaced_pod("bound", self.ns).spec.node_name)
        target = {"metadata": {"name": "bound"}, "target": {"kind": "Node", "name": "node-3"}}
        bind = self.core.create_namespaced_pod_binding  # its answer is a Status, which the client's model refuses
        self.assertEqual(json.loads(bind("bound", self.ns, target, _preload_content=False).data)["status"], "Success")
        self.assertEqual(self.ready("bound").spec.node_name, "node-3")
        self.refused(409, "Conflict", bind, "bound", self.ns, target, _preload_content=False)

    def test_scale_and_eviction(self):
        self.apps.create_namespaced_deployment(self.ns, self.deployment("many", 2))
        deployment = lambda: self.apps.read_namespaced_deployment("many", self.ns)
        self.until("two ready", lambda: deployment().status.ready_replicas == 2)
        scale = self.apps.read_namespaced_deployment_scale("many", self.ns)
        self.assertEqual((scale.kind, scale.spec.replicas, scale.status.replicas, scale.status.selector), ("Scale", 2, 2, "app=many"))
        policy = client.PolicyV1Api(self.api)
        policy.create_namespaced_pod_disruption_budget(self.ns, {"metadata": {"name": "budget"}, "spec": {
            "minAvailable": 2, "selector": {"matchLabels": {"app": "many"}}}})
        budget = lambda: policy.read_namespaced_pod_disruption_budget("budget", self.ns).status
        self.until("counted", lambda: (budget().observed_generation, budget().current_healthy, budget().disruptions_allowed) == (1, 2, 0))
        victim = self.core.list_namespaced_pod(self.ns, label_selector="app=many").items[0].metadata
        evict = lambda: self.core.create_namespaced_pod_eviction(victim.name, self.ns, {"metadata": {"name": victim.name}})
        self.assertEqual(self.refused(429, "TooManyRequests", evict)["details"]["causes"][0]["reason"], "DisruptionBudget")
        scale.spec.replicas = 3
        self.assertEqual(self.apps.replace_namespaced_deployment_scale("many", self.ns, scale).spec.replicas, 3)
        self.assertEqual((deployment().spec.replicas, deployment().metadata.generation), (3, 2))
        self.until("one may go", lambda: budget().disruptions_allowed == 1)
        evict()
        self.until("replaced", lambda: victim.uid not in [
            p.metadata.uid for p in self.core.list_namespaced_pod(self.ns).items] and deployment().status.ready_replicas == 3)
        self.apps.patch_namespaced_deployment_scale("many", self.ns, {"spec": {"replicas": 0}}, _content_type=MERGE)
        self.until("none", lambda: not self.core.list_namespaced_pod(self.ns, label_selector="app=many").items)


class Ownership(objects.Case):
    def family(self, name, **child):
        owner = self.config_map(name)
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": owner.metadata.uid, "blockOwnerDeletion": True}
        self.config_map(name + "-child", ownerReferences=[reference], **child)
        return lambda policy: self.core.delete_namespaced_config_map(name, self.ns, propagation_policy=policy, _preload_content=False)

    def test_propagation_policies(self):
        self.family("back")("Background")
        self.assertFalse(self.exists("back"))
        self.until("the child is collected", lambda: not self.exists("back-child"))
        self.family("orphan")("Orphan")
        self.until("the owner is gone", lambda: not self.exists("orphan"))
        time.sleep(0.5)
        self.assertIsNone(self.core.read_namespaced_config_map("orphan-child", self.ns).metadata.owner_references)
        self.family("fore", finalizers=["example.com/hold"])("Foreground")
        owner = self.core.read_namespaced_config_map("fore", self.ns).metadata
        self.assertEqual((owner.finalizers, bool(owner.deletion_timestamp)), (["foregroundDeletion"], True))
        self.until("the child is being deleted",
                   lambda: self.core.read_namespaced_config_map("fore-child", self.ns).metadata.deletion_timestamp)
        self.assertTrue(self.exists("fore"))
        self.core.patch_namespaced_config_map("fore-child", self.ns, {"metadata": {"finalizers": None}}, _content_type=MERGE)
        self.until("both are gone", lambda: not self.exists("fore") and not self.exists("fore-child"))

    def test_preconditions_and_finalizers(self):
        delete, uid = self.core.delete_namespaced_config_map, self.config_map("held", finalizers=["example.com/hold"]).metadata.uid
        for wrong in ({"uid": "0-0"}, {"resourceVersion": "1"}, {"uid": uid, "resourceVersion": "1"}):
            self.refused(409, "Conflict", delete, "held", self.ns, body={"preconditions": wrong})
        for _ in range(2):
            delete("held", self.ns, body={"preconditions": {"uid": uid}}, _preload_content=False).data
        held = self.core.read_namespaced_config_map("held", self.ns).metadata
        self.assertEqual((held.deletion_grace_period_seconds, bool(held.deletion_timestamp)), (0, True))
        patch = lambda *names: self.core.patch_namespaced_config_map(
            "held", self.ns, {"metadata": {"finalizers": list(names)}}, _content_type=MERGE)
        self.refused(422, "Invalid", patch, "example.com/hold", "example.com/more")
        patch()
        self.assertFalse(self.exists("held"))
