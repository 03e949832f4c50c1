"""kubectl run, expose, scale, set, wait, and the workloads other than rollouts (kubectl_rollouts_test.py)."""
import time
import kubectl as k


class Run(k.Case):
    def test_run(self):
        self.assertEqual(self.k("run", "r", "--image=busybox:1", "--labels=a=b", "--env=X=1", "--port=80", "--", "sleep",
                                "1000").stdout, "pod/r created\n")
        pod = self.get("pod", "r")
        container = pod["spec"]["containers"][0]
        self.assertEqual((pod["metadata"]["labels"], container["name"], container["image"], container["args"]),
                         ({"a": "b"}, "r", "busybox:1", ["sleep", "1000"]))
        self.assertEqual((container["env"], container["ports"]),
                         ([{"name": "X", "value": "1"}], [{"containerPort": 80, "protocol": "TCP"}]))
        self.ready("r")

    def test_label_and_restart_policy(self):
        self.k("run", "once", "--image=busybox", "--restart=Never", "--command", "--", "sh", "-c", "exit 4")
        k.eventually(lambda: self.get("pod", "once")["status"]["phase"] == "Failed")
        pod = self.get("pod", "once")
        self.assertEqual(pod["metadata"]["labels"], {"run": "once"})
        self.assertEqual(pod["spec"]["containers"][0]["command"], ["sh", "-c", "exit 4"])
        terminated = pod["status"]["containerStatuses"][0]["state"]["terminated"]
        self.assertEqual((terminated["exitCode"], terminated["reason"]), (4, "Error"))
        self.assertEqual(k.table(self.k("get", "pod", "once").stdout)[0]["STATUS"], "Error")

    def test_attached(self):
        done = self.k("run", "i", "-i", "--rm", "--restart=Never", "--image=busybox", "--", "sh", "-c",
                      "read x; echo got $x", stdin="input\n")
        self.assertRegex(done.stdout, r'\Agot input\n')
        self.assertIn(k.deleted("pod", "i", self.namespace), done.stdout + done.stderr)
        self.assertEqual(self.k("get", "pod", "i", "--ignore-not-found").stdout, "")

    def test_attached_exit_code(self):
        done = self.k("run", "x", "-i", "--rm", "--restart=Never", "--image=busybox", "--", "sh", "-c", "exit 3", check=False)
        self.assertEqual(done.code, 3)
        self.assertIn("pod %s/x terminated (Error)" % self.namespace, done.stderr)

    def test_terminal(self):
        terminal = self.terminal("run", "t", "-it", "--rm", "--restart=Never", "--image=busybox", "--", "sh",
                                 rows=30, columns=90)
        terminal.type("\r")
        terminal.expect(r"[#$] ")
        terminal.becomes_size("30 90")
        terminal.type("exit 0\r")
        self.assertEqual(terminal.wait(), 0)

    def test_expose_of_run(self):
        out = self.k("run", "e", "--image=httpd", "--port=80", "--expose").stdout
        self.assertEqual(sorted(out.splitlines()), ["pod/e created", "service/e created"])
        self.assertEqual(self.get("service", "e")["spec"]["selector"], {"run": "e"})

    def test_errors(self):
        self.create(k.pod("taken"))
        self.assertEqual(self.fails("run", "taken", "--image=busybox"),
                         'Error from server (AlreadyExists): pods "taken" already exists\n')


class ExposeAndScale(k.Case):
    def test_expose(self):
        self.assertEqual(self.k("create", "deployment", "web", "--image=httpd", "--replicas=2", "--port=80").stdout,
                         "deployment.apps/web created\n")
        self.assertEqual(self.k("expose", "deployment", "web").stdout, "service/web exposed\n")
        self.assertEqual(self.k("expose", "deployment", "web", "--name=np", "--type=NodePort", "--port=8000",
                                "--target-port=80").stdout, "service/np exposed\n")
        spec = self.get("service", "np")["spec"]
        self.assertEqual((spec["type"], spec["selector"], spec["ports"][0]["port"], spec["ports"][0]["targetPort"]),
                         ("NodePort", {"app": "web"}, 8000, 80))
        self.k("rollout", "status", "deployment/web")
        k.eventually(lambda: len(self.get("endpoints", "web")["subsets"][0]["addresses"]) == 2)
        ips = sorted(p["status"]["podIP"] for p in self.get("pods", "-l", "app=web")["items"])
        slices = self.get("endpointslices", "-l", "kubernetes.io/service-name=web")["items"]
        self.assertEqual(sorted(e["addresses"][0] for s in slices for e in s["endpoints"]), ips)
        out = self.k("run", "client", "-i", "--rm", "--restart=Never", "--image=busybox", "--", "sh", "-c",
                     # The name of a Service made just now takes its moment to be known.
                     "until wget -qO- http://np:8000/ 2>/dev/null; do sleep 0.1; done").stdout
        self.assertIn("It works!", out)

    def test_expose_without_a_port(self):
        self.create(k.deployment("bare", replicas=0))
        self.assertIn("couldn't find port via --port flag or introspection", self.fails("expose", "deployment", "bare"))

    def test_scale(self):
        self.create(k.deployment("s"))
        self.assertEqual(self.k("scale", "deployment/s", "--replicas=3").stdout, "deployment.apps/s scaled\n")
        self.k("rollout", "status", "deployment/s")
        self.assertEqual(len(self.get("pods", "-l", "app=s")["items"]), 3)
        self.assertEqual(self.fails("scale", "deployment/s", "--current-replicas=5", "--replicas=1"),
                         "error: Expected replicas to be 5, was 3\n")
        self.k("scale", "deployment/s", "--current-replicas=3", "--replicas=0")
        k.eventually(lambda: self.get("pods", "-l", "app=s")["items"] == [])
        row = k.table(self.k("get", "deployment", "s").stdout)[0]
        self.assertEqual((row["READY"], row["UP-TO-DATE"], row["AVAILABLE"]), ("0/0", "0", "0"))
        self.assertRegex(self.fails("scale", "deployment/nosuch", "--replicas=1"),
                         'deployments.apps "nosuch" not found|no objects passed to scale')

    def test_autoscale_is_refused(self):
        self.create(k.deployment("auto", replicas=0))
        done = self.k("autoscale", "deployment", "auto", "--max=3", check=False)
        self.assertNotEqual(done.code, 0)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, "could not find the requested resource|autoscal|HorizontalPodAutoscaler")


class Set(k.Case):
    def setUp(self):
        self.name = k.unique("d")
        self.create(k.deployment(self.name, k.container("a"), k.container("b"), replicas=0))

    def set(self, what, *args):
        return self.k("set", what, "deployment/" + self.name, *args).stdout

    def container(self, index=0):
        return self.get("deployment", self.name)["spec"]["template"]["spec"]["containers"][index]

    def test_image(self):
        self.assertEqual(self.set("image", "a=busybox:9"), "deployment.apps/%s image updated\n" % self.name)
        self.assertEqual((self.container(0)["image"], self.container(1)["image"]), ("busybox:9", "busybox:1"))
        self.set("image", "*=busybox:8")
        self.assertEqual((self.container(0)["image"], self.container(1)["image"]), ("busybox:8", "busybox:8"))
        self.assertIn('unable to find container named "nosuch"',
                      self.fails("set", "image", "deployment/" + self.name, "nosuch=busybox"))

    def test_env(self):
        self.assertEqual(self.set("env", "A=1", "B=2", "-c", "a"), "deployment.apps/%s env updated\n" % self.name)
        self.assertEqual(self.container()["env"], [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}])
        self.set("env", "A-")
        self.assertEqual(self.container()["env"], [{"name": "B", "value": "2"}])
        self.k("create", "configmap", "from", "--from-literal=key=v", check=False)
        self.set("env", "--from=configmap/from", "-c", "b")
        self.assertEqual(self.container(1)["env"], [{"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "from", "key": "key"}}}])
        self.assertIn("B=2\n", self.set("env", "--list"))

    def test_resources(self):
        self.assertEqual(self.set("resources", "-c=a", "--limits=cpu=200m,memory=64Mi", "--requests=cpu=100m"),
                         "deployment.apps/%s resource requirements updated\n" % self.name)
        self.assertEqual(self.container()["resources"], {"limits": {"cpu": "200m", "memory": "64Mi"}, "requests": {"cpu": "100m"}})
        self.assertEqual(self.container(1)["resources"], {})

    def test_serviceaccount(self):
        self.assertEqual(self.set("serviceaccount", "robot"), "deployment.apps/%s serviceaccount updated\n" % self.name)
        self.assertEqual(self.jsonpath("{.spec.template.spec.serviceAccountName}", "deployment", self.name), "robot")


class Wait(k.Case):
    def test_condition(self):
        self.create(k.pod("w", labels={"w": "1"}))
        self.assertEqual(self.k("wait", "--for=condition=Ready", "pod/w", "--timeout=10s").stdout, "pod/w condition met\n")
        self.assertEqual(self.k("wait", "--for=condition=ready=true", "pod", "-l", "w=1", "--timeout=10s").stdout,
                         "pod/w condition met\n")
        done = self.k("wait", "--for=condition=Ready=false", "pod/w", "--timeout=1s", check=False)
        self.assertEqual((done.code, done.stdout), (1, ""))
        self.assertEqual(done.stderr, "error: timed out waiting for the condition on pods/w\n")

    def test_becomes_true_while_waiting(self):
        self.create(k.pod("later", k.container(script="sleep 1; touch /ok; " + k.IDLE, readinessProbe={
            "exec": {"command": ["cat", "/ok"]}, "periodSeconds": 1})))
        process = self.background("wait", "--for=condition=Ready", "pod/later", "--timeout=15s")
        self.assertEqual(process.wait(15), 0, process.stderr)
        self.assertEqual(process.stdout, "pod/later condition met\n")

    def test_delete(self):
        self.create(k.pod("d"))
        self.ready("d")
        process = self.background("wait", "--for=delete", "pod/d", "--timeout=15s")
        # It has to see the pod before that goes: kubectl 1.20 takes one that is gone already for a mistake.
        time.sleep(1)
        self.k("delete", "pod", "d")
        self.assertEqual(process.wait(), 0, process.stderr)

    @k.needs(23, "no wait --for=jsonpath")
    def test_jsonpath(self):
        self.create(k.pod("j", k.container(script="sleep 1"), restartPolicy="Never"))
        self.assertEqual(self.k("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/j", "--timeout=15s").stdout,
                         "pod/j condition met\n")

    @k.needs(31, "no wait --for=create")
    def test_create(self):
        process = self.background("wait", "--for=create", "configmap/soon", "--timeout=15s")
        self.create(k.configmap("soon"))
        self.assertEqual(process.wait(15), 0, process.stderr)
        self.assertEqual(process.stdout, "configmap/soon condition met\n")

    def test_nothing_to_wait_for(self):
        self.assertEqual(self.fails("wait", "--for=condition=Ready", "pod/nosuch", "--timeout=1s"),
                         'Error from server (NotFound): pods "nosuch" not found\n')
        self.assertEqual(self.fails("wait", "--for=condition=Ready", "pod", "-l", "a=nosuch", "--timeout=1s"),
                         "error: no matching resources found\n")
