"""Objects through the official Python client: verbs, errors, ownership, admission, what every cluster contains.

KUBECONFIG names a file whose current context is the cluster.
"""
import faulthandler
import json
import secrets
import signal
import time
import unittest

from kubernetes import client, config
from kubernetes.client import ApiException

MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"


def setUpModule():
    faulthandler.dump_traceback_later(60, exit=True)
    config.load_kube_config()


def tearDownModule():
    faulthandler.cancel_dump_traceback_later()


class Case(unittest.TestCase):
    """A namespace of the class' own, and a client none of whose requests is endless. The other files use it too."""

    @classmethod
    def setUpClass(cls):
        cls.api = client.ApiClient()
        send = cls.api.rest_client.request
        cls.api.rest_client.request = lambda *a, **k: send(*a, **dict(k, _request_timeout=k.get("_request_timeout") or 10))
        cls.core, cls.apps = client.CoreV1Api(cls.api), client.AppsV1Api(cls.api)
        cls.ns = "py-%s-%s" % (cls.__name__.lower(), secrets.token_hex(3))
        cls.core.create_namespace({"metadata": {"name": cls.ns}})

    @classmethod
    def tearDownClass(cls):
        cls.core.delete_namespace(cls.ns, _preload_content=False).data
        cls.api.close()

    def run(self, result=None):
        signal.signal(signal.SIGALRM, lambda *_: self.fail("a test took more than 25 s"))
        signal.alarm(25)
        try:
            return super().run(result)
        finally:
            signal.alarm(0)

    def until(self, what, test, seconds=10):
        """What test() returns once it is true; an ApiException is "not yet"."""
        end, last = time.monotonic() + seconds, None
        while time.monotonic() < end:
            try:
                last = test()
                if last:
                    return last
            except ApiException as error:
                last = error
            time.sleep(0.03)
        self.fail("not in %d s: %s; last: %r" % (seconds, what, last))

    def refused(self, status, reason, call, *args, **kwargs):
        """The Status with which the cluster refuses a call."""
        with self.assertRaises(ApiException) as caught:
            call(*args, **kwargs)
        self.assertEqual(caught.exception.status, status, caught.exception.body)
        body = json.loads(caught.exception.body)
        self.assertEqual((body["kind"], body["status"], body["code"], body["reason"]), ("Status", "Failure", status, reason), body)
        return body

    def raw(self, method, path, query=(), body=None, api=None, **headers):
        """(status, headers, JSON) without the client's models, which refuse what they do not know."""
        api, headers = api or self.api, dict({"Accept": "application/json"}, **headers)
        answer = api.call_api(*api.param_serialize(method, path, query_params=list(query), body=body, auth_settings=["BearerToken"],
                                                   header_params={k.replace("_", "-"): v for k, v in headers.items()}))
        text = answer.read()
        return answer.status, answer.headers, json.loads(text) if "json" in answer.headers.get("Content-Type", "") else text

    def config_map(self, name, data=None, **metadata):
        return self.core.create_namespaced_config_map(self.ns, {"metadata": dict(metadata, name=name), "data": data or {"k": "v"}})

    def exists(self, name):
        return bool(self.core.list_namespaced_config_map(self.ns, field_selector="metadata.name=" + name).items)

    def deployment(self, name, replicas=1, image="busybox", **metadata):
        labels = {"app": name}
        pod = {"terminationGracePeriodSeconds": 0, "containers": [dict({"name": "main", "image": image}, **(
            {"command": ["sleep", "3600"]} if image == "busybox" else {}))]}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": dict({"name": name, "labels": labels}, **metadata), "spec": {
            "replicas": replicas, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}}

    def pod(self, name, *command, **spec):
        """Creates a busybox pod that runs a command; `ready` awaits it."""
        return self.core.create_namespaced_pod(self.ns, {"metadata": {"name": name, "labels": {"pod": name}}, "spec": dict({
            "terminationGracePeriodSeconds": 0, "containers": [{
                "name": "main", "image": "busybox", "command": list(command) or ["sleep", "3600"]}]}, **spec)})

    def ready(self, name):
        def pod():
            it = self.core.read_namespaced_pod(name, self.ns)
            return any(c.type == "Ready" and c.status == "True" for c in it.status.conditions or []) and it
        return self.until(name + " is ready", pod)


class Verbs(Case):
    def kinds(self):
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
        job = {"spec": {"template": dict(template, spec=dict(template["spec"], restartPolicy="Never"))}}
        some, rule = {"matchLabels": {"a": "b"}}, {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
        yield client.CoreV1Api, "config_map", {"data": {"k": "v"}}
        yield client.CoreV1Api, "secret", {"stringData": {"k": "v"}}
        yield client.CoreV1Api, "service", {"spec": {"ports": [{"port": 80}]}}
        yield client.AppsV1Api, "deployment", {"spec": {"replicas": 0, "selector": some, "template": template}}
        yield client.BatchV1Api, "cron_job", {"spec": {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": job}}
        yield client.NetworkingV1Api, "network_policy", {"spec": {"podSelector": {}}}
        yield client.PolicyV1Api, "pod_disruption_budget", {"spec": {"minAvailable": 1, "selector": some}}
        yield client.RbacAuthorizationV1Api, "role", {"rules": [rule]}
        yield client.CoordinationV1Api, "lease", {"spec": {"holderIdentity": "me", "leaseDurationSeconds": 30}}

    def test_every_verb_of_every_kind(self):
        for api, kind, body in self.kinds():
            with self.subTest(kind):
                create, read, listed, patch, replace, delete, collection = (getattr(api(self.api), verb + "_namespaced_" + kind)
                    for verb in ("create", "read", "list", "patch", "replace", "delete", "delete_collection"))
                body = dict(body, metadata={"name": "it", "labels": {"is": "it"}})
                made = create(self.ns, body)
                entry = made.metadata.managed_fields[0]  # the manager is the User-Agent up to its slash
                self.assertEqual((entry.manager, entry.operation), (self.api.user_agent.split("/")[0], "Update"))
                self.assertEqual(read("it", self.ns).metadata.uid, made.metadata.uid)
                self.assertEqual(self.refused(409, "AlreadyExists", create, self.ns, body)["details"]["name"], "it")
                for content_type, change in ((MERGE, {"metadata": {"labels": {"merge": "1"}}}),
                                             (STRATEGIC, {"metadata": {"labels": {"strategic": "1"}}}),
                                             (None, [{"op": "add", "path": "/metadata/labels/json", "value": "1"}])):
                    patched = patch("it", self.ns, change, _content_type=content_type)
                self.assertEqual(patched.metadata.labels, {"is": "it", "merge": "1", "strategic": "1", "json": "1"})
                self.assertEqual([i.metadata.uid for i in listed(self.ns, label_selector="is=it").items], [made.metadata.uid])

                def put():  # again when a controller wrote the status between the two
                    whole = read("it", self.ns)
                    whole.metadata.labels = {"is": "replaced"}
                    return replace("it", self.ns, whole)
                replaced = self.until("replaced", put)
                self.assertEqual(replaced.metadata.labels, {"is": "replaced"})
                replaced.metadata.resource_version = made.metadata.resource_version
                self.refused(409, "Conflict", replace, "it", self.ns, replaced)
                delete("it", self.ns)
                self.assertEqual(self.refused(404, "NotFound", read, "it", self.ns)["details"]["name"], "it")
                for name in ("one", "two", "kept"):
                    create(self.ns, dict(body, metadata={"name": name, "labels": {"set": str(name != "kept")}}))
                collection(self.ns, label_selector="set=True")
                self.addCleanup(lambda remove=delete, ns=self.ns: remove("kept", ns))
                self.until("collection", lambda: [i.metadata.name for i in listed(self.ns, label_selector="set").items] == ["kept"])

    def test_patches_differ_on_lists_and_nulls(self):
        self.apps.create_namespaced_deployment(self.ns, self.deployment("lists", 0))

        def containers(content_type, container):
            body = {"spec": {"template": {"spec": {"containers": [container]}}}}
            it = self.apps.patch_namespaced_deployment("lists", self.ns, body, _content_type=content_type)
            return sorted(c.name for c in it.spec.template.spec.containers)
        self.assertEqual(containers(STRATEGIC, {"name": "side", "image": "httpd"}), ["main", "side"])
        self.assertEqual(containers(STRATEGIC, {"name": "main", "$patch": "delete"}), ["side"])
        self.assertEqual(containers(MERGE, {"name": "other", "image": "httpd"}), ["other"])
        self.config_map("nulls", {"a": "1", "b": "2"})
        patch = lambda body, kind=None: self.core.patch_namespaced_config_map("nulls", self.ns, body, _content_type=kind)
        self.assertEqual(patch({"data": {"a": None, "c": "3"}}, MERGE).data, {"b": "2", "c": "3"})
        self.assertEqual(patch([{"op": "test", "path": "/data/b", "value": "2"}, {"op": "move", "from": "/data/b", "path": "/data/d"},
                                {"op": "copy", "from": "/data/d", "path": "/data/e"}]).data, {"c": "3", "d": "2", "e": "2"})
        self.refused(422, "Invalid", patch, [{"op": "remove", "path": "/data/c"}, {"op": "test", "path": "/data/d", "value": "no"}])
        self.refused(409, "Conflict", patch, {"metadata": {"resourceVersion": "1"}, "data": {"c": "5"}}, MERGE)

    def test_pages_are_of_one_moment(self):
        leases = client.CoordinationV1Api(self.api)
        for i in range(7):
            leases.create_namespaced_lease(self.ns, {"metadata": {"name": "page-%d" % i}, "spec": {}})
        seen, versions, remaining, token = [], set(), [], None
        while token != "":
            page = leases.list_namespaced_lease(self.ns, limit=3, _continue=token)
            seen += [i.metadata.name for i in page.items]
            versions.add(page.metadata.resource_version)
            remaining.append(page.metadata.remaining_item_count)
            if token is None:  # neither is seen by the pages to come
                leases.create_namespaced_lease(self.ns, {"metadata": {"name": "page-9"}, "spec": {}})
                leases.delete_namespaced_lease("page-6", self.ns)
            token = page.metadata._continue or ""
        self.assertEqual((seen, remaining, len(versions)), (["page-%d" % i for i in range(7)], [4, 1, None], 1))
        self.refused(400, "BadRequest", leases.list_namespaced_lease, self.ns, limit=3, _continue="garbage")

    def test_selectors(self):
        for name, labels in (("a", {"app": "a", "tier": "1"}), ("b", {"app": "b"}), ("c", {"tier": "1"})):
            self.config_map("sel-" + name, labels=dict(labels, sel="1"))
        for selector, names in (("app=a", "a"), ("app!=a", "bc"), ("app in (a,b)", "ab"), ("app notin (a)", "bc"), ("!app", "c"),
                                ("app,tier", "a"), ("tier==1,!app", "c")):
            found = self.core.list_namespaced_config_map(self.ns, label_selector="sel=1," + selector).items
            self.assertEqual("".join(i.metadata.name[4:] for i in found), names, selector)
        found = self.core.list_namespaced_config_map(self.ns, field_selector="metadata.name!=sel-a", label_selector="sel").items
        self.assertEqual([i.metadata.name for i in found], ["sel-b", "sel-c"])
        self.refused(400, "BadRequest", self.core.list_namespaced_config_map, self.ns, field_selector="data.k=v")
        self.refused(400, "BadRequest", self.core.list_namespaced_config_map, self.ns, label_selector="a in b")


class Documents(Case):
    def get(self, path, **headers):
        """Status, headers and text, as they come."""
        answer = self.api.rest_client.pool_manager.request(
            "GET", self.api.configuration.host + path, headers={**self.api.default_headers, **headers}, timeout=10)
        return answer.status, answer.headers, answer.data

    def test_discovery_that_still_holds_is_not_sent_again(self):
        accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        status, headers, body = self.get("/apis", Accept=accept)
        self.assertEqual(status, 200)
        self.assertIn(b"networkpolicies", body)
        again = self.get("/apis", **{"Accept": accept, "If-None-Match": headers["ETag"]})
        self.assertEqual((again[0], again[1]["ETag"], again[2]), (304, headers["ETag"], b""))
        self.assertEqual(self.get("/apis", **{"Accept": accept, "If-None-Match": '"another"'})[0], 200)

    def test_an_answer_is_no_table(self):
        body = json.dumps({"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}})
        codes = {}
        for accept in ("application/json;as=Table;v=v1;g=meta.k8s.io", "application/json"):
            codes[accept] = self.api.rest_client.pool_manager.request(
                "POST", self.api.configuration.host + "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=body, timeout=10,
                headers={**self.api.default_headers, "Accept": accept, "Content-Type": "application/json"}).status
        self.assertEqual(list(codes.values()), [406, 201])


class Refusals(Case):
    def test_causes_name_the_field(self):
        create, ns = self.core.create_namespaced_service, self.ns
        wrong = self.deployment("wrong")
        wrong["spec"]["template"]["metadata"]["labels"] = {"no": "match"}
        for field, reason, call, body in (
                ("spec.ports[0].port", "FieldValueInvalid", create, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 70000}]}}),
                ("spec.type", "FieldValueNotSupported", create,
                 {"metadata": {"name": "s"}, "spec": {"type": "No", "ports": [{"port": 1}]}}),
                ("metadata.name", "FieldValueInvalid", self.core.create_namespaced_config_map, {"metadata": {"name": "Bad_Name"}}),
                ("spec.containers", "FieldValueRequired", self.core.create_namespaced_pod,
                 {"metadata": {"name": "p"}, "spec": {"containers": []}}),
                ("spec.template.metadata.labels", "FieldValueInvalid", self.apps.create_namespaced_deployment, wrong)):
            causes = self.refused(422, "Invalid", call, ns, body)["details"]["causes"]
            self.assertIn((field, reason), [(c["field"], c["reason"]) for c in causes])
        missing = self.refused(404, "NotFound", self.core.create_namespaced_config_map, "no-such", {"metadata": {"name": "x"}})
        self.assertEqual((missing["details"]["kind"], missing["message"]), ("namespaces", 'namespaces "no-such" not found'))
        self.refused(400, "BadRequest", self.core.create_namespaced_config_map, ns, {"metadata": {"name": "x", "namespace": "default"}})
        self.refused(404, "NotFound", self.core.replace_namespaced_config_map, "absent", ns, {"metadata": {"name": "absent"}})

    def test_dry_run_and_generated_names(self):
        made = self.core.create_namespaced_config_map(self.ns, {"metadata": {"name": "dry"}}, dry_run="All")
        self.assertTrue(made.metadata.uid)
        self.assertFalse(self.exists("dry"))
        self.config_map("wet")
        patch = self.core.patch_namespaced_config_map("wet", self.ns, {"data": {"k": "new"}}, _content_type=MERGE, dry_run="All")
        self.assertEqual(patch.data, {"k": "new"})
        self.core.delete_namespaced_config_map("wet", self.ns, dry_run="All")
        self.assertEqual(self.core.read_namespaced_config_map("wet", self.ns).data, {"k": "v"})
        self.refused(422, "Invalid", self.core.create_namespaced_config_map, self.ns, {"metadata": {"name": "x"}}, dry_run="Some")
        names = {self.core.create_namespaced_secret(self.ns, {"metadata": {"generateName": "g-"}}).metadata.name for _ in range(5)}
        self.assertEqual(len(names), 5)
        for name in names:
            self.assertRegex(name, "^g-[bcdfghjklmnpqrstvwxz2456789]{5}$")

    def test_field_validation(self):
        path, unknown = "/api/v1/namespaces/%s/configmaps" % self.ns, 'unknown field "bogus"'
        for mode in ("Strict", "Warn", "Ignore", None):
            code, headers, body = self.raw("POST", path, [("fieldValidation", mode)] if mode else (), {
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "v-"}, "bogus": 1})
            self.assertEqual((code, "Warning" in headers), {"Strict": (400, False), "Ignore": (201, False)}.get(mode, (201, True)), mode)
            if code == 400:
                self.assertEqual(body["reason"], "BadRequest")
                self.assertIn("strict decoding error: " + unknown, body["message"])
            elif mode != "Ignore":
                self.assertEqual(headers["Warning"], '299 - "unknown field \\"bogus\\""')
            self.assertNotIn("bogus", body)
