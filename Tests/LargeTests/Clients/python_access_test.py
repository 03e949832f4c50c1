"""Who may do what, and what every cluster contains, through the official Python client."""
import base64
import json
import secrets
import time

from kubernetes import client, stream, utils

import python_objects_test as objects
from python_objects_test import setUpModule, tearDownModule  # noqa: F401: unittest calls them

TOKEN_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount/"


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class Access(objects.Case):
    def setUp(self):
        self.name = "robot-" + secrets.token_hex(3)
        self.core.create_namespaced_service_account(self.ns, {"metadata": {"name": self.name}})
        self.user = "system:serviceaccount:%s:%s" % (self.ns, self.name)
        self.rbac, self.review = client.RbacAuthorizationV1Api(self.api), client.AuthorizationV1Api(self.api)

    def token(self, **spec):
        body = {"spec": dict({"audiences": [], "expirationSeconds": 600}, **spec)}
        return self.core.create_namespaced_service_account_token(self.name, self.ns, body).status.token

    def as_bearer(self, token):
        """A client of the same cluster with nothing but this token."""
        mine, theirs = self.api.configuration, client.Configuration()
        theirs.host, theirs.ssl_ca_cert, theirs.verify_ssl = mine.host, mine.ssl_ca_cert, mine.verify_ssl
        theirs.tls_server_name, theirs.api_key = mine.tls_server_name, {"BearerToken": "Bearer " + token}
        api = client.ApiClient(theirs)
        self.addCleanup(api.close)
        return api

    def grant(self, verbs, resources, **rule):
        """Lets the service account do it in the namespace, by a Role of its own."""
        rules = [dict({"apiGroups": ["", "apps"], "resources": resources, "verbs": verbs}, **rule)]
        self.rbac.create_namespaced_role(self.ns, {"metadata": {"name": self.name}, "rules": rules})
        self.bind("Role", self.name)

    def bind(self, kind, name):
        self.rbac.create_namespaced_role_binding(self.ns, {
            "metadata": {"name": self.name}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": self.name, "namespace": self.ns}]})

    def test_forbidden_until_a_role_allows(self):
        robot = client.CoreV1Api(self.as_bearer(self.token()))
        status = self.refused(403, "Forbidden", robot.list_namespaced_pod, self.ns, _request_timeout=10)
        self.assertEqual(status["message"], 'pods is forbidden: User "%s" cannot list resource "pods" in API group "" '
                         'in the namespace "%s"' % (self.user, self.ns))
        self.grant(["get", "list"], ["pods"])
        self.until("allowed", lambda: robot.list_namespaced_pod(self.ns).kind == "PodList")
        self.refused(404, "NotFound", robot.read_namespaced_pod, "absent", self.ns)
        self.refused(403, "Forbidden", robot.delete_namespaced_pod, "absent", self.ns)
        self.refused(403, "Forbidden", robot.list_namespaced_secret, self.ns)
        self.refused(403, "Forbidden", robot.list_namespaced_pod, "default")
        self.refused(403, "Forbidden", robot.list_pod_for_all_namespaces)
        self.refused(403, "Forbidden", robot.list_node)
        self.rbac.delete_namespaced_role_binding(self.name, self.ns)
        self.until("forbidden again", lambda: self.raw("GET", "/api/v1/namespaces/%s/pods" % self.ns, api=robot.api_client)[0] == 403)

    def test_resource_names_subresources_and_escalation(self):
        robot = self.as_bearer(self.token())
        core, rbac = client.CoreV1Api(robot), client.RbacAuthorizationV1Api(robot)
        for name in ("mine", "other"):
            self.config_map(name + self.name)
        rules = [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["mine" + self.name], "verbs": ["get", "patch"]},
                 {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["create"]},
                 {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}]
        self.rbac.create_namespaced_role(self.ns, {"metadata": {"name": self.name}, "rules": rules})
        self.bind("Role", self.name)
        self.until("allowed", lambda: core.read_namespaced_config_map("mine" + self.name, self.ns))
        self.refused(403, "Forbidden", core.read_namespaced_config_map, "other" + self.name, self.ns)
        self.refused(403, "Forbidden", core.list_namespaced_config_map, self.ns)
        self.refused(404, "NotFound", core.read_namespaced_pod_log, "absent", self.ns)
        self.refused(403, "Forbidden", core.read_namespaced_pod, "absent", self.ns)
        more = {"metadata": {"name": "more"}, "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]}
        self.refused(403, "Forbidden", rbac.create_namespaced_role, self.ns, more)  # not what it may not do itself
        more = {"metadata": {"name": "less" + self.name}, "rules": rules[:1]}
        self.assertEqual(rbac.create_namespaced_role(self.ns, more).metadata.name, "less" + self.name)

    def test_unauthorized_with_garbage(self):
        good = self.token()
        for bad in ("garbage", good[:-8] + "AAAAAAAA", self.token(audiences=["elsewhere"])):
            status = self.refused(401, "Unauthorized", client.CoreV1Api(self.as_bearer(bad)).list_namespaced_pod, self.ns)
            self.assertEqual(status["message"], "Unauthorized")

    def test_tokens_say_who_and_how_long(self):
        said = claims(self.token(expirationSeconds=900))
        self.assertEqual((said["sub"], said["exp"] - said["iat"]), (self.user, 900))
        self.assertEqual((said["kubernetes.io"]["namespace"], said["kubernetes.io"]["serviceaccount"]["name"]), (self.ns, self.name))
        self.assertTrue(abs(said["iat"] - time.time()) < 30 and said["iss"] and said["aud"])
        self.assertEqual(claims(self.token(audiences=["elsewhere"]))["aud"], ["elsewhere"])
        self.refused(422, "Invalid", self.token, expirationSeconds=60)

    def test_token_review(self):
        def review(token, **spec):
            return client.AuthenticationV1Api(self.api).create_token_review({"spec": dict(spec, token=token)}).status
        status = review(self.token())
        self.assertEqual((status.authenticated, status.user.username), (True, self.user))
        self.assertEqual(set(status.user.groups),
                         {"system:serviceaccounts", "system:serviceaccounts:" + self.ns, "system:authenticated"})
        self.assertEqual(status.user.uid, self.core.read_namespaced_service_account(self.name, self.ns).metadata.uid)
        other = self.token(audiences=["elsewhere"])
        self.assertEqual(review(other, audiences=["elsewhere", "x"]).audiences, ["elsewhere"])
        for token in ("garbage", other):
            status = review(token)
            self.assertTrue(not status.authenticated and status.error)

    def test_access_reviews(self):
        self.grant(["list"], ["pods", "deployments"])
        robot = client.AuthorizationV1Api(self.as_bearer(self.token()))

        def attributes(verb, resource, **more):
            return {"resourceAttributes": dict({"namespace": self.ns, "verb": verb, "resource": resource}, **more)}
        self.assertTrue(self.review.create_self_subject_access_review({"spec": attributes("delete", "nodes")}).status.allowed)
        mine = lambda *a, **k: bool(robot.create_self_subject_access_review({"spec": attributes(*a, **k)}).status.allowed)
        self.until("allowed", lambda: mine("list", "pods"))
        self.assertEqual([mine("list", "deployments", group="apps"), mine("list", "deployments", group="batch"), mine("watch", "pods"),
                          mine("list", "pods", namespace="default"), mine("list", "pods", subresource="log")], [True] + [False] * 4)
        status = self.review.create_subject_access_review({"spec": dict(attributes("list", "pods"), user=self.user)}).status
        self.assertTrue(status.allowed)
        self.assertIn('RBAC: allowed by RoleBinding "%s/%s"' % (self.name, self.ns), status.reason)
        for user, groups, allowed in (("alice", [], False), ("alice", ["system:masters"], True)):
            spec = dict(attributes("list", "secrets"), user=user, groups=groups)
            self.assertEqual(bool(self.review.create_subject_access_review({"spec": spec}).status.allowed), allowed)
        rules = robot.create_self_subject_rules_review({"spec": {"namespace": self.ns}}).status
        self.assertIn((["list"], ["pods", "deployments"]), [(r.verbs, r.resources) for r in rules.resource_rules])
        self.assertTrue(any("/healthz" in rule.non_resource_urls for rule in rules.non_resource_rules))

    def test_built_in_role_and_impersonation(self):
        robot = self.as_bearer(self.token())
        self.bind("ClusterRole", "view")
        self.until("allowed", lambda: client.AppsV1Api(robot).list_namespaced_deployment(self.ns))
        self.refused(403, "Forbidden", client.CoreV1Api(robot).list_namespaced_secret, self.ns)
        self.refused(403, "Forbidden", client.CoreV1Api(robot).create_namespaced_config_map, self.ns, {"metadata": {"name": "x"}})
        path, body = "/apis/authentication.k8s.io/v1/selfsubjectreviews", {"apiVersion": "authentication.k8s.io/v1",
                                                                           "kind": "SelfSubjectReview"}
        self.assertEqual(self.raw("POST", path, body=body, api=robot)[2]["status"]["userInfo"]["username"], self.user)
        who = self.raw("POST", path, body=body, Impersonate_User="alice", Impersonate_Group="staff")[2]["status"]["userInfo"]
        self.assertEqual((who["username"], sorted(who["groups"])), ("alice", ["staff", "system:authenticated"]))
        self.assertEqual(self.raw("POST", path, body=body, api=robot, Impersonate_User="alice")[0], 403)

    def test_token_in_a_pod_works_outside(self):
        self.pod(self.name, serviceAccountName=self.name)
        self.pod(self.name + "-none", automountServiceAccountToken=False)
        self.ready(self.name), self.ready(self.name + "-none")

        def run(pod, command):
            return stream.stream(self.core.connect_get_namespaced_pod_exec, pod, self.ns, command=["sh", "-c", command],
                                 stdout=True, stderr=True, _request_timeout=10)
        token, inside = run(self.name, "cat %stoken" % TOKEN_DIRECTORY), claims(run(self.name, "cat %stoken" % TOKEN_DIRECTORY))
        self.assertEqual((inside["sub"], inside["kubernetes.io"]["pod"]["name"]), (self.user, self.name))
        self.assertEqual(run(self.name, "cat %snamespace" % TOKEN_DIRECTORY), self.ns)
        authority = self.core.read_namespaced_config_map("kube-root-ca.crt", self.ns).data["ca.crt"]
        self.assertEqual(run(self.name, "cat %sca.crt" % TOKEN_DIRECTORY).strip(), authority.strip())
        self.assertEqual(run(self.name + "-none", "ls -d %s 2>/dev/null || echo none" % TOKEN_DIRECTORY), "none\n")
        robot = client.CoreV1Api(self.as_bearer(token))
        self.refused(403, "Forbidden", robot.list_namespaced_pod, self.ns)
        self.grant(["list"], ["pods"])
        self.until("allowed", lambda: self.name in [p.metadata.name for p in robot.list_namespaced_pod(self.ns).items])


class Cluster(objects.Case):
    def test_every_namespace(self):
        for name in ("default", "kube-system", "kube-public", "kube-node-lease", self.ns):
            it = self.core.read_namespace(name)
            self.assertEqual((it.metadata.labels["kubernetes.io/metadata.name"], it.status.phase), (name, "Active"))
            self.until("an account", lambda: self.core.read_namespaced_service_account("default", name))
            authority = self.until("an authority", lambda: self.core.read_namespaced_config_map("kube-root-ca.crt", name))
            self.assertIn("-----BEGIN CERTIFICATE-----", authority.data["ca.crt"])

    def test_nodes(self):
        nodes = {node.metadata.name: node for node in self.core.list_node().items}
        self.assertEqual(sorted(nodes), ["node-1", "node-2", "node-3"])
        taints = {name: [(t.key, t.effect) for t in node.spec.taints or []] for name, node in nodes.items()}
        self.assertEqual(taints, {"node-1": [("node-role.kubernetes.io/control-plane", "NoSchedule")], "node-2": [], "node-3": []})
        for name, node in nodes.items():
            conditions = {c.type: c.status for c in node.status.conditions}
            self.assertEqual(conditions, {"Ready": "True", "MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False"})
            addresses = {a.type: a.address for a in node.status.addresses}
            self.assertEqual((addresses["Hostname"], node.metadata.labels["kubernetes.io/hostname"]), (name, name))
            self.assertRegex(addresses["InternalIP"], r"^\d+\.\d+\.\d+\.\d+$")
            self.assertRegex(node.status.node_info.kubelet_version, r"^v1\.36\.")
            self.assertTrue({"cpu", "memory", "pods", "ephemeral-storage"} <= set(node.status.allocatable) & set(node.status.capacity))
            lease = client.CoordinationV1Api(self.api).read_namespaced_lease(name, "kube-node-lease")
            self.assertEqual((lease.spec.holder_identity, lease.metadata.owner_references[0].uid), (name, node.metadata.uid))

    def test_endpoints_of_kubernetes(self):
        service = self.core.read_namespaced_service("kubernetes", "default")
        self.assertEqual([(p.name, p.port) for p in service.spec.ports], [("https", 443)])
        piece, = client.DiscoveryV1Api(self.api).list_namespaced_endpoint_slice(
            "default", label_selector="kubernetes.io/service-name=kubernetes").items
        self.assertEqual((piece.metadata.name, piece.address_type, piece.ports[0].name), ("kubernetes", "IPv4", "https"))
        self.assertTrue(all(e.conditions.ready for e in piece.endpoints))
        subset, = self.core.read_namespaced_endpoints("kubernetes", "default").subsets
        self.assertEqual([a.ip for a in subset.addresses], [a for e in piece.endpoints for a in e.addresses])
        self.assertEqual([p.port for p in subset.ports], [p.port for p in piece.ports])

    def test_metrics(self):
        custom = client.CustomObjectsApi(self.api)
        self.pod("measured")
        self.ready("measured")

        def usage(items):
            return {i["metadata"]["name"]: utils.parse_quantity(i["usage"]["memory"]) for i in items
                    if "usage" in i and utils.parse_quantity(i["usage"]["cpu"]) >= 0}
        nodes = lambda: usage(custom.list_cluster_custom_object("metrics.k8s.io", "v1beta1", "nodes")["items"])
        self.until("metrics of nodes", lambda: sorted(nodes()) == ["node-1", "node-2", "node-3"] and min(nodes().values()) > 0, 20)
        pod = lambda: custom.get_namespaced_custom_object("metrics.k8s.io", "v1beta1", self.ns, "pods", "measured")
        containers = self.until("metrics of a pod", pod, 20)["containers"]
        self.assertEqual([c["name"] for c in containers], ["main"])
        self.assertGreater(utils.parse_quantity(containers[0]["usage"]["memory"]), 0)
