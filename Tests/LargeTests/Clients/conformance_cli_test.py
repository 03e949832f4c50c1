"""[sig-cli]: what Kubernetes' own tests ask of kubectl and the cluster behind it, with the real kubectl (see kubectl.py)."""
import datetime
import json
import re
import socket
import tempfile
import urllib.request

import kubectl as k

APACHE, BUSYBOX = "httpd:2.4", "busybox:1.36"
PRIMARY = "agnhost-primary"
RUNNING = "--pod-running-timeout=1m"


def manifest(kind, name, labels, *containers, replicas=1):
    """A ReplicationController or Deployment of a Service's size."""
    return {"apiVersion": "v1" if kind == "ReplicationController" else "apps/v1", "kind": kind, "metadata": {"name": name, "labels": labels},
            "spec": {"replicas": replicas, "selector": labels if kind == "ReplicationController" else {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels}, "spec": k.pod_spec(*containers)}}}


def service(name, labels, port, target=None):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": labels},
            "spec": {"selector": labels, "ports": [{"port": port, "targetPort": target or port}]}}


def serving(name, port, **files):
    """A container whose web server has these files; a name that begins with cgi_ is a script of cgi-bin."""
    script = "mkdir -p /tmp/www/cgi-bin; cd /tmp/www\n"
    for path, text in files.items():
        path = "cgi-bin/" + path[4:] if path.startswith("cgi_") else path.replace("_", ".")
        script += "cat > %s <<'END'\n%s\nEND\nchmod 755 %s\n" % (path, text, path)
    return k.container(name, script + "trap 'exit 0' TERM; httpd -f -p %d -h /tmp/www & wait" % port, BUSYBOX,
                       ports=[{"containerPort": port, "name": "server"}], readinessProbe={"tcpSocket": {"port": port}, "periodSeconds": 1})


class Cli(k.Case):
    def make(self, *objects, selector=None):
        """Creates each with `kubectl create`, and deletes them with kubectl at the end; nothing of the selector is left then."""
        def stop():
            for obj in objects:
                self.k("delete", "--grace-period=0", "--force", "-f", "-", stdin=obj)
            k.eventually(lambda: selector is None or not self.k("get", "rc,svc", "-l", selector, "--no-headers").stdout
                         and not self.k("get", "pods", "-l", selector, "-o", "go-template={{range .items}}{{if not .metadata.deletionTimestamp}}"
                                        "{{.metadata.name}}{{end}}{{end}}").stdout, message="everything is stopped")
        for obj in objects:
            self.k("create", "-f", "-", stdin=obj)
        self.addCleanup(stop)

    def primary(self):
        """The controller that several tests use; the names of its pods once they run."""
        self.make(manifest("ReplicationController", PRIMARY, {"app": "agnhost", "role": "primary"}, serving(PRIMARY, 6379, index_html="ok")))
        return self.running("app=agnhost", 1)

    def running(self, selector, count=None):
        """The names of the pods of a selector once all of them (and so many) run."""
        def look():
            found = self.get("pods", "-l", selector)["items"]
            return [p["metadata"]["name"] for p in found] if found and len(found) == (count or len(found)) and all(
                p["status"].get("phase") == "Running" for p in found) else None
        return k.eventually(look, message="the pods of %s run" % selector)

    def run_apache(self, name, *options):
        self.k("run", name, "--image=" + APACHE, RUNNING, *options)
        self.addCleanup(self.k, "delete", "pods", name)

    def images(self, name):
        return [c["image"] for c in self.get("pod", name)["spec"]["containers"]]

    def prints(self, text, *wanted):
        """The output has a line with all the strings of each of wanted, one after the other."""
        lines, at = text.splitlines(), 0
        for first, *others in wanted:
            at = next((i for i in range(at, len(lines)) if first in lines[i]), None)
            self.assertIsNotNone(at, "no %r in its place in\n%s" % (first, text))
            for other in others:
                self.assertIn(other, lines[at], text)


class UpdateDemo(Cli):
    def demo(self):
        self.make(manifest("ReplicationController", "update-demo-nautilus", {"name": "update-demo", "version": "nautilus"},
                           serving("update-demo", 80, data_json='{"image": "nautilus.jpg"}'), replicas=2), selector="name=update-demo")

    def check(self, replicas):
        """So many pods run the image and answer with their picture, through the pods' proxy."""
        def look():
            pods = self.k("get", "pods", "-o", "template", "--template={{range.items}}{{.metadata.name}} {{end}}", "-l", "name=update-demo").stdout
            if len(pods.split()) != replicas:
                return False
            for name in pods.split():
                state = self.k("get", "pods", name, "-o", "template", '--template={{if (exists . "status" "containerStatuses")}}{{range '
                               '.status.containerStatuses}}{{if (and (eq .name "update-demo") (exists . "state" "running"))}}true{{end}}{{end}}'
                               '{{end}}', check=False).stdout
                self.assertEqual(state, "true")
                image = self.k("get", "pods", name, "-o", "template", '--template={{if (exists . "spec" "containers")}}{{range .spec.containers}}'
                               '{{if eq .name "update-demo"}}{{.image}}{{end}}{{end}}{{end}}').stdout
                self.assertEqual(image, BUSYBOX)
                data = k.run("get", "--raw", "/api/v1/namespaces/%s/pods/%s/proxy/data.json" % (self.namespace, name)).stdout
                self.assertIn("nautilus.jpg", json.loads(data)["image"])
            return True
        k.eventually(look, message="%d pods serve" % replicas)

    def test_a_replication_controller_is_created_and_stopped(self):
        """[sig-cli] Kubectl client Update Demo should create and stop a replication controller"""
        self.demo()
        self.check(2)

    def test_a_replication_controller_is_scaled(self):
        """[sig-cli] Kubectl client Update Demo should scale a replication controller"""
        self.demo()
        self.check(2)
        for replicas in (1, 2):
            self.k("scale", "rc", "update-demo-nautilus", "--replicas=%d" % replicas, "--timeout=5m")
            self.check(replicas)


class Guestbook(Cli):
    def test_an_application_is_created_works_and_is_stopped(self):
        """[sig-cli] Kubectl client Guestbook application should create and stop a working application"""
        def labels(role, tier="backend"):
            return {"app": "guestbook" if tier == "frontend" else "agnhost", "role": role, "tier": tier}
        head = "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
        store = serving("primary", 6379, messages="", cgi_set=head + 'printf %s "${QUERY_STRING##*value=}" > /tmp/www/messages')
        copy = serving("replica", 6379, cgi_get=head + "wget -qO- http://agnhost-primary:6379/messages")
        front = serving("guestbook", 80, cgi_guestbook=head + """case "$QUERY_STRING" in
*cmd=set*) wget -qO- "http://agnhost-primary:6379/cgi-bin/set?value=${QUERY_STRING##*value=}" && printf '{"message":"Updated"}';;
*) found=$(wget -qO- http://agnhost-replica:6379/cgi-bin/get) && printf '{"data":"%s"}' "$found";;
esac""")
        self.make(
            service("agnhost-replica", labels("replica"), 6379, "server"), service("agnhost-primary", labels("primary"), 6379, "server"),
            service("frontend", labels("frontend", "frontend"), 80),
            manifest("Deployment", "frontend", labels("frontend", "frontend"), front, replicas=3),
            manifest("Deployment", "agnhost-primary", labels("primary"), store),
            manifest("Deployment", "agnhost-replica", labels("replica"), copy, replicas=2))
        self.running("app=guestbook,tier=frontend", 3)

        def answers(command, value, wanted):
            path = "/api/v1/namespaces/%s/services/frontend/proxy/cgi-bin/guestbook?cmd=%s&key=messages&value=%s" % (self.namespace, command, value)
            k.eventually(lambda: json.loads(k.run("get", "--raw", path).stdout) == wanted, message="the answer to %s is %s" % (command, wanted))
        answers("get", "", {"data": ""})
        answers("set", "TestEntry", {"message": "Updated"})
        answers("get", "", {"data": "TestEntry"})


class Cluster(Cli):
    def test_v1_is_among_the_api_versions(self):
        """[sig-cli] Kubectl client Kubectl api-versions should check if v1 is in available api versions"""
        self.assertIn("v1", self.k("api-versions").stdout.splitlines())

    def test_cluster_info_shows_the_control_plane(self):
        """[sig-cli] Kubectl client Kubectl cluster-info should check if Kubernetes control plane services is included in cluster-info"""
        text = self.k("cluster-info").stdout
        self.assertIn("Kubernetes control plane", text)
        self.assertIn("is running at", text)

    def test_version_prints_all_data(self):
        """[sig-cli] Kubectl client Kubectl version should check is all data is printed"""
        text = self.k("version").stdout
        form = (r'version\.Info\{Major:"\d", Minor:"\d+\+?", GitVersion:"v\d\.\d+\.[\d\w\-.+]+", GitCommit:"[0-9a-f]+"' if k.MINOR < 28
                else r"v\d\.\d+\.[\d\w\-.+~]+")
        for who in ("Client", "Server"):
            self.assertRegex(text, "%s Version: %s" % (who, form))
        server = k.json("version")["serverVersion"]
        for field, form in (("major", r"\d"), ("minor", r"\d+\+?"), ("gitVersion", r"v\d\.\d+\.[\d\w\-.+]+"), ("gitCommit", r"[0-9a-f]+")):
            self.assertRegex(server[field], "^%s$" % form)


class Describe(Cli):
    def test_describe_tells_of_controllers_and_pods(self):
        """[sig-cli] Kubectl client Kubectl describe should check if kubectl describe prints relevant information for rc and pods"""
        self.make(service(PRIMARY, {"app": "agnhost", "role": "primary"}, 6379, "server"))
        for name in self.primary():
            self.prints(self.k("describe", "pod", name).stdout, ("Name:", PRIMARY + "-"), ("Namespace:", self.namespace), ("Node:",),
                        ("Labels:", "app=agnhost"), ("role=primary",), ("Annotations:",), ("Status:", "Running"), ("IP:",),
                        ("Controlled By:", "ReplicationController/" + PRIMARY), ("Image:", BUSYBOX), ("State:", "Running"),
                        ("QoS Class:", "BestEffort"))

        def controller():
            self.prints(self.k("describe", "rc", PRIMARY).stdout, ("Name:", PRIMARY), ("Namespace:", self.namespace),
                        ("Selector:", "app=agnhost,role=primary"), ("Labels:", "app=agnhost"), ("role=primary",), ("Annotations:",),
                        ("Replicas:", "1 current", "1 desired"), ("Pods Status:", "1 Running", "0 Waiting", "0 Succeeded", "0 Failed"),
                        ("Pod Template:",), ("Image:", BUSYBOX), ("Events:",))
            return True
        k.eventually(controller)
        self.prints(self.k("describe", "service", PRIMARY).stdout, ("Name:", PRIMARY), ("Namespace:", self.namespace), ("Labels:", "app=agnhost"),
                    ("role=primary",), ("Annotations:",), ("Selector:", "app=agnhost", "role=primary"), ("Type:", "ClusterIP"), ("IP:",),
                    ("Port:", "<unset>", "6379/TCP"), ("Endpoints:",), ("Session Affinity:", "None"))
        node = k.json("get", "nodes")["items"][0]["metadata"]["name"]
        self.prints(self.k("describe", "node", node).stdout, ("Name:", node), ("Labels:",), ("Annotations:",), ("CreationTimestamp:",),
                    ("Conditions:",), ("Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message"), ("Addresses:",),
                    ("Capacity:",), ("Kernel Version:",), ("OS Image:",), ("Container Runtime Version:",), ("Kubelet Version:",), ("Pods:",))
        self.prints(self.k("describe", "namespace", self.namespace).stdout, ("Name:", self.namespace), ("Labels:",), ("Annotations:",),
                    ("Status:", "Active"))


class Changes(Cli):
    def test_diff_finds_the_difference(self):
        """[sig-cli] Kubectl client Kubectl diff should check if kubectl diff finds a difference for Deployments"""
        obj = manifest("Deployment", "httpd-deployment", {"app": "httpd"}, {"name": "httpd", "image": APACHE, "ports": [{"containerPort": 80}]})
        self.make(obj)
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = BUSYBOX
        found = self.k("diff", "-f", "-", stdin=obj, check=False)
        self.assertEqual(found.code, 1, found.stderr)
        self.assertIn(APACHE, found.stdout)
        self.assertIn(BUSYBOX, found.stdout)

    def test_a_dry_run_on_the_server_changes_nothing(self):
        """[sig-cli] Kubectl client Kubectl server-side dry-run should check if kubectl can dry-run update Pods"""
        self.run_apache("dry", "--labels=run=dry")
        said = self.j("patch", "pod", "dry", "-p", json.dumps({"spec": {"containers": [{"name": "dry", "image": BUSYBOX}]}}), "--dry-run=server")
        self.assertEqual([c["image"] for c in said["spec"]["containers"]], [BUSYBOX])
        self.assertEqual(self.images("dry"), [APACHE])

    def test_expose_makes_services_of_a_controller(self):
        """[sig-cli] Kubectl client Kubectl expose should create services for rc"""
        def check(name, port):
            def endpoints():
                subsets = self.get("endpoints", name)["subsets"]
                return [([a["targetRef"]["name"] for a in s["addresses"]], [p["port"] for p in s["ports"]]) for s in subsets]

            def slices():
                found = self.get("endpointslices", "-l", "kubernetes.io/service-name=" + name)["items"]
                return [([e["targetRef"]["name"] for e in s["endpoints"]], [p["port"] for p in s["ports"]]) for s in found if s["endpoints"]]
            for look in (endpoints, slices):
                self.assertEqual(k.eventually(look), [([pod], [6379])])
            ports = self.get("service", name)["spec"]["ports"]
            self.assertEqual([(p["port"], p["targetPort"]) for p in ports], [(port, 6379)])
        pod, = self.primary()
        self.k("expose", "rc", PRIMARY, "--name=rm2", "--port=1234", "--target-port=6379")
        check("rm2", 1234)
        self.k("expose", "service", "rm2", "--name=rm3", "--port=2345", "--target-port=6379")
        check("rm3", 2345)

    def test_label_sets_and_removes_a_label(self):
        """[sig-cli] Kubectl client Kubectl label should update the label on a resource"""
        self.make(k.pod("pause", labels={"name": "pause"}), selector="name=pause")
        self.ready("pause")
        self.k("label", "pods", "pause", "testing-label=testing-label-value")
        self.assertIn("testing-label-value", self.k("get", "pod", "pause", "-L", "testing-label").stdout)
        self.k("label", "pods", "pause", "testing-label-")
        self.assertNotIn("testing-label-value", self.k("get", "pod", "pause", "-L", "testing-label").stdout)

    def test_patch_annotates_the_pods_of_a_controller(self):
        """[sig-cli] Kubectl client Kubectl patch should add annotations for pods in rc"""
        for name in self.primary():
            self.k("patch", "pod", name, "-p", '{"metadata":{"annotations":{"x":"y"}}}')
        self.assertEqual({p["metadata"]["annotations"].get("x") for p in self.get("pods", "-l", "app=agnhost")["items"]
                          if "deletionTimestamp" not in p["metadata"]}, {"y"})

    def test_replace_changes_the_image_of_a_pod(self):
        """[sig-cli] Kubectl client Kubectl replace should update a single-container pod's image"""
        self.run_apache("replaced", "--labels=run=replaced")
        self.assertEqual(self.running("run=replaced"), ["replaced"])
        text = self.k("get", "pod", "replaced", "-o", "json").stdout
        self.k("replace", "-f", "-", stdin=text.replace(APACHE, BUSYBOX, 1))
        self.assertEqual(self.images("replaced"), [BUSYBOX])

    def test_run_makes_a_pod_that_is_not_restarted(self):
        """[sig-cli] Kubectl client Kubectl run pod should create a pod from an image when restart is Never"""
        self.run_apache("once", "--restart=Never")
        self.assertEqual(self.images("once"), [APACHE])
        self.assertEqual(self.get("pod", "once")["spec"]["restartPolicy"], "Never")


class Proxy(Cli):
    def test_the_proxy_chooses_a_port(self):
        """[sig-cli] Kubectl client Proxy server should support proxy with --port 0"""
        port = self.background("proxy", "-p", "0", "--disable-filter").expect(r"Starting to serve on 127\.0\.0\.1:(\d+)").group(1)
        with urllib.request.urlopen("http://127.0.0.1:%s/api/" % port, timeout=10) as answer:
            self.assertGreaterEqual(len(json.load(answer)["versions"]), 1)

    def test_the_proxy_listens_at_a_socket(self):
        """[sig-cli] Kubectl client Proxy server should support --unix-socket=/path"""
        with tempfile.TemporaryDirectory(prefix="kubectl-proxy-unix") as directory, socket.socket(socket.AF_UNIX) as connection:
            self.background("proxy", "--unix-socket=%s/test" % directory).expect("Starting to serve")
            connection.settimeout(10)
            connection.connect(directory + "/test")
            connection.sendall(b"GET /api HTTP/1.0\r\nHost: localhost\r\n\r\n")
            with connection.makefile("rb") as answer:
                head, _, body = answer.read().partition(b"\r\n\r\n")
        self.assertRegex(head, rb"^HTTP/1\.[01] 200 ")
        self.assertIn("v1", json.loads(body)["versions"])


class Logs(Cli):
    def test_logs_are_retrieved_and_filtered(self):
        """[sig-cli] Kubectl logs logs should be able to retrieve and filter logs"""
        self.k("run", "logs-generator", "--image=" + BUSYBOX, "--restart=Never", RUNNING, "--", "sh", "-c",
               "i=0; while [ $i -lt 60 ]; do echo $i GET /api/v1/namespaces/kube-system/pods/x$i 200; i=$((i + 1)); sleep 0.1; done")
        self.addCleanup(self.k, "delete", "pod", "logs-generator", "--now")
        start = datetime.datetime.now(datetime.timezone.utc)

        def logs(*options):
            return self.k("logs", "logs-generator", "logs-generator", *options).stdout
        k.eventually(lambda: "/api/v1/namespaces/kube-system" in logs())
        self.assertEqual(len(logs("--tail=1").splitlines()), 1)
        self.assertEqual(len(logs("--limit-bytes=1")), 1)
        line, = logs("--tail=1", "--timestamps").splitlines()
        words = line.split(" ")
        self.assertGreater(len(words), 1)
        self.assertRegex(words[0], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
        said = datetime.datetime.fromisoformat(re.sub(r"\.\d+|Z$", "", words[0]) + "+00:00")
        self.assertLess(abs((said - start).total_seconds()), 20)
        # Seconds are counted whole, so the first lines must be older than two.
        k.eventually(lambda: "29 GET" in logs("--tail=20"), interval=0.3)
        recent, older = logs("--since=1s").splitlines(), logs("--since=24h").splitlines()
        self.assertLess(len(recent), len(older))
        self.assertTrue(older[0].startswith("0 GET"), older[0])


del Cli  # which has no tests of its own
