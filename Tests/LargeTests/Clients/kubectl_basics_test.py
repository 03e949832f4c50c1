"""kubectl without a workload: version, discovery, raw paths, what a fresh cluster holds, nodes, proxy."""
import json
import re
import unittest
import urllib.error
import urllib.request

import kubectl as k


class Discovery(k.Case):
    def test_version(self):
        version = k.json("version")["serverVersion"]
        self.assertEqual((version["major"], version["minor"].rstrip("+")), ("1", "36"))
        self.assertRegex(version["gitVersion"], r"^v1\.36\.\d+")
        for field in ("gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform"):
            self.assertIn(field, version)
        self.assertRegex(k.run("version").stdout, r"(?m)^Server Version: (v1\.36\.|version\.Info\{Major:\"1\", Minor:\"36\+?\")")

    def test_cluster_info(self):
        text = re.sub(r"\x1b\[[0-9;]*m", "", k.run("cluster-info").stdout)
        self.assertIn("Kubernetes control plane is running at %s\n" % k.server(), text)

    def test_cluster_info_dump(self):
        out = k.run("cluster-info", "dump", "--namespaces", self.namespace).stdout
        first = json.JSONDecoder().raw_decode(out)[0]
        self.assertEqual(first["kind"], "NodeList")
        self.assertEqual({n["metadata"]["name"] for n in first["items"]}, {"node-1", "node-2", "node-3"})

    def test_api_versions(self):
        versions = set(k.run("api-versions").stdout.split())
        self.assertLessEqual({"v1", "apps/v1", "batch/v1", "networking.k8s.io/v1", "discovery.k8s.io/v1",
                              "events.k8s.io/v1", "policy/v1", "coordination.k8s.io/v1", "authorization.k8s.io/v1",
                              "authentication.k8s.io/v1", "rbac.authorization.k8s.io/v1", "apiextensions.k8s.io/v1"},
                             versions)

    def test_api_resources(self):
        out = k.run("api-resources").stdout
        columns = ["NAME", "SHORTNAMES", "APIGROUP" if k.MINOR == 20 and "APIGROUP" in out else "APIVERSION",
                   "NAMESPACED", "KIND"]
        self.assertEqual(k.header(out), columns)
        rows = {(r["NAME"], r[columns[2]]): r for r in k.table(out)}
        for name, short, version, namespaced, kind in (
                ("pods", "po", "v1", "true", "Pod"), ("services", "svc", "v1", "true", "Service"),
                ("nodes", "no", "v1", "false", "Node"), ("namespaces", "ns", "v1", "false", "Namespace"),
                ("configmaps", "cm", "v1", "true", "ConfigMap"), ("endpoints", "ep", "v1", "true", "Endpoints"),
                ("replicationcontrollers", "rc", "v1", "true", "ReplicationController"),
                ("limitranges", "limits", "v1", "true", "LimitRange"),
                ("resourcequotas", "quota", "v1", "true", "ResourceQuota"),
                ("deployments", "deploy", "apps/v1", "true", "Deployment"),
                ("daemonsets", "ds", "apps/v1", "true", "DaemonSet"),
                ("statefulsets", "sts", "apps/v1", "true", "StatefulSet"),
                ("cronjobs", "cj", "batch/v1", "true", "CronJob"),
                ("ingresses", "ing", "networking.k8s.io/v1", "true", "Ingress"),
                ("networkpolicies", "netpol", "networking.k8s.io/v1", "true", "NetworkPolicy"),
                ("poddisruptionbudgets", "pdb", "policy/v1", "true", "PodDisruptionBudget"),
                ("customresourcedefinitions", "crd,crds", "apiextensions.k8s.io/v1", "false",
                 "CustomResourceDefinition")):
            group = version if columns[2] == "APIVERSION" else version.rpartition("/")[0]
            with self.subTest(name):
                row = rows[name, group]
                self.assertEqual((row["SHORTNAMES"], row["NAMESPACED"], row["KIND"]), (short, namespaced, kind))

    def test_api_resources_filters(self):
        names = k.run("api-resources", "--api-group=apps", "-o", "name").stdout.split()
        self.assertLessEqual({"deployments.apps", "replicasets.apps", "daemonsets.apps", "statefulsets.apps",
                              "controllerrevisions.apps"}, set(names))
        self.assertTrue(all(n.endswith(".apps") for n in names), names)
        cluster = k.run("api-resources", "--namespaced=false", "-o", "name").stdout.split()
        self.assertIn("nodes", cluster)
        self.assertNotIn("pods", cluster)
        creatable = k.run("api-resources", "--verbs=create", "-o", "name").stdout.split()
        self.assertIn("selfsubjectaccessreviews.authorization.k8s.io", creatable)
        listable = k.run("api-resources", "--verbs=list,get", "-o", "name").stdout.split()
        self.assertNotIn("selfsubjectaccessreviews.authorization.k8s.io", listable)

    def test_unknown_resource(self):
        self.assertEqual(self.fails("get", "nosuchthings"),
                         'error: the server doesn\'t have a resource type "nosuchthings"\n')

    def test_forms_of_a_resource_name(self):
        for form in ("namespace", "namespaces", "ns", "namespaces.v1.", "Namespace"):
            with self.subTest(form):
                self.assertEqual(k.run("get", form, "default", "-o", "name").stdout, "namespace/default\n")
        for form in ("deployment", "deploy", "deployments.apps", "deployments.v1.apps"):
            with self.subTest(form):
                self.assertEqual(self.k("get", form).stderr, "No resources found in %s namespace.\n" % self.namespace)


class RawPaths(unittest.TestCase):
    def raw(self, path):
        return k.run("get", "--raw", path).stdout

    def test_health(self):
        for path in ("/healthz", "/readyz", "/livez"):
            self.assertEqual(self.raw(path), "ok")
            verbose = self.raw(path + "?verbose")
            self.assertRegex(verbose, r"(?m)^\[\+\]ping ok$")
            self.assertIn(path[1:] + " check passed", verbose)

    def test_groups(self):
        api = json.loads(self.raw("/api"))
        self.assertEqual((api["kind"], api["versions"]), ("APIVersions", ["v1"]))
        groups = json.loads(self.raw("/apis"))
        self.assertEqual(groups["kind"], "APIGroupList")
        apps = next(g for g in groups["groups"] if g["name"] == "apps")
        self.assertEqual(apps["preferredVersion"], {"groupVersion": "apps/v1", "version": "v1"})

    def test_resources_of_a_group_version(self):
        document = json.loads(self.raw("/apis/apps/v1"))
        self.assertEqual((document["kind"], document["groupVersion"]), ("APIResourceList", "apps/v1"))
        resources = {r["name"]: r for r in document["resources"]}
        self.assertLessEqual({"deployments", "deployments/scale", "deployments/status"}, set(resources))
        self.assertEqual(resources["deployments"]["singularName"], "deployment")
        self.assertEqual(set(resources["deployments"]["verbs"]), {"create", "delete", "deletecollection", "get", "list",
                                                                  "patch", "update", "watch"})
        self.assertIn("all", resources["deployments"]["categories"])
        scale = resources["deployments/scale"]
        self.assertEqual((scale["group"], scale["version"], scale["kind"]), ("autoscaling", "v1", "Scale"))

    def test_openapi(self):
        paths = json.loads(self.raw("/openapi/v3"))["paths"]
        self.assertLessEqual({"api/v1", "apis/apps/v1"}, set(paths))
        document = json.loads(self.raw(paths["apis/apps/v1"]["serverRelativeURL"]))
        self.assertRegex(document["openapi"], r"^3\.")
        self.assertIn("io.k8s.api.apps.v1.Deployment", document["components"]["schemas"])
        self.assertEqual(json.loads(self.raw("/openapi/v2"))["swagger"], "2.0")

    def test_missing_path(self):
        done = k.run("get", "--raw", "/apis/nosuch.example.com/v1", check=False)
        self.assertEqual((done.code, done.stdout), (1, ""))
        self.assertEqual(done.stderr, "Error from server (NotFound): the server could not find the requested resource\n")

    def test_list_with_limit(self):
        page = json.loads(self.raw("/api/v1/namespaces?limit=2"))
        self.assertEqual((page["kind"], page["apiVersion"], len(page["items"])), ("NamespaceList", "v1", 2))
        names = {n["metadata"]["name"] for n in page["items"]}
        while page["metadata"].get("continue"):
            self.assertTrue(page["metadata"]["remainingItemCount"] > 0)
            page = json.loads(self.raw("/api/v1/namespaces?limit=2&continue=" + page["metadata"]["continue"]))
            found = {n["metadata"]["name"] for n in page["items"]}
            self.assertFalse(found & names)
            names |= found
        self.assertLessEqual({"default", "kube-system", "kube-public", "kube-node-lease"}, names)


class FreshCluster(k.Case):
    def test_namespaces(self):
        out = k.run("get", "namespaces").stdout
        self.assertEqual(k.header(out), ["NAME", "STATUS", "AGE"])
        rows = {r["NAME"]: r["STATUS"] for r in k.table(out)}
        for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
            self.assertEqual(rows[name], "Active")

    def test_a_new_namespace(self):
        namespace = k.json("get", "namespace", self.namespace)
        self.assertEqual(namespace["metadata"]["labels"]["kubernetes.io/metadata.name"], self.namespace)
        self.assertEqual(namespace["spec"]["finalizers"], ["kubernetes"])
        self.assertEqual(namespace["status"]["phase"], "Active")
        k.eventually(lambda: self.k("get", "configmap", "kube-root-ca.crt", check=False).code == 0)
        self.assertEqual(self.get("configmap", "kube-root-ca.crt")["data"]["ca.crt"].strip(), k.ca().strip())
        self.assertEqual(k.header(self.k("get", "serviceaccounts").stdout)[-1], "AGE")

    def test_the_kubernetes_service(self):
        service = k.json("get", "service", "kubernetes", "-n", "default")
        self.assertEqual(service["spec"]["type"], "ClusterIP")
        port = service["spec"]["ports"][0]
        self.assertEqual((port["name"], port["port"], port["protocol"], port["targetPort"]),
                         ("https", 443, "TCP", 6443))
        self.assertEqual(service["metadata"]["labels"]["component"], "apiserver")
        subset = k.json("get", "endpoints", "kubernetes", "-n", "default")["subsets"][0]
        node = k.json("get", "node", "node-1")
        address = next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")
        self.assertEqual([a["ip"] for a in subset["addresses"]], [address])
        self.assertEqual((subset["ports"][0]["name"], subset["ports"][0]["port"]), ("https", 6443))
        slices = k.json("get", "endpointslices", "-n", "default", "-l", "kubernetes.io/service-name=kubernetes")["items"]
        self.assertEqual([s["endpoints"][0]["addresses"] for s in slices], [[address]])
        self.assertEqual(slices[0]["addressType"], "IPv4")

    def test_nodes(self):
        out = k.run("get", "nodes").stdout
        self.assertEqual(k.header(out), ["NAME", "STATUS", "ROLES", "AGE", "VERSION"])
        rows = k.table(out)
        self.assertEqual([(r["NAME"], r["ROLES"]) for r in rows],
                         [("node-1", "control-plane"), ("node-2", "<none>"), ("node-3", "<none>")])
        for row in rows:
            self.assertRegex(row["STATUS"], "^Ready")
            self.assertRegex(row["VERSION"], r"^v1\.36\.")
        self.assertEqual(k.header(k.run("get", "nodes", "-o", "wide").stdout)[5:],
                         ["INTERNAL-IP", "EXTERNAL-IP", "OS-IMAGE", "KERNEL-VERSION", "CONTAINER-RUNTIME"])

    def test_node_object(self):
        node = k.json("get", "node", "node-1")
        self.assertEqual(node["metadata"]["labels"]["kubernetes.io/hostname"], "node-1")
        self.assertEqual(node["metadata"]["labels"]["kubernetes.io/os"], "linux")
        self.assertIn("node-role.kubernetes.io/control-plane", node["metadata"]["labels"])
        self.assertIn({"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}, node["spec"]["taints"])
        conditions = {c["type"]: c["status"] for c in node["status"]["conditions"]}
        self.assertEqual(conditions["Ready"], "True")
        for kind in ("MemoryPressure", "DiskPressure", "PIDPressure"):
            self.assertEqual(conditions[kind], "False")
        self.assertLessEqual({"cpu", "memory", "pods"}, set(node["status"]["allocatable"]))
        self.assertLessEqual({("Hostname", "node-1")}, {(a["type"], a["address"]) for a in node["status"]["addresses"]})
        lease = k.json("get", "lease", "node-1", "-n", "kube-node-lease")
        self.assertEqual(lease["spec"]["holderIdentity"], "node-1")

    def test_describe_node(self):
        out = k.run("describe", "node", "node-1").stdout
        for pattern in (r"^Name: +node-1$", r"^Roles: +control-plane$", r"^Unschedulable: +false$",
                        r"^Taints: +node-role\.kubernetes\.io/control-plane:NoSchedule$", r"^Conditions:$",
                        r"^Addresses:$", r"^Capacity:$", r"^Allocatable:$", r"^System Info:$",
                        r"^Non-terminated Pods: ", r"^Allocated resources:$", r"^  HolderIdentity: +node-1$"):
            self.assertRegex(out, "(?m)" + pattern)


class Proxy(k.Case):
    def test_proxy(self):
        process = self.background("proxy", "--port=0")
        port = process.expect(r"Starting to serve on 127\.0\.0\.1:(\d+)").group(1)

        def get(path):
            with urllib.request.urlopen("http://127.0.0.1:%s%s" % (port, path), timeout=10) as answer:
                return answer.read().decode()
        self.assertEqual(json.loads(get("/version"))["minor"].rstrip("+"), "36")
        self.assertEqual(json.loads(get("/api/v1/namespaces/" + self.namespace))["kind"], "Namespace")
        with self.assertRaises(urllib.error.HTTPError) as caught:
            get("/api/v1/namespaces/nosuch")
        self.assertEqual(caught.exception.code, 404)
        status = json.loads(caught.exception.read())
        self.assertEqual((status["kind"], status["reason"], status["message"]),
                         ("Status", "NotFound", 'namespaces "nosuch" not found'))
        self.assertEqual(status["details"], {"name": "nosuch", "kind": "namespaces"})
