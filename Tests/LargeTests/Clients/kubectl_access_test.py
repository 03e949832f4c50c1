"""kubectl auth, impersonation, tokens, RBAC, quota, LimitRange, CRDs, events, explain."""
import base64
import json

import kubectl as k


class Identity(k.Case):
    def test_can_i(self):
        self.assertEqual(self.k("auth", "can-i", "create", "pods").stdout, "yes\n")
        self.assertEqual(self.k("auth", "can-i", "*", "*", "--all-namespaces").stdout, "yes\n")
        self.assertEqual(self.k("auth", "can-i", "get", "pods", "--subresource=log", "-q"), (0, "", ""))
        self.assertRegex(self.k("auth", "can-i", "--list").stdout, r"(?m)^\*\.\* +\[\] +\[\] +\[\*\] *$")
        done = self.k("auth", "can-i", "create", "pods", "--as=system:serviceaccount:%s:default" % self.namespace, check=False)
        self.assertEqual(done.code, 1)
        self.assertRegex(done.stdout, r"^no\b")

    @k.needs(27, "no auth whoami")
    def test_whoami(self):
        out = self.k("auth", "whoami").stdout
        self.assertEqual(k.header(out), ["ATTRIBUTE", "VALUE"])
        info = self.j("auth", "whoami")["status"]["userInfo"]
        self.assertIn("system:authenticated", info["groups"])
        self.assertEqual(k.table(out)[0], {"ATTRIBUTE": "Username", "VALUE": info["username"]})
        info = self.j("auth", "whoami", "--as=alice", "--as-group=one")["status"]["userInfo"]
        self.assertEqual((info["username"], sorted(info["groups"])), ("alice", ["one", "system:authenticated"]))

    def test_as(self):
        self.assertEqual(self.fails("get", "pods", "--as=alice"),
                         'Error from server (Forbidden): pods is forbidden: User "alice" cannot list resource "pods" in API '
                         'group "" in the namespace "%s"\n' % self.namespace)
        self.k("get", "pods", "--as=alice", "--as-group=system:masters")
        account = "system:serviceaccount:%s:default" % self.namespace
        self.assertEqual(self.fails("delete", "deployment", "x", "--as=" + account),
                         'Error from server (Forbidden): deployments.apps "x" is forbidden: User "%s" cannot delete resource '
                         '"deployments" in API group "apps" in the namespace "%s"\n' % (account, self.namespace))

    def test_no_credentials(self):
        self.assertEqual(k.http_get("/version")[0], 200)
        status, headers, body = k.http_get("/api/v1/namespaces/default/pods")
        self.assertEqual(status, 403)
        document = json.loads(body)
        self.assertEqual((document["kind"], document["status"], document["reason"], document["message"], document["code"]),
                         ("Status", "Failure", "Forbidden", 'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group '
                          '"" in the namespace "default"', 403))

    def test_bad_token(self):
        for token in ("nonsense", "a.b.c"):
            self.assertEqual(k.http_get("/api", token=token)[0], 401)
            done = k.run("get", "pods", env={"KUBECONFIG": k.kubeconfig_with_token(token)}, check=False)
            self.assertEqual(done.code, 1)
            self.assertIn("error: You must be logged in to the server", done.stderr)


class ServiceAccounts(k.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        run = lambda *args: k.run("-n", cls.namespace, *args)
        assert run("create", "serviceaccount", "robot").stdout == "serviceaccount/robot created\n"
        assert run("create", "role", "reader", "--verb=get,list", "--resource=pods").stdout == \
            "role.rbac.authorization.k8s.io/reader created\n"
        cls.user = "system:serviceaccount:%s:robot" % cls.namespace

    def bind(self):
        out = self.k("create", "rolebinding", "reader", "--role=reader", "--serviceaccount=%s:robot" % self.namespace).stdout
        self.assertEqual(out, "rolebinding.rbac.authorization.k8s.io/reader created\n")
        self.addCleanup(self.k, "delete", "rolebinding", "reader")

    @k.needs(24, "no create token")
    def test_token(self):
        token = self.k("create", "token", "robot", "--duration=1h").stdout.strip()
        claims = k.jwt(token)
        self.assertEqual((claims["sub"], claims["exp"] - claims["iat"]), (self.user, 3600))
        self.assertEqual(claims["kubernetes.io"]["serviceaccount"]["name"], "robot")
        env = {"KUBECONFIG": k.kubeconfig_with_token(token)}
        refused = self.k("get", "pods", env=env, check=False)
        self.assertEqual(refused.code, 1)
        self.assertEqual(refused.stderr, 'Error from server (Forbidden): pods is forbidden: User "%s" cannot list resource '
                         '"pods" in API group "" in the namespace "%s"\n' % (self.user, self.namespace))
        self.bind()
        k.eventually(lambda: self.k("get", "pods", env=env, check=False).code == 0)
        self.assertEqual(self.k("get", "secrets", env=env, check=False).code, 1)
        self.assertEqual(k.run("get", "pods", "-n", "default", env=env, check=False).code, 1)
        if k.MINOR > 26:
            self.assertRegex(self.k("auth", "whoami", env=env).stdout, r"(?m)^Username +%s$" % self.user)
        self.assertEqual(k.http_get("/api/v1/namespaces/%s/pods" % self.namespace, token=token[:-8] + "AAAAAAAA")[0], 401)

    @k.needs(24, "no create token")
    def test_audience(self):
        token = self.k("create", "token", "robot", "--audience=other").stdout.strip()
        self.assertEqual(k.jwt(token)["aud"], ["other"])
        self.assertEqual(k.http_get("/api", token=token)[0], 401)

    def test_by_impersonation(self):
        self.fails("auth", "can-i", "list", "pods", "--as=" + self.user)
        self.bind()
        k.eventually(lambda: self.k("auth", "can-i", "list", "pods", "--as=" + self.user, check=False).stdout == "yes\n")
        self.fails("auth", "can-i", "delete", "pods", "--as=" + self.user)
        self.k("get", "pods", "--as=" + self.user)

    def test_cluster_role(self):
        name = k.unique("kt-role")
        self.assertEqual(k.run("create", "clusterrole", name, "--verb=list", "--resource=nodes").stdout,
                         "clusterrole.rbac.authorization.k8s.io/%s created\n" % name)
        self.addCleanup(k.run, "delete", "clusterrole", name)
        self.assertEqual(k.run("create", "clusterrolebinding", name, "--clusterrole=" + name, "--serviceaccount=%s:robot" %
                               self.namespace).stdout, "clusterrolebinding.rbac.authorization.k8s.io/%s created\n" % name)
        self.addCleanup(k.run, "delete", "clusterrolebinding", name)
        k.eventually(lambda: k.run("get", "nodes", "--as=" + self.user, check=False).code == 0)

    def test_token_in_a_secret(self):
        self.k("create", "serviceaccount", "lasting")
        uid = self.get("serviceaccount", "lasting")["metadata"]["uid"]
        secret = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
                  "metadata": {"name": "lasting", "annotations": {"kubernetes.io/service-account.name": "lasting"}}}
        self.create(secret)
        data = k.eventually(lambda: self.get("secret", "lasting").get("data"))
        self.assertEqual(sorted(data), ["ca.crt", "namespace", "token"])
        self.assertRegex(self.k("describe", "secret", "lasting").stdout, r"(?m)^Type: +kubernetes.io/service-account-token$")
        token = base64.b64decode(data["token"]).decode()
        claims = k.jwt(token)
        self.assertEqual((claims["iss"], claims["kubernetes.io/serviceaccount/service-account.uid"]), ("kubernetes/serviceaccount", uid))
        self.assertNotIn("exp", claims)
        path = "/api/v1/namespaces/%s/pods" % self.namespace
        self.assertEqual(k.http_get(path, token=token)[0], 403)
        self.k("create", "rolebinding", "lasting", "--role=reader", "--serviceaccount=%s:lasting" % self.namespace)
        self.assertEqual(k.http_get(path, token=token)[0], 200)
        self.k("delete", "serviceaccount", "lasting")
        self.assertEqual(k.http_get(path, token=token)[0], 401)
        k.eventually(lambda: "NotFound" in self.k("get", "secret", "lasting", check=False).stderr)
        del secret["metadata"]["annotations"]
        self.assertIn("metadata.annotations[kubernetes.io/service-account.name]: Required value", self.create(secret, check=False).stderr)

    def test_token_in_a_pod(self):
        self.create(k.pod("p", k.container(script="cat /var/run/secrets/kubernetes.io/serviceaccount/token"),
                          serviceAccountName="robot", restartPolicy="Never"))
        k.eventually(lambda: self.get("pod", "p")["status"]["phase"] == "Succeeded")
        token = self.k("logs", "p").stdout
        claims = k.jwt(token)
        self.assertEqual((claims["sub"], claims["kubernetes.io"]["pod"]["name"]), (self.user, "p"))


class Limits(k.Case):
    def test_quota(self):
        self.assertEqual(self.k("create", "quota", "q", "--hard=configmaps=3,pods=1,requests.cpu=1").stdout,
                         "resourcequota/q created\n")
        self.addCleanup(self.k, "delete", "quota", "q")
        k.eventually(lambda: self.get("quota", "q")["status"].get("used", {}).get("configmaps") == "1")
        small = k.container(resources={"requests": {"cpu": "100m"}})
        self.create(k.pod("one", small))
        self.assertEqual(self.fails("create", "-f", "-", stdin=k.pod("two", small)),
                         'Error from server (Forbidden): error when creating "STDIN": pods "two" is forbidden: exceeded quota: '
                         'q, requested: pods=1, used: pods=1, limited: pods=1\n')
        self.assertRegex(self.fails("create", "-f", "-", stdin=k.pod("three")), "failed quota: q: must specify requests.cpu")
        self.assertRegex(self.k("describe", "quota", "q").stdout, r"(?m)^pods +1 +1$")
        self.k("delete", "pod", "one")
        k.eventually(lambda: self.get("quota", "q")["status"]["used"]["pods"] == "0")

    def test_limit_range(self):
        self.create({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "lr"}, "spec": {"limits": [
            {"type": "Container", "default": {"memory": "64Mi"}, "defaultRequest": {"memory": "32Mi"},
             "max": {"memory": "128Mi"}}]}})
        self.addCleanup(self.k, "delete", "limitrange", "lr")
        self.create(k.pod("defaulted"))
        self.addCleanup(self.k, "delete", "pod", "defaulted")
        self.assertEqual(self.get("pod", "defaulted")["spec"]["containers"][0]["resources"],
                         {"limits": {"memory": "64Mi"}, "requests": {"memory": "32Mi"}})
        big = k.pod("big", k.container(resources={"limits": {"memory": "256Mi"}}))
        self.assertIn('pods "big" is forbidden: maximum memory usage per Container is 128Mi, but limit is 256Mi',
                      self.fails("create", "-f", "-", stdin=big))


class CustomResources(k.Case):
    def test_life(self):
        word = k.unique("kt").replace("-", "")
        group, plural, kind = word + ".example.com", "gadgets" + word, "Gadget" + word
        schema = {"type": "object", "properties": {
            "spec": {"type": "object", "required": ["size"], "properties": {
                "size": {"type": "integer", "minimum": 1, "description": "How big it is."},
                "colour": {"type": "string", "default": "red", "enum": ["red", "blue"]}}},
            "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}}}}
        crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
               "metadata": {"name": plural + "." + group}, "spec": {
                   "group": group, "scope": "Namespaced",
                   "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "shortNames": [word]},
                   "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
                                 "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.size",
                                                                          "statusReplicasPath": ".status.replicas"}},
                                 "additionalPrinterColumns": [
                                     {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                                     {"name": "Colour", "type": "string", "jsonPath": ".spec.colour", "priority": 1}]}]}}
        name = plural + "." + group
        self.assertEqual(k.run("apply", "-f", "-", stdin=crd).stdout,
                         "customresourcedefinition.apiextensions.k8s.io/%s created\n" % name)
        self.addCleanup(k.run, "delete", "crd", name, "--ignore-not-found")
        k.run("wait", "--for=condition=Established", "crd/" + name, "--timeout=15s")

        def gadget(name, **spec):
            return {"apiVersion": group + "/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        object_ = "%s.%s/g" % (kind.lower(), group)
        k.eventually(lambda: self.apply(gadget("g", size=2), check=False).stdout == object_ + " created\n", interval=0.5)
        self.assertEqual(self.apply(gadget("g", size=3)).stdout, object_ + " configured\n")
        self.assertEqual(self.get(word, "g")["spec"], {"size": 3, "colour": "red"})
        out = self.k("get", plural).stdout
        self.assertEqual((k.header(out), k.table(out)[0]["SIZE"]), (["NAME", "SIZE"], "3"))
        self.assertEqual(k.header(self.k("get", word, "-o", "wide").stdout), ["NAME", "SIZE", "COLOUR"])
        err = self.fails("create", "--validate=false", "-f", "-", stdin=gadget("bad", size=0))
        self.assertIn('The %s "bad" is invalid: spec.size: Invalid value: 0: spec.size in body should be greater than or '
                      "equal to 1" % kind, err)
        err = self.fails("create", "--validate=false", "-f", "-", stdin=gadget("bad", size=1, colour="green"))
        self.assertIn('spec.colour: Unsupported value: "green": supported values: "red", "blue"', err)
        self.assertIn("spec.size: Required value", self.fails("create", "--validate=false", "-f", "-", stdin=gadget("bad")))
        self.k("create", "--validate=false", "-f", "-", stdin=gadget("pruned", size=1, nosuch=1))
        self.assertNotIn("nosuch", self.get(word, "pruned")["spec"])
        if k.MINOR > 24:
            self.assertIn('strict decoding error: unknown field "spec.nosuch"',
                          self.fails("create", "-f", "-", stdin=gadget("strict", size=1, nosuch=1)))
        self.assertEqual(self.k("scale", word, "g", "--replicas=7").stdout, object_ + " scaled\n")
        self.assertEqual(self.get(word, "g")["spec"]["size"], 7)
        k.eventually(lambda: "How big it is." in self.k("explain", plural + ".spec.size", check=False).stdout, interval=0.5)
        k.run("delete", "crd", name)
        done = k.run("get", "--raw", "/apis/%s/v1/%s" % (group, plural), check=False)
        self.assertEqual(done.code, 1)


class EventsAndExplain(k.Case):
    def test_events(self):
        self.create(k.pod("p"))
        self.ready("p")
        events = k.eventually(lambda: [e for e in self.get("events", "--field-selector=involvedObject.name=p")["items"]
                                       if e["reason"] == "Started"] and self.get("events")["items"])
        self.assertLessEqual({"Scheduled", "Pulled", "Created", "Started"}, {e["reason"] for e in events})
        self.assertTrue(all(e["type"] == "Normal" and e["involvedObject"]["kind"] == "Pod" for e in events))
        out = self.k("get", "events").stdout
        self.assertEqual(k.header(out), ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"])
        self.assertIn(("Normal", "Scheduled", "pod/p"), {(r["TYPE"], r["REASON"], r["OBJECT"]) for r in k.table(out)})
        if k.MINOR > 25:
            out = self.k("events", "--for", "pod/p", "--types=Normal").stdout
            self.assertEqual(k.header(out), ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"])
            self.assertIn("Pod/p", {r["OBJECT"] for r in k.table(out)})
            self.assertIn("No events found", self.k("events", "--for", "pod/nosuch").stderr)

    def test_explain(self):
        out = k.run("explain", "pod.spec.containers.image").stdout
        self.assertRegex(out, r"(?m)^KIND: +Pod$")
        self.assertRegex(out, r"(?m)^VERSION: +v1$")
        self.assertRegex(out, r"(?m)^FIELD: +image +<string>$")
        self.assertRegex(k.run("explain", "deployments").stdout, r"(?m)^ +spec\s+<(DeploymentSpec|Object)>$")
        self.assertIn("rollingUpdate", k.run("explain", "deployment.spec", "--recursive").stdout)
        self.assertIn('field "nosuch" does not exist', self.fails("explain", "pod.spec.nosuch"))
