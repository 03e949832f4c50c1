"""kubectl cordon, drain, taint, top and debug. Uses node-3, which it leaves as it was."""
import re

import kubectl as k


class Nodes(k.Case):
    def tearDown(self):
        k.run("uncordon", "node-3")
        k.run("taint", "node", "node-3", "kt-", check=False)

    def on_node_3(self, name):
        return [p["metadata"]["name"] for p in self.get("pods", "-l", "app=" + name)["items"]
                if p["spec"].get("nodeName") == "node-3" and "deletionTimestamp" not in p["metadata"]]

    def test_cordon(self):
        self.assertEqual(k.run("cordon", "node-3").stdout, "node/node-3 cordoned\n")
        self.assertEqual(k.run("cordon", "node-3").stdout, "node/node-3 already cordoned\n")
        self.assertEqual(k.table(k.run("get", "node", "node-3").stdout)[0]["STATUS"], "Ready,SchedulingDisabled")
        self.assertIs(k.json("get", "node", "node-3")["spec"]["unschedulable"], True)
        self.create(k.deployment("c", replicas=4))
        self.k("rollout", "status", "deployment/c")
        self.assertEqual({p["spec"]["nodeName"] for p in self.get("pods", "-l", "app=c")["items"]}, {"node-2"})
        self.create(k.pod("must", nodeSelector={"kubernetes.io/hostname": "node-3"}))
        k.eventually(lambda: self.get("pod", "must")["status"].get("conditions"))
        scheduled = self.get("pod", "must")["status"]["conditions"][0]
        self.assertEqual((scheduled["type"], scheduled["status"], scheduled["reason"]),
                         ("PodScheduled", "False", "Unschedulable"))
        self.assertRegex(scheduled["message"], r"^0/3 nodes are available: ")
        self.assertEqual(k.run("uncordon", "node-3").stdout, "node/node-3 uncordoned\n")
        self.ready("must")
        self.assertEqual(k.run("uncordon", "node-3").stdout, "node/node-3 already uncordoned\n")

    def test_drain(self):
        self.create(k.deployment("d", replicas=4), k.workload("DaemonSet", "ds"),
                    k.pod("bare", labels={"app": "bare"}, nodeName="node-3"))
        self.k("rollout", "status", "deployment/d")
        self.k("rollout", "status", "daemonset/ds")
        self.ready("bare")
        self.assertTrue(self.on_node_3("d"))
        done = k.run("drain", "node-3", "--pod-selector=app in (d,ds,bare)", check=False)
        self.assertEqual(done.code, 1)
        self.assertRegex(done.stderr, r"cannot delete DaemonSet-managed Pods \(use --ignore-daemonsets to ignore\): %s/ds-"
                         % self.namespace)
        self.assertIn("use --force to override", done.stderr)
        done = k.run("drain", "node-3", "--pod-selector=app in (d,ds,bare)", "--ignore-daemonsets", "--force",
                     "--timeout=15s")
        self.assertRegex(done.stdout, r"node/node-3 (drained|evicted)\n\Z")
        self.assertRegex(done.stdout + done.stderr, r"evicting pod %s/d-" % self.namespace)
        self.assertRegex(done.stderr, "(?i)warning: .*ignoring DaemonSet-managed Pods: ")
        self.assertEqual((self.on_node_3("d"), self.on_node_3("bare")), ([], []))
        self.assertEqual(len(self.on_node_3("ds")), 1)
        self.k("rollout", "status", "deployment/d")

    def test_drain_respects_a_budget(self):
        self.create(k.deployment("pdb", nodeSelector={"kubernetes.io/hostname": "node-3"}),
                    {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "pdb"},
                     "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "pdb"}}}})
        self.k("rollout", "status", "deployment/pdb")
        k.eventually(lambda: self.get("pdb", "pdb")["status"].get("currentHealthy") == 1)
        done = k.run("drain", "node-3", "--pod-selector=app=pdb", "--timeout=2s", check=False)
        self.assertEqual(done.code, 1)
        self.assertIn("Cannot evict pod as it would violate the pod's disruption budget.", done.stderr)
        self.assertEqual(len(self.on_node_3("pdb")), 1)
        self.k("delete", "pdb", "pdb")

    def test_taint(self):
        self.create(k.deployment("t", replicas=4), k.deployment("tolerant", nodeSelector={"kubernetes.io/hostname": "node-3"},
                    tolerations=[{"key": "kt", "operator": "Exists"}]))
        self.k("rollout", "status", "deployment/t")
        self.k("rollout", "status", "deployment/tolerant")
        self.assertEqual(k.run("taint", "node", "node-3", "kt=x:NoExecute").stdout, "node/node-3 tainted\n")
        k.eventually(lambda: not self.on_node_3("t"))
        self.assertEqual(len(self.on_node_3("tolerant")), 1)
        self.assertRegex(k.run("describe", "node", "node-3").stdout, r"(?m)^Taints: +kt=x:NoExecute$")
        done = k.run("taint", "node", "node-3", "kt=y:NoExecute", check=False)
        self.assertEqual(done.code, 1)
        self.assertIn("already has kt taint(s) with same effect(s) and --overwrite is false", done.stderr)
        self.assertEqual(k.run("taint", "node", "node-3", "kt=y:NoExecute", "--overwrite").stdout,
                         "node/node-3 modified\n")
        self.assertEqual(k.run("taint", "node", "node-3", "kt-").stdout, "node/node-3 untainted\n")


class Top(k.Case):
    def top(self, *args):
        """Metrics come some seconds after the pod."""
        return k.eventually(lambda: self.k("top", *args).stdout, timeout=40, interval=1)

    def test_nodes(self):
        out = self.top("node")
        percent = ["CPU(cores)", "CPU%", "MEMORY(bytes)", "MEMORY%"] if "CPU%" in out else \
            ["CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]
        self.assertEqual(k.header(out), ["NAME"] + percent)
        self.assertEqual(sorted(r["NAME"] for r in k.table(out)), ["node-1", "node-2", "node-3"])
        for row in k.table(out):
            self.assertRegex(row["CPU(cores)"], r"^\d+m$")
            self.assertRegex(row["MEMORY(bytes)"], r"^\d+Mi$")
            self.assertRegex(row[percent[1]], r"^\d+%$")

    def test_pods(self):
        self.create(k.pod("busy", k.container("spin", "while true; do :; done", resources={"limits": {"cpu": "200m"}}),
                          k.container("idle"), labels={"app": "busy"}))
        self.ready("busy")
        out = self.top("pod", "busy")
        self.assertEqual(k.header(out), ["NAME", "CPU(cores)", "MEMORY(bytes)"])

        def spinning():
            row = k.table(self.top("pod", "-l", "app=busy"))[0]
            return row["NAME"] == "busy" and int(row["CPU(cores)"].rstrip("m")) > 50
        k.eventually(spinning, timeout=40, interval=1)
        out = self.top("pod", "busy", "--containers")
        self.assertEqual(k.header(out), ["POD", "NAME", "CPU(cores)", "MEMORY(bytes)"])
        self.assertEqual(sorted(r["NAME"] for r in k.table(out)), ["idle", "spin"])
        self.assertIn("nosuch", self.fails("top", "pod", "nosuch"))


class Debug(k.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        k.run("-n", cls.namespace, "create", "-f", "-", stdin=k.pod("p", k.container("app", "cd /; echo x > /tmp/mark; " + k.IDLE)))
        k.run("-n", cls.namespace, "wait", "--for=condition=Ready", "pod/p", "--timeout=15s")

    @k.needs(22, "debug uses the alpha form of the ephemeralcontainers subresource")
    def test_ephemeral_container(self):
        done = self.k("debug", "p", "-i", "--image=busybox", "-c", "dbg", "--target=app", "--", "sh", "-c",
                      "read l; echo $l; cat /proc/1/root/tmp/mark", stdin="typed\n")
        self.assertRegex(done.stdout + done.stderr, r'Targeting container "app"')
        self.assertIn("typed\n", done.stdout)
        self.assertIn("x\n", done.stdout)
        pod = self.get("pod", "p")
        ephemeral = pod["spec"]["ephemeralContainers"][0]
        self.assertEqual((ephemeral["name"], ephemeral["image"], ephemeral["targetContainerName"]), ("dbg", "busybox", "app"))
        k.eventually(lambda: self.get("pod", "p")["status"]["ephemeralContainerStatuses"][0]["state"].get("terminated"))
        self.assertEqual(self.get("pod", "p")["status"]["phase"], "Running")
        self.assertRegex(self.k("describe", "pod", "p").stdout, r"(?m)^Ephemeral Containers:\n  dbg:$")

    @k.needs(27, "no debug --profile")
    def test_profile(self):
        self.k("debug", "p", "--image=busybox", "-c", "net", "--profile=netadmin", "--attach=false", "--", "sleep", "1")
        added = next(c for c in self.get("pod", "p")["spec"]["ephemeralContainers"] if c["name"] == "net")
        self.assertLessEqual({"NET_ADMIN", "NET_RAW"}, set(added["securityContext"]["capabilities"]["add"]))

    def test_copy(self):
        self.k("debug", "p", "--copy-to=copy", "--set-image=app=busybox:2", "--image=busybox", "-c", "dbg", "--share-processes",
               "--attach=false", "--", "sleep", "1000")
        self.ready("copy")
        spec = self.get("pod", "copy")["spec"]
        self.assertEqual([(c["name"], c["image"]) for c in spec["containers"]], [("app", "busybox:2"), ("dbg", "busybox")])
        self.assertIs(spec["shareProcessNamespace"], True)
        self.assertIn("sleep 1000", self.k("exec", "copy", "-c", "app", "--", "ps").stdout)

    def test_node(self):
        done = self.k("debug", "node/node-2", "--image=busybox", "--attach=false", "--", "ls", "/host")
        name = re.search(r"Creating debugging pod (node-debugger-node-2-\w{5}) with container debugger on node node-2\.",
                         done.stdout + done.stderr).group(1)
        k.eventually(lambda: self.get("pod", name)["status"]["phase"] == "Succeeded")
        spec = self.get("pod", name)["spec"]
        self.assertEqual((spec["nodeName"], spec["hostNetwork"], spec["hostPID"], spec["hostIPC"]), ("node-2", True, True, True))
        self.assertIn("etc", self.k("logs", name).stdout.split())
