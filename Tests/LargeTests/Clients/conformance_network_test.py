"""What Kubernetes' tests of conformance assert of the network: DNS, services, endpoints, host ports, proxies, and the APIs of sig-network."""
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
import unittest

from conformance import MERGE, Case, condition, container, pod, setUpModule, tearDownModule, unique, web  # noqa: F401

# The images have no program that serves UDP or TLS, nor dig: pods that need one see the machine's own programs through hostPath.
MACHINE = [path for path in dict.fromkeys(["/usr", "/lib", "/lib64", sys.base_prefix]) if os.path.isdir(path)]
VOLUMES = [{"name": "machine-%d" % i, "hostPath": {"path": path}} for i, path in enumerate(MACHINE)]
MOUNTS = [{"name": "machine-%d" % i, "mountPath": path, "readOnly": True} for i, path in enumerate(MACHINE)]
PYTHON = [os.path.realpath(sys.executable), "-ISc"]

# Serves on each port of a list (argv[1]) the body or the host's name: {"port": 80, "udp": true}, {"port": 443, "tls": true, "body": "foo"}
SERVER = r'''
import http.server, json, os, socket, socketserver, ssl, sys, threading

class Datagram(socketserver.BaseRequestHandler):
    def handle(self):
        self.request[1].sendto(socket.gethostname().encode(), self.client_address)

class Web(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = self.server.options.get("body") or socket.gethostname()
        kind = "text/html" if body.startswith("<") else "text/plain"
        if self.server.options.get("json"):
            body = json.dumps({"Method": self.command, "Body": body})
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())
    do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = answer
    def log_message(self, *args):
        pass

for options in json.loads(sys.argv[1]):
    if options.get("udp"):
        server = socketserver.ThreadingUDPServer(("", options["port"]), Datagram)
    else:
        server = http.server.ThreadingHTTPServer(("", options["port"]), Web)
    server.options = options
    if options.get("tls"):
        with open("/tmp/identity", "w") as file:
            file.write(os.environ["IDENTITY"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("/tmp/identity")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever).start()
'''

# One datagram there and back: prints the answer.
ASK_UDP = "import socket, sys; s = socket.socket(type=socket.SOCK_DGRAM); s.settimeout(1); s.connect((sys.argv[1], int(sys.argv[2]))); " \
          "s.send(b'hostname'); print(s.recv(999).decode())"


def server(*ports, name="c", **more):
    """A container that serves the ports with the machine's Python."""
    first = next((p["port"] for p in ports if not p.get("udp") and not p.get("tls")), None)
    probe = {"readinessProbe": {"tcpSocket": {"port": first}, "periodSeconds": 1}} if first else {}
    return dict({"name": name, "image": "busybox", "command": PYTHON + [SERVER, json.dumps(ports)], "volumeMounts": MOUNTS}, **dict(probe, **more))


def ask_udp(host, port):
    return "timeout 5 " + " ".join(map(shlex.quote, PYTHON + [ASK_UDP, host, str(port)]))


def curl(host, port, options=""):
    return "timeout 5 curl -s --connect-timeout 2 %s http://%s:%s/" % (options, host, port)


def service(name, *ports, selector=None, labels=None, **spec):
    """Ports: numbers, or dicts as the API has them."""
    ports = [p if isinstance(p, dict) else {"name": "http", "port": p, "protocol": "TCP"} for p in ports]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, **({"labels": labels} if labels else {})},
            "spec": {**({"ports": ports} if ports else {}), **({"selector": selector} if selector else {}), **spec}}


class Network(Case):
    """Each test has a namespace of its own, as upstream's do, since names (of services) matter."""

    def setUp(self):
        self.ns = unique("e2e-net")
        self.core.create_namespace({"metadata": {"name": self.ns}})
        self.addCleanup(lambda: self.core.delete_namespace(self.ns, _preload_content=False).data)

    def tools(self, name="execpod", **spec):
        """A pod with curl, dig, getent and python3 of the machine."""
        self.create(pod(name, container(volumeMounts=MOUNTS), volumes=VOLUMES, **spec))
        self.pod_is(name, "Running")

    def workers(self):
        """The nodes that pods may be scheduled to."""
        found = [n for n in self.list("Node") if not any(t["effect"] != "PreferNoSchedule" for t in n["spec"].get("taints", []))]
        self.assertGreaterEqual(len(found), 1)
        return found

    def internal_ip(self, node):
        return next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")

    def answer(self, script, name="execpod", seconds=15):
        """What a script prints, once it succeeds and prints something."""
        def ask():
            code, out, err = self.exec(name, "sh", "-c", script)
            ask.last = (code, out, err)
            return code == 0 and out.strip()
        try:
            return self.until("an answer to " + script, ask, seconds)
        except AssertionError as error:
            raise AssertionError("%s: %s" % (error, getattr(ask, "last", ""))) from None

    def deploy(self, name, labels, replicas, port=9376):
        """Pods that serve their names."""
        template = pod(name, web(port=port), labels=labels)
        self.create({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
            "replicas": replicas, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": template["spec"]}}})
        self.until("%s is up" % name, lambda: self.get("Deployment", name)["status"].get("readyReplicas") == replicas)
        return {p["metadata"]["name"] for p in self.list("Pod", label_selector=",".join("%s=%s" % l for l in labels.items()))}

    def sane(self, found):
        """What holds for any service of its type."""
        spec = found["spec"]
        if spec["type"] == "ExternalName":
            self.assertFalse(spec.get("clusterIP"), spec)
            self.assertFalse(spec.get("clusterIPs"), spec)
        else:
            self.assertTrue(spec.get("clusterIP"), spec)
            self.assertFalse(spec.get("externalName"), spec)
        for port in spec.get("ports", []):
            if spec["type"] in ("NodePort", "LoadBalancer"):
                self.assertTrue(30000 <= port.get("nodePort", 0) <= 32767, spec)
            else:
                self.assertFalse(port.get("nodePort"), spec)
        return found

    def reachable(self, found, name="execpod"):
        """The service answers by its name, its cluster IP and the nodes' ports."""
        self.sane(found)
        spec, addresses = found["spec"], []
        if spec["type"] == "ExternalName":
            return self.answer("getent ahostsv4 %s.%s.svc.cluster.local" % (found["metadata"]["name"], self.ns), name)
        for port in spec["ports"]:
            addresses += [(found["metadata"]["name"], port["port"]), (spec["clusterIP"], port["port"])]
            if spec["type"] == "NodePort":
                addresses += [(a["address"], port["nodePort"]) for n in self.list("Node") for a in n["status"]["addresses"]
                              if a["type"] in ("InternalIP", "ExternalIP")]
        for host, port in addresses:
            self.answer(curl(host, port), name)

    def endpoints(self, name, expected):
        """Endpoints and EndpointSlices have exactly these ports for these pods: {pod: {port, ...}}; a port is (number, protocol) or a number."""
        uids = {self.get("Pod", p)["metadata"]["uid"]: {x if isinstance(x, tuple) else (x, "TCP") for x in ports} for p, ports in expected.items()}

        def look():
            of_slices, of_endpoints = {}, {}
            for s in self.list("EndpointSlice", label_selector="kubernetes.io/service-name=" + name):
                for e in s["endpoints"] or []:
                    of_slices.setdefault(e["targetRef"]["uid"], set()).update((p["port"], p["protocol"]) for p in s["ports"] or [])
            for s in self.get("Endpoints", name).get("subsets") or []:
                for a in s.get("addresses", []):
                    of_endpoints.setdefault(a["targetRef"]["uid"], set()).update((p["port"], p["protocol"]) for p in s["ports"])
            self.assertEqual((of_slices, of_endpoints), (uids, uids))
            return True
        self.until("service %s has the endpoints %s" % (name, expected), look)

    def discover(self, group, resource, verbs):
        """The resource is in the documents of discovery, with the verbs."""
        groups = json.loads(self.raw("GET", "/apis")[2])["groups"]
        self.assertIn("v1", [v["version"] for g in groups if g["name"] == group for v in g["versions"]])
        self.assertIn("v1", [v["version"] for v in json.loads(self.raw("GET", "/apis/" + group)[2])["versions"]])
        resources = json.loads(self.raw("GET", "/apis/%s/v1" % group)[2])["resources"]
        found = [r for r in resources if r["name"] == resource]
        self.assertEqual(len(found), 1, [r["name"] for r in resources])
        self.assertLessEqual(set(verbs.split()), set(found[0]["verbs"]))


    def annotated(self, kind, created, selector):
        """Patches and updates an object's annotations while watches look on: one with the base's helper and one of all namespaces."""
        name, path = created["metadata"]["name"], self.kind(kind)
        path = "/%s/%s?labelSelector=%s" % (path.prefix + "/" + path.group_version, path.name, selector)
        before = json.loads(self.raw("GET", path)[2])
        self.assertIn(name, [item["metadata"]["name"] for item in before["items"]])
        with self.watching(kind, label_selector=selector) as events:
            patched = self.patch(kind, name, {"metadata": {"annotations": {"patched": "true"}}}, MERGE)
            self.assertEqual(patched["metadata"]["annotations"]["patched"], "true")
            self.assertGreater(int(patched["metadata"]["resourceVersion"]), int(created["metadata"]["resourceVersion"]))
            updated = self.update(kind, name, lambda o: o["metadata"]["annotations"].update(updated="true"))
            self.assertEqual(updated["metadata"]["annotations"]["updated"], "true")
            self.until("the watch tells", lambda: len(events) == 2)
        status, _, text = self.raw("GET", "%s&watch=true&timeoutSeconds=1&resourceVersion=%s" % (path, before["metadata"]["resourceVersion"]))
        self.assertEqual(status, 200, text)
        for told in (events, [(e["type"], e["object"]) for e in map(json.loads, text.splitlines())]):
            self.assertEqual([(kind, o["metadata"]["annotations"]) for kind, o in told],
                             [("MODIFIED", {"patched": "true"}), ("MODIFIED", {"patched": "true", "updated": "true"})])


ALL_VERBS = "create delete deletecollection get list patch update watch"


class ApiServer(Network):
    def test_should_provide_secure_master_service(self):
        """[sig-network] API Server should provide secure master service (till 1.34: Services)"""
        self.assertEqual(self.get("Service", "kubernetes", "default")["spec"]["ports"][0]["port"], 443)

    def test_should_have_endpoints_and_slices_pointing_to_the_api_server(self):
        """[sig-network] API Server should have Endpoints and EndpointSlices pointing to API Server (till 1.34: EndpointSlice)"""
        subsets = self.get("Endpoints", "kubernetes", "default")["subsets"]
        self.assertTrue(subsets)
        addresses = {a["ip"] for s in subsets for a in s.get("addresses", []) + s.get("notReadyAddresses", [])}
        slices = self.list("EndpointSlice", "default", label_selector="kubernetes.io/service-name=kubernetes")
        slices = [s for s in slices if s["addressType"] == "IPv4"]
        self.assertTrue(slices)
        self.assertEqual(addresses, {a for s in slices for e in s["endpoints"] for a in e["addresses"]})
        self.assertEqual({p["port"] for s in subsets for p in s["ports"]}, {p["port"] for s in slices for p in s["ports"]})


class DNS(Network):
    def querier(self, name="dns-test", hostname="dns-querier-1", subdomain="dns-test-service", labels=None):
        self.create(pod(name, container(volumeMounts=MOUNTS), volumes=VOLUMES, hostname=hostname, subdomain=subdomain, labels=labels))
        return self.pod_is(name, "Running")["status"]["podIP"]

    def dig(self, name, kind=None, short="+noall +answer", querier="dns-test"):
        """The same answer by UDP and by TCP, once there is one."""
        kind = kind or ("SRV" if name.startswith("_") else "A")
        by_udp, by_tcp = (self.answer("dig +time=2 +tries=1 %s %s +search %s %s" % (way, short, name, kind), querier) for way in ("+notcp", "+tcp"))
        self.assertEqual(sorted(line.split()[-1] for line in by_udp.splitlines()), sorted(line.split()[-1] for line in by_tcp.splitlines()))
        return by_tcp

    def services(self):
        self.create(service("dns-test-service", 80, selector={"dns-test": "true"}, clusterIP="None"))
        regular = self.create(service("test-service-2", 80, selector={"dns-test": "true"}))["spec"]["clusterIP"]
        return regular, self.querier(labels={"dns-test": "true"})

    def reverse(self, ip):
        return ".".join(reversed(ip.split("."))) + ".in-addr.arpa."

    def test_should_provide_dns_for_the_cluster(self):
        """[sig-network] DNS should provide DNS for the cluster"""
        self.querier()
        self.assertIn(self.get("Service", "kubernetes", "default")["spec"]["clusterIP"], self.dig("kubernetes.default.svc.cluster.local"))

    def test_should_provide_hosts_entries_for_the_cluster(self):
        """[sig-network] DNS should provide /etc/hosts entries for the cluster"""
        ip = self.querier()
        for name in ("dns-querier-1.dns-test-service.%s.svc.cluster.local" % self.ns, "dns-querier-1"):
            self.assertIn(ip, self.answer("getent hosts " + name, "dns-test"))
            self.assertIn(ip, self.shell("dns-test", "grep -w %s /etc/hosts" % name))

    def test_should_provide_dns_for_services(self):
        """[sig-network] DNS should provide DNS for services"""
        regular, ip = self.services()
        domain = "%s.svc.cluster.local" % self.ns
        self.assertIn(ip, self.dig("dns-test-service." + domain))
        self.assertIn("dns-querier-1.dns-test-service.%s." % domain, self.dig("_http._tcp.dns-test-service." + domain))
        self.assertIn("test-service-2.%s." % domain, self.dig("_http._tcp.test-service-2." + domain))
        self.assertIn("test-service-2.%s." % domain, self.dig(self.reverse(regular), "PTR"))

    def test_should_resolve_partial_qualified_names_for_services(self):
        """[sig-network] DNS should resolve DNS of partial qualified names for services [LinuxOnly]"""
        regular, ip = self.services()
        for name in ("dns-test-service", "dns-test-service." + self.ns, "dns-test-service.%s.svc" % self.ns):
            self.assertIn(ip, self.dig(name))
        self.assertIn("80 dns-querier-1.", self.dig("_http._tcp.dns-test-service.%s.svc" % self.ns))
        self.assertIn("80 test-service-2.", self.dig("_http._tcp.test-service-2.%s.svc" % self.ns))
        self.assertIn("test-service-2.%s.svc.cluster.local." % self.ns, self.dig(self.reverse(regular), "PTR"))

    def test_should_provide_dns_for_pods_for_hostname(self):
        """[sig-network] DNS should provide DNS for pods for Hostname"""
        labels = {"dns-test-hostname-attribute": "true"}
        self.create(service("dns-test-service-2", 80, selector=labels, clusterIP="None"))
        ip = self.querier(hostname="dns-querier-2", subdomain="dns-test-service-2", labels=labels)
        for name in ("dns-querier-2.dns-test-service-2.%s.svc.cluster.local" % self.ns, "dns-querier-2"):
            self.assertIn(ip, self.answer("getent hosts " + name, "dns-test"))

    def test_should_provide_dns_for_pods_for_subdomain(self):
        """[sig-network] DNS should provide DNS for pods for Subdomain"""
        labels = {"dns-test-hostname-attribute": "true"}
        self.create(service("dns-test-service-2", 80, selector=labels, clusterIP="None"))
        ip = self.querier(hostname="dns-querier-2", subdomain="dns-test-service-2", labels=labels)
        for name in ("dns-querier-2.dns-test-service-2.%s.svc.cluster.local" % self.ns, "dns-test-service-2.%s.svc.cluster.local" % self.ns):
            self.assertIn(ip, self.dig(name))

    def test_should_provide_dns_for_externalname_services(self):
        """[sig-network] DNS should provide DNS for ExternalName services"""
        name = "dns-test-service-3"
        self.create(service(name, type="ExternalName", externalName="foo.example.com"))
        self.querier()

        def resolves(kind, expected):
            self.until("%s is %s" % (kind, expected), lambda: self.dig("%s.%s.svc.cluster.local" % (name, self.ns), kind, "+short") == expected, 10)
        resolves("CNAME", "foo.example.com.")
        self.update("Service", name, lambda s: s["spec"].update(externalName="bar.example.com"))
        resolves("CNAME", "bar.example.com.")
        # The external name stays, as upstream's test leaves it.
        self.update("Service", name, lambda s: s["spec"].update(type="ClusterIP", ports=[{"port": 80, "name": "http", "protocol": "TCP"}]))
        resolves("A", self.get("Service", name)["spec"]["clusterIP"])

    def test_should_support_configurable_pod_dns_nameservers(self):
        """[sig-network] DNS should support configurable pod DNS nameservers"""
        self.create(pod("test-dns-nameservers", dnsPolicy="None", dnsConfig={"nameservers": ["1.1.1.1"], "searches": ["resolv.conf.local"]}))
        self.ready("test-dns-nameservers")
        lines = [line.split() for line in self.shell("test-dns-nameservers", "cat /etc/resolv.conf").splitlines()]
        self.assertEqual([line[1:] for line in lines if line[:1] == ["search"]], [["resolv.conf.local"]])
        self.assertEqual([line[1:] for line in lines if line[:1] == ["nameserver"]], [["1.1.1.1"]])


class EndpointSlice(Network):
    def two_pods(self):
        """Two pods, and a service for the first by the port's number and one for both by the port's name."""
        self.create(pod("pod1", container(ports=[{"name": "example-name", "containerPort": 3000}]), labels={"pod1": "on", "shared12": "on"}))
        self.create(pod("pod2", container(ports=[{"name": "example-name", "containerPort": 3001}, {"name": "other-port", "containerPort": 3002}]),
                        labels={"pod2": "on", "shared12": "on"}))
        self.create(service("example-int-port", {"name": "example", "port": 80, "targetPort": 3000, "protocol": "TCP"}, selector={"pod1": "on"},
                            publishNotReadyAddresses=True))
        self.create(service("example-named-port", {"name": "http", "port": 80, "targetPort": "example-name", "protocol": "TCP"},
                            selector={"shared12": "on"}, publishNotReadyAddresses=True))
        self.until("both have addresses", lambda: all(self.get("Pod", p)["status"]["podIPs"] for p in ("pod1", "pod2")))

    def target(self, name):
        metadata = self.get("Pod", name)["metadata"]
        return {"kind": "Pod", "namespace": self.ns, "name": name, "uid": metadata["uid"]}

    def slices_are(self, name, expected):
        """expected: {(name of the port, port, pod), ...}, one slice for each port."""
        def look():
            slices = self.list("EndpointSlice", label_selector="kubernetes.io/service-name=" + name)
            self.assertGreaterEqual(len(slices), len({e[:2] for e in expected}))
            self.assertEqual({len(s["ports"]) for s in slices}, {1})
            found = {(s["ports"][0]["name"], s["ports"][0]["port"], e["targetRef"]["name"]): e for s in slices for e in s["endpoints"]}
            self.assertEqual(set(found), expected)
            for (_, _, pod_name), endpoint in found.items():
                self.assertEqual({k: endpoint["targetRef"].get(k) for k in ("kind", "namespace", "name", "uid")}, self.target(pod_name))
                self.assertEqual(endpoint["addresses"], [self.get("Pod", pod_name)["status"]["podIP"]])
            self.assertEqual({s["ports"][0]["protocol"] for s in slices}, {"TCP"})
            return True
        self.until("slices of %s are %s" % (name, expected), look)

    def test_should_create_slices_for_pods_matching_a_service(self):
        """[sig-network] EndpointSlice should create Endpoints and EndpointSlices for Pods matching a Service"""
        self.two_pods()
        self.slices_are("example-int-port", {("example", 3000, "pod1")})
        self.slices_are("example-named-port", {("http", 3000, "pod1"), ("http", 3001, "pod2")})
        for each in self.list("EndpointSlice", label_selector="kubernetes.io/service-name=example-named-port"):
            self.delete("EndpointSlice", each["metadata"]["name"])
        self.slices_are("example-named-port", {("http", 3000, "pod1"), ("http", 3001, "pod2")})

    def test_should_create_endpoints_for_pods_matching_a_service(self):
        """[sig-network] EndpointsController should create Endpoints for Pods matching a Service"""
        self.two_pods()
        for name, expected in (("example-int-port", {("example", 3000, "pod1")}),
                               ("example-named-port", {("http", 3000, "pod1"), ("http", 3001, "pod2")})):
            def look():
                subsets = self.get("Endpoints", name)["subsets"]
                self.assertEqual(len(subsets), len(expected))
                self.assertEqual({len(s["ports"]) for s in subsets}, {1})
                found = {(s["ports"][0]["name"], s["ports"][0]["port"], a["targetRef"]["name"]): a
                         for s in subsets for a in s.get("addresses", []) + s.get("notReadyAddresses", [])}
                self.assertEqual(set(found), expected)
                for (_, _, pod_name), address in found.items():
                    self.assertEqual({k: address["targetRef"].get(k) for k in ("kind", "namespace", "name", "uid")}, self.target(pod_name))
                    self.assertEqual(address["ip"], self.get("Pod", pod_name)["status"]["podIP"])
                self.assertEqual({s["ports"][0]["protocol"] for s in subsets}, {"TCP"})
                return True
            self.until("endpoints of %s are %s" % (name, expected), look)

    def test_should_create_and_delete_slices_for_a_service_that_matches_no_pods(self):
        """[sig-network] EndpointSlice should create and delete EndpointSlices for a Service with a selector that matches no pods"""
        self.create(service("example-empty-selector", 80, selector={"does-not-match": "anything"}))
        listed = lambda: self.list("EndpointSlice", label_selector="kubernetes.io/service-name=example-empty-selector")  # noqa: E731
        found = self.until("a slice", listed)
        self.assertEqual(len(found), 1)
        self.assertEqual(found[0]["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"], "endpointslice-controller.k8s.io")
        self.assertFalse(found[0]["endpoints"])
        self.assertFalse(found[0].get("ports"))
        self.delete("Service", "example-empty-selector")
        self.until("the slice is gone", lambda: not listed())

    def test_should_create_and_delete_endpoints_for_a_service_that_matches_no_pods(self):
        """[sig-network] EndpointsController should create and delete Endpoints for a Service with a selector that matches no pods"""
        self.create(service("example-empty-selector", 80, selector={"does-not-match": "anything"}))
        self.assertFalse(self.until("Endpoints", lambda: self.get("Endpoints", "example-empty-selector")).get("subsets"))
        self.delete("Service", "example-empty-selector")
        self.until("Endpoints are gone", lambda: self.gone("Endpoints", "example-empty-selector"))

    def test_should_support_endpointslice_api_operations(self):
        """[sig-network] EndpointSlice should support creating EndpointSlice API operations"""
        self.discover("discovery.k8s.io", "endpointslices", ALL_VERBS)
        selector = "special-label=" + self.ns
        template = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                    "metadata": {"generateName": "e2e-example-ing", "labels": {"special-label": self.ns}},
                    "endpoints": [{"addresses": ["1.2.3.4", "5.6.7.8"]}, {"addresses": ["2.2.3.4", "6.6.7.8"]}]}
        for _ in range(3):
            created = self.create(template)
        name = created["metadata"]["name"]
        self.assertEqual(self.get("EndpointSlice", name)["metadata"]["uid"], created["metadata"]["uid"])
        self.assertEqual(len(self.list("EndpointSlice", label_selector=selector)), 3)
        self.annotated("EndpointSlice", created, selector)
        self.delete("EndpointSlice", name)
        self.assertTrue(self.gone("EndpointSlice", name))
        left = self.list("EndpointSlice", label_selector=selector)
        self.assertEqual(len(left), 2)
        self.assertNotIn(name, [s["metadata"]["name"] for s in left])
        self.delete_collection("EndpointSlice", label_selector=selector)
        self.assertEqual(self.list("EndpointSlice", label_selector=selector), [])

    def custom_slice(self, port_name, port, address):
        self.create({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "metadata": {
            "generateName": "e2e-custom-slice", "labels": {"kubernetes.io/service-name": "example-custom-endpoints",
                                                           "endpointslice.kubernetes.io/managed-by": "e2e-test" + self.ns}},
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}], "ports": [{"name": port_name, "port": port, "protocol": "TCP"}]})

    def custom_service(self):
        return self.create(service("example-custom-endpoints", {"name": "port80", "port": 80, "protocol": "TCP"},
                                   {"name": "port81", "port": 81, "protocol": "TCP"}))["spec"]["clusterIP"]

    def test_should_support_multiple_ports_in_multiple_slices(self):
        """[sig-network] EndpointSlice should support a Service with multiple ports specified in multiple EndpointSlices"""
        ip = self.custom_service()
        self.create(pod("pod-handle-http-request", web("a", 8090), web("b", 9090, text="from 9090")))
        address = self.ready("pod-handle-http-request")["status"]["podIP"]
        self.custom_slice("port80", 8090, address)
        self.custom_slice("port81", 9090, address)
        self.tools("pause-pod-0")
        self.assertEqual(self.answer(curl(ip, 80), "pause-pod-0"), "pod-handle-http-request")
        self.assertEqual(self.answer(curl(ip, 81), "pause-pod-0"), "from 9090")

    def test_should_support_multiple_endpoint_ips_in_multiple_slices(self):
        """[sig-network] EndpointSlice should support a Service with multiple endpoint IPs specified in multiple EndpointSlices"""
        ip = self.custom_service()
        for i, port_name in ((1, "port80"), (2, "port81")):
            self.create(pod("pod%d-handle-http-request" % i, web(port=8090)))
            self.custom_slice(port_name, 8090, self.ready("pod%d-handle-http-request" % i)["status"]["podIP"])
        self.tools("pause-pod-0")
        self.assertEqual(self.answer(curl(ip, 80), "pause-pod-0"), "pod1-handle-http-request")
        self.assertEqual(self.answer(curl(ip, 81), "pause-pod-0"), "pod2-handle-http-request")

    def test_should_mirror_custom_endpoints(self):
        """[sig-network] EndpointSliceMirroring should mirror a custom Endpoints resource through create update and delete"""
        self.create(service("example-custom-endpoints", {"name": "example", "port": 80, "protocol": "TCP"}))
        endpoints = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "example-custom-endpoints", "namespace": self.ns},
                     "subsets": [{"ports": [{"port": 80}], "addresses": [{"ip": "10.1.2.3"}]}]}

        def mirrored():
            return [([p["port"] for p in s["ports"]], [e["addresses"] for e in s["endpoints"]])
                    for s in self.list("EndpointSlice", label_selector="kubernetes.io/service-name=example-custom-endpoints")]
        self.create(endpoints)
        self.until("the mirror has 10.1.2.3", lambda: mirrored() == [([80], [["10.1.2.3"]])], 12)
        endpoints["subsets"][0]["addresses"] = [{"ip": "10.2.3.4"}]
        self.replace(endpoints)
        self.until("the mirror has 10.2.3.4", lambda: mirrored() == [([80], [["10.2.3.4"]])], 12)
        self.delete("Endpoints", "example-custom-endpoints")
        self.until("the mirror is gone", lambda: mirrored() == [], 12)

    def test_should_test_the_lifecycle_of_an_endpoint(self):
        """[sig-network] Endpoints should test the lifecycle of an Endpoint (till 1.34: Services)"""
        selector = "test-endpoint-static=true"
        with self.watching("Endpoints", label_selector=selector) as events:
            def seen(kind, test=lambda e: True):
                self.until("a watch tells " + kind, lambda: any(t == kind and test(e) for t, e in events))
            created = self.create({"apiVersion": "v1", "kind": "Endpoints",
                                   "metadata": {"name": "testservice", "labels": {"test-endpoint-static": "true"}}, "subsets": [
                                       {"addresses": [{"ip": "10.0.0.24"}], "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}]})
            seen("ADDED")
            everywhere = json.loads(self.raw("GET", "/api/v1/endpoints?labelSelector=" + selector)[2])["items"]
            found = next(e for e in everywhere if (e["metadata"]["name"], e["metadata"]["namespace"]) == ("testservice", self.ns))
            found["metadata"]["labels"]["test-service"] = "updated"
            self.replace({"apiVersion": "v1", "kind": "Endpoints", **found})
            seen("MODIFIED", lambda e: e["metadata"]["labels"].get("test-service") == "updated")
            patched = self.patch("Endpoints", "testservice", {
                "metadata": {"labels": {"test-service": "patched"}},
                "subsets": [{"addresses": [{"ip": "10.0.0.25"}], "ports": [{"name": "http-test", "port": 8080}]}]})
            self.assertGreater(int(patched["metadata"]["resourceVersion"]), int(created["metadata"]["resourceVersion"]))
            seen("MODIFIED", lambda e: e["metadata"]["labels"].get("test-service") == "patched")
            got = self.get("Endpoints", "testservice")
            self.assertEqual(got["metadata"]["labels"]["test-service"], "patched")
            self.assertEqual(got["subsets"][0]["addresses"][0]["ip"], "10.0.0.25")
            self.assertEqual((got["subsets"][0]["ports"][0]["name"], got["subsets"][0]["ports"][0]["port"]), ("http-test", 8080))
            self.delete_collection("Endpoints", label_selector=selector)
            seen("DELETED")
        self.assertTrue(self.gone("Endpoints", "testservice"))


class HostPort(Network):
    def test_should_have_no_conflict_between_different_addresses_and_protocols(self):
        """[sig-network] HostPort validates that there is no conflict between pods with same hostPort but different hostIP and protocol [LinuxOnly]"""
        node = self.workers()[0]
        ip = self.internal_ip(node)
        for name, address, protocol in (("pod1", "127.0.0.1", "TCP"), ("pod2", ip, "TCP"), ("pod3", ip, "UDP")):
            port = {"hostPort": 54323, "containerPort": 8080, "protocol": protocol, "hostIP": address}
            self.create(pod(name, server({"port": 8080}, {"port": 8080, "udp": True}, ports=[port]), volumes=VOLUMES,
                            nodeName=node["metadata"]["name"]))
            self.ready(name)
        self.tools("e2e-host-exec", hostNetwork=True, nodeName=node["metadata"]["name"])
        self.assertEqual(self.answer(curl(ip, 54323), "e2e-host-exec"), "pod2")
        self.assertEqual(self.answer(ask_udp(ip, 54323), "e2e-host-exec"), "pod3")
        self.assertEqual(self.answer(curl("127.0.0.1", 54323, "--interface " + ip), "e2e-host-exec"), "pod1")


class Networking(Network):
    """The pods are the same for all four: one that answers on each node, one that asks and one that asks from the network of a node."""

    def setUp(self):
        cls = type(self)
        if not hasattr(cls, "servers"):
            cls.servers = {}
            for node in self.workers():
                name = "netserver-%d" % len(cls.servers)
                probe = {"httpGet": {"path": "/healthz", "port": 8083}, "periodSeconds": 1}
                self.create(pod(name, server({"port": 8083}, {"port": 8081, "udp": True}, livenessProbe=probe, readinessProbe=probe), volumes=VOLUMES,
                                nodeSelector={"kubernetes.io/hostname": node["metadata"]["labels"]["kubernetes.io/hostname"]}))
                cls.servers[name] = None
            self.tools("test-container-pod")
            self.tools("host-test-container-pod", hostNetwork=True)
            for name in cls.servers:
                cls.servers[name] = self.ready(name)["status"]["podIP"]
        self.assertGreaterEqual(len(self.servers), 2)

    def asked(self, client, question):
        self.assertEqual({name: self.answer(question(ip), client) for name, ip in self.servers.items()}, {name: name for name in self.servers})

    def test_should_function_for_intra_pod_communication_http(self):
        """[sig-network] Networking Granular Checks: Pods should function for intra-pod communication: http"""
        self.asked("test-container-pod", lambda ip: curl(ip, 8083))

    def test_should_function_for_intra_pod_communication_udp(self):
        """[sig-network] Networking Granular Checks: Pods should function for intra-pod communication: udp"""
        self.asked("test-container-pod", lambda ip: ask_udp(ip, 8081))

    def test_should_function_for_node_pod_communication_http(self):
        """[sig-network] Networking Granular Checks: Pods should function for node-pod communication: http [LinuxOnly]"""
        self.asked("host-test-container-pod", lambda ip: curl(ip, 8083))

    def test_should_function_for_node_pod_communication_udp(self):
        """[sig-network] Networking Granular Checks: Pods should function for node-pod communication: udp [LinuxOnly]"""
        self.asked("host-test-container-pod", lambda ip: ask_udp(ip, 8081))


class Secure(Network):
    def identity(self):
        """A key and a certificate that nobody has signed."""
        with tempfile.TemporaryDirectory() as directory:
            subprocess.run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=porter -keyout identity -out cert && "
                           "cat cert >> identity", shell=True, check=True, cwd=directory, capture_output=True)
            with open(directory + "/identity") as file:
                return file.read()


class Probes(Secure):
    def test_a_probe_speaks_tls_when_it_is_told_to(self):
        """(Upstream has this of hooks: [sig-node] Container Lifecycle Hook when create a pod with lifecycle hook should execute poststart https hook)"""
        env = [{"name": "IDENTITY", "value": self.identity()}]
        ports = {"port": 443, "tls": True, "body": "foo"}, {"port": 80, "body": "foo"}
        for name, scheme, port in (("well", "HTTPS", 443), ("plain", "HTTP", 443), ("other", "HTTPS", 80)):
            probe = {"httpGet": {"scheme": scheme, "port": port, "path": "/"}, "periodSeconds": 1, "timeoutSeconds": 2}
            self.create(pod(name, server(*ports, env=env, readinessProbe=probe), volumes=VOLUMES))
        self.ready("well")
        for name in ("plain", "other"):
            self.until("the probe of %s has failed" % name, lambda: self.events(name, "Unhealthy"))
            self.assertEqual(condition(self.get("Pod", name), "Ready")["status"], "False")


class Proxy(Secure):
    def test_should_proxy_through_a_service_and_a_pod(self):
        """[sig-network] Proxy version v1 should proxy through a service and a pod"""
        identity = self.identity()
        link, tls_link = '<a href="%s/rewriteme">test</a>', '<a href="%s/tlsrewriteme">test</a>'
        porter = server({"port": 80, "body": link % ""}, {"port": 1080, "body": link % ""}, {"port": 160, "body": "foo"},
                        {"port": 162, "body": "bar"}, {"port": 443, "tls": True, "body": tls_link % ""},
                        {"port": 460, "tls": True, "body": "tls baz"}, {"port": 462, "tls": True, "body": "tls qux"},
                        env=[{"name": "IDENTITY", "value": identity}],
                        ports=[{"containerPort": 80}, *({"name": n, "containerPort": p} for n, p in (
                            ("dest1", 160), ("dest2", 162), ("tlsdest1", 460), ("tlsdest2", 462)))],
                        readinessProbe={"httpGet": {"port": 80}, "periodSeconds": 1})
        self.create(service("proxy-service", *({"name": n, "port": p, "targetPort": t} for n, p, t in (
            ("portname1", 80, "dest1"), ("portname2", 81, 162), ("tlsportname1", 443, "tlsdest1"), ("tlsportname2", 444, 462))),
            selector={"proxy-service-target": "true"}))
        self.create(pod("porter", porter, labels={"proxy-service-target": "true"}, volumes=VOLUMES))
        self.ready("porter")
        self.until("endpoints", lambda: self.get("Endpoints", "proxy-service")["subsets"][0]["addresses"])

        def path(kind, name):
            return "/api/v1/namespaces/%s/%s/%s/proxy" % (self.ns, kind, name)
        expected = {path("services", name) + "/": body for name, body in (
            ("proxy-service:portname1", "foo"), ("http:proxy-service:portname1", "foo"), ("proxy-service:portname2", "bar"),
            ("http:proxy-service:portname2", "bar"), ("https:proxy-service:tlsportname1", "tls baz"),
            ("https:proxy-service:tlsportname2", "tls qux"))}
        for name, body in (("porter", link), ("porter:1080", link), ("http:porter:1080", link), ("porter:160", "foo"), ("http:porter:160", "foo"),
                           ("porter:162", "bar"), ("http:porter:162", "bar"), ("https:porter:443", tls_link), ("https:porter:460", "tls baz"),
                           ("https:porter:462", "tls qux")):
            expected[path("pods", name) + "/"] = body % path("pods", name) if "%s" in body else body
        for each, body in expected.items():
            with self.subTest(each):
                for _ in range(3):
                    status, _, text = self.raw("GET", each)
                    self.assertEqual((status, text), (200, body))

    def json_server(self):
        labels = {"test": "response"}
        self.create(pod("agnhost", server({"port": 80, "json": True, "body": "foo"}), labels=labels, volumes=VOLUMES, restartPolicy="Never"))
        self.create(service("test-service", {"port": 80, "targetPort": 80, "protocol": "TCP"}, selector=labels, labels=labels))
        self.pod_is("agnhost", "Running")
        return ["/api/v1/namespaces/%s/%s/proxy" % (self.ns, name) for name in ("pods/agnhost", "services/test-service")]

    def valid(self, method, path):
        def look():
            status, _, text = self.raw(method, path)
            self.assertEqual(status, 200, text)
            return method == "HEAD" or self.assertEqual(json.loads(text), {"Method": method, "Body": "foo"}) is None
        self.until("%s %s is answered" % (method, path), look)

    def test_should_return_valid_responses_for_proxy_with_path(self):
        """[sig-network] Proxy version v1 A set of valid responses are returned for both pod and service ProxyWithPath"""
        for proxy in self.json_server():
            for method in ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"):
                self.valid(method, proxy + "/some/path/with/" + method)

    def test_should_return_valid_responses_for_proxy(self):
        """[sig-network] Proxy version v1 A set of valid responses are returned for both pod and service Proxy"""
        for proxy in self.json_server():
            for method in ("DELETE", "OPTIONS", "PATCH", "POST", "PUT"):
                self.valid(method, proxy + "?method=" + method)
            for method in ("GET", "HEAD"):
                status, headers, _ = self.raw(method, proxy + "?method=" + method)
                self.assertEqual(status, 301)
                self.assertTrue(headers["Location"].endswith(proxy + "/?method=" + method), headers["Location"])


class Apis(Network):
    def test_should_support_ingress_api_operations(self):
        """[sig-network] Ingress API should support creating Ingress API operations"""
        self.discover("networking.k8s.io", "ingresses", ALL_VERBS)
        self.discover("networking.k8s.io", "ingresses/status", "get patch update")
        selector, backend = "special-label=" + self.ns, lambda name: {"service": {"name": name, "port": {"number": 8080}}}  # noqa: E731
        for i in (1, 2, 3):
            created = self.create({
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                "metadata": {"generateName": "e2e-example-ing", "labels": {"special-label": self.ns}},
                "spec": {"defaultBackend": backend("default-backend"), "rules": [{"host": "host%d.bar.com" % i, "http": {"paths": [
                    {"path": "/", "pathType": "ImplementationSpecific", "backend": backend("test-backend")}]}}]}, "status": {"loadBalancer": {}}})
        name = created["metadata"]["name"]
        self.assertEqual(self.get("Ingress", name)["metadata"]["uid"], created["metadata"]["uid"])
        self.assertEqual(len(self.list("Ingress", label_selector=selector)), 3)
        self.annotated("Ingress", created, selector)
        path, balancer = "/apis/networking.k8s.io/v1/namespaces/%s/ingresses/%s/status" % (self.ns, name), {"ingress": [{"ip": "169.1.1.1"}]}
        patch = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"loadBalancer": balancer}}
        status, _, text = self.raw("PATCH", path, patch, MERGE)
        self.assertEqual(status, 200, text)
        self.assertEqual(json.loads(text)["status"]["loadBalancer"], balancer)
        self.assertEqual(json.loads(text)["metadata"]["annotations"]["patchedstatus"], "true")
        changed = self.get("Ingress", name)
        changed["status"]["loadBalancer"] = {"ingress": [{"ip": "169.1.1.2"}]}
        status, _, text = self.raw("PUT", path, changed)
        self.assertEqual((status, json.loads(text)["status"]["loadBalancer"]), (200, {"ingress": [{"ip": "169.1.1.2"}]}))
        self.assertEqual(json.loads(self.raw("GET", path)[2])["metadata"]["uid"], created["metadata"]["uid"])
        self.delete("Ingress", name)
        self.assertTrue(self.gone("Ingress", name))
        self.assertEqual(len(self.list("Ingress", label_selector=selector)), 2)
        self.delete_collection("Ingress", label_selector=selector)
        self.assertEqual(self.list("Ingress", label_selector=selector), [])

    def test_should_support_ingressclass_api_operations(self):
        """[sig-network] IngressClass API should support creating IngressClass API operations"""
        self.discover("networking.k8s.io", "ingressclasses", ALL_VERBS)
        selector, name = "ingressclass=" + self.ns, self.ns + "-3"
        self.addCleanup(self.delete_collection, "IngressClass", label_selector=selector)
        for i in (1, 2, 3):
            created = self.create({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "spec": {"controller": "example.com/controller"},
                                   "metadata": {"name": "%s-%d" % (self.ns, i), "labels": {"ingressclass": self.ns, "special-label": "generic"}}})
        self.assertEqual(self.get("IngressClass", name)["metadata"]["uid"], created["metadata"]["uid"])
        self.assertEqual(len(self.list("IngressClass", label_selector="special-label=generic," + selector)), 3)
        self.annotated("IngressClass", created, selector)
        self.delete("IngressClass", name)
        self.assertTrue(self.gone("IngressClass", name))
        self.assertEqual(len(self.list("IngressClass", label_selector=selector)), 2)
        self.delete_collection("IngressClass", label_selector=selector)
        self.assertEqual(self.list("IngressClass", label_selector=selector), [])

    def test_should_support_servicecidr_api_operations(self):
        """[sig-network] ServiceCIDR and IPAddress API should support ServiceCIDR API operations"""
        self.discover("networking.k8s.io", "servicecidrs", ALL_VERBS)
        self.discover("networking.k8s.io", "servicecidrs/status", "get patch update")
        found = self.get("ServiceCIDR", "kubernetes")
        status, _, text = self.raw("GET", "/apis/networking.k8s.io/v1/servicecidrs/kubernetes/status")
        self.assertEqual(status, 200, text)
        got = json.loads(text)
        self.assertEqual((got["apiVersion"], got["kind"], got["metadata"]["uid"]), ("networking.k8s.io/v1", "ServiceCIDR", found["metadata"]["uid"]))
        self.assertGreaterEqual(len(self.list("ServiceCIDR")), 1)
        self.assertEqual(self.raw("GET", "/apis/networking.k8s.io/v1/servicecidrs?watch=true&timeoutSeconds=1")[0], 200)

    def test_should_support_ipaddress_api_operations(self):
        """[sig-network] ServiceCIDR and IPAddress API should support IPAddress API operations"""
        self.discover("networking.k8s.io", "ipaddresses", ALL_VERBS)
        ip, kinds = "255.255.255.255", {"255.255.255.255": "broadcast", "fe80::42:1dff:fe84:f9e2": "link-local"}
        for name, kind in kinds.items():
            self.addCleanup(self.delete_collection, "IPAddress", label_selector="type=" + kind)
            created = self.create({
                "apiVersion": "networking.k8s.io/v1", "kind": "IPAddress", "metadata": {"name": name, "labels": {"type": kind}},
                "spec": {"parentRef": {"group": "mygroup", "resource": "myresources", "namespace": "foo", "name": "bar"}}})
            self.assertEqual(self.get("IPAddress", name)["metadata"]["uid"], created["metadata"]["uid"])
        self.annotated("IPAddress", self.get("IPAddress", ip), "type=broadcast")
        self.assertEqual(len(self.list("IPAddress", label_selector="type=broadcast")), 1)
        self.delete("IPAddress", ip)
        self.delete_collection("IPAddress", label_selector="type=link-local")
        self.assertEqual(self.list("IPAddress", label_selector="type=link-local"), [])


class Services(Network):
    def test_should_find_a_service_from_listing_all_namespaces(self):
        """[sig-network] Services should find a service from listing all namespaces"""
        found = json.loads(self.raw("GET", "/api/v1/services")[2])["items"]
        self.assertIn(("default", "kubernetes"), [(s["metadata"]["namespace"], s["metadata"]["name"]) for s in found])

    def test_should_serve_a_basic_endpoint_from_pods(self):
        """[sig-network] Services should serve a basic endpoint from pods"""
        labels = {"testid": "endpoint-test2"}
        found = self.create(service("endpoint-test2", {"port": 80, "targetPort": 80}, selector=labels))
        self.endpoints("endpoint-test2", {})
        self.create(pod("pod1", web(port=80), labels=labels))
        self.tools()
        self.endpoints("endpoint-test2", {"pod1": {80}})
        self.reachable(found)
        self.create(pod("pod2", web(port=80), labels=labels))
        self.endpoints("endpoint-test2", {"pod1": {80}, "pod2": {80}})
        self.reachable(found)
        self.delete("Pod", "pod1")
        self.endpoints("endpoint-test2", {"pod2": {80}})
        self.reachable(found)
        self.delete("Pod", "pod2")
        self.endpoints("endpoint-test2", {})

    def test_should_serve_multiport_endpoints_from_pods(self):
        """[sig-network] Services should serve multiport endpoints from pods"""
        labels = {"testid": "multi-endpoint-test"}
        found = self.create(service("multi-endpoint-test", {"name": "portname1", "port": 80, "targetPort": "svc1"},
                                    {"name": "portname2", "port": 81, "targetPort": "svc2"}, selector=labels))
        self.endpoints("multi-endpoint-test", {})
        self.create(pod("pod1", web(port=100, ports=[{"name": "svc1", "containerPort": 100}]), labels=labels))
        self.tools()
        self.endpoints("multi-endpoint-test", {"pod1": {100}})
        self.create(pod("pod2", web(port=101, ports=[{"name": "svc2", "containerPort": 101}]), labels=labels))
        self.endpoints("multi-endpoint-test", {"pod1": {100}, "pod2": {101}})
        self.reachable(found)
        self.assertEqual([self.answer(curl(found["spec"]["clusterIP"], port)) for port in (80, 81)], ["pod1", "pod2"])
        self.delete("Pod", "pod1")
        self.endpoints("multi-endpoint-test", {"pod2": {101}})
        self.delete("Pod", "pod2")
        self.endpoints("multi-endpoint-test", {})

    def test_should_serve_endpoints_on_same_port_and_different_protocols(self):
        """[sig-network] Services should serve endpoints on same port and different protocols"""
        labels, name = {"app": "multiport"}, "multiprotocol-test"
        tcp, udp = ({"name": p.lower() + "-port", "port": 80, "targetPort": 80, "protocol": p} for p in ("TCP", "UDP"))
        ip = self.create(service(name, tcp, udp, selector=labels, labels=labels, type="ClusterIP"))["spec"]["clusterIP"]
        self.create(pod("pod1", server({"port": 80}, {"port": 80, "udp": True}, ports=[
            {"name": p["name"], "containerPort": 80, "protocol": p["protocol"]} for p in (tcp, udp)]), labels=labels, volumes=VOLUMES))
        self.tools()
        self.endpoints(name, {"pod1": {(80, "TCP"), (80, "UDP")}})

        def unreachable(script):
            self.until("no answer to " + script, lambda: self.exec("execpod", "sh", "-c", script)[0] != 0)
        self.assertEqual(self.answer(curl(ip, 80)), "pod1")
        self.assertEqual(self.answer(ask_udp(ip, 80)), "pod1")
        self.update("Service", name, lambda s: s["spec"].update(ports=[tcp]))
        self.assertEqual(self.answer(curl(ip, 80)), "pod1")
        unreachable(ask_udp(ip, 80))
        self.update("Service", name, lambda s: s["spec"].update(ports=[udp]))
        self.assertEqual(self.answer(ask_udp(ip, 80)), "pod1")
        unreachable(curl(ip, 80))

    def test_should_be_able_to_create_a_functioning_nodeport_service(self):
        """[sig-network] Services should be able to create a functioning NodePort service"""
        labels = {"testid": "nodeport-test"}
        port = {"name": "http", "port": 80, "targetPort": 9376, "protocol": "TCP"}
        found = self.create(service("nodeport-test", port, selector=labels, type="NodePort"))
        self.deploy("nodeport-test", labels, 2)
        self.tools()
        self.reachable(found)

    def external_name_to(self, kind):
        labels, name = {"testid": "externalname-service"}, "externalname-service"
        self.sane(self.create(service(name, selector=labels, type="ExternalName", externalName="foo.example.com")))
        found = self.update("Service", name, lambda s: s["spec"].update(
            type=kind, externalName="", ports=[{"name": "http", "port": 80, "targetPort": 9376, "protocol": "TCP"}]))
        self.deploy(name, labels, 2)
        self.tools()
        self.reachable(found)

    def test_should_be_able_to_change_the_type_from_externalname_to_clusterip(self):
        """[sig-network] Services should be able to change the type from ExternalName to ClusterIP"""
        self.external_name_to("ClusterIP")

    def test_should_be_able_to_change_the_type_from_externalname_to_nodeport(self):
        """[sig-network] Services should be able to change the type from ExternalName to NodePort"""
        self.external_name_to("NodePort")

    def to_external_name(self, kind):
        name = kind.lower() + "-service"
        self.sane(self.create(service(name, {"port": 80, "protocol": "TCP"}, selector={"testid": name}, type=kind)))
        target = self.create(service("externalsvc", {"port": 80, "targetPort": 9376, "protocol": "TCP"}, selector={"name": "externalsvc"}))
        self.deploy("externalsvc", {"name": "externalsvc"}, 2)
        # The rest of the specification goes back as it was read: the addresses and ports that were allotted are dropped all the same.
        found = self.update("Service", name, lambda s: s["spec"].update(
            type="ExternalName", externalName="externalsvc.%s.svc.cluster.local" % self.ns))
        self.tools()
        self.assertIn(target["spec"]["clusterIP"], self.reachable(found))

    def test_should_be_able_to_change_the_type_from_clusterip_to_externalname(self):
        """[sig-network] Services should be able to change the type from ClusterIP to ExternalName"""
        self.to_external_name("ClusterIP")

    def test_should_be_able_to_change_the_type_from_nodeport_to_externalname(self):
        """[sig-network] Services should be able to change the type from NodePort to ExternalName"""
        self.to_external_name("NodePort")

    def affinity(self, kind, switch):
        name, labels = "affinity-" + kind.lower(), {"name": "affinity-" + kind.lower()}
        port = {"port": 80, "targetPort": 9376, "protocol": "TCP"}
        found = self.create(service(name, port, selector=labels, type=kind, sessionAffinity="ClientIP"))
        pods = self.deploy(name, labels, 3)
        self.tools()
        self.reachable(found)
        host, port = found["spec"]["clusterIP"], 80
        if kind == "NodePort":
            host, port = self.internal_ip(self.workers()[0]), found["spec"]["ports"][0]["nodePort"]

        def check(holds):
            def look():
                answers = self.shell("execpod", "for i in $(seq 15); do %s; done" % curl(host, port)).split()
                self.assertEqual(len(answers), 15)
                self.assertLessEqual(set(answers), pods)
                return (len(set(answers)) == 1) == holds
            self.until("affinity %s" % ("holds" if holds else "does not hold"), look)
        if switch:
            self.update("Service", name, lambda s: s["spec"].update(sessionAffinity="None"))
            check(False)
            self.update("Service", name, lambda s: s["spec"].update(sessionAffinity="ClientIP"))
        check(True)

    def test_should_have_session_affinity_work_for_service_with_type_clusterip(self):
        """[sig-network] Services should have session affinity work for service with type clusterIP [LinuxOnly]"""
        self.affinity("ClusterIP", False)

    def test_should_have_session_affinity_work_for_nodeport_service(self):
        """[sig-network] Services should have session affinity work for NodePort service [LinuxOnly]"""
        self.affinity("NodePort", False)

    def test_should_be_able_to_switch_session_affinity_for_service_with_type_clusterip(self):
        """[sig-network] Services should be able to switch session affinity for service with type clusterIP [LinuxOnly]"""
        self.affinity("ClusterIP", True)

    def test_should_be_able_to_switch_session_affinity_for_nodeport_service(self):
        """[sig-network] Services should be able to switch session affinity for NodePort service [LinuxOnly]"""
        self.affinity("NodePort", True)

    def test_should_complete_a_service_status_lifecycle(self):
        """[sig-network] Services should complete a service status lifecycle"""
        name, path = "test-service-abcde", "/api/v1/namespaces/%s/services/test-service-abcde/status" % self.ns
        with self.watching("Service", label_selector="test-service-static=true") as events:
            def seen(what, test, kinds=("ADDED", "MODIFIED")):
                self.until("a watch tells " + what, lambda: any(kind in kinds and s["metadata"]["name"] == name and test(s) for kind, s in events))
            self.create(service(name, {"name": "http", "protocol": "TCP", "port": 80, "targetPort": 80}, labels={"test-service-static": "true"},
                                type="LoadBalancer", loadBalancerClass="example.com/internal-vip"))
            seen("of the service", lambda s: s["metadata"]["labels"]["test-service-static"] == "true")
            status, _, text = self.raw("GET", path)
            self.assertEqual((status, json.loads(text)["kind"], json.loads(text)["metadata"]["name"]), (200, "Service", name))
            balancer = {"ingress": [{"ip": "203.0.113.1"}]}
            patch = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"loadBalancer": balancer}}
            status, _, text = self.raw("PATCH", path, patch, MERGE)
            self.assertEqual(status, 200, text)
            seen("the patched status", lambda s: s["metadata"].get("annotations", {}).get("patchedstatus") == "true")
            self.assertEqual(self.get("Service", name)["status"]["loadBalancer"]["ingress"][0]["ip"], "203.0.113.1")
            changed = self.get("Service", name)
            # A Go client that sets no time sends null.
            changed["status"]["conditions"] = [
                {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test", "lastTransitionTime": None}]
            status, _, text = self.raw("PUT", path, changed)
            self.assertEqual(status, 200, text)
            seen("the updated status", lambda s: s["metadata"].get("annotations", {}).get("patchedstatus") == "true" and (
                condition(s, "StatusUpdate").get("reason"), condition(s, "StatusUpdate").get("message")) == ("E2E", "Set from e2e test"))
            self.patch("Service", name, {
                "metadata": {"creationTimestamp": None, "labels": {"test-service": "patched"}}, "spec": {}, "status": {"loadBalancer": {}}})
            seen("the patched service", lambda s: s["metadata"]["labels"].get("test-service") == "patched")
            self.assertTrue(self.get("Service", name)["metadata"]["creationTimestamp"])
            self.delete("Service", name)
            seen("the deletion", lambda s: s["metadata"]["labels"]["test-service-static"] == "true", ("DELETED",))

    def test_should_delete_a_collection_of_services(self):
        """[sig-network] Services should delete a collection of services"""
        for name, label, port in (("e2e-svc-a", "delete", 8001), ("e2e-svc-b", "delete", 8002), ("e2e-svc-c", "keep", 8003)):
            self.create(service(name, {"name": "http", "protocol": "TCP", "port": port, "targetPort": port}, type="ClusterIP",
                                labels={"e2e-test-service": label}))
        self.assertEqual(len(self.list("Service")), 3)
        self.delete_collection("Service", label_selector="e2e-test-service=delete")
        self.assertEqual([s["metadata"]["name"] for s in self.list("Service")], ["e2e-svc-c"])

    def test_should_have_a_latency_of_endpoints_that_is_not_very_high(self):
        """[sig-network] Service endpoints latency should not be very high"""
        self.create(pod("svc-latency", labels={"name": "svc-latency-rc"}))
        self.ready("svc-latency")
        latency = service("", {"protocol": "TCP", "port": 80}, selector={"name": "svc-latency-rc"}, type="ClusterIP", sessionAffinity="None")
        durations = []
        with self.watching("Endpoints") as events:
            for _ in range(100):
                start = time.monotonic()
                name = self.create({**latency, "metadata": {"generateName": "latency-svc-"}})["metadata"]["name"]
                self.until("endpoints of " + name, lambda: any(
                    e["metadata"]["name"] == name and (e.get("subsets") or [{}])[0].get("addresses") for _, e in reversed(events)), interval=0.002)
                durations.append(time.monotonic() - start)
        durations.sort()
        self.assertLess(durations[50], 20)
        self.assertLess(durations[99], 50)


if __name__ == "__main__":
    unittest.main()
