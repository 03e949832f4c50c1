"""kubectl logs and exec; attach, cp and port-forward are in kubectl_transfer_test.py."""
import time
import datetime
import os

import kubectl as k


class Logs(k.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lines = "for i in 1 2 3 4 5; do echo line $i; done; echo error >&2; "
        k.run("-n", cls.namespace, "create", "-f", "-", stdin=k.as_list([
            k.pod("one", k.container(script=lines + k.IDLE), labels={"app": "one"}),
            k.pod("two", k.container("a", "echo from a; " + k.IDLE), k.container("b", "echo from b; " + k.IDLE),
                  labels={"app": "two"}, initContainers=[k.container("init", "echo from init")]),
            # Fails once, then runs: the state is on an emptyDir.
            k.pod("again", k.container(script="if [ -e /d/x ]; then echo second; " + k.IDLE + "; fi; touch /d/x; "
                                       "echo first; exit 7", volumeMounts=[{"name": "d", "mountPath": "/d"}]),
                  volumes=[{"name": "d", "emptyDir": {}}]),
            k.pod("ended", k.container(script="echo bye"), restartPolicy="Never"),
            k.deployment("web", k.container(script="echo from the deployment; " + k.IDLE)),
            k.job("once", "echo from the job")]))
        k.run("-n", cls.namespace, "wait", "--for=condition=Ready", "pod/one", "pod/two", "--timeout=15s")
        k.run("-n", cls.namespace, "wait", "--for=condition=Available", "deployment/web", "--timeout=15s")
        k.run("-n", cls.namespace, "wait", "--for=condition=Complete", "job/once", "--timeout=15s")
        k.eventually(lambda: k.run("-n", cls.namespace, "logs", "again").stdout == "second\n", timeout=20)
        k.eventually(lambda: "bye" in k.run("-n", cls.namespace, "logs", "ended").stdout)
        k.eventually(lambda: "error" in k.run("-n", cls.namespace, "logs", "one").stdout)

    def logs(self, *args):
        return self.k("logs", *args).stdout

    def test_all(self):
        lines = self.logs("one").splitlines()
        # The two streams are read apart: only the order within each is certain.
        self.assertEqual([x for x in lines if x != "error"], ["line %d" % i for i in range(1, 6)])
        self.assertIn("error", lines)
        self.assertEqual(self.logs("pod/one", "-c", "c"), self.logs("one"))

    def test_tail(self):
        whole = self.logs("one").splitlines()
        self.assertEqual(self.logs("one", "--tail=2").splitlines(), whole[-2:])
        self.assertEqual(self.logs("one", "--tail=0"), "")
        self.assertEqual(self.logs("one", "--tail=-1").splitlines(), whole)

    def test_timestamps(self):
        for line in self.logs("one", "--timestamps").splitlines():
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d) (line \d|error)$")

    def test_since(self):
        self.assertIn("line 1", self.logs("one", "--since=1h"))
        self.assertIn("line 1", self.logs("one", "--since-time=2020-01-01T00:00:00Z"))
        later = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.assertEqual(self.logs("one", "--since-time=" + later), "")

    def test_limit_bytes(self):
        self.assertEqual(self.logs("ended", "--limit-bytes=2"), "by")

    def test_containers(self):
        self.assertEqual(self.logs("two", "-c", "a"), "from a\n")
        self.assertEqual(self.logs("two", "b"), "from b\n")
        self.assertEqual(self.logs("two", "-c", "init"), "from init\n")
        self.assertEqual(sorted(self.logs("two", "--all-containers").splitlines()), ["from a", "from b", "from init"])

    def test_prefix(self):
        self.assertEqual(sorted(self.logs("two", "--all-containers", "--prefix").splitlines()),
                         ["[pod/two/a] from a", "[pod/two/b] from b", "[pod/two/init] from init"])

    def test_default_container(self):
        done = self.k("logs", "two", check=False)
        if k.MINOR <= 20:
            self.assertEqual(done.code, 1)
            self.assertIn("a container name must be specified for pod two, choose one of: [a b]", done.stderr)
        else:
            self.assertEqual((done.code, done.stdout), (0, "from a\n"))
            self.assertEqual(done.stderr, 'Defaulted container "a" out of: a, b, init (init)\n')

    def test_selector(self):
        self.assertEqual(self.logs("-l", "app=one", "--tail=-1").splitlines(), self.logs("one").splitlines())
        self.assertEqual(self.logs("-l", "app=two", "-c", "b"), "from b\n")
        self.assertEqual(self.k("logs", "-l", "app=nosuch").stdout, "")

    def test_of_workloads(self):
        self.assertEqual(self.logs("deployment/web"), "from the deployment\n")
        self.assertEqual(self.logs("job/once"), "from the job\n")

    def test_previous(self):
        self.assertEqual(self.logs("again"), "second\n")
        self.assertEqual(self.logs("again", "--previous"), "first\n")
        self.assertEqual(self.logs("again", "-p"), "first\n")
        status = self.get("pod", "again")["status"]["containerStatuses"][0]
        self.assertEqual(status["restartCount"], 1)
        self.assertEqual(status["lastState"]["terminated"]["exitCode"], 7)

    def test_no_previous(self):
        self.assertEqual(self.fails("logs", "one", "--previous"), "Error from server (BadRequest): previous terminated "
                         'container "c" in pod "one" not found\n')

    def test_errors(self):
        self.assertIn('pods "nosuch" not found', self.fails("logs", "nosuch"))
        self.assertIn("container nosuch is not valid for pod one", self.fails("logs", "one", "-c", "nosuch"))

    def test_waiting_container(self):
        self.create(k.pod("stuck", k.container(image="nosuch.invalid/x:1")))
        k.eventually(lambda: "waiting" in self.get("pod", "stuck")["status"]["containerStatuses"][0]["state"])
        self.assertRegex(self.fails("logs", "stuck"), r'^Error from server \(BadRequest\): container "c" in pod "stuck" '
                         r"is waiting to start: ")

    def test_follow(self):
        self.create(k.pod("slow", k.container(script="echo one; while [ ! -e /go ]; do sleep 0.05; done; echo two"),
                          restartPolicy="Never"))
        k.eventually(lambda: self.get("pod", "slow")["status"]["phase"] == "Running")
        process = self.background("logs", "-f", "slow")
        process.expect("^one$")
        self.assertNotIn("two", process.stdout)
        self.k("exec", "slow", "--", "touch", "/go")
        process.expect("^two$")
        self.assertEqual(process.wait(), 0)  # follows to the end of the container
        self.assertEqual(process.stdout, "one\ntwo\n")

    def test_follow_selector_and_tail(self):
        process = self.background("logs", "-f", "-l", "app=two", "-c", "a", "--prefix", "--tail=1")
        process.expect(r"^\[pod/two/a\] from a$")


class Exec(k.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        k.run("-n", cls.namespace, "create", "-f", "-", stdin=k.as_list([
            k.pod("p", k.container("a", env=[{"name": "COLOUR", "value": "blue"}]), k.container("b"),
                  labels={"app": "p"}, hostname="somehost"),
            k.deployment("web"), k.pod("ended", k.container(script="exit 0"), restartPolicy="Never")]))
        k.run("-n", cls.namespace, "wait", "--for=condition=Ready", "pod/p", "--timeout=15s")
        k.run("-n", cls.namespace, "wait", "--for=condition=Available", "deployment/web", "--timeout=15s")

    def sh(self, script, *options, **more):
        return self.k("exec", *options, "p", "-c", "a", "--", "sh", "-c", script, **more)

    def test_output(self):
        self.assertEqual(self.sh("echo out; echo err >&2")[:3], (0, "out\n", "err\n"))

    def test_environment(self):
        self.assertEqual(self.sh("echo $COLOUR; hostname").stdout, "blue\nsomehost\n")

    def test_exit_codes(self):
        for code in (0, 1, 3, 42, 255):
            done = self.sh("exit %d" % code, check=False)
            self.assertEqual(done.code, code)
            self.assertEqual(done.stderr, "command terminated with exit code %d\n" % code if code else "")

    def test_arguments_are_not_joined(self):
        self.assertEqual(self.k("exec", "p", "-c", "a", "--", "printf", "[%s]", "a b", "c&d=e", "", "é+").stdout,
                         "[a b][c&d=e][][é+]")

    def test_stdin(self):
        self.assertEqual(self.sh("cat", "-i", stdin="hello\nworld\n").stdout, "hello\nworld\n")
        self.assertEqual(self.sh("cat; echo end", "-i", stdin="").stdout, "end\n")

    def test_binary_in_and_out(self):
        data = os.urandom(1 << 20) + bytes(range(256))
        self.assertEqual(self.sh("cat", "-i", stdin=data, binary=True).stdout, data)

    def test_much_output(self):
        out = self.sh("head -c 20000000 /dev/zero", binary=True).stdout
        self.assertEqual((len(out), out.count(b"\0")), (20000000, 20000000))

    def test_container(self):
        self.assertEqual(self.k("exec", "p", "-c", "b", "--", "sh", "-c", "echo [$COLOUR]").stdout, "[]\n")
        done = self.k("exec", "p", "--", "sh", "-c", "echo $COLOUR")
        self.assertEqual(done.stdout, "blue\n")
        self.assertRegex(done.stderr, r"Default(ed|ing) container")

    def test_of_a_deployment(self):
        self.assertRegex(self.k("exec", "deployment/web", "--", "hostname").stdout, r"^web-[a-z0-9]+-[a-z0-9]{5}\n$")

    def test_terminal(self):
        terminal = self.terminal("exec", "-it", "p", "-c", "a", "--", "sh", rows=33, columns=101)
        terminal.expect(r"[#$] ")
        terminal.type("tty\r")
        terminal.expect(r"/dev/pts/\d+\r\n")
        terminal.becomes_size("33 101")
        terminal.resize(40, 120)
        terminal.becomes_size("40 120")
        terminal.type("sleep 100\r")
        terminal.expect("sleep 100")
        time.sleep(0.5)  # until the shell has given the terminal to it: what comes sooner is typed ahead
        terminal.type("\x03exit 5\r")
        self.assertEqual(terminal.wait(), 5)
        self.assertIn("command terminated with exit code 5", terminal.output)

    def test_interactive_stdin(self):
        process = self.background("exec", "-i", "p", "-c", "a", "--", "sh", stdin=True)
        process.write("echo a$((1+1))\n")
        process.expect("^a2$")
        process.write("echo b >&2\n")
        process.expect("^b$", stream="stderr")
        process.close_stdin()
        self.assertEqual(process.wait(), 0)

    def test_killed(self):
        self.assertEqual(self.sh("kill -9 $$", check=False).code, 137)

    def test_command_not_found(self):
        done = self.k("exec", "p", "-c", "a", "--", "nosuchcommand", check=False)
        self.assertNotEqual(done.code, 0)
        self.assertRegex(done.stderr, "nosuchcommand|exit code 12[67]")

    def test_errors(self):
        self.assertEqual(self.fails("exec", "nosuch", "--", "true"),
                         'Error from server (NotFound): pods "nosuch" not found\n')
        self.assertRegex(self.fails("exec", "p", "-c", "nosuch", "--", "true"),
                         "container nosuch is not valid for pod p|container not found|is not valid")
        k.eventually(lambda: self.get("pod", "ended")["status"]["phase"] == "Succeeded")
        self.assertEqual(self.fails("exec", "ended", "--", "true"),
                         "error: cannot exec into a container in a completed pod; current phase is Succeeded\n")
