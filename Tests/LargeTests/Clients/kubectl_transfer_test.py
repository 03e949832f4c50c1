"""kubectl attach, cp and port-forward."""
import hashlib
import http.client
import os
import re
import socket
import tempfile
import threading

import kubectl as k


class Attach(k.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        k.run("-n", cls.namespace, "create", "-f", "-", stdin=k.as_list([
            k.pod("ticker", k.container(script="i=0; while true; do i=$((i+1)); echo tick $i; sleep 0.1; done")),
            k.pod("cat", k.container(script="exec cat", stdin=True, stdinOnce=True), restartPolicy="Never"),
            k.pod("shell", k.container(script="exec sh", stdin=True, tty=True))]))
        k.run("-n", cls.namespace, "wait", "--for=condition=Ready", "pod/ticker", "pod/cat", "pod/shell", "--timeout=15s")

    def test_output(self):
        process = self.background("attach", "ticker")
        first = int(process.expect(r"^tick (\d+)$").group(1))
        process.expect(r"^tick %d$" % (first + 3))
        process.stop()
        self.assertEqual(self.get("pod", "ticker")["status"]["containerStatuses"][0]["restartCount"], 0)

    def test_stdin_and_its_end(self):
        process = self.background("attach", "-i", "cat", stdin=True)
        process.expect("If you don't see a command prompt, try pressing enter", stream="stderr")
        process.write("through the pod\n")
        process.expect("^through the pod$")
        process.close_stdin()
        self.assertEqual(process.wait(), 0)
        k.eventually(lambda: self.get("pod", "cat")["status"]["phase"] == "Succeeded")
        self.assertEqual(self.k("logs", "cat").stdout, "through the pod\n")

    def test_terminal(self):
        terminal = self.terminal("attach", "-it", "shell", rows=31, columns=97)
        terminal.type("\r")
        terminal.expect(r"[#$] ")
        terminal.becomes_size("31 97")

    def test_errors(self):
        self.assertEqual(self.fails("attach", "nosuch"), 'Error from server (NotFound): pods "nosuch" not found\n')
        self.assertIn("nosuch", self.fails("attach", "ticker", "-c", "nosuch"))


class Copy(k.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        k.run("-n", cls.namespace, "create", "-f", "-", stdin=k.pod("p", k.container("a"), k.container("b")))
        k.run("-n", cls.namespace, "wait", "--for=condition=Ready", "pod/p", "--timeout=15s")
        cls.data = os.urandom(3 << 20) + bytes(range(256)) * 10
        cls.sum = hashlib.sha256(cls.data).hexdigest()

    def sh(self, script, container="a"):
        return self.k("exec", "p", "-c", container, "--", "sh", "-c", script).stdout

    def local(self):
        return tempfile.mkdtemp(dir=k.WORK)

    def test_to_the_pod(self):
        source = k.scratch("binary", self.data)
        self.k("cp", source, "p:/tmp/binary", "-c", "a")
        self.assertEqual(self.sh("sha256sum /tmp/binary").split()[0], self.sum)

    def test_from_the_pod(self):
        self.sh("mkdir -p /tmp/out; i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done > '/tmp/out/x'")
        target = os.path.join(self.local(), "x")
        self.k("cp", "p:/tmp/out/x", target, "-c", "a")
        with open(target) as f:
            self.assertEqual(f.read(), "".join("line %d\n" % i for i in range(20000)))

    def test_there_and_back(self):
        source = k.scratch("binary", self.data)
        self.k("cp", source, self.namespace + "/p:/tmp/again", "-c", "b")
        target = os.path.join(self.local(), "y")
        self.k("cp", self.namespace + "/p:/tmp/again", target, "-c", "b")
        with open(target, "rb") as f:
            self.assertEqual(hashlib.sha256(f.read()).hexdigest(), self.sum)
        self.assertEqual(self.sh("ls /tmp/again 2>&1 || true"), "ls: /tmp/again: No such file or directory\n")

    def test_directory_both_ways(self):
        tree = {"a.txt": b"a\n", "sub/b.bin": os.urandom(70000), "sub/deep/c": b"", "with blank": b"x"}
        source = os.path.join(self.local(), "tree")
        for name, data in tree.items():
            os.makedirs(os.path.dirname(os.path.join(source, name)), exist_ok=True)
            with open(os.path.join(source, name), "wb") as f:
                f.write(data)
        os.chmod(os.path.join(source, "a.txt"), 0o755)
        self.k("cp", source, "p:/tmp/tree", "-c", "a")
        self.assertEqual(self.sh("cd /tmp/tree; find . -type f | sort").splitlines(),
                         sorted("./" + name for name in tree))
        self.assertEqual(self.sh("sha256sum /tmp/tree/sub/b.bin").split()[0],
                         hashlib.sha256(tree["sub/b.bin"]).hexdigest())
        self.assertEqual(self.sh("stat -c %a /tmp/tree/a.txt"), "755\n")
        target = os.path.join(self.local(), "back")
        self.k("cp", "p:/tmp/tree", target, "-c", "a")
        found = {}
        for directory, _, names in os.walk(target):
            for name in names:
                path = os.path.join(directory, name)
                with open(path, "rb") as f:
                    found[os.path.relpath(path, target)] = f.read()
        self.assertEqual(found, tree)

    def test_errors(self):
        self.assertRegex(self.fails("cp", "/nosuch/file", "p:/tmp/x", "-c", "a"), "doesn't exist|no such file")
        self.assertIn('pods "nosuch" not found', self.fails("cp", k.scratch("f", "x"), "nosuch:/tmp/x"))


class PortForward(k.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        big = k.container("c", "mkdir -p /tmp/www; head -c 5000000 /dev/urandom > /tmp/www/big; echo small > /tmp/www/s; "
                          "exec httpd -f -p 8080 -h /tmp/www", ports=[{"name": "web", "containerPort": 8080}],
                          readinessProbe={"tcpSocket": {"port": 8080}, "periodSeconds": 1})
        echo = k.container("echo", "exec nc -ll -p 9000 -e cat",
                           readinessProbe={"tcpSocket": {"port": 9000}, "periodSeconds": 1})
        apache = {"name": "apache", "image": "httpd", "ports": [{"name": "http", "containerPort": 80}],
                  "readinessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 1}}
        k.run("-n", cls.namespace, "create", "-f", "-", stdin=k.as_list([
            k.pod("p", big, echo, labels={"app": "p"}), k.deployment("apache", apache),
            k.service("number", "p", 80, 8080), k.service("named", "apache", 8000, "http")]))
        k.run("-n", cls.namespace, "wait", "--for=condition=Ready", "pod/p", "--timeout=15s")
        k.run("-n", cls.namespace, "wait", "--for=condition=Available", "deployment/apache", "--timeout=15s")

    def forward(self, *args):
        """Starts port-forward; (process, local ports)."""
        process = self.background("port-forward", *args)
        wanted = len(args) - 1
        k.eventually(lambda: len(re.findall(r"(?m)^Forwarding from 127\.0\.0\.1:", process.stdout)) == wanted,
                     message="Forwarding from; " + " ".join(args))
        return process, [int(p) for p in re.findall(r"(?m)^Forwarding from 127\.0\.0\.1:(\d+) -> \d+$", process.stdout)]

    def http(self, port, path="/"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def test_pod(self):
        process, ports = self.forward("pod/p", ":8080")
        self.assertIn("-> 8080\n", process.stdout)
        self.assertEqual(self.http(ports[0], "/s"), (200, b"small\n"))
        process.expect(r"^Handling connection for %d$" % ports[0])

    def test_given_local_port(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            local = probe.getsockname()[1]
        self.assertEqual(self.forward("p", "%d:8080" % local)[1], [local])
        self.assertEqual(self.http(local, "/s"), (200, b"small\n"))

    def test_several_ports(self):
        _, (web, echo) = self.forward("pod/p", ":web", ":9000")
        self.assertEqual(self.http(web, "/s"), (200, b"small\n"))
        with socket.create_connection(("127.0.0.1", echo), 10) as connection:
            connection.sendall(b"ping\n")
            self.assertEqual(connection.recv(100), b"ping\n")

    def test_service(self):
        for service, port, path, text in (("number", 80, "/s", b"small"), ("named", 8000, "/", b"It works!")):
            with self.subTest(service):
                _, ports = self.forward("service/" + service, ":%d" % port)
                status, body = self.http(ports[0], path)
                self.assertEqual(status, 200)
                self.assertIn(text, body)

    def test_deployment(self):
        _, ports = self.forward("deployment/apache", ":80")
        self.assertIn(b"It works!", self.http(ports[0])[1])

    def test_much_data_on_several_connections(self):
        wanted = self.k("exec", "p", "-c", "c", "--", "sha256sum", "/tmp/www/big").stdout.split()[0]
        _, ports = self.forward("pod/p", ":8080")
        sums = []

        def fetch():
            sums.append(hashlib.sha256(self.http(ports[0], "/big")[1]).hexdigest())
        threads = [threading.Thread(target=fetch) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        self.assertEqual(sums, [wanted] * 4)

    def test_data_into_the_pod(self):
        _, ports = self.forward("pod/p", ":9000")
        data = os.urandom(1 << 20)
        with socket.create_connection(("127.0.0.1", ports[0]), 10) as connection:
            sender = threading.Thread(target=connection.sendall, args=(data,))
            sender.start()
            got = b""
            while len(got) < len(data):
                part = connection.recv(65536)
                self.assertTrue(part, "closed after %d bytes" % len(got))
                got += part
            sender.join(5)
        self.assertEqual(got, data)

    def test_nobody_listens(self):
        process, ports = self.forward("pod/p", ":1")
        with socket.create_connection(("127.0.0.1", ports[0]), 10) as connection:
            connection.settimeout(10)
            try:
                self.assertEqual(connection.recv(10), b"")
            except ConnectionResetError:
                pass
        process.expect(r"(?i)error.*forward", stream="stderr")

    def test_errors(self):
        self.assertEqual(self.fails("port-forward", "pod/nosuch", ":80"),
                         'Error from server (NotFound): pods "nosuch" not found\n')
        self.assertRegex(self.fails("port-forward", "service/number", ":81"),
                         r"Service number does not have a service port 81")
