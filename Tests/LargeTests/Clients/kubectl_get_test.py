"""kubectl get in all its forms, watch, describe; the errors that kubectl shows."""
import json

import kubectl as k


class Get(k.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        k.run("-n", cls.namespace, "create", "-f", "-", stdin=k.as_list([
            k.pod("a", labels={"app": "x", "tier": "front"}), k.pod("b", labels={"app": "x"}),
            k.pod("done", k.container(script="true"), restartPolicy="Never"), k.service("svc", "x")]))
        k.run("-n", cls.namespace, "wait", "--for=condition=Ready", "pod/a", "pod/b", "--timeout=15s")
        k.eventually(lambda: k.json("-n", cls.namespace, "get", "pod", "done")["status"]["phase"] == "Succeeded")

    def out(self, *args):
        return self.k("get", *args).stdout

    def test_table(self):
        out = self.out("pods")
        self.assertEqual(k.header(out), ["NAME", "READY", "STATUS", "RESTARTS", "AGE"])
        self.assertEqual([(r["NAME"], r["READY"], r["STATUS"], r["RESTARTS"]) for r in k.table(out)],
                         [("a", "1/1", "Running", "0"), ("b", "1/1", "Running", "0"), ("done", "0/1", "Completed", "0")])
        for row in k.table(out):
            self.assertRegex(row["AGE"], r"^(\d+[smh])+$")
        self.assertEqual(len(self.out("pods", "--no-headers").splitlines()), 3)

    def test_wide(self):
        out = self.out("pods", "-o", "wide")
        self.assertEqual(k.header(out), ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE", "NOMINATED NODE",
                                         "READINESS GATES"])
        row = k.table(out)[0]
        pod = self.get("pod", "a")
        self.assertEqual((row["IP"], row["NODE"], row["NOMINATED NODE"], row["READINESS GATES"]),
                         (pod["status"]["podIP"], pod["spec"]["nodeName"], "<none>", "<none>"))
        self.assertEqual(k.header(self.out("svc", "-o", "wide"))[-1], "SELECTOR")

    def test_machine_formats(self):
        self.assertEqual(self.out("pods,svc", "-o", "name"), "pod/a\npod/b\npod/done\nservice/svc\n")
        self.assertEqual(self.out("pod", "a", "-o", "jsonpath={.metadata.name} {.status.phase}"), "a Running")
        self.assertEqual(self.out("pods", "-o", "jsonpath={range .items[*]}{.metadata.name},{end}"), "a,b,done,")
        self.assertEqual(self.out("pods", "-o", "go-template={{range .items}}{{.metadata.name}} {{end}}"), "a b done ")
        self.assertEqual([r.split() for r in self.out("pods", "-o", "custom-columns=N:.metadata.name,P:.status.phase")
                          .splitlines()], [["N", "P"], ["a", "Running"], ["b", "Running"], ["done", "Succeeded"]])
        several = self.get("pods")
        self.assertEqual((several["kind"], several["apiVersion"], len(several["items"])), ("List", "v1", 3))
        self.assertEqual((several["items"][0]["kind"], several["items"][0]["apiVersion"]), ("Pod", "v1"))
        yaml = self.out("pod", "a", "-o", "yaml")
        self.assertRegex(yaml, r"\AapiVersion: v1\nkind: Pod\nmetadata:\n")

    def test_pod_object(self):
        pod = self.get("pod", "a")
        self.assertEqual(pod["status"]["qosClass"], "BestEffort")
        self.assertEqual(pod["spec"]["serviceAccountName"], "default")
        self.assertEqual((pod["spec"]["dnsPolicy"], pod["spec"]["restartPolicy"], pod["spec"]["schedulerName"]),
                         ("ClusterFirst", "Always", "default-scheduler"))
        conditions = {c["type"]: c["status"] for c in pod["status"]["conditions"]}
        for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready", "PodReadyToStartContainers"):
            self.assertEqual(conditions[kind], "True", kind)
        mount = pod["spec"]["containers"][0]["volumeMounts"][0]
        self.assertEqual((mount["mountPath"], mount["readOnly"]), ("/var/run/secrets/kubernetes.io/serviceaccount", True))
        self.assertEqual({t["key"]: t["tolerationSeconds"] for t in pod["spec"]["tolerations"]},
                         {"node.kubernetes.io/not-ready": 300, "node.kubernetes.io/unreachable": 300})

    def test_selectors(self):
        self.assertEqual(self.out("pods", "-l", "app=x,tier!=front", "-o", "name"), "pod/b\n")
        self.assertEqual(self.out("pods", "-l", "tier in (front,back)", "-o", "name"), "pod/a\n")
        self.assertEqual(self.out("pods", "-l", "!app", "-o", "name"), "pod/done\n")
        self.assertEqual(self.out("pods", "--field-selector=status.phase=Succeeded", "-o", "name"), "pod/done\n")
        node = self.jsonpath("{.spec.nodeName}", "pod", "a")
        self.assertIn("pod/a\n", self.out("pods", "--field-selector=spec.nodeName=" + node, "-o", "name"))
        self.assertEqual(self.out("pods", "--field-selector=metadata.name!=a,status.phase=Running", "-o", "name"), "pod/b\n")
        self.assertIn('field label not supported: spec.nosuch', self.fails("get", "pods", "--field-selector=spec.nosuch=1"))

    def test_labels_shown(self):
        out = self.out("pods", "--show-labels")
        self.assertEqual([r["LABELS"] for r in k.table(out)], ["app=x,tier=front", "app=x", "<none>"])
        out = self.out("pods", "-L", "tier")
        self.assertEqual(k.header(out)[-1], "TIER")
        self.assertEqual([r.get("TIER") for r in k.table(out)], ["front", "", ""])

    def test_sort_and_chunks(self):
        self.assertEqual(self.out("pods", "--sort-by=.metadata.name", "-o", "name"), "pod/a\npod/b\npod/done\n")
        self.assertEqual(self.out("pods", "--chunk-size=1", "-o", "name"), "pod/a\npod/b\npod/done\n")
        self.assertEqual([r["NAME"] for r in k.table(self.out("pods", "--chunk-size=2"))], ["a", "b", "done"])

    def test_several_kinds(self):
        out = self.out("pod/a", "svc/svc")
        self.assertIn("pod/a ", out)
        self.assertIn("service/svc ", out)
        self.assertIn("service/svc ", self.out("all"))
        rows = k.table(k.run("get", "pods", "-A").stdout)
        self.assertIn((self.namespace, "a"), {(r["NAMESPACE"], r["NAME"]) for r in rows})

    def test_nothing(self):
        self.assertEqual(self.k("get", "secrets"), (0, "", "No resources found in %s namespace.\n" % self.namespace))
        self.assertEqual(self.fails("get", "pod", "nosuch"), 'Error from server (NotFound): pods "nosuch" not found\n')
        self.assertEqual(self.k("get", "pod", "nosuch", "--ignore-not-found"), (0, "", ""))
        done = self.k("get", "pod", "a", "nosuch", "-o", "name", check=False)
        self.assertEqual(done, (1, "pod/a\n", 'Error from server (NotFound): pods "nosuch" not found\n'))

    def test_describe_pod(self):
        out = self.k("describe", "pod", "a").stdout
        node = self.get("pod", "a")["spec"]["nodeName"]
        for pattern in (r"^Name: +a$", r"^Namespace: +%s$" % self.namespace, r"^Service Account: +default$",
                        r"^Node: +%s/[\d.]+$" % node, r"^Labels: +app=x$", r"^ +tier=front$", r"^Status: +Running$",
                        r"^IP: +[\d.]+$", r"^    Image: +busybox:1$", r"^    Container ID: +\S+$", r"^    State: +Running$",
                        r"^    Ready: +True$", r"^    Restart Count: +0$", r"^  Ready +True ?$", r"^QoS Class: +BestEffort$",
                        r"^  kube-api-access-\w{5}:$", r"^Events:$", r"^  Normal +Scheduled +.* Successfully assigned %s/a to %s$"
                        % (self.namespace, node), r"^  Normal +Started "):
            if "Service Account" in pattern and k.MINOR == 20:
                continue  # shown since 1.24
            self.assertRegex(out, "(?m)" + pattern)

    def test_describe_service(self):
        out = self.k("describe", "service", "svc").stdout
        ips = [self.jsonpath("{.status.podIP}", "pod", n) for n in "ab"]
        self.assertRegex(out, r"(?m)^Selector: +app=x$")
        self.assertRegex(out, r"(?m)^TargetPort: +80/TCP$")
        for ip in ips:
            self.assertRegex(out, r"(?m)^Endpoints: .*%s:80" % ip.replace(".", r"\."))


class Watch(k.Case):
    def test_watch(self):
        self.create(k.configmap("before", metadata={"labels": {"w": "1"}}))
        process = self.background("get", "configmaps", "-l", "w=1", "-w", "--output-watch-events")
        process.expect(r"^EVENT +NAME +DATA +AGE$")
        process.expect(r"^ADDED +before +0 ")
        self.create(k.configmap("new", {"a": "1"}, metadata={"labels": {"w": "1"}}))
        process.expect(r"^ADDED +new +1 ")
        self.k("patch", "configmap", "new", "-p", '{"data":{"b":"2"}}')
        process.expect(r"^MODIFIED +new +2 ")
        self.create(k.configmap("other"))
        self.k("label", "configmap", "before", "w-")  # leaves the selector: a deletion for this watch
        process.expect(r"^DELETED +before +0 ")
        self.k("delete", "configmap", "new")
        process.expect(r"^DELETED +new +2 ")
        self.assertNotIn("other", process.stdout)

    def test_watch_one_as_json(self):
        self.create(k.configmap("j", {"n": "0"}))
        process = self.background("get", "configmap", "j", "-w", "-o", "jsonpath={.data.n};")
        process.expect("^0;")
        for n in range(1, 6):
            self.k("patch", "configmap", "j", "-p", json.dumps({"data": {"n": str(n)}}))
        process.expect("^0;1;2;3;4;5;")

    def test_watch_only(self):
        self.create(k.configmap("o"))
        process = self.background("get", "configmap", "o", "--watch-only", "-o", "name")

        def seen():
            self.k("annotate", "configmap", "o", "--overwrite", "n=" + k.unique("n"))
            return "configmap/o" in process.stdout
        k.eventually(seen)

    def test_pod_life(self):
        self.create(k.pod("first"))
        process = self.background("get", "pods", "-w", "--no-headers")
        process.expect("^first ")
        self.create(k.pod("p", k.container(script="sleep 0.2"), restartPolicy="Never"))
        process.expect(r"^p +0/1 +Pending ")
        process.expect(r"^p +1/1 +Running ")
        process.expect(r"^p +0/1 +Completed ")


class Errors(k.Case):
    def refused(self, document, *options, verb="create"):
        return self.fails(verb, "-f", "-", *options, stdin=document)

    def test_already_exists(self):
        self.create(k.configmap("twice"))
        self.assertEqual(self.refused(k.configmap("twice")), 'Error from server (AlreadyExists): error when creating "STDIN": '
                         'configmaps "twice" already exists\n')
        self.assertIn('configmaps "twice" already exists', self.fails("create", "configmap", "twice"))

    def test_names(self):
        self.assertIn('The ConfigMap "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 '
                      "subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with "
                      "an alphanumeric character (e.g. 'example.com', regex used for validation is "
                      r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')", self.refused(k.configmap("Bad_Name")))
        self.assertIn('must be no more than 253 ', self.refused(k.configmap("a" * 254)))

    def test_labels(self):
        err = self.refused(k.configmap("l", metadata={"labels": {"a": "not a value"}}))
        self.assertIn('metadata.labels: Invalid value: "not a value": a valid label must be an empty string or consist of '
                      "alphanumeric characters, '-', '_' or '.'", err)

    def test_required(self):
        err = self.refused({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": []}})
        self.assertIn('The Pod "p" is invalid: spec.containers: Required value', err)
        err = self.refused(k.pod("p", {"name": "c"}))
        self.assertIn("spec.containers[0].image: Required value", err)
        self.assertIn('spec.containers[1].name: Duplicate value: "c"', self.refused(k.pod("p", k.container(), k.container())))

    def test_unknown_field(self):
        document = k.deployment("d", replicas=0, extra={"replica": 3})
        err = self.refused(document)
        self.assertRegex(err, 'unknown field "(spec\\.)?replica"')
        self.assertEqual(self.k("get", "deployment", "d", "--ignore-not-found").stdout, "")
        if k.MINOR > 20:
            self.assertIn('Error from server (BadRequest): error when creating "STDIN": Deployment in version "v1" cannot be '
                          'handled as a Deployment: strict decoding error: unknown field "spec.replica"', err)
            done = self.k("create", "-f", "-", "--validate=warn", stdin=document)
            self.assertIn('Warning: unknown field "spec.replica"', done.stderr)
        else:
            done = self.k("create", "-f", "-", "--validate=false", stdin=document)
        self.assertEqual(done.stdout, "deployment.apps/d created\n")
        self.assertNotIn("replica", self.get("deployment", "d")["spec"])

    def test_wrong_type(self):
        done = self.k("create", "-f", "-", "--validate=false", stdin=k.deployment("d2", replicas="three"), check=False)
        self.assertEqual(done.code, 1)
        self.assertRegex(done.stderr, r"cannot be handled as a Deployment: .*spec\.replicas")

    def test_selector(self):
        wrong = k.deployment("sel", replicas=0)
        wrong["spec"]["selector"] = {"matchLabels": {"app": "other"}}
        self.assertIn('spec.template.metadata.labels: Invalid value: {"app":"sel"}: `selector` does not match template `labels`',
                      self.refused(wrong).replace('map[string]string{"app":"sel"}', '{"app":"sel"}'))

    def test_immutable(self):
        self.create(k.pod("fixed"))
        self.assertIn("spec: Forbidden: pod updates may not change fields other than",
                      self.fails("patch", "pod", "fixed", "-p", '{"spec":{"restartPolicy":"Never"}}'))
        self.create(k.configmap("still", {"a": "1"}, immutable=True))
        self.assertIn("data: Forbidden: field is immutable when `immutable` is set",
                      self.fails("patch", "configmap", "still", "-p", '{"data":{"a":"2"}}'))

    def test_unknown_kind_and_namespace(self):
        self.assertIn('no matches for kind "Nosuch" in version "example.com/v1"', self.refused(
            {"apiVersion": "example.com/v1", "kind": "Nosuch", "metadata": {"name": "x"}}))
        done = k.run("create", "configmap", "x", "-n", "nosuch-namespace", check=False)
        self.assertEqual(done.code, 1)
        self.assertIn('namespaces "nosuch-namespace" not found', done.stderr)
        self.assertEqual(k.run("get", "pods", "-n", "nosuch-namespace"),
                         (0, "", "No resources found in nosuch-namespace namespace.\n"))
