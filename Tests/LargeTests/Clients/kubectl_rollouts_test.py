"""kubectl rollout for Deployments, DaemonSets and StatefulSets."""
import re

import kubectl as k


class DeploymentRollout(k.Case):
    def status(self, name, *args):
        return self.k("rollout", "status", "deployment/" + name, "--timeout=15s", *args).stdout

    def images(self, name):
        return {p["spec"]["containers"][0]["image"] for p in self.get("pods", "-l", "app=" + name)["items"]
                if "deletionTimestamp" not in p["metadata"]}

    def test_columns_and_status(self):
        self.create(k.deployment("d", replicas=2))
        self.assertRegex(self.status("d"), r'(?m)^deployment "d" successfully rolled out$')
        out = self.k("get", "deployment", "d").stdout
        self.assertEqual(k.header(out), ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"])
        row = k.table(out)[0]
        self.assertEqual((row["READY"], row["UP-TO-DATE"], row["AVAILABLE"]), ("2/2", "2", "2"))
        self.assertEqual(k.header(self.k("get", "deployment", "-o", "wide").stdout)[5:], ["CONTAINERS", "IMAGES", "SELECTOR"])
        status = self.get("deployment", "d")["status"]
        self.assertEqual((status["replicas"], status["readyReplicas"], status["updatedReplicas"],
                          status["availableReplicas"], status["observedGeneration"]), (2, 2, 2, 2, 1))
        conditions = {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}
        self.assertEqual(conditions, {"Available": ("True", "MinimumReplicasAvailable"),
                                      "Progressing": ("True", "NewReplicaSetAvailable")})
        rs = self.get("rs", "-l", "app=d")["items"][0]
        hash_ = rs["metadata"]["labels"]["pod-template-hash"]
        self.assertEqual(rs["metadata"]["name"], "d-" + hash_)
        self.assertEqual(rs["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "1")
        owner = rs["metadata"]["ownerReferences"][0]
        self.assertEqual((owner["kind"], owner["name"], owner["controller"], owner["blockOwnerDeletion"]),
                         ("Deployment", "d", True, True))
        out = self.k("describe", "deployment", "d").stdout
        self.assertRegex(out, r"(?m)^Replicas: +2 desired \| 2 updated \| 2 total \| 2 available \| 0 unavailable$")
        self.assertRegex(out, r"(?m)^RollingUpdateStrategy: +25% max unavailable, 25% max surge$")
        self.assertRegex(out, r"(?m)^NewReplicaSet: +d-%s \(2/2 replicas created\)$" % hash_)
        self.assertIn("Scaled up replica set d-%s" % hash_, out)

    def test_history_and_undo(self):
        self.create(k.deployment("h"))
        self.status("h")
        self.k("annotate", "deployment/h", "kubernetes.io/change-cause=second image")
        self.k("set", "image", "deployment/h", "c=busybox:2")
        self.status("h")
        lines = self.k("rollout", "history", "deployment/h").stdout.splitlines()
        self.assertEqual(lines[0].strip(), "deployment.apps/h")
        self.assertEqual(re.split(r"\s{2,}", lines[1]), ["REVISION", "CHANGE-CAUSE"])
        self.assertEqual(lines[2].split()[0], "1")
        self.assertEqual(re.split(r"\s{2,}", lines[3]), ["2", "second image"])
        one = self.k("rollout", "history", "deployment/h", "--revision=2").stdout
        self.assertIn("with revision #2", one)
        self.assertRegex(one, r"Image:\s+busybox:2")
        self.assertEqual(self.k("rollout", "undo", "deployment/h").stdout, "deployment.apps/h rolled back\n")
        self.status("h")
        k.eventually(lambda: self.images("h") == {"busybox:1"})
        revisions = [l.split()[0] for l in self.k("rollout", "history", "deployment/h").stdout.splitlines()[2:] if l]
        self.assertEqual(revisions, ["2", "3"])
        self.k("rollout", "undo", "deployment/h", "--to-revision=2")
        self.status("h")
        k.eventually(lambda: self.images("h") == {"busybox:2"})
        self.assertEqual(len(self.get("rs", "-l", "app=h")["items"]), 2)
        self.assertIn("unable to find specified revision 77 in history",
                      self.fails("rollout", "undo", "deployment/h", "--to-revision=77"))

    def test_restart(self):
        self.create(k.deployment("r"))
        self.status("r")
        before = {p["metadata"]["name"] for p in self.get("pods", "-l", "app=r")["items"]}
        self.assertEqual(self.k("rollout", "restart", "deployment/r").stdout, "deployment.apps/r restarted\n")
        self.assertIn("successfully rolled out", self.status("r"))
        k.eventually(lambda: not before & {p["metadata"]["name"] for p in self.get("pods", "-l", "app=r")["items"]})
        annotations = self.get("deployment", "r")["spec"]["template"]["metadata"]["annotations"]
        self.assertIn("kubectl.kubernetes.io/restartedAt", annotations)

    def test_pause_and_resume(self):
        self.create(k.deployment("p"))
        self.status("p")
        self.assertEqual(self.k("rollout", "pause", "deployment/p").stdout, "deployment.apps/p paused\n")
        self.assertEqual(self.fails("rollout", "pause", "deployment/p"),
                         'error: deployments.apps "p" is already paused\n')
        self.k("set", "image", "deployment/p", "c=busybox:2")
        k.eventually(lambda: self.get("deployment", "p")["status"]["observedGeneration"] == 3)
        self.assertEqual(self.images("p"), {"busybox:1"})
        self.assertIn("cannot rollback a paused deployment; resume it first", 
                      self.fails("rollout", "undo", "deployment/p", "--to-revision=1"))
        self.assertIn("can't restart paused deployment (run rollout resume first)",
                      self.fails("rollout", "restart", "deployment/p"))
        self.assertEqual(self.k("rollout", "resume", "deployment/p").stdout, "deployment.apps/p resumed\n")
        self.status("p")
        k.eventually(lambda: self.images("p") == {"busybox:2"})
        self.assertEqual(self.fails("rollout", "resume", "deployment/p"), 'error: deployments.apps "p" is not paused\n')

    def test_stuck_rollout_keeps_the_old_pods(self):
        self.create(k.deployment("stuck", replicas=3, extra={"progressDeadlineSeconds": 2}))
        self.status("stuck")
        self.k("set", "image", "deployment/stuck", "c=nosuch.invalid/x:1")
        done = self.k("rollout", "status", "deployment/stuck", "--timeout=15s", check=False)
        self.assertEqual(done.code, 1)
        self.assertEqual(done.stderr, 'error: deployment "stuck" exceeded its progress deadline\n')
        self.assertRegex(done.stdout, r'Waiting for deployment "stuck" rollout to finish: 1 out of 3 new replicas')
        status = self.get("deployment", "stuck")["status"]
        self.assertEqual((status["availableReplicas"], status["updatedReplicas"], status["unavailableReplicas"]), (3, 1, 1))
        progressing = next(c for c in status["conditions"] if c["type"] == "Progressing")
        self.assertEqual((progressing["status"], progressing["reason"]), ("False", "ProgressDeadlineExceeded"))
        statuses = {r["STATUS"] for r in k.table(self.k("get", "pods", "-l", "app=stuck").stdout)}
        self.assertTrue(statuses & {"ErrImagePull", "ImagePullBackOff"}, statuses)
        self.k("rollout", "undo", "deployment/stuck")
        self.status("stuck")

    def test_status_times_out(self):
        self.create(k.deployment("never", k.container(readinessProbe={"exec": {"command": ["false"]}, "periodSeconds": 1})))
        done = self.k("rollout", "status", "deployment/never", "--timeout=1s", check=False)
        self.assertEqual(done.code, 1)
        self.assertEqual(done.stdout.splitlines()[-1],
                         'Waiting for deployment "never" rollout to finish: 0 of 1 updated replicas are available...')
        self.assertIn("timed out waiting for the condition", done.stderr)
        done = self.k("rollout", "status", "deployment/never", "--watch=false")
        self.assertIn("0 of 1 updated replicas are available", done.stdout)

    def test_recreate(self):
        self.create(k.deployment("rec", replicas=2, extra={"strategy": {"type": "Recreate"}}))
        self.status("rec")
        self.k("set", "image", "deployment/rec", "c=busybox:2")
        self.status("rec")
        k.eventually(lambda: self.images("rec") == {"busybox:2"})


class DaemonSetRollout(k.Case):
    def test_daemonset(self):
        self.create(k.workload("DaemonSet", "ds"))
        self.assertIn('daemon set "ds" successfully rolled out\n',
                      self.k("rollout", "status", "daemonset/ds", "--timeout=15s").stdout)
        out = self.k("get", "daemonset", "ds").stdout
        self.assertEqual(k.header(out), ["NAME", "DESIRED", "CURRENT", "READY", "UP-TO-DATE", "AVAILABLE", "NODE SELECTOR", "AGE"])
        row = k.table(out)[0]
        self.assertEqual([row[c] for c in ("DESIRED", "CURRENT", "READY", "UP-TO-DATE", "AVAILABLE", "NODE SELECTOR")],
                         ["2", "2", "2", "2", "2", "<none>"])
        nodes = sorted(p["spec"]["nodeName"] for p in self.get("pods", "-l", "app=ds")["items"])
        self.assertEqual(nodes, ["node-2", "node-3"])  # node-1 is tainted
        self.assertEqual(self.k("set", "image", "daemonset/ds", "c=busybox:2").stdout, "daemonset.apps/ds image updated\n")
        self.k("rollout", "status", "daemonset/ds", "--timeout=15s")
        images = {p["spec"]["containers"][0]["image"] for p in self.get("pods", "-l", "app=ds")["items"]}
        self.assertEqual(images, {"busybox:2"})
        lines = self.k("rollout", "history", "daemonset/ds").stdout.splitlines()
        self.assertEqual(lines[0].strip(), "daemonset.apps/ds")
        self.assertEqual([l.split()[0] for l in lines[2:] if l], ["1", "2"])
        self.assertEqual(self.k("rollout", "undo", "daemonset/ds").stdout, "daemonset.apps/ds rolled back\n")
        self.k("rollout", "status", "daemonset/ds", "--timeout=15s")
        self.assertEqual(self.jsonpath("{.spec.template.spec.containers[0].image}", "daemonset", "ds"), "busybox:1")
        self.assertEqual(self.k("rollout", "restart", "daemonset/ds").stdout, "daemonset.apps/ds restarted\n")
        self.k("rollout", "status", "daemonset/ds", "--timeout=15s")
        self.assertEqual(len(self.get("controllerrevisions", "-l", "app=ds")["items"]), 3)

    def test_node_selector_and_toleration(self):
        self.create(k.workload("DaemonSet", "one", nodeSelector={"kubernetes.io/hostname": "node-1"},
                               tolerations=[{"operator": "Exists"}]))
        self.k("rollout", "status", "daemonset/one", "--timeout=15s")
        pods = self.get("pods", "-l", "app=one")["items"]
        self.assertEqual([p["spec"]["nodeName"] for p in pods], ["node-1"])


class StatefulSetRollout(k.Case):
    def test_statefulset(self):
        self.create(k.service("st", clusterIP="None"), k.workload("StatefulSet", "st", extra={"replicas": 2, "serviceName": "st"}))
        out = self.k("rollout", "status", "statefulset/st", "--timeout=15s").stdout
        self.assertRegex(out, r"(?m)^(statefulset rolling update complete 2 pods at revision st-\w+\.\.\."
                         r"|partitioned roll out complete: 2 new pods have been updated\.\.\.)$")
        row = k.table(self.k("get", "statefulset", "st").stdout)[0]
        self.assertEqual((row["NAME"], row["READY"]), ("st", "2/2"))
        pods = self.get("pods", "-l", "app=st")["items"]
        self.assertEqual([p["metadata"]["name"] for p in pods], ["st-0", "st-1"])
        self.assertEqual(pods[0]["metadata"]["labels"]["apps.kubernetes.io/pod-index"], "0")
        self.assertEqual((pods[0]["spec"]["hostname"], pods[0]["spec"]["subdomain"]), ("st-0", "st"))
        self.k("set", "image", "statefulset/st", "c=busybox:2")
        self.k("rollout", "status", "statefulset/st", "--timeout=15s")
        self.assertEqual(self.jsonpath("{.spec.containers[0].image}", "pod", "st-0"), "busybox:2")
        lines = self.k("rollout", "history", "statefulset/st").stdout.splitlines()
        self.assertEqual([l.split()[0] for l in lines[2:] if l], ["1", "2"])
        self.assertEqual(self.k("rollout", "undo", "statefulset/st").stdout, "statefulset.apps/st rolled back\n")
        self.k("rollout", "status", "statefulset/st", "--timeout=15s")
        self.assertEqual(self.jsonpath("{.spec.containers[0].image}", "pod", "st-1"), "busybox:1")
        self.assertEqual(self.k("rollout", "restart", "statefulset/st").stdout, "statefulset.apps/st restarted\n")
        self.k("rollout", "status", "statefulset/st", "--timeout=15s")
        self.assertEqual(self.k("scale", "statefulset/st", "--replicas=1").stdout, "statefulset.apps/st scaled\n")
        k.eventually(lambda: self.k("get", "pods", "-l", "app=st", "-o", "name").stdout == "pod/st-0\n")
