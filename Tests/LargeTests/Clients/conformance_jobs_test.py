"""[sig-apps] Job, CronJob, DaemonSet and ControllerRevision: what upstream's tests of conformance assert of them, and what the API's documentation says besides.

Failed pods of a Job are replaced after ten seconds only, and a CronJob acts once a minute at most: such objects are made together, early, and judged one by one.
"""
import datetime
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import conformance
from conformance import IDLE, JSON_PATCH, MERGE, Case, condition, container, tearDownModule, unique  # noqa: F401

WORKERS = ["node-2", "node-3"]
FAIL_ODD = "exit $((JOB_COMPLETION_INDEX % 2))"
FAIL_ONCE = "[ -e /data/mark ] && exit 0; touch /data/mark; exit 1"


def setUpModule():
    conformance.setUpModule()
    Schedules.setUpClass()


def timestamp(seconds_ago=0):
    return (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def job(name, script="exit 0", completions=4, parallelism=2, restart="Never", pod=None, more=None, labels=None, **spec):
    """pod: more of the pod's spec; more: more of its container."""
    template = dict({"restartPolicy": restart, "terminationGracePeriodSeconds": 1, "containers": [container(script=script, **(more or {}))]}, **(pod or {}))
    spec = dict({"completions": completions, "parallelism": parallelism, "template": {"spec": template}}, **spec)
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": labels or {}}, "spec": {k: v for k, v in spec.items() if v is not None}}


def shared(node="node-2", kind="hostPath"):
    """Arguments of job() for a directory /data that the job's pods share: by their node, or, as emptyDir, the containers of one pod."""
    source = {"hostPath": {"path": "/tmp/job-" + unique("e2e"), "type": "DirectoryOrCreate"}} if kind == "hostPath" else {"emptyDir": {}}
    return {"pod": dict({"volumes": [dict({"name": "data"}, **source)]}, **({"nodeSelector": {"kubernetes.io/hostname": node}} if kind == "hostPath" else {})),
            "more": {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}}


def on_exit(action, *codes, operator="In", **more):
    return {"rules": [{"action": action, "onExitCodes": dict({"operator": operator, "values": list(codes)}, **more)}]}


class Jobs(Case):
    def pods(self, name):
        return self.list("Pod", label_selector="batch.kubernetes.io/job-name=" + name)

    def running(self, name, count):
        def look():
            found = [p for p in self.pods(name) if p["status"].get("phase") == "Running"]
            return found if len(found) == count else None
        return self.until("%d pods of %s run" % (count, name), look)

    def has(self, name, kind, reason=None, seconds=10):
        """The job once a condition of it is true, for the reason."""
        def look():
            found = self.get("Job", name)
            it = condition(found, kind)
            return found if it.get("status") == "True" and reason in (None, it.get("reason")) else None
        return self.until("%s is %s because of %s" % (name, kind, reason), look, seconds)

    def ended(self, name, kind, reason=None, seconds=10):
        """The job once it is over, which must be by "Complete" or "Failed" and for the reason."""
        def look():
            found = self.get("Job", name)
            return found if "True" in (condition(found, "Complete").get("status"), condition(found, "Failed").get("status")) else None
        found = self.until(name + " is over", look, seconds)
        self.assertEqual(condition(found, kind).get("status"), "True", found["status"])
        if reason:
            self.assertEqual(condition(found, kind).get("reason"), reason, found["status"])
        return found

    def completed(self, name, succeeded, reason="CompletionsReached", seconds=10):
        found = self.ended(name, "Complete", reason, seconds)
        self.assertEqual(found["status"].get("succeeded"), succeeded, found["status"])
        return found

    def is_idle(self, found):
        status = found["status"]
        self.assertEqual((status.get("active", 0), status.get("ready"), status.get("terminating")), (0, 0, 0), status)

    def suspend(self, name, value):
        return self.update("Job", name, lambda found: found["spec"].update(suspend=value))

    def update_status(self, kind, name, change):
        resource = self.kind(kind)

        def attempt():
            obj = self.get(kind, name)
            change(obj)
            return resource.status.replace(body=obj, namespace=self.ns).to_dict()
        return self.until("the status of %s %s is updated" % (kind, name), attempt)

    def patch_status(self, kind, name, body):
        return self.kind(kind).status.patch(name=name, namespace=self.ns, body=body, content_type=MERGE).to_dict()

    def invalid(self, obj, field):
        """The cluster must refuse to make the object, and name the field."""
        status = self.refused(422, self.create, obj)
        self.assertEqual(status["reason"], "Invalid", status)
        self.assertTrue(any(c["field"].startswith(field) for c in status["details"]["causes"]), status)


class Job(Jobs):
    """What needs no retry."""

    def test_runs_to_completion_when_tasks_succeed(self):
        """[sig-apps] Job should run a job to completion when tasks succeed (not Conformance)"""
        self.create(job("all-succeed"))
        found = self.completed("all-succeed", 4)
        self.assertEqual([p["status"]["phase"] for p in self.pods("all-succeed")], ["Succeeded"] * 4)
        self.assertTrue(found["status"]["startTime"] <= found["status"]["completionTime"])
        self.assertEqual(condition(found, "SuccessCriteriaMet").get("reason"), "CompletionsReached")
        self.until("the pods are released", lambda: not any(p["metadata"].get("finalizers") for p in self.pods("all-succeed")))
        self.until("an Event tells", lambda: self.events("all-succeed", "Completed"))
        self.assertEqual(len(self.events("all-succeed", "SuccessfulCreate")), 4)

    def test_pod_failure_policy_fails_the_job_early(self):
        """[sig-apps] Job should allow to use the pod failure policy on exit code to fail the job early"""
        self.create(job("pod-failure-failjob", FAIL_ONCE, backoffLimit=6, podFailurePolicy=on_exit("FailJob", 1), **shared()))
        found = self.ended("pod-failure-failjob", "Failed", "PodFailurePolicy")
        self.assertEqual(condition(found, "FailureTarget").get("reason"), "PodFailurePolicy")
        self.assertRegex(condition(found, "Failed")["message"],
                         r"Container c for pod %s/pod-failure-failjob-\S+ failed with exit code 1 matching FailJob rule at index 0" % self.ns)
        self.is_idle(found)

    def test_indexed_pods_have_indexes_and_hostnames(self):
        """[sig-apps] Job should create pods for an Indexed job with completion indexes and specified hostname"""
        self.create(job("indexed-job", "echo $JOB_COMPLETION_INDEX $(hostname)", completionMode="Indexed"))
        found = self.completed("indexed-job", 4)
        self.assertEqual(found["status"]["completedIndexes"], "0-3")
        pods = {p["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"]: p for p in self.pods("indexed-job")}
        self.assertEqual(sorted(pods), ["0", "1", "2", "3"])
        for index, pod in pods.items():
            self.assertEqual(pod["status"]["phase"], "Succeeded")
            self.assertEqual(pod["spec"]["hostname"], "indexed-job-" + index)
            self.assertEqual(pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"], index)
            self.assertRegex(pod["metadata"]["name"], r"^indexed-job-%s-[a-z0-9]+$" % index)
            self.assertEqual(self.logs(pod["metadata"]["name"]), "%s indexed-job-%s\n" % (index, index))

    def test_success_policy_when_all_indexes_succeed(self):
        """[sig-apps] Job with successPolicy should succeeded when all indexes succeeded"""
        self.create(job("success-all", completions=2, completionMode="Indexed", successPolicy={"rules": [{"succeededCount": 2}]}))
        self.has("success-all", "SuccessCriteriaMet", "SuccessPolicy")
        found = self.completed("success-all", 2, "SuccessPolicy")
        self.is_idle(found)
        self.assertEqual(found["status"].get("failed", 0), 0)

    def test_success_policy_of_succeeded_indexes(self):
        """[sig-apps] Job with successPolicy succeededIndexes rule should succeeded even when some indexes remain pending"""
        self.create(job("success-indexes", FAIL_ODD, 5, completionMode="Indexed", successPolicy={"rules": [{"succeededIndexes": "0"}]}))
        self.has("success-indexes", "SuccessCriteriaMet", "SuccessPolicy")
        found = self.completed("success-indexes", 1, "SuccessPolicy")
        self.assertEqual(found["status"]["completedIndexes"], "0")
        self.is_idle(found)

    def test_success_policy_of_succeeded_count(self):
        """[sig-apps] Job with successPolicy succeededCount rule should succeeded even when some indexes remain pending"""
        self.create(job("success-count", FAIL_ODD, 5, completionMode="Indexed", successPolicy={"rules": [{"succeededCount": 1}]}, backoffLimit=2147483647))
        self.has("success-count", "SuccessCriteriaMet", "SuccessPolicy")
        found = self.completed("success-count", 1, "SuccessPolicy")
        self.assertEqual(found["status"]["completedIndexes"], "0")
        self.is_idle(found)

    def test_max_failed_indexes_terminate_the_job(self):
        """[sig-apps] Job should terminate job execution when the number of failed indexes exceeds maxFailedIndexes"""
        self.create(job("max-failed", "exit 1", 4, 1, completionMode="Indexed", backoffLimitPerIndex=0, maxFailedIndexes=0))
        found = self.ended("max-failed", "Failed", "MaxFailedIndexesExceeded")
        self.assertEqual(found["status"]["failedIndexes"], "0")
        self.assertEqual(found["status"]["failed"], 1)

    def test_fail_index_action_marks_an_index(self):
        """[sig-apps] Job should mark indexes as failed when the FailIndex action is matched in podFailurePolicy"""
        self.create(job("fail-index", FAIL_ODD, 2, completionMode="Indexed", backoffLimitPerIndex=1, podFailurePolicy=on_exit("FailIndex", 1)))
        status = self.ended("fail-index", "Failed", "FailedIndexes")["status"]
        self.assertEqual((status["failedIndexes"], status["completedIndexes"], status["failed"], status["succeeded"]), ("1", "0", 1, 1), status)

    def test_deletes_a_job_and_its_pods(self):
        """[sig-apps] Job should delete a job; and: should remove pods when job is deleted (not Conformance)"""
        self.create(job("foo", IDLE))
        self.running("foo", 2)
        self.delete("Job", "foo", propagationPolicy="Background")
        self.until("the job is gone", lambda: self.gone("Job", "foo"))
        self.until("its pods are gone", lambda: not self.pods("foo"))

    def test_adopts_orphans_and_releases_others(self):
        """[sig-apps] Job should adopt matching orphans and release non-matching pods"""
        made = self.create(job("adopt-release", IDLE))
        name = self.running("adopt-release", 2)[0]["metadata"]["name"]
        self.update("Pod", name, lambda pod: pod["metadata"].update(ownerReferences=[]))

        def owner():
            return next((r for r in self.get("Pod", name)["metadata"].get("ownerReferences", []) if r.get("controller")), None)
        found = self.until("the pod is adopted", owner)
        self.assertEqual((found["kind"], found["name"], found["uid"]), ("Job", "adopt-release", made["metadata"]["uid"]))
        self.update("Pod", name, lambda pod: pod["metadata"].update(labels={}))
        self.until("the pod is released", lambda: not owner())
        self.assertEqual(self.get("Pod", name)["status"]["phase"], "Running")
        self.running("adopt-release", 2)

    def test_applies_changes_to_the_status(self):
        """[sig-apps] Job should apply changes to a job status"""
        made = self.create(job("status", IDLE))
        self.running("status", 2)
        first = timestamp(30)
        patched = self.patch_status("Job", "status", {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"conditions": [
            {"type": "CustomConditionType", "status": "True", "lastTransitionTime": first}]}})
        self.assertEqual(condition(patched, "CustomConditionType").get("lastTransitionTime"), first, patched)
        self.assertEqual(patched["metadata"]["annotations"]["patchedstatus"], "true")
        second = timestamp()
        updated = self.update_status("Job", "status", lambda found: condition(found, "CustomConditionType").update(lastTransitionTime=second))
        self.assertEqual(condition(updated, "CustomConditionType").get("lastTransitionTime"), second, updated)
        found = self.kind("Job").status.get(name="status", namespace=self.ns).to_dict()
        self.assertEqual(found["metadata"]["uid"], made["metadata"]["uid"])

    def test_manages_the_lifecycle_of_a_job(self):
        """[sig-apps] Job should manage the lifecycle of a job"""
        name = unique("life")
        selector = "e2e-job-label=" + name
        with self.watching("Job", label_selector=selector) as events:
            def saw(kind, where, key, value):
                self.until("%s with %s" % (kind, key), lambda: any(t == kind and o["metadata"].get(where, {}).get(key) == value for t, o in events))
            made = self.create(job(name, labels={"e2e-job-label": name}, suspend=True))
            patched = self.patch("Job", name, {"metadata": {"labels": {name: "patched"}}})
            self.assertEqual(patched["metadata"]["labels"][name], "patched")
            self.assertGreater(int(patched["metadata"]["resourceVersion"]), int(made["metadata"]["resourceVersion"]))
            saw("MODIFIED", "labels", name, "patched")

            def change(found):
                found["spec"]["suspend"] = False
                found["metadata"].setdefault("annotations", {})["updated"] = "true"
            self.assertEqual(self.update("Job", name, change)["metadata"]["annotations"]["updated"], "true")
            saw("MODIFIED", "annotations", "updated", "true")
            everywhere = self.kind("Job").get(label_selector=selector).to_dict()["items"]
            self.assertEqual([j["metadata"]["name"] for j in everywhere], [name])
            self.completed(name, 4)
            self.kind("Job").delete(namespace=self.ns, label_selector=selector, body={"propagationPolicy": "Background"})
            saw("DELETED", "labels", "e2e-job-label", name)
        self.assertEqual(self.kind("Job").get(label_selector=selector).to_dict()["items"], [])

    def test_suspended_job_has_no_pods_until_resumed(self):
        """[sig-apps] Job should not create pods when created in suspend state (not Conformance)"""
        self.create(job("suspended-first", suspend=True))
        found = self.has("suspended-first", "Suspended")
        self.assertEqual((self.pods("suspended-first"), found["status"].get("startTime")), ([], None))
        self.suspend("suspended-first", False)
        found = self.completed("suspended-first", 4)
        self.assertEqual(condition(found, "Suspended")["status"], "False")

    def test_suspending_deletes_pods(self):
        """[sig-apps] Job should delete pods when suspended; should update the status ready field (neither Conformance)"""
        self.create(job("suspended-later", IDLE, suspend=True))
        self.until("ready is 0", lambda: self.get("Job", "suspended-later")["status"]["ready"] == 0)
        self.suspend("suspended-later", False)
        self.until("ready is 2", lambda: self.get("Job", "suspended-later")["status"]["ready"] == 2)
        self.suspend("suspended-later", True)
        self.until("the pods are gone", lambda: not self.pods("suspended-later"))
        self.has("suspended-later", "Suspended", "JobSuspended")
        found = self.until("ready is 0 again", lambda: (lambda j: j if j["status"]["ready"] == 0 else None)(self.get("Job", "suspended-later")))
        # A suspension is no failure, and the time of start is that of the resumption.
        self.assertEqual(found["status"].get("failed", 0), 0, found["status"])
        self.assertIsNone(found["status"].get("startTime"), found["status"])

    def test_leaves_a_job_of_another_controller_alone(self):
        """[sig-apps] Job should allow to delegate reconciliation to external controller (not Conformance)"""
        self.create(job("managed-by", managedBy="example.com/custom-job-controller"))
        self.never("somebody touched the job", lambda: self.get("Job", "managed-by").get("status") or self.pods("managed-by"), 2)

    def test_replaces_pods_after_they_failed_only(self):
        """[sig-apps] Job should recreate pods only after they have failed if pod replacement policy is set to Failed (not Conformance)"""
        self.create(job("recreate-failed", "trap 'sleep 2; exit 143' TERM; while :; do sleep 0.1; done", 1, 1, podReplacementPolicy="Failed", backoffLimit=1,
                        pod={"terminationGracePeriodSeconds": 30}))
        self.create(job("recreate-at-once", "trap 'sleep 2; exit 143' TERM; while :; do sleep 0.1; done", 1, 1, podReplacementPolicy="TerminatingOrFailed",
                        pod={"terminationGracePeriodSeconds": 30}))
        for name in "recreate-failed", "recreate-at-once":
            self.delete("Pod", self.running(name, 1)[0]["metadata"]["name"])

        def numbers(name):
            status = self.get("Job", name)["status"]
            return status.get("active", 0), status.get("failed", 0), status.get("terminating")
        self.until("the pod is terminating and no failure yet", lambda: numbers("recreate-failed") == (0, 0, 1))
        self.until("with the other policy it is a failure already", lambda: numbers("recreate-at-once") == (0, 1, 1))
        self.never("a pod came too early", lambda: numbers("recreate-failed")[0] and numbers("recreate-failed")[1] == 0, 1)
        self.until("the failed pod has a successor", lambda: numbers("recreate-failed") == (1, 1, 0))

    def test_fails_after_the_active_deadline(self):
        """[sig-apps] Job should fail when exceeds active deadline (not Conformance)"""
        self.create(job("deadline", IDLE, activeDeadlineSeconds=1))
        self.has("deadline", "FailureTarget", "DeadlineExceeded")
        self.is_idle(self.ended("deadline", "Failed", "DeadlineExceeded"))
        self.until("the pods are gone", lambda: not self.pods("deadline"))

    def test_deletes_a_finished_job_after_its_time(self):
        """[sig-apps] TTLAfterFinished job should be deleted once it finishes after TTL seconds (not Conformance)"""
        self.create(job("ttl", completions=1, ttlSecondsAfterFinished=1))
        finished = self.completed("ttl", 1)["status"]["completionTime"]
        self.until("the job is gone", lambda: self.gone("Job", "ttl"))
        self.assertGreaterEqual(time.time(), datetime.datetime.fromisoformat(finished.replace("Z", "+00:00")).timestamp() + 1)
        self.until("its pods are gone", lambda: not self.pods("ttl"))
        self.create(job("ttl-none", completions=1, ttlSecondsAfterFinished=0))
        self.until("a job without time is gone at once", lambda: self.gone("Job", "ttl-none"))

    def test_pods_carry_the_labels_of_their_job(self):
        """Documentation: job-name and controller-uid, with and without prefix; the selector is generated"""
        made = self.create(job("labels", completions=1))
        uid = made["metadata"]["uid"]
        self.assertEqual(made["spec"]["selector"]["matchLabels"], {"batch.kubernetes.io/controller-uid": uid})
        self.completed("labels", 1)
        labels = self.pods("labels")[0]["metadata"]["labels"]
        self.assertEqual(labels, {"job-name": "labels", "controller-uid": uid, "batch.kubernetes.io/job-name": "labels", "batch.kubernetes.io/controller-uid": uid})
        owner = self.pods("labels")[0]["metadata"]["ownerReferences"][0]
        self.assertEqual((owner["kind"], owner["uid"], owner["controller"], owner["blockOwnerDeletion"]), ("Job", uid, True, True))

    def test_work_queue_ends_with_the_first_success(self):
        """Documentation: without completions, no new pods come after one succeeded, and the job completes when all have ended"""
        self.create(job("queue", "[ -e /data/first ] && { sleep 0.5; exit 0; }; touch /data/first", None, 3, **shared()))
        found = self.ended("queue", "Complete")
        self.assertEqual(found["status"]["succeeded"], 3)
        self.assertEqual(len(self.pods("queue")), 3)

    def test_parallelism_can_change(self):
        """Documentation: parallelism may be changed while the job runs, and be 0; an Indexed job may change completions with it"""
        self.create(job("parallel", IDLE, 6, 1))
        self.create(job("elastic", IDLE, 2, 2, completionMode="Indexed"))
        self.running("parallel", 1)
        self.patch("Job", "parallel", {"spec": {"parallelism": 3}})
        self.running("parallel", 3)
        self.patch("Job", "parallel", {"spec": {"parallelism": 0}})
        self.until("no pods are left", lambda: not self.pods("parallel"))
        self.assertEqual(self.get("Job", "parallel")["status"].get("failed", 0), 0)
        self.running("elastic", 2)
        self.patch("Job", "elastic", {"spec": {"parallelism": 3, "completions": 3}})
        self.running("elastic", 3)
        self.patch("Job", "elastic", {"spec": {"parallelism": 1, "completions": 1}})
        self.until("the first index is left", lambda: [p["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] for p in self.pods("elastic")
                                                       if "deletionTimestamp" not in p["metadata"]] == ["0"])

    def test_template_of_a_suspended_job_can_be_placed(self):
        """Documentation: the directives of scheduling and the containers' resources may change while a job is suspended; other parts of the template never"""
        self.create(job("placed", "hostname", 1, 1, suspend=True, more={"env": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]}))
        self.patch("Job", "placed", {"spec": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {"nodeSelector": {"kubernetes.io/hostname": "node-3"}}}}})
        self.refused(422, self.patch, "Job", "placed", {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "busybox:2"}]}}}})
        self.patch("Job", "placed", {"spec": {"template": {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "10m"}}}]}}}})
        self.suspend("placed", False)
        self.completed("placed", 1)
        pod = self.pods("placed")[0]
        self.assertEqual((pod["spec"]["nodeName"], pod["metadata"]["labels"]["a"]), ("node-3", "b"))
        self.assertEqual(pod["spec"]["containers"][0]["resources"]["requests"], {"cpu": "10m"})
        self.refused(422, self.patch, "Job", "placed", {"spec": {"template": {"spec": {"nodeSelector": {"kubernetes.io/hostname": "node-2"}}}}})

    def test_fields_that_cannot_change(self):
        """Documentation: completions (unless Indexed), selector, completionMode, podFailurePolicy, backoffLimitPerIndex, managedBy, successPolicy"""
        self.create(job("fixed", IDLE, suspend=True))
        for change in ({"completions": 5}, {"completionMode": "Indexed"}, {"podFailurePolicy": on_exit("FailJob", 1)}, {"backoffLimitPerIndex": 1},
                       {"managedBy": "example.com/x"}, {"successPolicy": {"rules": [{"succeededCount": 1}]}}, {"selector": {"matchLabels": {"a": "b"}}}):
            with self.subTest(change):
                self.refused(422, self.patch, "Job", "fixed", {"spec": change}, MERGE)
        for change in {"backoffLimit": 3}, {"activeDeadlineSeconds": 100}, {"ttlSecondsAfterFinished": 100}, {"parallelism": 3}:
            with self.subTest(change):
                self.patch("Job", "fixed", {"spec": change}, MERGE)

    def test_refuses_what_does_not_fit(self):
        """Documentation of the fields of JobSpec"""
        for field, bad in {
                "spec.template.spec.restartPolicy": job("bad", restart="Always"),
                "spec.parallelism": job("bad", parallelism=-1), "spec.completions": job("bad", completions=-1), "spec.backoffLimit": job("bad", backoffLimit=-1),
                "spec.activeDeadlineSeconds": job("bad", activeDeadlineSeconds=-1), "spec.ttlSecondsAfterFinished": job("bad", ttlSecondsAfterFinished=-1),
                "spec.completionMode": job("bad", completionMode="Other"), "spec.podReplacementPolicy": job("bad", podReplacementPolicy="Other"),
                "spec.backoffLimitPerIndex": job("bad", backoffLimitPerIndex=1), "spec.managedBy": job("bad", managedBy="no-domain"),
                "spec.selector": job("bad", selector={"matchLabels": {"a": "b"}})}.items():
            with self.subTest(field):
                self.invalid(bad, field)
        rule = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
        indexed = {"completionMode": "Indexed"}
        for name, field, bad in (
                ("completions of Indexed", "spec.completions", job("bad", completions=None, **indexed)),
                ("maxFailedIndexes alone", "spec.backoffLimitPerIndex", job("bad", maxFailedIndexes=1, **indexed)),
                ("too many failed indexes", "spec.maxFailedIndexes", job("bad", maxFailedIndexes=9, backoffLimitPerIndex=1, **indexed)),
                ("successPolicy without indexes", "spec.successPolicy", job("bad", successPolicy={"rules": [{"succeededCount": 1}]})),
                ("successPolicy without rules", "spec.successPolicy", job("bad", successPolicy={"rules": []}, **indexed)),
                ("a rule without criteria", "spec.successPolicy", job("bad", successPolicy={"rules": [{}]}, **indexed)),
                ("an index beyond the last", "spec.successPolicy", job("bad", successPolicy={"rules": [{"succeededIndexes": "0-9"}]}, **indexed)),
                ("failure policy with restarts", "spec.template.spec.restartPolicy", job("bad", restart="OnFailure", podFailurePolicy={"rules": [rule]})),
                ("replacement before failure", "spec.podReplacementPolicy", job("bad", podReplacementPolicy="TerminatingOrFailed", podFailurePolicy={"rules": [rule]})),
                ("FailIndex without limit", "spec.podFailurePolicy.rules[0].action", job("bad", podFailurePolicy=on_exit("FailIndex", 1), **indexed)),
                ("exit code 0 with In", "spec.podFailurePolicy.rules[0].onExitCodes.values", job("bad", podFailurePolicy=on_exit("FailJob", 0))),
                ("an unknown container", "spec.podFailurePolicy.rules[0].onExitCodes.containerName",
                 job("bad", podFailurePolicy=on_exit("FailJob", 1, containerName="x"))),
                ("an unknown action", "spec.podFailurePolicy.rules[0].action", job("bad", podFailurePolicy=on_exit("Other", 1))),
                ("a rule without requirement", "spec.podFailurePolicy.rules[0]", job("bad", podFailurePolicy={"rules": [{"action": "FailJob"}]})),
                ("a rule with both", "spec.podFailurePolicy.rules[0]",
                 job("bad", podFailurePolicy={"rules": [dict(rule, onExitCodes={"operator": "In", "values": [1]})]}))):
            with self.subTest(name):
                self.invalid(bad, field)

    def test_failure_policy_looks_at_containers_and_conditions(self):
        """Documentation: containerName, operator NotIn, rules in order; the first that matches counts"""
        both = {"containers": [container("main", "exit 3"), container("side", "exit 42")]}
        self.create(job("by-container", completions=1, pod=both, backoffLimit=0, podFailurePolicy=on_exit("FailJob", 42, containerName="main")))
        self.create(job("by-side", completions=1, pod=both, podFailurePolicy=on_exit("FailJob", 42, containerName="side")))
        self.create(job("not-in", "exit 7", 1, podFailurePolicy=on_exit("FailJob", 40, 41, operator="NotIn")))
        self.create(job("ordered", "exit 7", 1, backoffLimit=0, podFailurePolicy={
            "rules": on_exit("Count", 7)["rules"] + on_exit("FailJob", 7)["rules"]}))
        self.ended("by-container", "Failed", "BackoffLimitExceeded")
        self.ended("by-side", "Failed", "PodFailurePolicy")
        self.ended("not-in", "Failed", "PodFailurePolicy")
        self.ended("ordered", "Failed", "BackoffLimitExceeded")

    def test_success_policy_ends_pods_that_still_run(self):
        """Documentation: lingering pods are terminated once the criteria are met; count and indexes together count those indexes only"""
        script = "[ $JOB_COMPLETION_INDEX = 2 ] && exit 0; " + IDLE
        self.create(job("linger", script, 3, 3, completionMode="Indexed", successPolicy={"rules": [{"succeededIndexes": "0-1", "succeededCount": 1},
                                                                                                  {"succeededIndexes": "2"}]}))
        found = self.completed("linger", 1, "SuccessPolicy")
        self.assertEqual(found["status"]["completedIndexes"], "2")
        self.is_idle(found)
        self.until("only the pod that succeeded is left", lambda: [p["status"]["phase"] for p in self.pods("linger")] == ["Succeeded"])

    def test_manual_selector(self):
        """Documentation: with manualSelector the job takes the selector it is given, and labels its pods with nothing"""
        made = job("manual", completions=1, manualSelector=True, selector={"matchLabels": {"mine": "yes"}})
        made["spec"]["template"]["metadata"] = {"labels": {"mine": "yes"}}
        self.assertEqual(self.create(made)["spec"]["selector"], {"matchLabels": {"mine": "yes"}})
        self.completed("manual", 1)
        self.assertEqual(self.list("Pod", label_selector="mine=yes")[0]["metadata"]["labels"], {"mine": "yes"})


class JobRetries(Jobs):
    """All these wait for a second attempt, ten seconds after one failure and twenty after two: they run at the same time, and each test judges one."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        indexed = {"completionMode": "Indexed"}
        mark = "/data/mark-$JOB_COMPLETION_INDEX"
        evicted = shared()
        evicted["more"]["readinessProbe"] = {"exec": {"command": ["sh", "-c", "test -e " + mark]}, "periodSeconds": 1}
        for each in (
                job("evicted", "[ -e %s ] && exit 0; touch %s; sleep 100000" % (mark, mark), 2, 2, backoffLimit=1, **indexed, **evicted, podFailurePolicy={
                    "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]}),
                job("ignore-exit-code", "[ -e %s ] && exit 0; touch %s; exit 42" % (mark, mark), 2, 2, backoffLimit=1, **indexed, **shared(),
                    podFailurePolicy=on_exit("Ignore", 42)),
                job("limit-per-index", FAIL_ODD, 4, 2, backoffLimitPerIndex=1, **indexed),
                job("failure-count", "exit 1", 2, 2, backoffLimitPerIndex=1, **indexed),
                job("locally", FAIL_ONCE, restart="OnFailure", **shared(kind="emptyDir")),
                job("not-locally", FAIL_ONCE, **shared()),
                job("backoff-limit", "exit 1", 1, 1, backoffLimit=1),
                job("restart-limit", "exit 1", 1, 1, restart="OnFailure", backoffLimit=1)):
            cls().create(each)

    def test_a_failure_by_disruption_can_be_ignored(self):
        """[sig-apps] Job should allow to use a pod failure policy to ignore failure matching on DisruptionTarget condition"""
        self.until("two pods are ready", lambda: self.get("Job", "evicted")["status"]["ready"] == 2)
        names = [p["metadata"]["name"] for p in self.running("evicted", 2)]
        with self.watching("Pod", label_selector="batch.kubernetes.io/job-name=evicted") as events:
            def evict(name):
                return self.raw("POST", "/api/v1/namespaces/%s/pods/%s/eviction" % (self.ns, name),
                                {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": self.ns}})
            with ThreadPoolExecutor(2) as pool:
                for status, _, text in pool.map(evict, names):
                    self.assertEqual(status, 201, text)
            self.until("the pods are gone", lambda: not set(names) & {p["metadata"]["name"] for p in self.pods("evicted")})
            told = [condition(o, "DisruptionTarget") for _, o in events if condition(o, "DisruptionTarget")]
        self.assertTrue(told, "no pod had the condition DisruptionTarget")
        self.assertEqual((told[0]["status"], told[0]["reason"]), ("True", "EvictionByEvictionAPI"))
        self.completed("evicted", 2, seconds=40)

    def test_a_failure_by_exit_code_can_be_ignored(self):
        """[sig-apps] Job should allow to use a pod failure policy to ignore failure matching on exit code (not Conformance)"""
        found = self.completed("ignore-exit-code", 2, seconds=40)
        self.assertEqual(found["status"].get("failed", 0), 0, found["status"])

    def test_all_indexes_run_despite_some_failing(self):
        """[sig-apps] Job should execute all indexes despite some failing when using backoffLimitPerIndex"""
        status = self.ended("limit-per-index", "Failed", "FailedIndexes", 50)["status"]
        self.assertEqual((status["failedIndexes"], status["completedIndexes"], status["failed"], status["succeeded"]), ("1,3", "0,2", 4, 2), status)

    def test_pods_tell_the_failures_of_their_index(self):
        """[sig-apps] Job should record the failure-count in the Pod annotation when using backoffLimitPerIndex (not Conformance)"""
        status = self.ended("failure-count", "Failed", "FailedIndexes", 40)["status"]
        self.assertEqual((status["failedIndexes"], status.get("completedIndexes", ""), status["failed"], status.get("succeeded", 0)), ("0,1", "", 4, 0), status)
        notes = [p["metadata"]["annotations"] for p in self.pods("failure-count")]
        self.assertEqual(sorted((n["batch.kubernetes.io/job-completion-index"], n["batch.kubernetes.io/job-index-failure-count"]) for n in notes),
                         [("0", "0"), ("0", "1"), ("1", "0"), ("1", "1")])

    def test_completes_with_local_restarts(self):
        """[sig-apps] Job should run a job to completion when tasks sometimes fail and are locally restarted"""
        self.completed("locally", 4, seconds=50)
        self.assertEqual([p["status"]["containerStatuses"][0]["restartCount"] for p in self.pods("locally")], [1] * 4)

    def test_completes_without_local_restarts(self):
        """[sig-apps] Job should run a job to completion when tasks sometimes fail and are not locally restarted (not Conformance)"""
        self.has("not-locally", "SuccessCriteriaMet", "CompletionsReached", 40)
        found = self.completed("not-locally", 4)
        self.is_idle(found)
        self.assertGreaterEqual(found["status"]["failed"], 1)

    def test_fails_beyond_the_backoff_limit(self):
        """[sig-apps] Job should fail to exceed backoffLimit (not Conformance)"""
        self.has("backoff-limit", "FailureTarget", "BackoffLimitExceeded", 40)
        found = self.ended("backoff-limit", "Failed", "BackoffLimitExceeded")
        self.is_idle(found)
        self.assertEqual([p["status"]["phase"] for p in self.pods("backoff-limit")], ["Failed"] * 2)
        self.until("an Event tells", lambda: self.events("backoff-limit", "BackoffLimitExceeded"))

    def test_restarts_count_towards_the_backoff_limit(self):
        """Documentation: with OnFailure the restarts of containers count"""
        self.is_idle(self.ended("restart-limit", "Failed", "BackoffLimitExceeded", 50))
        self.until("the pod is gone", lambda: not self.pods("restart-limit"))


def cron(name, script=IDLE, policy="Allow", schedule="*/1 * * * ?", labels=None, **spec):
    template = {"spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container(script=script)]}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name, "labels": labels or {}},
            "spec": dict({"schedule": schedule, "concurrencyPolicy": policy, "jobTemplate": {
                "metadata": {"labels": {"cron": name}, "annotations": {"note": "x"}},
                "spec": {"backoffLimit": 0, "completions": 1, "parallelism": 1, "template": template}}}, **spec)}


class CronJobs(Jobs):
    def jobs(self, name):
        return self.list("Job", label_selector="cron=" + name)

    def active(self, name):
        return self.get("CronJob", name).get("status", {}).get("active", [])

    def begin(self, obj):
        """Makes a CronJob whose last schedule is past, so that it starts a job at once."""
        self.create(obj)
        self.patch_status("CronJob", obj["metadata"]["name"], {"status": {"lastScheduleTime": timestamp(90)}})

    def finished(self, name, kind):
        return [j for j in self.jobs(name) if condition(j, kind).get("status") == "True"]


class CronJob(CronJobs):
    def test_supports_the_operations_of_the_api(self):
        """[sig-apps] CronJob should support CronJob API operations"""
        label = unique("api")
        selector = "special-label=" + label
        template = cron("test-api", "true", schedule="* */1 * * ?", labels={"special-label": label}, successfulJobsHistoryLimit=1, failedJobsHistoryLimit=0)
        made = self.create(template)
        self.assertEqual(self.get("CronJob", "test-api")["metadata"]["uid"], made["metadata"]["uid"])
        self.assertEqual(len(self.list("CronJob", label_selector=selector)), 1)
        self.assertEqual(len(self.kind("CronJob").get(label_selector=selector).to_dict()["items"]), 1)
        with self.watching("CronJob", label_selector=selector) as events:
            patched = self.patch("CronJob", "test-api", {"metadata": {"annotations": {"patched": "true"}}}, MERGE)
            self.assertEqual(patched["metadata"]["annotations"]["patched"], "true")
            updated = self.update("CronJob", "test-api", lambda found: found["metadata"]["annotations"].update(updated="true"))
            self.assertEqual(updated["metadata"]["annotations"], {"patched": "true", "updated": "true"})
            self.until("the change is seen", lambda: any(t == "MODIFIED" and o["metadata"].get("annotations", {}).get("patched") == "true" for t, o in events))
        first, second = timestamp(1), timestamp()
        patched = self.patch_status("CronJob", "test-api", {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"lastScheduleTime": first}})
        self.assertEqual(patched["status"]["lastScheduleTime"], first)
        self.assertEqual(patched["metadata"]["annotations"]["patchedstatus"], "true")
        updated = self.update_status("CronJob", "test-api", lambda found: found["status"].update(lastScheduleTime=second))
        self.assertEqual(updated["status"]["lastScheduleTime"], second)
        self.assertEqual(self.kind("CronJob").status.get(name="test-api", namespace=self.ns).to_dict()["metadata"]["uid"], made["metadata"]["uid"])
        template["metadata"]["name"] = "for-removal"
        self.create(template)
        self.delete("CronJob", "for-removal")
        self.assertTrue(self.gone("CronJob", "for-removal"))
        self.delete_collection("CronJob", label_selector=selector)
        self.assertEqual(self.list("CronJob", label_selector=selector), [])

    def test_starts_a_missed_job_with_annotation_and_labels(self):
        """[sig-apps] CronJob should set the cronjob-scheduled-timestamp annotation on a job; should be able to schedule after more than 100 missed
        schedule (neither Conformance)"""
        made = self.create(cron("missed", policy="Forbid"))
        self.patch_status("CronJob", "missed", {"status": {"lastScheduleTime": timestamp(98 * 86400)}})
        self.until("one job is active", lambda: len(self.active("missed")) == 1)
        found = self.jobs("missed")
        self.assertEqual(len(found), 1)
        notes = found[0]["metadata"]["annotations"]
        when = datetime.datetime.fromisoformat(notes["batch.kubernetes.io/cronjob-scheduled-timestamp"].replace("Z", "+00:00")).timestamp()
        self.assertTrue(when % 60 == 0 and time.time() - when < 70, notes)
        self.assertEqual(found[0]["metadata"]["name"], "missed-%d" % (when // 60))
        self.assertEqual(notes["note"], "x")
        owner = found[0]["metadata"]["ownerReferences"][0]
        self.assertEqual((owner["kind"], owner["name"], owner["uid"], owner["controller"]), ("CronJob", "missed", made["metadata"]["uid"], True))
        cronjob = self.get("CronJob", "missed")
        self.assertEqual(cronjob["status"]["active"][0]["name"], found[0]["metadata"]["name"])
        self.until("the time is noted", lambda: self.get("CronJob", "missed")["status"]["lastScheduleTime"] > timestamp(90))
        self.delete("CronJob", "missed", propagationPolicy="Background")
        self.until("job and pod are gone", lambda: not self.jobs("missed") and not self.pods(found[0]["metadata"]["name"]))

    def test_forgets_a_deleted_job(self):
        """[sig-apps] CronJob should remove from active list jobs that have been deleted (not Conformance)"""
        self.begin(cron("deleted", policy="Forbid"))
        name = self.until("a job is active", lambda: self.active("deleted"))[0]["name"]
        self.delete("Job", name, propagationPolicy="Background")
        self.until("the job is gone", lambda: self.gone("Job", name))
        self.until("the job is not active", lambda: name not in [a["name"] for a in self.active("deleted")])
        self.until("an Event tells", lambda: self.events("deleted", "MissingJob"))

    def test_time_zones(self):
        """[sig-apps] CronJob should support timezone (not Conformance)"""
        for zone in "bad-time-zone", "Nowhere/City", "Local":
            with self.subTest(zone):
                self.invalid(cron("bad", timeZone=zone), "spec.timeZone")
        for schedule in "TZ=UTC * * * * *", "CRON_TZ=Asia/Tokyo * * * * *":
            with self.subTest(schedule):
                self.invalid(cron("bad", schedule=schedule), "spec.schedule")
        hour = (datetime.datetime.now(datetime.timezone.utc).hour + 9) % 24
        hours = "%d,%d,%d" % ((hour + 23) % 24, hour, (hour + 1) % 24)
        self.begin(cron("utc", schedule="* %s * * *" % hours, timeZone="Etc/UTC"))
        self.begin(cron("tokyo", schedule="* %s * * *" % hours, timeZone="Asia/Tokyo"))
        self.until("a job of Tokyo's time is active", lambda: self.active("tokyo"), 5)
        self.assertEqual(self.jobs("utc"), [])

    def test_a_missed_job_beyond_the_starting_deadline_does_not_start(self):
        """Documentation: startingDeadlineSeconds"""
        ago = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=5)
        schedule = "%d %d * * *" % (ago.minute, ago.hour)
        for name, seconds in ("late", 100), ("in-time", 1000):
            self.create(cron(name, schedule=schedule, startingDeadlineSeconds=seconds))
            self.patch_status("CronJob", name, {"status": {"lastScheduleTime": timestamp(900)}})
        self.until("the job in time is active", lambda: self.active("in-time"))
        # What is beyond the deadline is over: upstream looks for times since then only, and has no Event for them.
        self.assertEqual((self.jobs("late"), self.events("late")), ([], []))

    def test_the_largest_numbers(self):
        """Documentation: deadlines are of 64 bits; a length of time is of 64 bits, too, in nanoseconds"""
        most = 2 ** 63 - 1
        self.create(job("largest", completions=1, activeDeadlineSeconds=most))
        self.begin(cron("largest", "true", startingDeadlineSeconds=most))
        self.create(cron("longest", schedule="@every 2562047h"))
        self.completed("largest", 1)
        self.until("a job has succeeded", lambda: self.finished("largest", "Complete"))
        self.assertEqual(self.jobs("longest"), [])

    def test_refuses_what_does_not_fit(self):
        """Documentation of the fields of CronJobSpec"""
        restarts = cron("bad")
        restarts["spec"]["jobTemplate"]["spec"]["template"]["spec"]["restartPolicy"] = "Always"
        for field, bad in {
                "spec.schedule": cron("bad", schedule="61 * * * *"), "spec.concurrencyPolicy": cron("bad", policy="Other"),
                "spec.startingDeadlineSeconds": cron("bad", startingDeadlineSeconds=-1), "metadata.name": cron("x" * 53),
                "spec.successfulJobsHistoryLimit": cron("bad", successfulJobsHistoryLimit=-1), "spec.failedJobsHistoryLimit": cron("bad", failedJobsHistoryLimit=-1),
                "spec.jobTemplate.spec.template.spec.restartPolicy": restarts}.items():
            with self.subTest(field):
                self.invalid(bad, field)
        for schedule in "@hourly", "@daily", "@weekly", "@monthly", "@yearly", "0 22 * * 1-5", "*/15 0-6,12 1 jan-mar sun", "0 0 13 * 5", "@every 1h":
            with self.subTest(schedule):
                self.create(cron("good", schedule=schedule, suspend=True), dry_run="All")
        for schedule in "* * * * 7", "@never", "@every 1d", "@every 99999999999999999999s":
            with self.subTest(schedule):
                self.invalid(cron("bad", schedule=schedule), "spec.schedule")


class Schedules(CronJobs):
    """CronJobs that start one job at once and the next with the next minute: made before all other tests, judged after them."""
    limit = 90

    @classmethod
    def setUpClass(cls):
        if hasattr(cls, "ns"):
            return
        super().setUpClass()
        for each in (cron("allow"), cron("forbid", policy="Forbid"), cron("replace", policy="Replace"), cron("suspended", suspend=True),
                     cron("succeeding", "true", successfulJobsHistoryLimit=1, failedJobsHistoryLimit=0),
                     cron("failing", "false", successfulJobsHistoryLimit=0, failedJobsHistoryLimit=1)):
            cls().begin(each)
        cls.first = {}
        end = time.monotonic() + 10
        while time.monotonic() < end and len(cls.first) < 5:
            time.sleep(0.05)
            for each in cls().list("Job"):
                cls.first.setdefault(each["metadata"]["labels"]["cron"], each["metadata"]["name"])
        cls.began = time.time()

    def wait_for_the_next_minute(self):
        """Each CronJob that may start a second job has had the time to."""
        time.sleep(max(0, (self.began // 60 + 1) * 60 + 2 - time.time()))

    def test_jobs_run_concurrently(self):
        """[sig-apps] CronJob should schedule multiple jobs concurrently"""
        self.until("two jobs are active", lambda: len(self.active("allow")) >= 2, 75)
        self.assertGreaterEqual(len([j for j in self.jobs("allow") if not condition(j, "Complete") and not condition(j, "Failed")]), 2)
        self.delete("CronJob", "allow", propagationPolicy="Background")
        self.until("the jobs are gone", lambda: not self.jobs("allow"))

    def test_no_new_job_while_one_runs(self):
        """[sig-apps] CronJob should not schedule new jobs when ForbidConcurrent"""
        self.wait_for_the_next_minute()
        self.assertEqual([a["name"] for a in self.active("forbid")], [self.first["forbid"]])
        self.assertEqual([j["metadata"]["name"] for j in self.jobs("forbid")], [self.first["forbid"]])

    def test_a_new_job_replaces_the_last(self):
        """[sig-apps] CronJob should replace jobs when ReplaceConcurrent"""
        def replaced():
            names = [j["metadata"]["name"] for j in self.jobs("replace")]
            return names if len(names) == 1 and names[0] != self.first["replace"] else None
        name = self.until("the job is replaced", replaced, 75)[0]
        self.until("the new job is active", lambda: [a["name"] for a in self.active("replace")] == [name])

    def test_no_job_of_a_suspended_schedule(self):
        """[sig-apps] CronJob should not schedule jobs when suspended"""
        self.wait_for_the_next_minute()
        self.assertEqual((self.active("suspended"), self.jobs("suspended")), ([], []))

    def test_successful_jobs_are_forgotten(self):
        """[sig-apps] CronJob should delete successful finished jobs with limit of one successful job; should not emit unexpected warnings
        (neither Conformance)"""
        self.until("the first job is gone", lambda: self.first["succeeding"] not in [j["metadata"]["name"] for j in self.jobs("succeeding")], 75)
        self.until("one finished job is left", lambda: len(self.finished("succeeding", "Complete")) == 1)
        self.until("the first job's pods are gone", lambda: not self.list("Pod", label_selector="job-name=" + self.first["succeeding"]))
        self.assertEqual(len(self.jobs("succeeding")), 1)
        status = self.get("CronJob", "succeeding")["status"]
        self.assertTrue(status["lastSuccessfulTime"] >= status["lastScheduleTime"] and not status.get("active"), status)
        self.assertEqual(self.events("succeeding", "MissingJob") + self.events("succeeding", "UnexpectedJob"), [])

    def test_failed_jobs_are_forgotten(self):
        """[sig-apps] CronJob should delete failed finished jobs with limit of one job (not Conformance)"""
        self.until("the first job is gone", lambda: self.first["failing"] not in [j["metadata"]["name"] for j in self.jobs("failing")], 75)
        self.until("one finished job is left", lambda: len(self.finished("failing", "Failed")) == 1)
        self.until("the first job's pods are gone", lambda: not self.list("Pod", label_selector="job-name=" + self.first["failing"]))
        self.assertEqual(len(self.jobs("failing")), 1)


def daemons(name, *containers, labels=None, strategy="RollingUpdate", pod=None, **spec):
    strategy = {"type": strategy} if isinstance(strategy, str) else strategy
    template = dict({"terminationGracePeriodSeconds": 1, "containers": list(containers) or [container()]}, **(pod or {}))
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": name, "labels": labels or {}}, "spec": dict({
        "selector": {"matchLabels": {"daemonset-name": name}}, "updateStrategy": strategy,
        "template": {"metadata": {"labels": {"daemonset-name": name}}, "spec": template}}, **spec)}


class Daemons(Jobs):
    def tearDown(self):
        self.kind("DaemonSet").delete(namespace=self.ns, field_selector="metadata.namespace=" + self.ns)
        for node in WORKERS:
            self.patch("Node", node, {"metadata": {"labels": {"daemonset-color": None}}}, MERGE)
        self.until("the daemons are gone", lambda: not self.list("Pod"))

    def pods(self, name):
        return self.list("Pod", label_selector="daemonset-name=" + name)

    def runs_on(self, name, nodes, image=None):
        """Exactly one available pod is on each of the nodes, no other pod anywhere, and the status agrees."""
        def look():
            pods = [p for p in self.pods(name) if "deletionTimestamp" not in p["metadata"]]
            status = self.get("DaemonSet", name)["status"]
            return (sorted(p["spec"].get("nodeName", "") for p in pods) == sorted(nodes)
                    and all(condition(p, "Ready").get("status") == "True" for p in pods)
                    and image in (None, *{p["spec"]["containers"][0]["image"] for p in pods})
                    and status["desiredNumberScheduled"] == status["currentNumberScheduled"] == status["numberReady"] == len(nodes) and pods or not nodes)
        return self.until("%s runs on %s" % (name, nodes), look)

    def color(self, node, color):
        self.patch("Node", node, {"metadata": {"labels": {"daemonset-color": color}}}, MERGE)

    def image(self, name, image):
        self.patch("DaemonSet", name, {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}})

    def revisions(self, name):
        """The revisions in their order; each has a hash."""
        found = sorted(self.list("ControllerRevision", label_selector="daemonset-name=" + name), key=lambda r: r["revision"])
        for each in found:
            self.assertTrue(each["metadata"]["labels"]["controller-revision-hash"], each)
        return found

    def current(self, name, count):
        """The number and the hash of the newest revision, of so many."""
        found = self.until("%s has %d revisions" % (name, count), lambda: (lambda r: r if len(r) == count else None)(self.revisions(name)))
        return found[-1]["revision"], found[-1]["metadata"]["labels"]["controller-revision-hash"]

    def hashes(self, name):
        return {p["metadata"]["labels"].get("controller-revision-hash") for p in self.pods(name) if "deletionTimestamp" not in p["metadata"]}


class DaemonSet(Daemons):
    def test_runs_and_stops_a_simple_daemon(self):
        """[sig-apps] Daemon set [Serial] should run and stop simple daemon"""
        self.create(daemons("simple"))
        self.runs_on("simple", WORKERS)
        name = self.pods("simple")[0]["metadata"]["name"]
        self.delete("Pod", name)
        self.until("the pod is gone", lambda: self.gone("Pod", name))
        self.runs_on("simple", WORKERS)
        self.delete("DaemonSet", "simple", propagationPolicy="Foreground")
        self.until("set and pods are gone", lambda: self.gone("DaemonSet", "simple") and not self.pods("simple"))

    def test_runs_and_stops_a_complex_daemon(self):
        """[sig-apps] Daemon set [Serial] should run and stop complex daemon"""
        self.create(daemons("complex", pod={"nodeSelector": {"daemonset-color": "blue"}}, strategy="OnDelete"))
        self.until("the set is looked at", lambda: self.get("DaemonSet", "complex")["status"]["observedGeneration"] == 1)
        self.assertEqual((self.pods("complex"), self.get("DaemonSet", "complex")["status"]["desiredNumberScheduled"]), ([], 0))
        self.color("node-2", "blue")
        self.runs_on("complex", ["node-2"])
        self.color("node-2", "green")
        self.until("no pods are left", lambda: not self.pods("complex"))
        self.patch("DaemonSet", "complex", {"spec": {"template": {"spec": {"nodeSelector": {"daemonset-color": "green"}}}, "updateStrategy": {"type": "RollingUpdate"}}})
        self.runs_on("complex", ["node-2"])

    def test_affinity_to_nodes(self):
        """[sig-apps] Daemon set [Serial] should run and stop complex daemon with node affinity (not Conformance)"""
        terms = [{"matchExpressions": [{"key": "daemonset-color", "operator": "In", "values": ["blue"]}]}]
        self.create(daemons("affine", pod={"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}}))
        self.until("the set is looked at", lambda: self.get("DaemonSet", "affine")["status"]["observedGeneration"] == 1)
        self.assertEqual(self.pods("affine"), [])
        self.color("node-3", "blue")
        self.runs_on("affine", ["node-3"])
        self.color("node-3", None)
        self.until("no pods are left", lambda: not self.pods("affine"))

    def test_retries_failed_daemons(self):
        """[sig-apps] Daemon set [Serial] should retry creating failed daemon pods"""
        self.create(daemons("failing"))
        self.runs_on("failing", WORKERS)
        name = self.pods("failing")[0]["metadata"]["name"]
        self.update_status("Pod", name, lambda pod: pod["status"].update(phase="Failed"))
        self.until("the failed pod is gone", lambda: self.gone("Pod", name))
        self.runs_on("failing", WORKERS)

    def test_updates_pods_by_rolling(self):
        """[sig-apps] Daemon set [Serial] should update pod when spec was updated and update strategy is RollingUpdate"""
        self.create(daemons("rolling"))
        self.runs_on("rolling", WORKERS)
        number, first = self.current("rolling", 1)
        self.assertEqual((number, self.hashes("rolling")), (1, {first}))
        with self.watching("Pod", label_selector="daemonset-name=rolling") as events:
            self.image("rolling", "busybox:2")
            self.until("all pods have the new image", lambda: [p["spec"]["containers"][0]["image"] for p in self.pods("rolling")] == ["busybox:2"] * 2)
            self.runs_on("rolling", WORKERS)
        # At most one pod at a time was not available: no pod was asked to go before its predecessor's successor was ready.
        old_gone = [i for i, (t, o) in enumerate(events) if "deletionTimestamp" in o["metadata"] and t == "MODIFIED" and o["spec"]["containers"][0]["image"] == "busybox"]
        new_ready = [i for i, (t, o) in enumerate(events) if o["spec"]["containers"][0]["image"] == "busybox:2" and condition(o, "Ready").get("status") == "True"]
        names = []
        for i in old_gone:
            if events[i][1]["metadata"]["name"] not in names:
                names.append(events[i][1]["metadata"]["name"])
                self.assertEqual(len({events[j][1]["metadata"]["name"] for j in new_ready if j < i}), len(names) - 1)
        number, second = self.current("rolling", 2)
        self.assertEqual((number, self.hashes("rolling")), (2, {second}))
        self.assertNotEqual(first, second)

    def test_rolls_back_without_needless_restarts(self):
        """[sig-apps] Daemon set [Serial] should rollback without unnecessary restarts"""
        self.create(daemons("rollback"))
        self.runs_on("rollback", WORKERS)
        self.image("rollback", "foo:non-existent")

        def halfway():
            pods = [p for p in self.pods("rollback") if "deletionTimestamp" not in p["metadata"]]
            return pods if "foo:non-existent" in [p["spec"]["containers"][0]["image"] for p in pods] else None
        old = {p["metadata"]["name"] for p in self.until("a new pod is there", halfway) if p["spec"]["containers"][0]["image"] == "busybox"}
        self.assertEqual(len(old), 1)
        self.image("rollback", "busybox")
        self.until("all pods have the old image", lambda: [p["spec"]["containers"][0]["image"] for p in self.pods("rollback")] == ["busybox"] * 2)
        self.runs_on("rollback", WORKERS)
        self.assertLessEqual(old, {p["metadata"]["name"] for p in self.pods("rollback")})
        self.assertTrue(all(p["status"]["containerStatuses"][0]["restartCount"] == 0 for p in self.pods("rollback")))
        self.assertEqual(self.current("rollback", 2)[0], 3)

    def test_lists_and_deletes_a_collection(self):
        """[sig-apps] Daemon set [Serial] should list and delete a collection of DaemonSets"""
        label = unique("set")
        self.create(daemons("collected", labels={"daemonset-name": label}))
        self.runs_on("collected", WORKERS)
        everywhere = self.kind("DaemonSet")
        self.assertEqual(len(everywhere.get(label_selector="daemonset-name=" + label).to_dict()["items"]), 1)
        everywhere.delete(namespace=self.ns, label_selector="daemonset-name=" + label, body={"gracePeriodSeconds": 1})
        self.assertEqual(everywhere.get(label_selector="daemonset-name=" + label).to_dict()["items"], [])
        self.until("the pods are gone", lambda: not self.pods("collected"))

    def test_changes_of_the_status(self):
        """[sig-apps] Daemon set [Serial] should verify changes to a daemon set status"""
        with self.watching("DaemonSet", label_selector="daemonset-name=status") as events:
            def saw(**wanted):
                self.until("an event tells of %s" % wanted, lambda: any(wanted.items() <= c.items() for _, o in events for c in o["status"].get("conditions", [])))
            self.create(daemons("status", labels={"daemonset-name": "status"}))
            self.runs_on("status", WORKERS)
            self.assertIn("status", self.kind("DaemonSet").status.get(name="status", namespace=self.ns).to_dict())
            added = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test"}
            self.update_status("DaemonSet", "status", lambda found: found["status"].setdefault("conditions", []).append(added))
            saw(**added)
            self.patch_status("DaemonSet", "status", {"status": {"conditions": [{"type": "StatusPatched", "status": "True"}]}})
            saw(type="StatusPatched", status="True")
        found = self.get("DaemonSet", "status")["status"]
        self.assertEqual(([c["type"] for c in found["conditions"]], found["numberReady"]), (["StatusPatched"], 2))

    def test_pods_stay_until_they_are_deleted(self):
        """[sig-apps] Daemon set [Serial] should not update pod when spec was updated and update strategy is OnDelete (not Conformance)"""
        self.create(daemons("on-delete", strategy="OnDelete"))
        self.runs_on("on-delete", WORKERS)
        first = self.current("on-delete", 1)[1]
        names = {p["metadata"]["name"] for p in self.pods("on-delete")}
        self.image("on-delete", "busybox:2")
        number, second = self.current("on-delete", 2)
        self.until("the change is seen", lambda: self.get("DaemonSet", "on-delete")["status"]["observedGeneration"] == 2)
        self.assertEqual(({p["metadata"]["name"] for p in self.pods("on-delete")}, self.hashes("on-delete")), (names, {first}))
        self.assertEqual(number, 2)
        self.assertEqual(self.get("DaemonSet", "on-delete")["status"].get("updatedNumberScheduled", 0), 0)
        self.delete("Pod", sorted(names)[0])
        self.until("one pod is new", lambda: self.hashes("on-delete") == {first, second})
        self.until("the status tells", lambda: self.get("DaemonSet", "on-delete")["status"].get("updatedNumberScheduled") == 1)

    def test_surges(self):
        """[sig-apps] Daemon set [Serial] should surge pods onto nodes when spec was updated and update strategy is RollingUpdate (not Conformance)"""
        self.create(daemons("surge", strategy={"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}))
        self.runs_on("surge", WORKERS)
        with self.watching("Pod", label_selector="daemonset-name=surge") as events:
            self.image("surge", "busybox:2")
            self.until("all pods have the new image", lambda: [p["spec"]["containers"][0]["image"] for p in self.pods("surge")] == ["busybox:2"] * 2)
            self.runs_on("surge", WORKERS)
        for node in WORKERS:
            here = [(t, o) for t, o in events if o["spec"].get("nodeName") == node]
            ready = next(i for i, (_, o) in enumerate(here) if o["spec"]["containers"][0]["image"] == "busybox:2" and condition(o, "Ready").get("status") == "True")
            gone = next(i for i, (_, o) in enumerate(here) if o["spec"]["containers"][0]["image"] == "busybox" and "deletionTimestamp" in o["metadata"])
            self.assertLess(ready, gone, "on %s the old pod went before the new one was ready" % node)

    def test_tolerations_and_cordons(self):
        """Documentation: daemons run on nodes that are not schedulable, and with a toleration on the control plane"""
        everywhere = [n["metadata"]["name"] for n in self.kind("Node").get().to_dict()["items"]]
        self.patch("Node", "node-3", {"spec": {"unschedulable": True}}, MERGE)
        try:
            self.create(daemons("tolerant", pod={"tolerations": [{"operator": "Exists", "effect": "NoSchedule"}]}))
            self.create(daemons("plain"))
            self.runs_on("tolerant", everywhere)
            self.runs_on("plain", WORKERS)
        finally:
            self.patch("Node", "node-3", {"spec": {"unschedulable": None}}, MERGE)
        keys = {t.get("key") for t in self.pods("plain")[0]["spec"]["tolerations"]}
        self.assertLessEqual({"node.kubernetes.io/" + k for k in ("not-ready", "unreachable", "disk-pressure", "memory-pressure", "pid-pressure", "unschedulable")}, keys)

    def test_adopts_and_releases_pods(self):
        """Documentation: a DaemonSet owns the pods its selector selects"""
        self.create(daemons("owner"))
        self.runs_on("owner", WORKERS)
        name = self.pods("owner")[0]["metadata"]["name"]
        self.update("Pod", name, lambda pod: pod["metadata"].update(ownerReferences=[]))
        self.until("the pod is adopted", lambda: self.get("Pod", name)["metadata"]["ownerReferences"][0]["name"] == "owner")
        self.update("Pod", name, lambda pod: pod["metadata"].update(labels={}))
        self.until("the pod is released", lambda: not self.get("Pod", name)["metadata"].get("ownerReferences"))
        self.runs_on("owner", WORKERS)
        self.delete("Pod", name)

    def test_selector_and_revisions_are_fixed(self):
        """Documentation: the selector of a DaemonSet and the data of a ControllerRevision cannot change; the selector must fit the template"""
        self.create(daemons("fixed"))
        self.refused(422, self.patch, "DaemonSet", "fixed", {"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}}}})
        wrong = daemons("wrong")
        wrong["spec"]["selector"]["matchLabels"] = {"a": "b"}
        self.invalid(wrong, "spec.template.metadata.labels")
        self.current("fixed", 1)
        name = self.revisions("fixed")[0]["metadata"]["name"]
        self.refused(422, self.patch, "ControllerRevision", name, {"data": {"spec": {"x": 1}}}, MERGE)


class ControllerRevision(Daemons):
    def test_manages_the_lifecycle(self):
        """[sig-apps] ControllerRevision [Serial] should manage the lifecycle of a ControllerRevision"""
        name = unique("e2e")
        everywhere = "daemonset-name=" + name
        self.create(daemons(name, labels={"daemonset-name": name}))
        self.runs_on(name, WORKERS)
        self.assertEqual(len(self.kind("DaemonSet").get(label_selector=everywhere).to_dict()["items"]), 1)
        found = self.get("DaemonSet", name)
        revisions = self.kind("ControllerRevision").get(label_selector=everywhere).to_dict()["items"]
        self.assertEqual(len(revisions), 1)
        owner = revisions[0]["metadata"]["ownerReferences"][0]
        self.assertEqual((owner["kind"], owner["uid"]), ("DaemonSet", found["metadata"]["uid"]))
        first = self.get("ControllerRevision", revisions[0]["metadata"]["name"])
        patched = self.patch("ControllerRevision", first["metadata"]["name"], {"metadata": {"labels": {first["metadata"]["name"]: "patched"}}})
        self.assertEqual(patched["metadata"]["labels"][first["metadata"]["name"]], "patched")

        made = self.create({
            "apiVersion": "apps/v1", "kind": "ControllerRevision", "data": first["data"], "revision": first["revision"] + 1,
            "metadata": {"name": name + "-5d8fbcd7b", "labels": {"daemonset-name": name, "controller-revision-hash": "5d8fbcd7b"}, "ownerReferences": [owner]}})
        self.current(name, 2)
        self.delete("ControllerRevision", first["metadata"]["name"])
        self.current(name, 1)

        second = made["metadata"]["name"]
        self.assertEqual([r["metadata"]["name"] for r in self.list("ControllerRevision")], [second])
        updated = self.update("ControllerRevision", second, lambda r: r["metadata"]["labels"].update({second: "updated"}))
        self.assertEqual(updated["metadata"]["labels"][second], "updated")
        # The field of updateStrategy stands beside the spec, as upstream has it: an unknown field, which is no error.
        self.patch("DaemonSet", name, {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 2}}}, "updateStrategy": {"type": "RollingUpdate"}})
        self.current(name, 2)
        self.delete_collection("ControllerRevision", label_selector=second + "=updated")
        self.current(name, 1)
        self.assertEqual([r["revision"] for r in self.list("ControllerRevision")], [3])


if __name__ == "__main__":
    unittest.main()
