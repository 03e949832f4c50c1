"""kubectl on ReplicaSets, ReplicationControllers, Jobs, CronJobs and PodDisruptionBudgets."""
import kubectl as k


class Replicas(k.Case):
    def test_replicaset(self):
        self.create(k.workload("ReplicaSet", "rs", extra={"replicas": 2}))
        k.eventually(lambda: self.get("rs", "rs")["status"].get("readyReplicas") == 2)
        out = self.k("get", "rs", "rs").stdout
        self.assertEqual(k.header(out), ["NAME", "DESIRED", "CURRENT", "READY", "AGE"])
        row = k.table(out)[0]
        self.assertEqual((row["DESIRED"], row["CURRENT"], row["READY"]), ("2", "2", "2"))
        pods = self.get("pods", "-l", "app=rs")["items"]
        self.assertTrue(all(p["metadata"]["generateName"] == "rs-" for p in pods))
        self.k("delete", "pod", pods[0]["metadata"]["name"])
        k.eventually(lambda: self.get("rs", "rs")["status"].get("readyReplicas") == 2)
        self.assertEqual(self.k("scale", "rs/rs", "--replicas=1").stdout, "replicaset.apps/rs scaled\n")
        k.eventually(lambda: len(self.get("pods", "-l", "app=rs")["items"]) == 1)
        # A pod that leaves the selector is released and replaced.
        name = self.get("pods", "-l", "app=rs")["items"][0]["metadata"]["name"]
        self.k("label", "pod", name, "app=free", "--overwrite")
        k.eventually(lambda: not self.get("pod", name)["metadata"].get("ownerReferences"))
        k.eventually(lambda: len(self.get("pods", "-l", "app=rs")["items"]) == 1)

    def test_replicationcontroller(self):
        self.create({"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "rc"},
                     "spec": {"replicas": 1, "selector": {"app": "rc"}, "template": k.template("rc")}})
        k.eventually(lambda: self.get("rc", "rc")["status"].get("readyReplicas") == 1)
        out = self.k("get", "rc", "rc").stdout
        self.assertEqual(k.header(out), ["NAME", "DESIRED", "CURRENT", "READY", "AGE"])
        self.assertEqual(self.k("scale", "rc/rc", "--replicas=2").stdout, "replicationcontroller/rc scaled\n")
        k.eventually(lambda: self.get("rc", "rc")["status"].get("readyReplicas") == 2)
        self.assertEqual(self.k("expose", "rc", "rc", "--port=80").stdout, "service/rc exposed\n")
        self.assertRegex(self.k("describe", "rc", "rc").stdout, r"(?m)^Replicas: +2 current / 2 desired$")


class Jobs(k.Case):
    def test_complete(self):
        self.assertEqual(self.k("create", "job", "j", "--image=busybox", "--", "echo", "done").stdout, "job.batch/j created\n")
        self.assertEqual(self.k("wait", "--for=condition=Complete", "job/j", "--timeout=15s").stdout,
                         "job.batch/j condition met\n")
        out = self.k("get", "job", "j").stdout
        self.assertEqual(k.header(out), ["NAME", "STATUS", "COMPLETIONS", "DURATION", "AGE"])
        row = k.table(out)[0]
        self.assertEqual((row["STATUS"], row["COMPLETIONS"]), ("Complete", "1/1"))
        self.assertRegex(row["DURATION"], r"^\d+s$")
        self.assertEqual(self.k("logs", "job/j").stdout, "done\n")
        job = self.get("job", "j")
        self.assertEqual((job["status"]["succeeded"], job["spec"]["backoffLimit"]), (1, 6))
        pod = self.get("pods", "-l", "batch.kubernetes.io/job-name=j")["items"][0]
        self.assertEqual(pod["metadata"]["labels"]["job-name"], "j")
        self.assertEqual(pod["metadata"]["labels"]["batch.kubernetes.io/controller-uid"], job["metadata"]["uid"])
        self.k("delete", "job", "j")
        k.eventually(lambda: self.get("pods", "-l", "job-name=j")["items"] == [])

    def test_failed(self):
        self.create(k.job("f", "exit 1", extra={"backoffLimit": 0}))
        self.assertEqual(self.k("wait", "--for=condition=Failed", "job/f", "--timeout=15s").stdout, "job.batch/f condition met\n")
        failed = next(c for c in self.get("job", "f")["status"]["conditions"] if c["type"] == "Failed")
        self.assertEqual((failed["status"], failed["reason"], failed["message"]),
                         ("True", "BackoffLimitExceeded", "Job has reached the specified backoff limit"))
        self.assertEqual(k.table(self.k("get", "job", "f").stdout)[0]["STATUS"], "Failed")

    def test_completions_and_parallelism(self):
        self.create(k.job("many", "echo $JOB_COMPLETION_INDEX", extra={"completions": 4, "parallelism": 2,
                                                                       "completionMode": "Indexed"}))
        self.k("wait", "--for=condition=Complete", "job/many", "--timeout=15s")
        self.assertEqual(self.get("job", "many")["status"]["completedIndexes"], "0-3")
        self.assertEqual(k.table(self.k("get", "job", "many").stdout)[0]["COMPLETIONS"], "4/4")
        out = self.k("logs", "-l", "job-name=many").stdout
        self.assertEqual(sorted(out.split()), ["0", "1", "2", "3"])

    def test_deadline_and_suspend(self):
        self.create(k.job("late", "sleep 100", extra={"activeDeadlineSeconds": 1}))
        self.k("wait", "--for=condition=Failed", "job/late", "--timeout=15s")
        reasons = [c["reason"] for c in self.get("job", "late")["status"]["conditions"] if c["type"] == "Failed"]
        self.assertEqual(reasons, ["DeadlineExceeded"])
        self.create(k.job("held", "true", extra={"suspend": True}))
        self.k("wait", "--for=condition=Suspended", "job/held", "--timeout=15s")
        self.assertEqual(self.get("pods", "-l", "job-name=held")["items"], [])
        self.k("patch", "job", "held", "-p", '{"spec":{"suspend":false}}')
        self.k("wait", "--for=condition=Complete", "job/held", "--timeout=15s")

    def test_cronjob(self):
        self.create({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "cj"}, "spec": {
            "schedule": "0 0 1 1 *", "jobTemplate": {"spec": k.job("x", "echo cron")["spec"]}}})
        out = self.k("get", "cronjob", "cj").stdout
        self.assertEqual(k.header(out), ["NAME", "SCHEDULE", "TIMEZONE", "SUSPEND", "ACTIVE", "LAST SCHEDULE", "AGE"])
        row = k.table(out)[0]
        self.assertEqual([row[c] for c in ("SCHEDULE", "TIMEZONE", "SUSPEND", "ACTIVE", "LAST SCHEDULE")],
                         ["0 0 1 1 *", "<none>", "False", "0", "<none>"])
        bad = self.fails("patch", "cronjob", "cj", "-p", '{"spec":{"schedule":"nonsense"}}')
        self.assertIn('spec.schedule: Invalid value: "nonsense"', bad)

    @k.needs(21, "create cronjob sends batch/v1beta1, which 1.36 does not serve")
    def test_create_cronjob(self):
        self.assertEqual(self.k("create", "cronjob", "made", "--image=busybox", "--schedule=0 0 1 1 *", "--", "true").stdout,
                         "cronjob.batch/made created\n")

    @k.needs(21, "create job --from reads batch/v1beta1, which 1.36 does not serve")
    def test_job_from_a_cronjob(self):
        self.create({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "src"}, "spec": {
            "schedule": "0 0 1 1 *", "jobTemplate": {"spec": k.job("x", "echo cron")["spec"]}}})
        self.assertEqual(self.k("create", "job", "now", "--from=cronjob/src").stdout, "job.batch/now created\n")
        self.k("wait", "--for=condition=Complete", "job/now", "--timeout=15s")
        self.assertEqual(self.k("logs", "job/now").stdout, "cron\n")
        job = self.get("job", "now")["metadata"]
        self.assertEqual(job["annotations"]["cronjob.kubernetes.io/instantiate"], "manual")
        self.assertEqual(job["ownerReferences"][0]["kind"], "CronJob")


class Budget(k.Case):
    def test_pdb(self):
        self.create(k.deployment("b", replicas=2))
        self.k("rollout", "status", "deployment/b")
        self.create({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "pdb"},
                     "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "b"}}}})
        k.eventually(lambda: self.get("pdb", "pdb")["status"]["disruptionsAllowed"] == 1)
        out = self.k("get", "pdb").stdout
        self.assertEqual(k.header(out), ["NAME", "MIN AVAILABLE", "MAX UNAVAILABLE", "ALLOWED DISRUPTIONS", "AGE"])
        row = next(row for row in k.table(out) if row["NAME"] == "pdb")
        self.assertEqual((row["MIN AVAILABLE"], row["MAX UNAVAILABLE"], row["ALLOWED DISRUPTIONS"]), ("1", "N/A", "1"))
        status = self.get("pdb", "pdb")["status"]
        self.assertEqual((status["currentHealthy"], status["desiredHealthy"], status["expectedPods"]), (2, 1, 2))
        self.k("scale", "deployment/b", "--replicas=1")
        k.eventually(lambda: self.get("pdb", "pdb")["status"]["disruptionsAllowed"] == 0)
        # An eviction is refused now, a deletion is not.
        k.eventually(lambda: len(self.get("pods", "-l", "app=b")["items"]) == 1)
        name = self.get("pods", "-l", "app=b")["items"][0]["metadata"]["name"]
        done = self.k("create", "--raw", "/api/v1/namespaces/%s/pods/%s/eviction" % (self.namespace, name), "-f", "-",
                      stdin={"apiVersion": "policy/v1", "kind": "Eviction",
                             "metadata": {"name": name, "namespace": self.namespace}}, check=False)
        self.assertEqual(done.code, 1)
        self.assertIn("Cannot evict pod as it would violate the pod's disruption budget.", done.stderr)
        self.k("delete", "pod", name)

    @k.needs(21, "create pdb sends policy/v1beta1, which 1.36 does not serve")
    def test_create_pdb(self):
        self.assertEqual(self.k("create", "pdb", "made", "--selector=app=x", "--max-unavailable=1").stdout,
                         "poddisruptionbudget.policy/made created\n")
        self.assertRegex(self.k("describe", "pdb", "made").stdout, r"(?m)^Max unavailable: +1$")
