"""kubectl delete: waiting, grace, selectors, cascading, finalizers, namespaces."""
import time

import kubectl as k


class Delete(k.Case):
    def gone(self, what):
        return self.k("get", what, "--ignore-not-found").stdout == ""

    def test_waits_until_gone(self):
        self.create(k.pod("p"))
        self.ready("p")
        self.assertEqual(self.k("delete", "pod", "p").stdout, k.deleted("pod", "p", self.namespace) + "\n")
        self.assertEqual(self.fails("get", "pod", "p"), 'Error from server (NotFound): pods "p" not found\n')
        self.assertEqual(self.fails("delete", "pod", "p"), 'Error from server (NotFound): pods "p" not found\n')
        self.assertEqual(self.k("delete", "pod", "p", "--ignore-not-found").code, 0)

    def test_no_wait_and_termination(self):
        self.create(k.pod("slow", k.container(script='trap "sleep 2; exit 0" TERM; while true; do sleep 0.05; done'),
                          terminationGracePeriodSeconds=10))
        self.ready("slow")
        self.k("delete", "pod", "slow", "--wait=false")
        pod = self.get("pod", "slow")
        self.assertIn("deletionTimestamp", pod["metadata"])
        self.assertEqual(pod["metadata"]["deletionGracePeriodSeconds"], 10)
        self.assertEqual(k.table(self.k("get", "pod", "slow").stdout)[0]["STATUS"], "Terminating")
        k.eventually(lambda: self.gone("pod/slow"))

    def test_grace_period(self):
        deaf = k.container(script="trap '' TERM; while true; do sleep 0.05; done")
        for name, options in (("now", ["--now"]), ("one", ["--grace-period=1"])):
            with self.subTest(name):
                self.create(k.pod(name, deaf, terminationGracePeriodSeconds=300))
                self.ready(name)
                start = time.monotonic()
                self.k("delete", "pod", name, *options)
                self.assertLess(time.monotonic() - start, 10)

    def test_force(self):
        self.create(k.pod("f", terminationGracePeriodSeconds=300))
        self.ready("f")
        done = self.k("delete", "pod", "f", "--force", "--grace-period=0")
        self.assertEqual(done.stdout, k.deleted("pod", "f", self.namespace, force=True) + "\n")
        self.assertRegex(done.stderr, "(?i)warning: Immediate deletion does not wait for confirmation that the running "
                         "resource has been terminated")

    def test_selectors_and_all(self):
        label = lambda v: {"metadata": {"labels": {"del": v}}}
        self.create(k.configmap("s1", **label("x")), k.configmap("s2", **label("x")), k.configmap("s3", **label("y")))
        out = self.k("delete", "configmap", "-l", "del=x").stdout
        self.assertEqual(out.splitlines(), [k.deleted("configmap", n, self.namespace) for n in ("s1", "s2")])
        self.assertEqual(self.k("get", "configmap", "-l", "del", "-o", "name").stdout, "configmap/s3\n")
        self.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x1"}},
                    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x2"}})
        self.assertEqual(self.k("delete", "secrets", "--all", "-o", "name").stdout, "secret/x1\nsecret/x2\n")
        self.assertEqual(self.k("delete", "secrets", "--all").stdout, "No resources found\n")

    def test_of_a_file(self):
        objects = [k.configmap("f1"), k.service("f2")]
        self.apply(*objects)
        self.assertEqual(self.k("delete", "-f", "-", stdin=k.as_list(objects)).stdout.splitlines(),
                         [k.deleted("configmap", "f1", self.namespace), k.deleted("service", "f2", self.namespace)])

    def test_dry_run(self):
        self.create(k.configmap("dry"))
        self.assertEqual(self.k("delete", "configmap", "dry", "--dry-run=server").stdout,
                         k.deleted("configmap", "dry", self.namespace) + " (server dry run)\n")
        self.assertFalse(self.gone("configmap/dry"))

    def test_finalizer(self):
        self.create(k.configmap("held", metadata={"finalizers": ["example.com/hold"]}))
        process = self.background("delete", "configmap", "held")
        k.eventually(lambda: "deletionTimestamp" in self.get("configmap", "held")["metadata"])
        self.assertIsNone(process.process.poll())
        done = self.k("delete", "configmap", "held", "--timeout=1s", check=False)
        self.assertEqual(done.code, 1)
        self.assertIn("timed out waiting for the condition on configmaps/held", done.stderr)
        self.k("patch", "configmap", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
        self.assertEqual(process.wait(), 0)
        self.assertTrue(self.gone("configmap/held"))

    def test_cascade_background(self):
        self.create(k.deployment("bg", replicas=2))
        self.k("rollout", "status", "deployment/bg")
        self.assertEqual(self.k("delete", "deployment", "bg").stdout, k.deleted("deployment.apps", "bg", self.namespace) + "\n")
        k.eventually(lambda: self.k("get", "rs,pods", "-l", "app=bg", "-o", "name").stdout == "")

    def test_cascade_orphan(self):
        self.create(k.deployment("orphan"))
        self.k("rollout", "status", "deployment/orphan")
        self.k("delete", "deployment", "orphan", "--cascade=orphan")
        rs = self.get("rs", "-l", "app=orphan")["items"]
        self.assertEqual(len(rs), 1)
        self.assertFalse(rs[0]["metadata"].get("ownerReferences"))
        self.assertEqual(len(self.get("pods", "-l", "app=orphan")["items"]), 1)
        self.create(k.deployment("orphan"))  # adopts what was left
        k.eventually(lambda: self.get("rs", "-l", "app=orphan")["items"][0]["metadata"].get("ownerReferences"))
        self.assertEqual(len(self.get("rs", "-l", "app=orphan")["items"]), 1)

    def test_cascade_foreground(self):
        self.create(k.deployment("fg"))
        self.k("rollout", "status", "deployment/fg")
        self.k("delete", "deployment", "fg", "--cascade=foreground")
        self.assertEqual(self.k("get", "rs,pods", "-l", "app=fg", "-o", "name").stdout, "")

    def test_owner_reference(self):
        self.create(k.configmap("owner"))
        uid = self.get("configmap", "owner")["metadata"]["uid"]
        self.create(k.configmap("owned", metadata={"ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}]}))
        self.k("delete", "configmap", "owner")
        k.eventually(lambda: self.gone("configmap/owned"))


class Namespaces(k.Case):
    def test_deleting_one_empties_it(self):
        namespace = self.new_namespace()
        k.run("-n", namespace, "create", "-f", "-", stdin=k.as_list([k.deployment("d", replicas=2), k.configmap("c"), k.service("s")]))
        k.run("-n", namespace, "rollout", "status", "deployment/d")
        self.assertEqual(k.run("delete", "namespace", namespace, timeout=40).stdout, 'namespace "%s" deleted\n' % namespace)
        for kind in ("pods", "configmaps", "services", "deployments", "replicasets", "serviceaccounts"):
            self.assertEqual(k.run("-n", namespace, "get", kind, "-o", "name").stdout, "", kind)
        self.assertEqual(self.fails("get", "namespace", namespace),
                         'Error from server (NotFound): namespaces "%s" not found\n' % namespace)

    def test_terminating(self):
        namespace = self.new_namespace()
        k.run("-n", namespace, "create", "-f", "-", stdin=k.configmap("held", metadata={"finalizers": ["example.com/hold"]}))
        k.run("delete", "namespace", namespace, "--wait=false")
        try:
            k.eventually(lambda: k.table(k.run("get", "ns", namespace).stdout)[0]["STATUS"] == "Terminating")
            done = k.run("-n", namespace, "create", "configmap", "late", check=False)
            self.assertEqual(done.code, 1)
            self.assertIn('configmaps "late" is forbidden: unable to create new content in namespace %s because it is being '
                          "terminated" % namespace, done.stderr)

            def reported():
                conditions = {c["type"]: c["status"] for c in k.json("get", "ns", namespace)["status"]["conditions"]}
                return conditions["NamespaceFinalizersRemaining"] == "True" and \
                    conditions["NamespaceContentRemaining"] == "True"
            k.eventually(reported)
        finally:
            k.run("-n", namespace, "patch", "configmap", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
        k.eventually(lambda: k.run("get", "ns", namespace, "--ignore-not-found").stdout == "", timeout=20)

    def test_default_cannot_be_deleted(self):
        for name in ("default", "kube-system"):
            done = k.run("delete", "namespace", name, "--dry-run=server", check=False)
            self.assertEqual(done.code, 1)
            self.assertIn('Error from server (Forbidden): namespaces "%s" is forbidden: this namespace may not be deleted'
                          % name, done.stderr)
