"""kubectl on objects: create, apply, diff, edit, patch, replace, label, annotate, get, describe."""
import base64
import json

import kubectl as k


class Create(k.Case):
    def created(self, message, *args):
        self.assertEqual(self.k("create", *args).stdout, message + " created\n")

    def test_configmap(self):
        path = k.scratch("f.txt", b"from a file\n")
        self.created("configmap/cm", "configmap", "cm", "--from-literal=a=1", "--from-file=" + path)
        self.assertEqual(self.get("configmap", "cm")["data"], {"a": "1", "f.txt": "from a file\n"})
        binary = k.scratch("b", bytes(range(200, 256)))
        self.created("configmap/bin", "configmap", "bin", "--from-file=" + binary)
        self.assertEqual(base64.b64decode(self.get("configmap", "bin")["binaryData"]["b"]), bytes(range(200, 256)))
        self.assertEqual([(r["NAME"], r["DATA"]) for r in k.table(self.k("get", "cm", "cm", "bin").stdout)],
                         [("cm", "2"), ("bin", "1")])

    def test_secret(self):
        self.created("secret/s", "secret", "generic", "s", "--from-literal=password=geheim")
        secret = self.get("secret", "s")
        self.assertEqual((secret["type"], secret["data"]),
                         ("Opaque", {"password": base64.b64encode(b"geheim").decode()}))
        self.created("secret/reg", "secret", "docker-registry", "reg", "--docker-server=r.example", "--docker-username=u",
                     "--docker-password=p")
        self.assertEqual(self.jsonpath("{.type}", "secret", "reg"), "kubernetes.io/dockerconfigjson")
        out = self.k("get", "secrets", "s").stdout
        self.assertEqual(k.header(out), ["NAME", "TYPE", "DATA", "AGE"])

    def test_services(self):
        self.created("service/c", "service", "clusterip", "c", "--tcp=80:8080")
        spec = self.get("service", "c")["spec"]
        self.assertEqual((spec["type"], spec["selector"], spec["clusterIPs"]), ("ClusterIP", {"app": "c"}, [spec["clusterIP"]]))
        self.assertEqual(spec["ports"], [{"name": "80-8080", "port": 80, "protocol": "TCP", "targetPort": 8080}])
        self.created("service/n", "service", "nodeport", "n", "--tcp=80")
        self.assertIn(self.get("service", "n")["spec"]["ports"][0]["nodePort"], range(30000, 32768))
        self.created("service/e", "service", "externalname", "e", "--external-name=example.com")
        self.created("service/h", "service", "clusterip", "h", "--clusterip=None", "--tcp=80")
        out = self.k("get", "service").stdout
        self.assertEqual(k.header(out), ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"])
        rows = {r["NAME"]: r for r in k.table(out)}
        self.assertEqual((rows["c"]["CLUSTER-IP"], rows["c"]["PORT(S)"]), (spec["clusterIP"], "80/TCP"))
        self.assertRegex(rows["n"]["PORT(S)"], r"^80:3\d{4}/TCP$")
        self.assertEqual((rows["e"]["TYPE"], rows["e"]["EXTERNAL-IP"], rows["e"]["PORT(S)"]),
                         ("ExternalName", "example.com", "<none>"))
        self.assertEqual(rows["h"]["CLUSTER-IP"], "None")

    def test_ingress(self):
        self.created("ingress.networking.k8s.io/i", "ingress", "i", "--rule=x.example/path*=svc:80")
        out = self.k("get", "ingress").stdout
        self.assertEqual(k.header(out), ["NAME", "CLASS", "HOSTS", "ADDRESS", "PORTS", "AGE"])
        self.assertEqual([(r["CLASS"], r["HOSTS"], r["PORTS"]) for r in k.table(out)], [("<none>", "x.example", "80")])

    def test_generate_name(self):
        out = self.k("create", "-f", "-", stdin={"apiVersion": "v1", "kind": "ConfigMap",
                                                 "metadata": {"generateName": "some-"}}).stdout
        self.assertRegex(out, r"^configmap/some-[a-z0-9]{5} created\n$")

    def test_yaml_with_several_documents(self):
        out = self.k("create", "-f", "-", stdin="""
apiVersion: v1
kind: ConfigMap
metadata: {name: yaml-1}
data:
  text: |
    two
    lines
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: yaml-2}}
- {apiVersion: v1, kind: Secret, metadata: {name: yaml-3}, stringData: {a: b}}
""").stdout
        self.assertEqual(out, "configmap/yaml-1 created\nconfigmap/yaml-2 created\nsecret/yaml-3 created\n")
        self.assertEqual(self.get("configmap", "yaml-1")["data"]["text"], "two\nlines\n")
        self.assertEqual(self.jsonpath("{.data.a}", "secret", "yaml-3"), "Yg==")

    def test_dry_run(self):
        self.assertEqual(self.k("create", "configmap", "dry", "--dry-run=server").stdout,
                         "configmap/dry created (server dry run)\n")
        self.assertEqual(self.k("create", "configmap", "dry", "--dry-run=client").stdout, "configmap/dry created (dry run)\n")
        shown = self.j("create", "service", "clusterip", "dry", "--tcp=80", "--dry-run=server")
        self.assertTrue(shown["metadata"]["uid"])
        self.assertEqual(self.k("get", "configmap,service", "dry", "--ignore-not-found").stdout, "")


class Apply(k.Case):
    def test_life(self):
        self.assertEqual(self.apply(k.configmap("a", {"x": "1", "y": "1"})).stdout, "configmap/a created\n")
        self.assertEqual(self.apply(k.configmap("a", {"x": "1", "y": "1"})).stdout, "configmap/a unchanged\n")
        self.k("patch", "configmap", "a", "-p", '{"data":{"z":"other"}}')
        self.assertEqual(self.apply(k.configmap("a", {"x": "2"})).stdout, "configmap/a configured\n")
        got = self.get("configmap", "a")
        self.assertEqual(got["data"], {"x": "2", "z": "other"})  # y was ours and is gone, z is not ours
        last = json.loads(got["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"])
        self.assertEqual(last["data"], {"x": "2"})

    def test_workload_unchanged(self):
        objects = [k.deployment("d", replicas=0), k.service("d")]
        self.assertEqual(self.apply(*objects).stdout, "deployment.apps/d created\nservice/d created\n")
        self.assertEqual(self.apply(*objects).stdout, "deployment.apps/d unchanged\nservice/d unchanged\n")

    def test_lists_merge_by_key(self):
        self.apply(k.deployment("m", k.container("a", env=[{"name": "A", "value": "1"}]), k.container("b"), replicas=0))
        self.k("set", "env", "deployment/m", "-c", "a", "B=2")
        self.apply(k.deployment("m", k.container("a", env=[{"name": "A", "value": "3"}]), replicas=0))
        containers = self.get("deployment", "m")["spec"]["template"]["spec"]["containers"]
        self.assertEqual([c["name"] for c in containers], ["a"])
        self.assertEqual({e["name"]: e["value"] for e in containers[0]["env"]}, {"A": "3", "B": "2"})

    def test_server_side(self):
        options = ("--server-side", "--field-manager=one")
        self.assertEqual(self.apply(k.configmap("s", {"a": "1"}), options=options).stdout,
                         "configmap/s serverside-applied\n")
        managed = self.j(*(["get", "configmap", "s"] + (["--show-managed-fields"] if k.MINOR > 20 else [])))
        entry = managed["metadata"]["managedFields"][0]
        self.assertEqual((entry["manager"], entry["operation"], entry["fieldsV1"]),
                         ("one", "Apply", {"f:data": {"f:a": {}}}))
        err = self.fails("apply", "--server-side", "--field-manager=two", "-f", "-", stdin=k.configmap("s", {"a": "2"}))
        self.assertIn('Apply failed with 1 conflict: conflict with "one": .data.a', err)
        self.assertEqual(self.apply(k.configmap("s", {"a": "2"}), options=(
            "--server-side", "--field-manager=two", "--force-conflicts")).stdout, "configmap/s serverside-applied\n")
        self.apply(k.configmap("s", {"b": "1"}), options=("--server-side", "--field-manager=two"))
        self.assertEqual(self.get("configmap", "s")["data"], {"b": "1"})

    def test_prune(self):
        labelled = {"metadata": {"labels": {"set": "one"}}}
        self.apply(k.configmap("p1", {"a": "1"}, **labelled), k.configmap("p2", {"a": "1"}, **labelled))
        allow = "--prune-allowlist=core/v1/ConfigMap" if k.MINOR > 26 else "--prune-whitelist=core/v1/ConfigMap"
        out = self.apply(k.configmap("p1", {"a": "1"}, **labelled), options=("--prune", "-l", "set=one", allow)).stdout
        self.assertEqual(out, "configmap/p1 unchanged\nconfigmap/p2 pruned\n")

    def test_dry_run_and_diff(self):
        self.assertEqual(self.apply(k.configmap("d", {"a": "1"}), options=("--dry-run=server",)).stdout,
                         "configmap/d created (server dry run)\n")
        self.apply(k.configmap("d", {"a": "old"}))
        self.assertEqual(self.k("diff", "-f", "-", stdin=k.configmap("d", {"a": "old"})), (0, "", ""))
        done = self.k("diff", "-f", "-", stdin=k.configmap("d", {"a": "new"}), check=False)
        self.assertEqual(done.code, 1)
        self.assertRegex(done.stdout, r"(?m)^-  a: old$")
        self.assertRegex(done.stdout, r"(?m)^\+  a: new$")
        self.assertEqual(self.get("configmap", "d")["data"], {"a": "old"})
        done = self.k("diff", "-f", "-", stdin=k.configmap("brand-new", {"a": "new"}), check=False)
        self.assertEqual(done.code, 1)
        self.assertRegex(done.stdout, r"(?m)^\+  name: brand-new$")


class Change(k.Case):
    def setUp(self):
        self.name = k.unique("cm")
        self.create(k.configmap(self.name, {"a": "1"}))
        self.object = "configmap/" + self.name

    def data(self):
        return self.get(self.object)["data"]

    def test_patch(self):
        self.assertEqual(self.k("patch", self.object, "-p", '{"data":{"b":"2"}}').stdout, self.object + " patched\n")
        self.assertEqual(self.k("patch", self.object, "-p", '{"data":{"b":"2"}}').stdout,
                         self.object + " patched (no change)\n")
        self.k("patch", self.object, "--type=merge", "-p", '{"data":{"a":null}}')
        self.assertEqual(self.data(), {"b": "2"})
        self.k("patch", self.object, "--type=json", "-p",
               '[{"op":"test","path":"/data/b","value":"2"},{"op":"add","path":"/data/c.d","value":"3"}]')
        self.assertEqual(self.data(), {"b": "2", "c.d": "3"})
        done = self.k("patch", self.object, "--type=json", "-p", '[{"op":"remove","path":"/data/nosuch"}]', check=False)
        self.assertEqual(done.code, 1)
        self.assertIn("the server rejected our request due to an error in our request" if k.MINOR > 20 else "The request is invalid", done.stderr)

    def test_patch_subresource(self):
        self.create(k.deployment("d", replicas=0))
        self.k("patch", "deployment", "d", "-p", '{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"busybox:2"},'
               '{"name":"n","image":"busybox"}]}}}}')
        containers = self.get("deployment", "d")["spec"]["template"]["spec"]["containers"]
        self.assertEqual(sorted((c["name"], c["image"]) for c in containers), [("c", "busybox:2"), ("n", "busybox")])

    def test_replace(self):
        old = self.get(self.object)
        new = json.loads(json.dumps(old))
        new["data"] = {"z": "9"}
        self.assertEqual(self.k("replace", "-f", "-", stdin=new).stdout, self.object + " replaced\n")
        self.assertEqual(self.data(), {"z": "9"})
        err = self.fails("replace", "-f", "-", stdin=old)
        self.assertIn("Error from server (Conflict): error when replacing \"STDIN\": Operation cannot be fulfilled on "
                      "configmaps \"%s\": the object has been modified; please apply your changes to the latest version "
                      "and try again" % self.name, err)
        out = self.k("replace", "--force", "-f", "-", stdin=k.configmap(self.name, {"f": "1"})).stdout
        self.assertRegex(out, r'^configmap "%s" deleted.*\n%s replaced\n$' % (self.name, self.object))
        self.assertNotEqual(self.get(self.object)["metadata"]["uid"], old["metadata"]["uid"])
        self.assertIn("not found", self.fails("replace", "-f", "-", stdin=k.configmap("nosuch")))

    def test_edit(self):
        editor = k.scratch("editor", "#!/bin/sh\nsed -i 's/a: \"1\"/a: edited/' \"$1\"\n", 0o755)
        done = self.k("edit", self.object, env={"KUBE_EDITOR": editor})
        self.assertEqual(done.stdout, self.object + " edited\n")
        self.assertEqual(self.data(), {"a": "edited"})
        done = self.k("edit", self.object, env={"KUBE_EDITOR": "true"})
        self.assertIn("Edit cancelled, no changes made.", done.stdout + done.stderr)

    def test_label(self):
        label = lambda *args: self.k("label", self.object, *args).stdout
        self.assertEqual(label("tier=front", "x=y"), self.object + " labeled\n")
        if k.MINOR > 20:  # an older one takes the same value for a change
            self.assertEqual(label("tier=front"), self.object + " not labeled\n")
        self.assertEqual(self.fails("label", self.object, "tier=back"),
                         "error: 'tier' already has a value (front), and --overwrite is false\n")
        label("tier=back", "--overwrite")
        self.assertEqual(label("x-"), self.object + (" labeled\n" if k.MINOR == 20 else " unlabeled\n"))
        self.assertEqual(self.get(self.object)["metadata"]["labels"], {"tier": "back"})

    def test_annotate(self):
        self.assertEqual(self.k("annotate", self.object, "note=some text").stdout, self.object + " annotated\n")
        self.assertEqual(self.jsonpath("{.metadata.annotations.note}", self.object), "some text")
        self.assertEqual(self.fails("annotate", self.object, "note=x"), "error: --overwrite is false but found the "
                         "following declared annotation(s): 'note' already has a value (some text)\n")
        self.assertEqual(self.k("annotate", self.object, "note-").stdout, self.object + " annotated\n")
        self.assertNotIn("annotations", self.get(self.object)["metadata"])
