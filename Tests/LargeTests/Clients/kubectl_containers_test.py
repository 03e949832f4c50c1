"""What a container sees and says, as kubectl shows it: hooks, last words, fields and resources, the API from within."""
import kubectl as k


class Containers(k.Case):
    def terminated(self, name):
        self.k("wait", "--for=condition=Ready=false", "pod/" + name, "--timeout=10s")
        k.eventually(lambda: self.get("pod", name)["status"]["phase"] in ("Succeeded", "Failed"))
        return self.get("pod", name)["status"]["containerStatuses"][0]["state"]["terminated"]

    def test_hooks(self):
        self.create(k.pod("hooks", k.container(
            script='trap "exit 0" TERM; while :; do sleep 0.1; done',
            volumeMounts=[{"name": "v", "mountPath": "/v"}],
            lifecycle={"postStart": {"exec": {"command": ["sh", "-c", "echo started > /v/hook"]}},
                       "preStop": {"exec": {"command": ["sh", "-c", "echo stopped > /v/hook; sleep 1"]}}}),
            k.container("witness", volumeMounts=[{"name": "v", "mountPath": "/v"}], script='trap "" TERM; while :; do sleep 0.1; done'),
            volumes=[{"name": "v", "emptyDir": {}}], terminationGracePeriodSeconds=5))
        self.ready("hooks")
        read = lambda: self.k("exec", "hooks", "-c", "witness", "--", "cat", "/v/hook", check=False).stdout
        k.eventually(lambda: read() == "started\n")
        self.k("delete", "pod", "hooks", "--wait=false")
        k.eventually(lambda: read() == "stopped\n")
        self.k("wait", "--for=delete", "pod/hooks", "--timeout=15s")

    def test_a_failed_post_start_hook_ends_its_container(self):
        self.create(k.pod("nohook", k.container(lifecycle={"postStart": {"exec": {"command": ["false"]}}}), restartPolicy="Never"))
        k.eventually(lambda: "FailedPostStartHook" in self.k("get", "events").stdout)
        self.assertEqual(self.terminated("nohook")["exitCode"], 137)

    def test_last_words(self):
        def container(script, **more):
            return k.container(script=script, **more)
        self.create(k.pod("said", container("printf done > /dev/termination-log"), restartPolicy="Never"))
        self.assertEqual(self.terminated("said")["message"], "done")
        self.create(k.pod("elsewhere", container("printf there > /tmp/words; exit 1", terminationMessagePath="/tmp/words"), restartPolicy="Never"))
        self.assertEqual(self.terminated("elsewhere")["message"], "there")
        self.create(k.pod("logged", container("echo from the log; exit 1", terminationMessagePolicy="FallbackToLogsOnError"), restartPolicy="Never"))
        self.assertEqual(self.terminated("logged")["message"], "from the log\n")
        self.create(k.pod("fine", container("echo from the log", terminationMessagePolicy="FallbackToLogsOnError"), restartPolicy="Never"))
        self.assertNotIn("message", self.terminated("fine"))

    def test_fields_and_resources(self):
        field = lambda path: {"fieldRef": {"fieldPath": path}}
        resource = lambda name, divisor="0": {"resourceFieldRef": {"resource": name, "divisor": divisor, "containerName": "c"}}
        self.create(k.pod("fields", k.container(
            resources={"limits": {"cpu": "1500m", "memory": "64Mi"}, "requests": {"cpu": "250m"}},
            env=[{"name": name, "valueFrom": source} for name, source in {
                "NAME": field("metadata.name"), "NS": field("metadata.namespace"), "LABEL": field("metadata.labels['is']"),
                "LIMIT": resource("limits.cpu"), "MILLI": resource("requests.cpu", "1m"), "MEMORY": resource("limits.memory", "1Mi")}.items()],
            volumeMounts=[{"name": "d", "mountPath": "/d"}]), labels={"is": "it"},
            volumes=[{"name": "d", "downwardAPI": {"items": [
                {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}, {"path": "cpu", **resource("limits.cpu", "1m")}]}}]))
        self.ready("fields")
        out = self.k("exec", "fields", "--", "sh", "-c", "echo $NAME $NS $LABEL $LIMIT $MILLI $MEMORY; cat /d/labels; echo; cat /d/cpu").stdout
        self.assertEqual(out, 'fields %s it 2 250 64\nis="it"\n1500' % self.namespace)
        self.assertEqual(self.get("pod", "fields")["status"]["qosClass"], "Burstable")

    def test_the_api_from_within(self):
        self.create(k.pod("inside"))
        self.ready("inside")
        place = "/var/run/secrets/kubernetes.io/serviceaccount"
        out = self.k("exec", "inside", "--", "sh", "-c", "cat %s/namespace; echo; head -1 %s/ca.crt; nslookup -type=a kubernetes.default.svc.cluster.local | tail -2; nc -w 2 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT </dev/null && echo open" % (place, place)).stdout
        self.assertTrue(out.startswith(self.namespace + "\n-----BEGIN CERTIFICATE-----\n"), out)
        self.assertIn("10.1.0.1", out)
        self.assertTrue(out.endswith("open\n"), out)
        token = self.k("exec", "inside", "--", "cat", place + "/token").stdout
        self.assertEqual(k.http_get("/api", token=token)[0], 200)
        self.create(k.pod("closed", automountServiceAccountToken=False))
        self.ready("closed")
        self.assertEqual(self.k("exec", "closed", "--", "ls", place, check=False).code, 1)
