"""[sig-node]: pods, their containers, probes, hooks and statuses."""
import ssl
import threading
import time
from urllib.parse import urlencode

import websocket
from kubernetes import watch

import conformance
from conformance import IDLE, MERGE, STRATEGIC, Case, condition, container, pod, tearDownModule, unique  # noqa: F401

TRUE, FALSE = {"image": "busybox", "command": ["/bin/true"]}, {"image": "busybox", "command": ["/bin/false"]}

# Answers every request with what it was; /tmp/log tells of them. `/cgi-bin/log` reads it back.
RECORDER = r"""mkdir -p /tmp/www/cgi-bin; touch /tmp/log; cd /tmp/www
printf '#!/bin/sh\necho "$REQUEST_METHOD $QUERY_STRING" >> /tmp/log\nprintf "Content-Type: text/plain\\r\\n\\r\\n"\n' > cgi-bin/echo
printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n"\ncat /tmp/log\n' > cgi-bin/log
chmod +x cgi-bin/*; exec httpd -f -p 8080 -h /tmp/www"""

# The frames with which an HTTP/2 server says that the health service of gRPC serves (stream 1).
GRPC = r"""printf '#!/bin/sh\nprintf "%s"; sleep 0.2; printf "%s"; timeout 2 cat > /dev/null\n' '""" + \
    r"\\000\\000\\000\\004\\000\\000\\000\\000\\000" + r"""' '""" + \
    r"\\000\\000\\000\\004\\001\\000\\000\\000\\000" + \
    r"\\000\\000\\024\\001\\004\\000\\000\\000\\001\\210\\017\\020\\020application/grpc" + \
    r"\\000\\000\\007\\000\\000\\000\\000\\000\\001\\000\\000\\000\\000\\002\\010\\001" + \
    r"\\000\\000\\017\\001\\005\\000\\000\\000\\001\\000\\013grpc-status\\0010" + \
    r"""' > /tmp/serve; chmod +x /tmp/serve; exec nc -ll -p 5000 -e /tmp/serve"""


def setUpModule():
    conformance.setUpModule()
    WithBackOff.start()


def status(obj, name="c", kind="containerStatuses"):
    """The status of one of a pod's containers, or an empty dict."""
    return next((s for s in obj["status"].get(kind) or [] if s["name"] == name), {})


class PodCase(Case):
    def completed(self, name, seconds=20):
        """The pod once it has ended, well or badly."""
        def look():
            found = self.get("Pod", name)
            return found if found["status"].get("phase") in ("Succeeded", "Failed") else None
        return self.until("pod %s has ended" % name, look, seconds)

    def path(self, name, suffix=""):
        return "/api/v1/namespaces/%s/pods/%s%s" % (self.ns, name, suffix)

    def sent(self, method, path, body=None, content_type="application/json"):
        """The object a request as it stands is answered with; it must succeed."""
        code, _, text = self.raw(method, path, body, content_type)
        self.assertIn(code, (200, 201), text)
        return conformance.json.loads(text)

    def restarted(self, name, times=1, seconds=15, container="c"):
        return self.until("%s restarted %d times" % (name, times), lambda: (
            lambda found: found if status(found, container).get("restartCount", 0) >= times else None)(self.get("Pod", name)), seconds)

    def websocket(self, path, protocol):
        """All messages of a websocket's connection, and the subprotocol the server chose."""
        of = self.api.configuration
        connection = websocket.create_connection(
            of.host.replace("http", "ws", 1) + path, subprotocols=[protocol], timeout=20, header=["%s: %s" % h for h in self.api.default_headers.items()],
            sslopt={"ca_certs": of.ssl_ca_cert, "certfile": of.cert_file, "keyfile": of.key_file, "cert_reqs": ssl.CERT_REQUIRED})
        chosen, messages = connection.getsubprotocol(), []
        while True:
            opcode, data = connection.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                connection.close()
                return messages, chosen
            messages.append(data)


class Pods(PodCase):
    def test_a_pod_gets_a_host_ip(self):
        """[sig-node] Pods should get a host IP [NodeConformance]"""
        self.create(pod("ip"))
        found = self.ready("ip")
        node = self.get("Node", found["spec"]["nodeName"])
        self.assertIn(found["status"]["hostIP"], [a["address"] for a in node["status"]["addresses"]])
        self.assertEqual(found["status"]["hostIPs"][0], {"ip": found["status"]["hostIP"]})

    def test_a_pod_is_submitted_and_removed(self):
        """[sig-node] Pods should be submitted and removed [NodeConformance]"""
        self.assertEqual(self.list("Pod", label_selector="time=submitted"), [])
        with self.watching("Pod", label_selector="time=submitted") as events:
            self.create(pod("submitted", labels={"name": "foo", "time": "submitted"}, terminationGracePeriodSeconds=30))
            self.assertEqual(len(self.list("Pod", label_selector="time=submitted")), 1)
            self.until("its creation is observed", lambda: events[0][0] == "ADDED")
            self.pod_is("submitted", "Running")
            self.delete("Pod", "submitted", gracePeriodSeconds=30)
            self.until("its deletion is observed", lambda: events[-1][0] == "DELETED", 30)
        last = events[-1][1]
        self.assertTrue(last["metadata"].get("deletionTimestamp"))
        self.assertNotEqual(last["spec"]["terminationGracePeriodSeconds"], 0)
        self.assertEqual(self.list("Pod", label_selector="time=submitted"), [])

    def test_a_pod_is_updated(self):
        """[sig-node] Pods should be updated [NodeConformance]"""
        self.create(pod("updated", labels={"name": "foo", "time": "old"}))
        self.ready("updated")
        self.assertEqual(len(self.list("Pod", label_selector="time=old")), 1)
        self.update("Pod", "updated", lambda o: o["metadata"]["labels"].update(time="new"))
        self.pod_is("updated", "Running")
        self.assertEqual([p["metadata"]["name"] for p in self.list("Pod", label_selector="time=new")], ["updated"])
        self.assertEqual(self.list("Pod", label_selector="time=old"), [])

    def test_the_active_deadline_can_be_updated(self):
        """[sig-node] Pods should allow activeDeadlineSeconds to be updated [NodeConformance]"""
        self.create(pod("deadline", labels={"time": "deadline"}))
        self.ready("deadline")
        self.assertEqual(len(self.list("Pod", label_selector="time=deadline")), 1)
        self.update("Pod", "deadline", lambda o: o["spec"].update(activeDeadlineSeconds=2))
        failed = self.pod_is("deadline", "Failed", 10)
        self.assertEqual(failed["status"].get("reason"), "DeadlineExceeded")
        self.until("its container is stopped", lambda: status(self.get("Pod", "deadline"))["state"]["terminated"])

    def test_pods_have_environment_variables_for_services(self):
        """[sig-node] Pods should contain environment variables for services [NodeConformance]"""
        self.create(pod("server-envvars", labels={"name": "server-envvars"}))
        self.ready("server-envvars")
        address = self.create({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "fooservice", "labels": {"name": "fooservice"}}, "spec": {
            "selector": {"name": "server-envvars"}, "ports": [{"port": 8765, "targetPort": 8080}]}})["spec"]["clusterIP"]
        lines = self.output(pod("client-envvars", container("env3cont", "env"), restartPolicy="Never")).splitlines()
        for line in ("FOOSERVICE_SERVICE_HOST=" + address, "FOOSERVICE_SERVICE_PORT=8765", "FOOSERVICE_PORT=tcp://%s:8765" % address,
                     "FOOSERVICE_PORT_8765_TCP_PORT=8765", "FOOSERVICE_PORT_8765_TCP_PROTO=tcp", "FOOSERVICE_PORT_8765_TCP_ADDR=" + address,
                     "FOOSERVICE_PORT_8765_TCP=tcp://%s:8765" % address):
            self.assertIn(line, lines)

    def test_a_command_runs_over_websockets(self):
        """[sig-node] Pods should support remote command execution over websockets [NodeConformance]"""
        self.create(pod("exec-websocket", container("main", "echo container is alive; " + IDLE)))
        self.ready("exec-websocket")
        query = urlencode([("stderr", 1), ("stdout", 1), ("container", "main"), ("command", "echo"), ("command", "remote execution test")])
        messages, chosen = self.websocket(self.path("exec-websocket", "/exec?" + query), "channel.k8s.io")
        self.assertEqual(chosen, "channel.k8s.io")
        self.assertEqual([m for m in messages if len(m) > 1 and m[0] != 1], [])
        self.assertIn(b"remote execution test", b"".join(m[1:] for m in messages))

    def test_logs_come_over_websockets(self):
        """[sig-node] Pods should support retrieving logs from the container over websockets [NodeConformance]"""
        self.create(pod("logs-websocket", container("main", "echo container is alive; " + IDLE)))
        self.ready("logs-websocket")
        self.until("the log has the line", lambda: self.logs("logs-websocket"))
        messages, chosen = self.websocket(self.path("logs-websocket", "/log?container=main"), "binary.k8s.io")
        self.assertEqual(chosen, "binary.k8s.io")
        self.assertEqual(b"".join(m for m in messages if m.strip()), b"container is alive\n")

    def test_a_collection_of_pods_is_deleted(self):
        """[sig-node] Pods should delete a collection of pods"""
        for name in ("test-pod-1", "test-pod-2", "test-pod-3"):
            self.create(pod(name, container("token-test"), labels={"type": "Testing"}, restartPolicy="Never"))
        self.until("all three are ready", lambda: [condition(p, "Ready").get("status") for p in self.list("Pod", label_selector="type=Testing")] ==
                   ["True"] * 3)
        self.core.delete_collection_namespaced_pod(self.ns, label_selector="type=Testing", body={"gracePeriodSeconds": 1})
        self.until("all three are gone", lambda: self.list("Pod", label_selector="type=Testing") == [])

    def test_a_pod_and_its_status_live_and_die(self):
        """[sig-node] Pods should run through the lifecycle of Pods and PodStatus"""
        with self.watching("Pod", label_selector="test-pod-static=true") as events:
            self.create(pod("pod-test", container("pod-test"), labels={"test-pod-static": "true"}))
            self.until("a watch sees it run", lambda: events[-1][1]["status"]["phase"] == "Running")
            self.patch("Pod", "pod-test", {"metadata": {"labels": {"test-pod": "patched"}}, "spec": {
                "terminationGracePeriodSeconds": 1, "containers": [{"name": "pod-test", "image": "httpd"}]}})
            self.until("a watch sees the change", lambda: events[-1][0] == "MODIFIED" and events[-1][1]["metadata"]["labels"].get("test-pod"))
            patched = self.get("Pod", "pod-test")
            self.assertEqual(patched["metadata"]["labels"]["test-pod"], "patched")
            self.assertEqual(patched["spec"]["containers"][0]["image"], "httpd")

            def unready():
                found = self.sent("GET", self.path("pod-test", "/status"))
                kinds = [c for c in found["status"]["conditions"] if c["type"] in ("Ready", "ContainersReady") and c["status"] == "True"]
                if len(kinds) < 2:
                    return None
                for one in kinds:
                    one["status"] = "False"
                code, _, text = self.raw("PUT", self.path("pod-test", "/status"), found)
                self.assertIn(code, (200, 409), text)
                return conformance.json.loads(text) if code == 200 else None
            updated = self.until("the conditions are replaced", unready)
            self.assertEqual([condition(updated, c)["status"] for c in ("Ready", "ContainersReady")], ["False", "False"])
            self.core.delete_collection_namespaced_pod(self.ns, label_selector="test-pod-static=true", body={"gracePeriodSeconds": 1})
            self.until("a watch sees its end", lambda: events[-1][0] == "DELETED")
        self.assertTrue(self.gone("Pod", "pod-test"))

    def test_the_status_of_a_pod_is_patched(self):
        """[sig-node] Pods should patch a pod status"""
        self.create(pod("pod-status", labels={"e2e": "pod-status"}))
        self.pod_is("pod-status", "Running")
        patched = self.sent("PATCH", self.path("pod-status", "/status"), {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {
            "message": "Patched by e2e test", "reason": "E2E"}}, MERGE)
        self.assertEqual((patched["status"]["message"], patched["status"]["reason"]), ("Patched by e2e test", "E2E"))

    def test_readiness_gates_hold_a_pod_back(self):
        """[sig-node] Pods should support pod readiness gates [NodeConformance] (not Conformance)"""
        gates = ["k8s.io/test-condition1", "k8s.io/test-condition2"]
        self.create(pod("gated", readinessGates=[{"conditionType": g} for g in gates]))
        self.pod_is("gated", "Running")

        def put(gate, value):
            self.sent("PATCH", self.path("gated", "/status"), {"status": {"conditions": [{"type": gate, "status": value}]}}, STRATEGIC)

        def is_ready():
            return condition(self.get("Pod", "gated"), "Ready").get("status") == "True"
        self.assertFalse(is_ready())
        put(gates[0], "True")
        self.never("ready with one gate open", is_ready, 0.5)
        put(gates[1], "True")
        self.until("ready with both gates open", is_ready)
        put(gates[0], "False")
        self.until("not ready with one gate shut", lambda: not is_ready())


class PodsExtended(PodCase):
    def observed(self, name, generation, seconds=20):
        def look():
            found = self.get("Pod", name)
            return found if found["status"].get("observedGeneration") == generation else None
        return self.until("generation %d of %s is observed" % (generation, name), look, seconds)

    def test_the_qos_class_is_set(self):
        """[sig-node] Pods Extended Pods Set QOS Class should be set on Pods with matching resource requests and limits for memory and cpu"""
        amounts = {"cpu": "100m", "memory": "100Mi"}
        self.create(pod("qos", container(resources={"limits": amounts, "requests": amounts})))
        self.assertEqual(self.get("Pod", "qos")["status"]["qosClass"], "Guaranteed")

    def test_the_generation_starts_at_one_and_grows_with_each_update(self):
        """[sig-node] Pods Extended (pod generation) Pod Generation pod generation should start at 1 and increment per update"""
        self.create(pod("generation", initContainers=[container("init-container", "exit 0")]))
        self.assertEqual(self.ready("generation")["metadata"]["generation"], 1)
        self.observed("generation", 1)

        def tolerate(o):
            o["spec"]["tolerations"] = (o["spec"].get("tolerations") or []) + [
                {"key": "foo", "operator": "Equal", "value": "bar", "effect": "NoSchedule"}]
        expected = 1
        for what, change, grows in (
                ("nothing", lambda o: None, False), ("tolerations", tolerate, True),
                ("activeDeadlineSeconds", lambda o: o["spec"].update(activeDeadlineSeconds=5000), True),
                ("image", lambda o: o["spec"]["containers"][0].update(image="httpd"), True),
                ("init image", lambda o: o["spec"]["initContainers"][0].update(image="httpd"), True),
                ("annotations", lambda o: o["metadata"].update(annotations={"key": "value"}), False),
                ("generation", lambda o: o["metadata"].update(generation=1), False)):
            with self.subTest(what):
                self.update("Pod", "generation", change)
                expected += grows
                self.assertEqual(self.get("Pod", "generation")["metadata"]["generation"], expected)
                self.observed("generation", expected)

    def test_a_generation_of_ones_own_is_overwritten_and_a_graceful_delete_raises_it(self):
        """[sig-node] Pods Extended (pod generation) Pod Generation custom-set generation on new pods and graceful delete"""
        slow = pod("custom", container(script='trap "sleep 1; exit 0" TERM; sleep 1000 & wait'))
        slow["metadata"]["generation"] = 100
        self.create(slow)
        self.assertEqual(self.ready("custom")["metadata"]["generation"], 1)
        code, _, text = self.raw("DELETE", self.path("custom", "?gracePeriodSeconds=60"))
        self.assertEqual(code, 200, text)
        self.assertEqual(self.get("Pod", "custom")["metadata"]["generation"], 2)

    def test_five_hundred_updates_are_observed(self):
        """[sig-node] Pods Extended (pod generation) Pod Generation issue 500 podspec updates and verify generation and observedGeneration ..."""
        self.create(pod("many", activeDeadlineSeconds=5000))
        self.ready("many")
        for _ in range(499):
            self.update("Pod", "many", lambda o: o["spec"].update(activeDeadlineSeconds=o["spec"]["activeDeadlineSeconds"] - 1))
        self.assertEqual(self.observed("many", 500)["metadata"]["generation"], 500)

    def test_conditions_have_the_observed_generation(self):
        """[sig-node] Pods Extended (pod generation) Pod Generation pod observedGeneration field set in pod conditions (not Conformance)"""
        def carry(generation):
            found = self.get("Pod", "conditions")
            return all(condition(found, c).get("observedGeneration") == generation for c in ("Initialized", "Ready", "ContainersReady", "PodScheduled"))
        self.create(pod("conditions", container(image="localhost/some-image-that-doesnt-exist")))
        self.until("all conditions are of generation 1", lambda: carry(1))
        self.until("the pull fails", lambda: status(self.get("Pod", "conditions"))["state"]["waiting"]["reason"] in ("ErrImagePull", "ImagePullBackOff"))
        self.update("Pod", "conditions", lambda o: o["spec"]["containers"][0].update(image="busybox"))
        self.until("all conditions are of generation 2", lambda: carry(2))


class Probing(PodCase):
    """All pods are made at once; the tests then look at what became of each."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        serve = "mkdir -p /tmp/www; echo ok > /tmp/www/healthz; httpd -p 8080 -h /tmp/www; "
        sick = "sleep 2; rm /tmp/www/healthz; " + IDLE
        health = {"httpGet": {"path": "/healthz", "port": 8080}}
        read = {"exec": {"command": ["cat", "/tmp/health"]}}
        fails = {"exec": {"command": ["/bin/false"]}}

        def probe(how, delay=0, **more):
            return dict({"initialDelaySeconds": delay, "periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 1}, **how, **more)
        cls.pods = {
            "delayed": container(script=serve + IDLE, readinessProbe=probe(health, 3)),
            "unready": container(readinessProbe=probe(fails, 1)),
            "exec-sick": container(script="echo ok > /tmp/health; sleep 2; rm /tmp/health; " + IDLE, livenessProbe=probe(read, 1)),
            "exec-well": container(script="echo ok > /tmp/health; " + IDLE, livenessProbe=probe(read, 1)),
            "http-sick": container(script=serve + sick, livenessProbe=probe(health, 1)),
            "http-well": container(script=serve + IDLE, livenessProbe=probe(health, 1)),
            "tcp-well": container(script=serve + sick, livenessProbe=probe({"tcpSocket": {"port": 8080}}, 1)),
            "grpc-well": container(script=GRPC, livenessProbe=probe({"grpc": {"port": 5000}}, 1), readinessProbe=probe({"grpc": {"port": 5000}})),
            "grpc-sick": container(script=GRPC, livenessProbe=probe({"grpc": {"port": 2333}}, 1)),
            "exec-slow": container(livenessProbe=probe({"exec": {"command": ["sleep", "10"]}}, 1)),
            "startup-first": container(livenessProbe=probe(fails), startupProbe=probe(fails, failureThreshold=60)),
            "startup-sick": container(startupProbe=probe(fails, failureThreshold=3)),
            "startup-well": container(script="sleep 2; echo ok > /tmp/startup; " + IDLE, livenessProbe=probe(fails, failureThreshold=1),
                                      startupProbe=probe({"exec": {"command": ["cat", "/tmp/startup"]}}, failureThreshold=60)),
            "startup-ready": container(script="sleep 2; echo ok > /tmp/startup; " + IDLE, readinessProbe=probe({"exec": {"command": ["/bin/true"]}}),
                                       startupProbe=probe({"exec": {"command": ["cat", "/tmp/startup"]}}, failureThreshold=60)),
            "grace-liveness": container(script='trap "" TERM; while true; do sleep 1; done', livenessProbe=probe(
                fails, 1, terminationGracePeriodSeconds=1)),
            "grace-startup": container(script='trap "" TERM; while true; do sleep 1; done', startupProbe=probe(
                fails, 1, terminationGracePeriodSeconds=1)),
        }
        for name, it in cls.pods.items():
            grace = {"terminationGracePeriodSeconds": 500} if name.startswith("grace") else {}
            cls.core.create_namespaced_pod(cls.ns, pod(name, it, **grace))
        cls.began = time.monotonic()

    def stays(self, name, seconds=6):
        """The pod, which has not restarted `seconds` after its creation."""
        self.pod_is(name, "Running")
        time.sleep(max(0, self.began + seconds - time.monotonic()))
        found = self.get("Pod", name)
        self.assertEqual(found["status"]["phase"], "Running")
        self.assertEqual(status(found)["restartCount"], 0, status(found))
        return found

    def test_a_pod_is_not_ready_before_the_initial_delay(self):
        """[sig-node] Probing container with readiness probe should not be ready before initial delay and never restart [NodeConformance]"""
        found = self.ready("delayed")
        at = [conformance.time.mktime(time.strptime(t, "%Y-%m-%dT%H:%M:%SZ")) for t in (
            status(found)["state"]["running"]["startedAt"], condition(found, "Ready")["lastTransitionTime"])]
        self.assertGreaterEqual(at[1] - at[0], 3)
        self.assertEqual(status(found)["restartCount"], 0)

    def test_a_pod_whose_readiness_fails_is_never_ready(self):
        """[sig-node] Probing container with readiness probe that fails should never be ready and never restart [NodeConformance]"""
        self.never("ready", lambda: condition(self.get("Pod", "unready"), "Ready").get("status") == "True", 2)
        self.assertEqual(condition(self.stays("unready"), "Ready")["status"], "False")

    def test_an_exec_probe_restarts(self):
        """[sig-node] Probing container should be restarted with a exec "cat /tmp/health" liveness probe [NodeConformance]"""
        self.restarted("exec-sick")

    def test_an_exec_probe_lets_live(self):
        """[sig-node] Probing container should *not* be restarted with a exec "cat /tmp/health" liveness probe [NodeConformance]"""
        self.stays("exec-well")

    def test_an_http_probe_restarts(self):
        """[sig-node] Probing container should be restarted with a /healthz http liveness probe [NodeConformance]"""
        self.restarted("http-sick")
        self.assertTrue(self.until("events tell of it", lambda: self.events("http-sick", "Unhealthy") and self.events("http-sick", "Killing")))

    def test_an_http_probe_lets_live(self):
        """[sig-node] Probing container should *not* be restarted with a /healthz http liveness probe [NodeConformance]"""
        self.stays("http-well")

    def test_a_tcp_probe_lets_live(self):
        """[sig-node] Probing container should *not* be restarted with a tcp:8080 liveness probe [NodeConformance]"""
        self.stays("tcp-well")

    def test_a_grpc_probe_lets_live(self):
        """[sig-node] Probing container should *not* be restarted with a GRPC liveness probe [NodeConformance]"""
        self.ready("grpc-well")
        self.stays("grpc-well")

    def test_a_grpc_probe_restarts(self):
        """[sig-node] Probing container should be restarted with a GRPC liveness probe [NodeConformance]"""
        self.restarted("grpc-sick")

    def test_an_exec_probe_that_takes_too_long_restarts(self):
        """[sig-node] Probing container should be restarted with an exec liveness probe with timeout [NodeConformance] (not Conformance)"""
        self.restarted("exec-slow")

    def test_a_startup_probe_holds_liveness_back(self):
        """[sig-node] Probing container should *not* be restarted by liveness probe because startup probe delays it (not Conformance)"""
        self.assertFalse(status(self.stays("startup-first")).get("started"))

    def test_a_startup_probe_that_fails_restarts(self):
        """[sig-node] Probing container should be restarted startup probe fails (not Conformance)"""
        self.restarted("startup-sick")

    def test_liveness_counts_once_the_startup_probe_succeeded(self):
        """[sig-node] Probing container should be restarted by liveness probe after startup probe enables it (not Conformance)"""
        self.restarted("startup-well")

    def test_a_pod_is_ready_at_once_when_its_startup_probe_succeeds(self):
        """[sig-node] Probing container should be ready immediately after startupProbe succeeds (not Conformance)"""
        found = self.ready("startup-ready")
        self.assertTrue(status(found)["started"])
        self.assertEqual(status(found)["restartCount"], 0)

    def test_a_liveness_probe_has_a_grace_period_of_its_own(self):
        """[sig-node] Probing container should override timeoutGracePeriodSeconds when LivenessProbe field is set (not Conformance)"""
        self.restarted("grace-liveness")
        self.delete("Pod", "grace-liveness", gracePeriodSeconds=0)

    def test_a_startup_probe_has_a_grace_period_of_its_own(self):
        """[sig-node] Probing container should override timeoutGracePeriodSeconds when StartupProbe field is set (not Conformance)"""
        self.restarted("grace-startup")
        self.delete("Pod", "grace-startup", gracePeriodSeconds=0)

    def test_a_pod_that_ends_is_unready_when_its_probe_says_so(self):
        """[sig-node] Probing container should mark readiness on pods to false while pod is in progress of terminating when a pod has a readiness probe
        (not Conformance)"""
        self.create(pod("ending", container(
            script="touch /tmp/ready; trap 'rm /tmp/ready; sleep 4; exit 0' TERM; sleep 1000 & wait",
            readinessProbe={"exec": {"command": ["cat", "/tmp/ready"]}, "periodSeconds": 1, "failureThreshold": 1}), terminationGracePeriodSeconds=10))
        self.ready("ending")
        self.delete("Pod", "ending")
        self.until("it is not ready", lambda: condition(self.get("Pod", "ending"), "Ready")["status"] == "False", 5)
        self.assertTrue(self.get("Pod", "ending")["metadata"]["deletionTimestamp"])


class InitContainer(PodCase):
    def initialized(self, found, count=2):
        self.assertEqual(condition(found, "Initialized").get("status"), "True")
        states = found["status"]["initContainerStatuses"]
        self.assertEqual(len(states), count)
        for one in states:
            self.assertTrue(one["ready"], one)
            self.assertEqual(one["state"]["terminated"]["exitCode"], 0)

    def in_order(self, events, name):
        """No container starts before all init containers succeeded, and these one after the other."""
        for _, seen in events:
            if seen["metadata"]["name"] != name:
                continue
            inits, apps = (seen["status"].get(k) or [] for k in ("initContainerStatuses", "containerStatuses"))
            done = [s["state"].get("terminated", {}).get("exitCode") == 0 for s in inits]
            for index, one in enumerate(inits):
                if not all(done[:index]):
                    self.assertEqual(one["state"].get("waiting", {}).get("reason"), "PodInitializing", one)
            if not inits or not all(done):
                for one in apps:
                    self.assertIn("waiting", one["state"], one)
                    self.assertEqual(one["restartCount"], 0)

    def test_init_containers_run_before_a_pod_that_ends(self):
        """[sig-node] InitContainer [NodeConformance] should invoke init containers on a RestartNever pod"""
        with self.watching("Pod") as events:
            self.create(pod("never", {"name": "run1", **TRUE}, initContainers=[{"name": "init1", **TRUE}, {"name": "init2", **TRUE}],
                            restartPolicy="Never"))
            found = self.completed("never")
            self.until("the watch saw it", lambda: events[-1][1]["status"]["phase"] == "Succeeded")
        self.in_order(events, "never")
        self.assertEqual(found["status"]["phase"], "Succeeded")
        self.initialized(found)

    def test_init_containers_run_before_a_pod_that_stays(self):
        """[sig-node] InitContainer [NodeConformance] should invoke init containers on a RestartAlways pod"""
        with self.watching("Pod") as events:
            self.create(pod("always", container("run1", resources={"limits": {"cpu": "100m"}}),
                            initContainers=[{"name": "init1", **TRUE}, {"name": "init2", **TRUE}]))
            found = self.pod_is("always", "Running")
            self.until("the watch saw it", lambda: events[-1][1]["status"]["phase"] == "Running")
        self.in_order(events, "always")
        self.initialized(found)

    def test_a_failing_init_container_fails_the_pod(self):
        """[sig-node] InitContainer [NodeConformance] should not start app containers and fail the pod if init containers fail on a RestartNever pod"""
        with self.watching("Pod") as events:
            self.create(pod("failing", {"name": "run1", **TRUE}, initContainers=[{"name": "init1", **TRUE}, {"name": "init2", **FALSE}],
                            restartPolicy="Never"))
            found = self.completed("failing")
            self.until("the watch saw it", lambda: events[-1][1]["status"]["phase"] == "Failed")
        self.in_order(events, "failing")
        self.assertEqual(found["status"]["phase"], "Failed")
        told = condition(found, "Initialized")
        self.assertEqual((told["status"], told["reason"], told["message"]),
                         ("False", "ContainersNotInitialized", "containers with incomplete status: [init2]"))
        self.assertEqual([s["state"]["terminated"]["exitCode"] for s in found["status"]["initContainerStatuses"]], [0, 1])
        self.assertIn("waiting", found["status"]["containerStatuses"][0]["state"])


class Sidecars(PodCase):
    """Init containers with restartPolicy Always; upstream's tests of them are [NodeConformance] or feature tests, not Conformance."""

    def sidecar(self, name="sidecar", script=IDLE, **more):
        return container(name, script, restartPolicy="Always", **more)

    def test_a_sidecar_is_started_before_what_follows_and_stays(self):
        """[sig-node] Containers Lifecycle should start sidecars in order, and the next only once the startup probe succeeded"""
        note = [{"name": "v", "mountPath": "/v"}]
        self.create(pod("order", container("app", "echo app >> /v/order; " + IDLE, volumeMounts=note), volumes=[{"name": "v", "emptyDir": {}}], initContainers=[
            container("first", "echo first >> /v/order", volumeMounts=note),
            self.sidecar(script="sleep 1; echo sidecar >> /v/order; " + IDLE, volumeMounts=note,
                         startupProbe={"exec": {"command": ["grep", "sidecar", "/v/order"]}, "periodSeconds": 1}),
            container("last", "echo last >> /v/order", volumeMounts=note)]))
        found = self.ready("order")
        self.assertEqual(self.shell("order", "cat /v/order", container="app").split(), ["first", "sidecar", "last", "app"])
        self.assertEqual(condition(found, "Initialized")["status"], "True")
        state = status(found, "sidecar", "initContainerStatuses")
        self.assertIn("running", state["state"])
        self.assertTrue(state["started"] and state["ready"])

    def test_a_sidecar_does_not_keep_a_pod_from_completing(self):
        """[sig-node] Containers Lifecycle should terminate sidecars once the regular containers have ended"""
        self.create(pod("job", container("app", "echo done"), restartPolicy="Never", initContainers=[self.sidecar()]))
        found = self.completed("job")
        self.assertEqual(found["status"]["phase"], "Succeeded")
        self.until("the sidecar has ended", lambda: status(self.get("Pod", "job"), "sidecar", "initContainerStatuses")["state"]["terminated"])
        self.assertEqual(self.get("Pod", "job")["status"]["phase"], "Succeeded")

    def test_a_sidecar_that_ends_is_started_again(self):
        """[sig-node] Containers Lifecycle should restart a sidecar that exits, whatever the pod's restartPolicy"""
        self.create(pod("again", container("app"), restartPolicy="Never", initContainers=[self.sidecar(script="sleep 0.5; exit 1")]))
        self.until("it restarts", lambda: status(self.get("Pod", "again"), "sidecar", "initContainerStatuses")["restartCount"] >= 1)
        found = self.get("Pod", "again")
        self.assertEqual(found["status"]["phase"], "Running")
        self.assertEqual(status(found, "app")["restartCount"], 0)
        self.assertEqual(condition(found, "Initialized")["status"], "True")

    def test_the_readiness_of_a_sidecar_counts(self):
        """[sig-node] Containers Lifecycle: a sidecar's readiness probe is part of the pod's readiness"""
        self.create(pod("part", container("app"), initContainers=[
            self.sidecar(readinessProbe={"exec": {"command": ["cat", "/tmp/ready"]}, "periodSeconds": 1, "failureThreshold": 1})]))
        self.pod_is("part", "Running")
        self.never("ready", lambda: condition(self.get("Pod", "part"), "Ready")["status"] == "True", 1.5)
        self.assertEqual(condition(self.get("Pod", "part"), "ContainersReady")["status"], "False")
        self.shell("part", "touch /tmp/ready", container="sidecar")
        self.ready("part")

    def test_sidecars_are_stopped_after_the_containers_in_reverse_order(self):
        """[sig-node] Containers Lifecycle should terminate sidecars in reverse order after terminating all main containers"""
        note = [{"name": "v", "mountPath": "/v"}]
        script = "trap 'sleep 0.3; echo %s >> /v/order; exit 0' TERM; sleep 1000 & wait"
        self.create(pod("reader", container(volumeMounts=note), volumes=[{"name": "v", "hostPath": {"path": "/var/tmp/minik-" + self.ns, "type": "DirectoryOrCreate"}}]))
        node = self.ready("reader")["spec"]["nodeName"]
        self.create(pod("reverse", container("app", script % "app", volumeMounts=note), nodeName=node, terminationGracePeriodSeconds=10,
                        volumes=[{"name": "v", "hostPath": {"path": "/var/tmp/minik-" + self.ns, "type": "DirectoryOrCreate"}}],
                        initContainers=[self.sidecar(n, script % n, volumeMounts=note) for n in ("one", "two")]))
        self.ready("reverse")
        self.delete("Pod", "reverse")
        self.until("it is gone", lambda: self.gone("Pod", "reverse"))
        self.assertEqual(self.shell("reader", "cat /v/order; rm /v/order").split(), ["app", "two", "one"])

    def test_a_sidecar_has_hooks(self):
        """[sig-node] Restartable Init Container Lifecycle Hook when create a pod with lifecycle hook should execute poststart exec hook properly"""
        self.create(pod("hooked", container("app"), initContainers=[
            self.sidecar(lifecycle={"postStart": {"exec": {"command": ["sh", "-c", "echo yes > /tmp/hook"]}}})]))
        self.ready("hooked")
        self.assertEqual(self.shell("hooked", "cat /tmp/hook", container="sidecar"), "yes\n")


class Containers(PodCase):
    def test_an_image_has_defaults(self):
        """[sig-node] Containers should use the image defaults if command and args are blank [NodeConformance]"""
        self.create(pod("defaults", {"name": "c", "image": "httpd", "readinessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1}}))
        self.create(pod("shell", {"name": "c", "image": "busybox"}, restartPolicy="Never"))
        self.assertEqual(self.completed("shell")["status"]["phase"], "Succeeded")
        self.assertIn("httpd", self.shell(self.ready("defaults")["metadata"]["name"], "tr '\\0' ' ' < /proc/1/cmdline"))

    def test_arguments_replace_those_of_the_image(self):
        """[sig-node] Containers should be able to override the image's default arguments (container cmd) [NodeConformance]"""
        self.assertEqual(self.output(pod("args", {"name": "c", "image": "busybox", "args": ["echo", "override", "arguments"]}, restartPolicy="Never")),
                         "override arguments\n")

    def test_a_command_replaces_that_of_the_image(self):
        """[sig-node] Containers should be able to override the image's default command (container entrypoint) [NodeConformance]"""
        self.assertEqual(self.output(pod("command", {"name": "c", "image": "httpd", "command": ["echo", "override"]}, restartPolicy="Never")), "override\n")

    def test_command_and_arguments_replace_both(self):
        """[sig-node] Containers should be able to override the image's default command and arguments [NodeConformance]"""
        both = {"name": "c", "image": "httpd", "command": ["echo", "override"], "args": ["override", "arguments"]}
        self.assertEqual(self.output(pod("both", both, restartPolicy="Never")), "override override arguments\n")


class LifecycleHook(PodCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.core.create_namespaced_pod(cls.ns, pod("handler", container(script=RECORDER, ports=[{"containerPort": 8080}], readinessProbe={
            "tcpSocket": {"port": 8080}, "periodSeconds": 1})))

    def hooked(self, name, hook, how, grace=15):
        """A pod with a hook that calls the handler, deleted; the handler must have been called before (postStart) or by then (preStop)."""
        server = self.ready("handler")
        address = server["status"]["podIP"]
        action = {"exec": {"command": ["sh", "-c", "timeout 5 wget -qO- 'http://%s:8080/cgi-bin/echo?%s'" % (address, name)]}} if how == "exec" else \
            {"httpGet": {"path": "/cgi-bin/echo?" + name, "host": address, "port": 8080}}

        def called():
            return self.shell("handler", "cat /tmp/log").splitlines().count("GET " + name)
        self.create(pod(name, container(lifecycle={hook: action}), nodeName=server["spec"]["nodeName"], terminationGracePeriodSeconds=grace))
        self.ready(name)
        if hook == "postStart":
            self.until("the handler is called", called)
        else:
            self.assertEqual(called(), 0)
        self.delete("Pod", name)
        self.until("it is gone", lambda: self.gone("Pod", name))
        self.assertEqual(called(), 1)

    def test_post_start_runs_a_command(self):
        """[sig-node] Container Lifecycle Hook when create a pod with lifecycle hook should execute poststart exec hook properly [NodeConformance]"""
        self.hooked("poststart-exec", "postStart", "exec")

    def test_post_start_asks_over_http(self):
        """[sig-node] Container Lifecycle Hook when create a pod with lifecycle hook should execute poststart http hook properly [NodeConformance]"""
        self.hooked("poststart-http", "postStart", "http")

    def test_pre_stop_runs_a_command(self):
        """[sig-node] Container Lifecycle Hook when create a pod with lifecycle hook should execute prestop exec hook properly [NodeConformance]"""
        self.hooked("prestop-exec", "preStop", "exec")

    def test_pre_stop_asks_over_http(self):
        """[sig-node] Container Lifecycle Hook when create a pod with lifecycle hook should execute prestop http hook properly [NodeConformance]"""
        self.hooked("prestop-http", "preStop", "http")

    def test_pre_stop_sleeps(self):
        """[sig-node] Lifecycle Sleep Hook when create a pod with lifecycle hook using sleep action valid prestop hook using sleep action (not Conformance)"""
        self.create(pod("sleeper", container(lifecycle={"preStop": {"sleep": {"seconds": 2}}}), terminationGracePeriodSeconds=10))
        self.ready("sleeper")
        began = time.monotonic()
        self.delete("Pod", "sleeper")
        self.until("it is gone", lambda: self.gone("Pod", "sleeper"))
        self.assertTrue(1.5 < time.monotonic() - began < 5, time.monotonic() - began)

    def test_pre_stop_sleep_ends_with_the_grace_period(self):
        """[sig-node] Lifecycle Sleep Hook ... reduce GracePeriodSeconds during runtime (not Conformance)"""
        self.create(pod("hurried", container(lifecycle={"preStop": {"sleep": {"seconds": 15}}}), terminationGracePeriodSeconds=30))
        self.ready("hurried")
        began = time.monotonic()
        self.delete("Pod", "hurried", gracePeriodSeconds=1)
        self.until("it is gone", lambda: self.gone("Pod", "hurried"))
        self.assertLess(time.monotonic() - began, 6)

    def test_pre_stop_is_called_when_a_pod_is_killed(self):
        """[sig-node] PreStop should call prestop when killing a pod"""
        address = self.ready("handler")["status"]["podIP"]
        self.create(pod("tester", container(lifecycle={"preStop": {"exec": {"command": [
            "wget", "-qO-", "--post-data={\"Source\": \"prestop\"}", "http://%s:8080/cgi-bin/echo?prestop" % address]}}}), terminationGracePeriodSeconds=30))
        self.pod_is("tester", "Running")
        self.delete("Pod", "tester")
        self.until("the handler is called", lambda: "POST prestop" in self.raw("GET", self.path("handler:8080", "/proxy/cgi-bin/log"))[2].splitlines())
        self.until("it is gone", lambda: self.gone("Pod", "tester"))


class EphemeralContainers(PodCase):
    def debugged(self, name):
        self.create(pod(name, {"name": "test-container-1", "image": "busybox", "command": ["/bin/sleep"], "args": ["10000"]}))
        self.ready(name)
        debugger = container("debugger", "while true; do echo polo; sleep 2; done", stdin=True, tty=True)
        self.sent("PATCH", self.path(name, "/ephemeralcontainers"), {"spec": {"ephemeralContainers": [debugger]}}, STRATEGIC)
        self.until("it runs", lambda: status(self.get("Pod", name), "debugger", "ephemeralContainerStatuses")["state"]["running"])
        self.assertEqual(self.exec(name, "/bin/echo", "marco", container="debugger")[:2], (0, "marco\n"))
        self.until("it has a log", lambda: "polo" in self.logs(name, "debugger"))

    def test_an_ephemeral_container_starts_in_a_pod(self):
        """[sig-node] Ephemeral Containers [NodeConformance] will start an ephemeral container in an existing pod"""
        self.debugged("target")

    def test_ephemeral_containers_are_updated(self):
        """[sig-node] Ephemeral Containers [NodeConformance] should update the ephemeral containers in an existing pod"""
        self.debugged("updated")
        subresource = self.path("updated", "/ephemeralcontainers")
        self.assertEqual(len(self.sent("GET", subresource)["spec"]["ephemeralContainers"]), 1)

        def add():
            found = self.get("Pod", "updated")
            found["spec"]["ephemeralContainers"].append(
                {"name": "debugger2", "image": "httpd", "imagePullPolicy": "IfNotPresent", "terminationMessagePolicy": "File"})
            code, _, text = self.raw("PUT", subresource, found)
            self.assertIn(code, (200, 409), text)
            return code == 200
        self.until("a second one is added", add)
        self.assertEqual([c["name"] for c in self.sent("GET", subresource)["spec"]["ephemeralContainers"]], ["debugger", "debugger2"])


class ContainerRuntime(PodCase):
    def message(self, name, script, phase, expected, **more):
        self.create(pod(name, container(script=script, **more), restartPolicy="Never"))
        found = self.completed(name)
        self.assertEqual(found["status"]["phase"], phase)
        self.assertEqual(status(found)["state"]["terminated"].get("message", ""), expected)

    def test_a_message_comes_from_the_path_it_is_said_to(self):
        """[sig-node] Container Runtime blackbox test on terminated container should report termination message if TerminationMessagePath is set as
        non-root user and at a non-default path [NodeConformance]"""
        self.message("user", "echo -n DONE > /dev/termination-custom-log", "Succeeded", "DONE", terminationMessagePath="/dev/termination-custom-log",
                     securityContext={"runAsUser": 1000})

    def test_a_message_comes_from_the_log_after_a_failure(self):
        """[sig-node] Container Runtime blackbox test on terminated container should report termination message from log output if
        TerminationMessagePolicy FallbackToLogsOnError is set [NodeConformance]"""
        self.message("log", "echo -n DONE; /bin/false", "Failed", "DONE", terminationMessagePath="/dev/termination-log",
                     terminationMessagePolicy="FallbackToLogsOnError")

    def test_a_message_does_not_come_from_the_log_after_a_success(self):
        """[sig-node] Container Runtime blackbox test on terminated container should report termination message as empty when pod succeeds and
        TerminationMessagePolicy FallbackToLogsOnError is set [NodeConformance]"""
        self.message("empty", "echo -n DONE; /bin/true", "Succeeded", "", terminationMessagePath="/dev/termination-log",
                     terminationMessagePolicy="FallbackToLogsOnError")

    def test_a_message_comes_from_the_file_after_a_success(self):
        """[sig-node] Container Runtime blackbox test on terminated container should report termination message from file when pod succeeds and
        TerminationMessagePolicy FallbackToLogsOnError is set [NodeConformance]"""
        self.message("file", "echo -n OK > /dev/termination-log; echo DONE; /bin/true", "Succeeded", "OK", terminationMessagePath="/dev/termination-log",
                     terminationMessagePolicy="FallbackToLogsOnError")


class Kubelet(PodCase):
    def test_output_is_logged(self):
        """[sig-node] Kubelet when scheduling a busybox command in a pod should print the output to logs [NodeConformance]"""
        self.create(pod("hello", container(script="echo 'Hello World' ; sleep 240"), restartPolicy="Never"))
        self.until("it is logged", lambda: self.logs("hello") == "Hello World\n")

    def test_a_container_that_fails_has_a_reason(self):
        """[sig-node] Kubelet when scheduling a busybox command that always fails in a pod should have an terminated reason [NodeConformance]"""
        self.create(pod("fails", {"name": "c", **FALSE}, restartPolicy="Never"))
        states = self.until("it has ended", lambda: (lambda s: s if s and s[0]["state"].get("terminated") else None)(
            self.get("Pod", "fails")["status"]["containerStatuses"]))
        self.assertEqual(len(states), 1)
        ended = states[0]["state"]["terminated"]
        self.assertNotEqual(ended["exitCode"], 0)
        self.assertEqual(ended["reason"], "Error")

    def test_a_pod_that_always_fails_is_deleted(self):
        """[sig-node] Kubelet when scheduling a busybox command that always fails in a pod should be possible to delete [NodeConformance]"""
        self.create(pod("crashes", {"name": "c", **FALSE}))
        self.delete("Pod", "crashes")
        self.until("it is gone", lambda: self.gone("Pod", "crashes"))
        self.create(pod("crashed", {"name": "c", **FALSE}))
        self.restarted("crashed")
        self.delete("Pod", "crashed")
        self.until("it is gone", lambda: self.gone("Pod", "crashed"))

    def test_host_aliases_are_written(self):
        """[sig-node] Kubelet when scheduling an agnhost Pod with hostAliases should write entries to /etc/hosts [NodeConformance]"""
        text = self.output(pod("aliases", container(script="cat /etc/hosts"), restartPolicy="Never",
                               hostAliases=[{"ip": "123.45.67.89", "hostnames": ["foo", "bar"]}]))
        self.assertIn("123.45.67.89\tfoo\tbar", text)

    def test_a_read_only_root_is_not_written(self):
        """[sig-node] Kubelet when scheduling a read only busybox container should not write to root filesystem [LinuxOnly] [NodeConformance]"""
        self.create(pod("frozen", {"name": "c", "image": "busybox", "command": ["/bin/sh", "-c", "echo test > /file; sleep 240"],
                                   "securityContext": {"readOnlyRootFilesystem": True}}, restartPolicy="Never"))
        self.until("it says so", lambda: self.logs("frozen"))
        self.assertRegex(self.logs("frozen"), r"^/bin/sh: (\d+: |line \d+: )?can't create /file: Read-only file system\n$")

    def test_the_hosts_file_is_managed(self):
        """[sig-node] KubeletManagedEtcHosts should test kubelet managed /etc/hosts file [NodeConformance]"""
        volumes = [{"name": "host", "hostPath": {"path": "/etc/hosts", "type": "File"}}]
        original, own = {"name": "host", "mountPath": "/etc/hosts-original"}, {"name": "host", "mountPath": "/etc/hosts"}
        self.create(pod("managed", container("busybox-1", volumeMounts=[original]), container("busybox-2", volumeMounts=[original]),
                        container("busybox-3", volumeMounts=[own, original]), volumes=volumes))
        self.create(pod("host", container("busybox-1", volumeMounts=[original]), container("busybox-2", volumeMounts=[original]),
                        volumes=volumes, hostNetwork=True))
        for name, one, managed in (("managed", "busybox-1", True), ("managed", "busybox-2", True), ("managed", "busybox-3", False),
                                   ("host", "busybox-1", False), ("host", "busybox-2", False)):
            self.ready(name)
            text = self.shell(name, "cat /etc/hosts", container=one)
            self.assertEqual("# Kubernetes-managed hosts file." in text, managed, "%s of %s: %s" % (one, name, text))
        original_text = self.shell("managed", "cat /etc/hosts-original", container="busybox-3")
        self.assertEqual(self.shell("managed", "cat /etc/hosts", container="busybox-3"), original_text)


class Resize(PodCase):
    """The API's part: spec, status, conditions, restarts. (The control groups upstream looks into as well are not in minik's containers.)"""

    def amounts(self, cpu=(None, None), memory=(None, None)):
        """Resources of (request, limit) of each."""
        of = {"requests": {"cpu": cpu[0], "memory": memory[0]}, "limits": {"cpu": cpu[1], "memory": memory[1]}}
        of = {k: {n: v for n, v in what.items() if v} for k, what in of.items()}
        return {k: what for k, what in of.items() if what}

    def guaranteed(self, *pairs):
        """Resources of three containers; each differs from the one before by 2m and 2Mi."""
        return [self.amounts(("%dm" % (cpu + 2 * i),) * 2, ("%dMi" % (memory + 2 * i),) * 2) for i, (cpu, memory) in enumerate(pairs)]

    def made(self, name, resources):
        self.create(pod(name, *[container("c%d" % (i + 1), resources=r) for i, r in enumerate(resources)],
                        terminationGracePeriodSeconds=0, restartPolicy="OnFailure"))
        self.ready(name)
        return self.actuated(name, resources)

    def actuated(self, name, resources):
        def look():
            found = self.get("Pod", name)
            self.assertEqual([s.get("resources") for s in found["status"]["containerStatuses"]], resources)
            self.assertEqual([c for c in found["status"]["conditions"] if c["type"] in ("PodResizePending", "PodResizeInProgress")], [])
            self.assertEqual(condition(found, "Ready")["status"], "True")
            return found
        found = self.until("the resources of %s are in its status" % name, look, 10)
        self.assertEqual([s["restartCount"] for s in found["status"]["containerStatuses"]], [0] * len(resources))
        return found

    def resized(self, name, before, after, roll_back=True):
        self.made(name, before)
        for want in (after, before) if roll_back else (after,):
            patched = self.sent("PATCH", self.path(name, "/resize"), {"spec": {"containers": [
                {"name": "c%d" % (i + 1), "resources": r} for i, r in enumerate(want)]}}, STRATEGIC)
            self.assertEqual([c["resources"] for c in patched["spec"]["containers"]], want)
            self.actuated(name, want)

    def test_three_containers_grow(self):
        """[sig-node] Pod InPlace Resize Container guaranteed pods with multiple containers 3 containers - increase cpu & mem on c1, c2, decrease
        cpu & mem on c3 - net increase"""
        self.resized("increase", self.guaranteed((20, 20), (20, 20), (20, 20)), self.guaranteed((25, 25), (25, 25), (15, 15)))

    def test_three_containers_shrink(self):
        """[sig-node] Pod InPlace Resize Container guaranteed pods with multiple containers 3 containers - increase cpu & mem on c1, decrease cpu &
        mem on c2, c3 - net decrease"""
        self.resized("decrease", self.guaranteed((20, 20), (20, 20), (20, 20)), self.guaranteed((25, 25), (15, 15), (15, 15)))

    def test_three_containers_change(self):
        """[sig-node] Pod InPlace Resize Container guaranteed pods with multiple containers 3 containers - increase: CPU (c1,c3), memory (c2, c3) ;
        decrease: CPU (c2)"""
        self.resized("mixed", self.guaranteed((20, 20), (20, 20), (20, 20)), self.guaranteed((25, 20), (15, 25), (25, 25)))

    def test_limits_and_requests_are_added(self):
        """[sig-node] Pod InPlace Resize Container burstable pods - extended 6 containers - various operations performed (including adding limits and
        requests)"""
        before = [(("20m", None), ()), ((), ("20Mi", None)), (("20m", None), ("20Mi", None)), (("20m", None), ()), ((), ("20Mi", None))]
        after = [(("25m", "35m"), ()), ((), ("15Mi", "35Mi")), (("20m", None), ("15Mi", None)), (("15m", None), ("20Mi", None)),
                 (("20m", None), ("25Mi", None))]
        none = (None, None)
        self.resized("extended", *([self.amounts(c or none, m or none) for c, m in what] for what in (before, after)), roll_back=False)

    def test_equivalents_are_shown_as_asked(self):
        """[sig-node] Pod InPlace Resize Container burstable pods - extended resize with equivalents"""
        self.resized("equivalent", [self.amounts(("2m", "10m"))], [self.amounts(("1m", "5m"))])

    def test_a_pod_is_resized_by_replacement(self):
        """[sig-node] Pod InPlace Resize Container resize pod via the replace endpoint"""
        found = self.made("replaced", [self.amounts(("20m", None), ("20Mi", None))])
        self.assertEqual(found["metadata"]["generation"], 1)
        want = self.amounts(("25m", None), ("25Mi", None))

        def replace():
            desired = self.get("Pod", "replaced")
            desired["spec"]["containers"][0]["resources"] = want
            code, _, text = self.raw("PUT", self.path("replaced", "/resize"), desired)
            self.assertEqual(code, 200, text)
            return True
        self.until("it is replaced", replace, 3)
        found = self.get("Pod", "replaced")
        self.assertEqual(found["spec"]["containers"][0]["resources"], want)
        self.assertEqual(found["metadata"]["generation"], 2)
        self.actuated("replaced", [want])
        self.until("both addresses show the same pod", lambda: self.sent("GET", self.path("replaced")) == self.sent("GET", self.path("replaced", "/resize")))

    def test_what_may_not_change_is_refused(self):
        """[sig-node] Pod InPlace Resize Container apply invalid resize patch requests (not Conformance)"""
        both = [self.amounts(("20m",) * 2, ("20Mi",) * 2)]
        for name, before, after, words in (
                ("best", [{}], [{"requests": {"memory": "20Mi"}}], "Pod QOS Class may not change as a result of resizing"),
                ("limits", both, [{"limits": {"cpu": None, "memory": None}}], "resource limits cannot be removed"),
                ("requests", [{"requests": {"cpu": "20m"}}], [{"requests": {"cpu": None}}], "resource requests cannot be removed"),
                ("storage", [{"requests": {"cpu": "20m", "ephemeral-storage": "1"}}], [{"requests": {"ephemeral-storage": "3"}}],
                 "only cpu and memory resources are mutable")):
            with self.subTest(name):
                self.create(pod(name, *[container("c1", resources=r) for r in before]))
                self.ready(name)
                code, _, text = self.raw("PATCH", self.path(name, "/resize"), {"spec": {"containers": [{"name": "c1", "resources": after[0]}]}}, STRATEGIC)
                self.assertEqual(code, 422, text)
                self.assertIn(words, text)


class WithBackOff(PodCase):
    """What waits for the back-off between restarts (10 s, 20 s ...): these pods are made before all other tests and looked at last."""
    seen = []

    @classmethod
    def start(cls):
        super().setUpClass()
        version = cls.core.list_namespaced_pod(cls.ns).metadata.resource_version

        def follow():
            for event in watch.Watch().stream(cls.core.list_namespaced_pod, cls.ns, resource_version=version, _request_timeout=200):
                cls.seen.append((event["type"], event["raw_object"]))
        threading.Thread(target=follow, daemon=True).start()
        count = 'echo x >> /v/count; n=$(wc -l < /v/count); [ $n -eq 1 ] && exit 1; [ $n -eq 2 ] && exit 0; ' + IDLE
        for policy in ("Always", "OnFailure", "Never"):
            cls.core.create_namespaced_pod(cls.ns, pod("exits-" + policy.lower(), container(script=count, volumeMounts=[{"name": "v", "mountPath": "/v"}]),
                                                       volumes=[{"name": "v", "emptyDir": {}}], restartPolicy=policy))
        cls.core.create_namespaced_pod(cls.ns, pod("init", container("run1", resources={"limits": {"cpu": "100m"}}),
                                                   initContainers=[{"name": "init1", **FALSE}, {"name": "init2", **TRUE}]))
        cls.core.create_namespaced_pod(cls.ns, pod("sick", container(
            script="mkdir -p /tmp/www; echo ok > /tmp/www/healthz; httpd -p 8080 -h /tmp/www; sleep 1.5; rm /tmp/www/healthz; " + IDLE,
            livenessProbe={"httpGet": {"path": "/healthz", "port": 8080}, "initialDelaySeconds": 1, "periodSeconds": 1, "failureThreshold": 1})))

    @classmethod
    def setUpClass(cls):
        pass

    def of(self, name):
        return [seen for _, seen in self.seen if seen["metadata"]["name"] == name]

    def test_containers_that_exit_have_the_expected_status(self):
        """[sig-node] Container Runtime blackbox test when starting a container that exits should run with the expected status [NodeConformance]"""
        for policy, phase, restarts, ready, state in (("never", "Failed", 0, False, "terminated"), ("onfailure", "Succeeded", 1, False, "terminated"),
                                                      ("always", "Running", 2, True, "running")):
            with self.subTest(policy):
                def look():
                    found = self.get("Pod", "exits-" + policy)
                    self.assertEqual(found["status"]["phase"], phase)
                    one = status(found)
                    self.assertEqual((one["restartCount"], one["ready"], list(one["state"])), (restarts, ready, [state]))
                    return True
                self.until("the status is as expected", look, 30)

    def test_a_failing_init_container_holds_a_pod_back(self):
        """[sig-node] InitContainer [NodeConformance] should not start app containers if init containers fail on a RestartAlways pod"""
        self.until("it has restarted three times", lambda: status(self.get("Pod", "init"), "init1", "initContainerStatuses")["restartCount"] >= 3, 50)
        self.until("a watch saw it", lambda: status(self.of("init")[-1], "init1", "initContainerStatuses")["restartCount"] >= 3)
        for seen in self.of("init"):
            for one in seen["status"].get("containerStatuses") or []:
                self.assertEqual(one["state"].get("waiting", {}).get("reason"), "PodInitializing", one)
            if len(seen["status"].get("initContainerStatuses") or []) == 2:
                first, second = seen["status"]["initContainerStatuses"]
                self.assertEqual(second["state"].get("waiting", {}).get("reason"), "PodInitializing", second)
                self.assertNotEqual(first["state"].get("terminated", {}).get("exitCode"), 0)
        found = self.get("Pod", "init")
        self.assertEqual(found["status"]["phase"], "Pending")
        told = condition(found, "Initialized")
        self.assertEqual((told["status"], told["reason"], told["message"]),
                         ("False", "ContainersNotInitialized", "containers with incomplete status: [init1 init2]"))
        self.assertEqual(status(found, "init1", "initContainerStatuses")["lastState"]["terminated"]["exitCode"], 1)

    def test_the_restart_count_only_grows(self):
        """[sig-node] Probing container should have monotonically increasing restart count [NodeConformance] (upstream waits for five restarts)"""
        self.restarted("sick", 3, 50)
        self.until("a watch saw it", lambda: status(self.of("sick")[-1])["restartCount"] >= 3)
        counts = [status(seen).get("restartCount", 0) for seen in self.of("sick")]
        self.assertEqual(counts, sorted(counts))
