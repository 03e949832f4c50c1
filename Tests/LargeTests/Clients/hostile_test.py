"""What no client should send: each gets a clear answer, and the server goes on. KUBECONFIG names the cluster."""
import base64
import http.client
import json
import os
import socket
import ssl
import tempfile
import threading
import time
import unittest

import yaml

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.environ["KUBECONFIG"]) as file:
            config = yaml.safe_load(file)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        cls.host, cls.port = cluster["server"].removeprefix("https://").split(":")
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        for name, data in (("ca", cluster["certificate-authority-data"]), ("crt", user["client-certificate-data"]),
                           ("key", user["client-key-data"])):
            with open(f"{cls.directory.name}/{name}", "wb") as file:
                file.write(base64.b64decode(data))
        cls.trust = ssl.create_default_context(cafile=f"{cls.directory.name}/ca")
        cls.context = ssl.create_default_context(cafile=f"{cls.directory.name}/ca")
        cls.context.load_cert_chain(f"{cls.directory.name}/crt", f"{cls.directory.name}/key")

    def tearDown(self):
        self.assertEqual(self.ask("GET", "/readyz")[0], 200)  # whatever it was, the server is well

    def connect(self, context=None):
        return http.client.HTTPSConnection(self.host, int(self.port), context=context or self.context, timeout=20)

    def ask(self, method, path, body=None, headers=None, context=None):
        connection = self.connect(context)
        try:
            connection.request(method, path, body=body, headers=headers or {"Content-Type": "application/json"})
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        try:
            return answer.status, json.loads(data)
        except ValueError:
            return answer.status, data.decode(errors="replace")

    def refused(self, code, reason, *args, **options):
        status, body = self.ask(*args, **options)
        self.assertEqual((status, body["kind"], body["status"], body["reason"]), (code, "Status", "Failure", reason), body)
        return body["message"]

    def test_without_credentials(self):
        for path in ("/version", "/healthz", "/livez", "/readyz"):
            self.assertEqual(self.ask("GET", path, context=self.trust)[0], 200)
        for method, path in (("GET", "/"), ("GET", "/api"), ("GET", CONFIGMAPS), ("POST", CONFIGMAPS),
                             ("GET", "/openapi/v2"), ("GET", "/api/v1/namespaces/default/pods/x/exec?command=ls")):
            self.assertIn('User "system:anonymous" cannot', self.refused(403, "Forbidden", method, path, context=self.trust))
        self.refused(403, "Forbidden", "GET", CONFIGMAPS, headers={"Authorization": "Bearer "}, context=self.trust)
        for token in ("garbage", "a.b.c", "e30.e30.e30"):
            self.refused(401, "Unauthorized", "GET", CONFIGMAPS, headers={"Authorization": f"Bearer {token}"}, context=self.trust)

    def test_a_certificate_of_another_authority(self):
        directory = self.directory.name
        os.system(f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /O=system:masters/CN=evil "
                  f"-keyout {directory}/evil.key -out {directory}/evil.crt 2>/dev/null")
        context = ssl.create_default_context(cafile=f"{directory}/ca")
        context.load_cert_chain(f"{directory}/evil.crt", f"{directory}/evil.key")
        self.refused(401, "Unauthorized", "GET", CONFIGMAPS, context=context)

    def test_wrong_tls(self):
        with socket.create_connection((self.host, int(self.port)), timeout=10) as plain:
            plain.sendall(b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n")
            plain.settimeout(10)
            try:
                self.assertNotIn(b"200 OK", plain.recv(4096))
            except ConnectionError:
                pass
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.ask("GET", "/api", context=ssl.create_default_context())
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises(ssl.SSLError):
            self.ask("GET", "/api", context=old)

    def test_malformed_bodies(self):
        self.assertIn("the object provided is unrecognized", self.refused(400, "BadRequest", "POST", CONFIGMAPS, "{"))
        self.refused(400, "BadRequest", "POST", CONFIGMAPS, "[]")
        self.refused(400, "BadRequest", "POST", CONFIGMAPS, "")
        self.refused(400, "BadRequest", "POST", CONFIGMAPS, b"\xff\xfe\x00")
        self.refused(400, "BadRequest", "POST", CONFIGMAPS, "a: [", {"Content-Type": "application/yaml"})
        protobuf = {"Content-Type": "application/vnd.kubernetes.protobuf"}
        for body in (b"", b"k8s", b"k8s\0\x0a\xff\xff\xff\xff\x0f", b"k8s\0\x12\x02\x0a\x7f", b"k8s\0" + b"\x80" * 64, os.urandom(64)):
            self.refused(400, "BadRequest", "POST", CONFIGMAPS, body, protobuf)
        message = self.refused(415, "UnsupportedMediaType", "POST", CONFIGMAPS, "<a/>", {"Content-Type": "application/xml"})
        self.assertIn("application/json, application/yaml, application/vnd.kubernetes.protobuf", message)
        message = self.refused(415, "UnsupportedMediaType", "PATCH", CONFIGMAPS + "/kube-root-ca.crt", "{}", {"Content-Type": "application/json"})
        self.assertEqual(message, "415: Unsupported Media Type")
        self.refused(406, "NotAcceptable", "GET", CONFIGMAPS, headers={"Accept": "image/png"})

    def test_depth(self):
        deep = 1_000_000
        self.refused(400, "BadRequest", "POST", CONFIGMAPS, '{"a":' * deep + "1" + "}" * deep if deep < 300_000 else "[" * deep)
        for kind, body in (("application/merge-patch+json", '{"a":' * 100_000), ("application/json-patch+json", "[" * deep),
                           ("application/apply-patch+yaml", "[" * 100_000)):
            self.refused(400, "BadRequest", "PATCH", CONFIGMAPS + "/kube-root-ca.crt?fieldManager=x", body, {"Content-Type": kind})

    def test_a_hundred_megabytes(self):
        connection = self.connect()
        connection.putrequest("POST", CONFIGMAPS)
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(100 * 1024 * 1024))
        connection.endheaders()
        answer = connection.getresponse()  # it need not be sent to be too large
        self.assertEqual((answer.status, json.loads(answer.read())["reason"]), (413, "RequestEntityTooLarge"))
        connection.close()
        # Without a length, in chunks: refused when it has become too much.
        connection = self.connect()
        connection.putrequest("POST", CONFIGMAPS)
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        try:
            for _ in range(100 * 16):
                connection.send(piece)
            self.fail("a hundred megabytes were taken in")
        except OSError:
            pass  # the server has answered and closed
        connection.close()

    def test_paths(self):
        for path in ("/api/v1/namespaces/default/../../../../etc/passwd", "/../../etc/passwd", "/api/v1/namespaces/%2e%2e/pods/%2e%2e", "//", "/api//",
                     "/api/v1/namespaces/default/pods/%2Fetc%2Fpasswd", "/api/v1/namespaces/default/pods/x%00y", "/apis/../version",
                     "/api/v1/namespaces/default/configmaps/%ff", "/api/v1/" + "a" * 8000):
            status, body = self.ask("GET", path)
            self.assertIn(status, (200, 400, 404) if path in ("//", "/api//") else (400, 404), (path, body))
            self.assertNotIn("root:", str(body))

    def test_names_and_labels(self):
        def configmap(**metadata):
            return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        for name in ("UPPER", "../x", "a/b", "-a", "a_b", "ä"):
            self.assertIn("a lowercase RFC 1123 subdomain must consist of", self.refused(422, "Invalid", "POST", CONFIGMAPS, configmap(name=name)))
        self.assertIn("a valid label must be an empty string or consist of alphanumeric characters",
                      self.refused(422, "Invalid", "POST", CONFIGMAPS, configmap(name="x", labels={"a": "not valid!"})))
        self.assertIn("name part must consist of alphanumeric characters",
                      self.refused(422, "Invalid", "POST", CONFIGMAPS, configmap(name="x", labels={"a b": "c"})))

    def test_slow_requests_hold_nobody_up(self):
        slow = []
        for _ in range(50):
            raw = socket.create_connection((self.host, int(self.port)), timeout=10)
            held = self.context.wrap_socket(raw, server_hostname=self.host)
            held.sendall(b"GET /api/v1/pods HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            slow.append(held)
        start = time.monotonic()
        self.assertEqual(self.ask("GET", "/api/v1/pods")[0], 200)
        self.assertLess(time.monotonic() - start, 5)
        for held in slow:
            held.close()

    def test_watches_that_are_left(self):
        pid = os.environ.get("DAEMON_PID")
        def descriptors():
            return len(os.listdir(f"/proc/{pid}/fd")) if pid else 0
        before = descriptors()
        for _ in range(100):
            connection = self.connect()
            connection.request("GET", CONFIGMAPS + "?watch=1")
            connection.getresponse().readline()
            connection.close()
        deadline = time.monotonic() + 10
        while descriptors() > before + 10 and time.monotonic() < deadline:
            # A watch hears that its client is gone when it next has something to say.
            self.ask("POST", CONFIGMAPS, json.dumps({"metadata": {"generateName": "wake-"}}))
            time.sleep(0.2)
        self.assertLessEqual(descriptors(), before + 10)

    def test_the_largest_numbers(self):
        most, pods = 2 ** 63 - 1, "/api/v1/namespaces/default/pods"
        body = {"metadata": {"name": "most"}, "spec": {
            "terminationGracePeriodSeconds": most, "tolerations": [{"key": "no-such-taint", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": most}],
            "containers": [{"name": "c", "image": "busybox", "command": ["sleep", "1000"],
                            "lifecycle": {"preStop": {"sleep": {"seconds": most}}}}]}}
        self.assertEqual(self.ask("POST", pods, json.dumps(body))[0], 201)
        end = time.monotonic() + 20
        while self.ask("GET", pods + "/most")[1]["status"].get("phase") != "Running":
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
        node = self.ask("GET", pods + "/most")[1]["spec"]["nodeName"]
        merge = {"Content-Type": "application/merge-patch+json"}
        taint = {"spec": {"taints": [{"key": "no-such-taint", "effect": "NoExecute"}]}}
        self.assertEqual(self.ask("PATCH", "/api/v1/nodes/" + node, json.dumps(taint), merge)[0], 200)
        time.sleep(0.5)
        self.assertEqual(self.ask("GET", pods + "/most")[0], 200)
        self.assertEqual(self.ask("PATCH", "/api/v1/nodes/" + node, json.dumps({"spec": {"taints": None}}), merge)[0], 200)
        for grace in (most, most - 1):
            status, deleted = self.ask("DELETE", "%s/most?gracePeriodSeconds=%d" % (pods, grace))
            self.assertEqual((status, deleted["metadata"]["deletionGracePeriodSeconds"]), (200, grace))
        time.sleep(0.5)
        self.assertEqual(self.ask("DELETE", pods + "/most?gracePeriodSeconds=0")[0], 200)
        token = {"spec": {"expirationSeconds": most}}
        self.refused(422, "Invalid", "POST", "/api/v1/namespaces/default/serviceaccounts/default/token", json.dumps(token))
        for query in ("watch=true&timeoutSeconds=%d" % most, "limit=%d" % most, "resourceVersion=%d&resourceVersionMatch=Exact" % most):
            connection = self.connect()
            connection.request("GET", pods + "?" + query)
            self.assertLess(connection.getresponse().status, 500, query)
            connection.close()
        for name in ("tailLines", "sinceSeconds", "limitBytes"):
            self.assertLess(self.ask("GET", "%s/none/log?%s=%d" % (pods, name, most))[0], 500)

    def test_many_at_once(self):
        failures = []

        def storm():
            for number in range(50):
                try:
                    status = self.ask("POST", CONFIGMAPS, os.urandom(number * 7))[0]
                    if status not in (400, 422):
                        failures.append(status)
                except OSError as error:
                    failures.append(error)
        threads = [threading.Thread(target=storm) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


if __name__ == "__main__":
    unittest.main()
