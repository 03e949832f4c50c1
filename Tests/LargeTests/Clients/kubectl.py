"""Runs the real kubectl for kubectl_test.py.

Environment: KUBECTL (path of the binary), KUBECONFIG (a file whose current context is the cluster).
"""
import atexit
import base64
import collections
import fcntl
import json as _json
import os
import pty
import re
import secrets
import select
import shutil
import signal
import ssl
import struct
import subprocess
import tempfile
import termios
import threading
import time
import unittest
import http.client
import urllib.parse

KUBECTL = os.environ.get("KUBECTL", "kubectl")
WORK = tempfile.mkdtemp(prefix="kubectl-test.")  # discovery cache and scratch files of this run
atexit.register(shutil.rmtree, WORK, ignore_errors=True)

Result = collections.namedtuple("Result", "code stdout stderr")


def _client_minor():
    done = subprocess.run([KUBECTL, "version", "--client", "-o", "json"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=20, check=True)
    return parse_minor(done.stdout.decode())


def parse_minor(text):
    """32 from the output of `kubectl version --client -o json` (minor may end in "+")."""
    return int(re.match(r"\d+", _json.loads(text)["clientVersion"]["minor"]).group())


MINOR = _client_minor()


def needs(minor, reason):
    """Leaves a test out on a kubectl older than 1.<minor>, which does not have what it tests, for the `reason` given.

    Out, not skipped: a skip is a failure."""
    return lambda test: test if MINOR >= minor else None


def environment(env=None):
    # HOME is the run's own, so that no user's ~/.kube (kuberc, cache) takes part.
    result = dict(os.environ, HOME=WORK, LC_ALL="C", TERM="dumb")
    if "KUBECONFIG" not in os.environ:
        result["KUBECONFIG"] = os.path.expanduser("~/.kube/config")
    result.update(env or {})
    return result


def command(*args):
    return [KUBECTL, "--cache-dir=" + os.path.join(WORK, "cache")] + [str(a) for a in args]


def shown(args):
    return "kubectl " + " ".join(str(a) for a in args)


def run(*args, stdin=None, timeout=20, check=True, env=None, binary=False):
    """Runs kubectl; (code, stdout, stderr). With check, a failure of the command is a failure of the test."""
    if stdin is not None and not isinstance(stdin, (str, bytes)):
        stdin = _json.dumps(stdin)
    if isinstance(stdin, str):
        stdin = stdin.encode()
    process = subprocess.Popen(command(*args), stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(env),
                               cwd=WORK, start_new_session=True)
    try:
        out, err = process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError("%s did not end in %s s\n--- stdout\n%s\n--- stderr\n%s" % (
            shown(args), timeout, out.decode(errors="replace"), err.decode(errors="replace")))
    err = err.decode(errors="replace")
    text = out if binary else out.decode(errors="replace")
    if check and process.returncode != 0:
        raise AssertionError("%s ended with %d\n--- stdout\n%s\n--- stderr\n%s" % (
            shown(args), process.returncode, out.decode(errors="replace"), err))
    return Result(process.returncode, text, err)


def json(*args, **options):
    """Runs kubectl with -o json and parses its output."""
    # A "--" ends kubectl's own options, so the option goes first.
    return _json.loads(run("-o=json", *args, **options).stdout)


def eventually(fn, timeout=10, interval=0.1, message=None):
    """Calls fn until it returns something true and raises no AssertionError; returns that."""
    end = time.monotonic() + timeout
    while True:
        error = None
        value = None
        try:
            value = fn()
            if value:
                return value
        except (AssertionError, OSError, KeyError, IndexError, ValueError) as caught:
            error = caught
        if time.monotonic() >= end:
            what = message or getattr(fn, "__name__", "condition")
            raise AssertionError("not within %s s: %s (last: %r)" % (timeout, what, value)) from error
        time.sleep(interval)


def unique(word):
    return "%s-%s" % (word, secrets.token_hex(3))


def table(text):
    """A list of dicts from kubectl's columns: two or more blanks part the columns of the header line."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    starts = [m.start() for m in re.finditer(r"\S+(?: \S+)*", lines[0])]
    names = re.split(r"\s{2,}", lines[0].strip())
    rows = []
    for line in lines[1:]:
        ends = starts[1:] + [len(line)]
        rows.append({n: line[s:e].strip() for n, s, e in zip(names, starts, ends)})
    return rows


def header(text):
    return re.split(r"\s{2,}", text.splitlines()[0].strip()) if text.strip() else []


def jwt(token):
    """The claims of a token, unverified."""
    part = token.strip().split(".")[1]
    return _json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def deleted(kind, name, namespace=None, force=False):
    """What kubectl says of a deletion; since 1.34 with the namespace."""
    text = '%s "%s" %sdeleted' % (kind, name, "force " if force else "")
    if MINOR >= 34 and namespace is not None:
        text += " from %s namespace" % namespace
    return text


def scratch(name, content, mode=0o644):
    """Writes a file of the run; its path."""
    directory = tempfile.mkdtemp(dir=WORK)
    path = os.path.join(directory, name)
    if not isinstance(content, (str, bytes)):
        content = _json.dumps(content)
    with open(path, "wb") as f:
        f.write(content.encode() if isinstance(content, str) else content)
    os.chmod(path, mode)
    return path


class Background:
    """A kubectl that runs while the test goes on; its output is collected as it comes."""

    def __init__(self, *args, stdin=False):
        self.args = args
        self.process = subprocess.Popen(
            command(*args), stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=environment(), cwd=WORK, start_new_session=True)
        self.out = b""
        self.err = b""
        self.threads = [threading.Thread(target=self._read, args=(self.process.stdout, "out"), daemon=True),
                        threading.Thread(target=self._read, args=(self.process.stderr, "err"), daemon=True)]
        for thread in self.threads:
            thread.start()

    def _read(self, pipe, name):
        while True:
            data = os.read(pipe.fileno(), 65536)
            if not data:
                return
            setattr(self, name, getattr(self, name) + data)

    @property
    def stdout(self):
        return self.out.decode(errors="replace")

    @property
    def stderr(self):
        return self.err.decode(errors="replace")

    def write(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def close_stdin(self):
        self.process.stdin.close()

    def expect(self, pattern, timeout=10, stream="stdout"):
        """Waits until the stream matches the pattern; the match."""
        def look():
            return re.search(pattern, getattr(self, stream), re.M)
        try:
            return eventually(look, timeout, 0.02)
        except AssertionError:
            raise AssertionError("%s: no %r on %s in %s s (exit %s)\n--- stdout\n%s\n--- stderr\n%s" % (
                shown(self.args), pattern, stream, timeout, self.process.poll(), self.stdout, self.stderr)) from None

    def wait(self, timeout=10):
        """The exit code, once it ends by itself."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.stop()
            raise AssertionError("%s did not end in %s s\n--- stdout\n%s\n--- stderr\n%s" % (
                shown(self.args), timeout, self.stdout, self.stderr)) from None
        for thread in self.threads:
            thread.join(2)
        return self.process.returncode

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        for thread in self.threads:
            thread.join(1)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                try:
                    pipe.close()
                except OSError:
                    pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Terminal:
    """A kubectl with a pseudo terminal as its stdin, stdout and stderr."""

    def __init__(self, *args, rows=24, columns=80):
        self.args = args
        self.output = ""
        self.code = None
        self.seen = 0
        argv, env = command(*args), environment({"TERM": "xterm"})
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                # The child waits for its first size: a line from the parent would be echoed, so it polls.
                for _ in range(200):
                    if struct.unpack("HHHH", fcntl.ioctl(0, termios.TIOCGWINSZ, b"\0" * 8))[:2] == (rows, columns):
                        break
                    time.sleep(0.01)
                os.chdir(WORK)
                os.execvpe(argv[0], argv, env)
            finally:
                os._exit(127)
        self.resize(rows, columns)

    def resize(self, rows, columns):
        # The kernel sends SIGWINCH to the terminal's foreground process group, which is kubectl.
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    def becomes_size(self, size):
        """Asks the shell for its terminal's size until it is "rows columns" (kubectl first sends one more of each)."""
        def look():
            self.type("echo size $(stty size)\r")
            return self.expect(r"size (\d+ \d+)\r\n").group(1) == size
        eventually(look)

    def _pump(self, wait):
        ready, _, _ = select.select([self.fd], [], [], wait)
        if not ready:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # EIO: the other side is closed
            return False
        self.output += data.decode(errors="replace")
        return bool(data)

    def expect(self, pattern, timeout=10):
        """Waits for the pattern in what has come since the last match; the match."""
        end = time.monotonic() + timeout
        while True:
            found = re.search(pattern, self.output[self.seen:])
            if found:
                self.seen += found.end()
                return found
            if time.monotonic() > end or not self._pump(0.1) and not re.search(pattern, self.output[self.seen:]):
                raise AssertionError("%s: no %r in %s s\n--- terminal\n%s" % (
                    shown(self.args), pattern, timeout, self.output))

    def wait(self, timeout=10):
        """The exit code, once it ends by itself."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            open_ = self._pump(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                while open_ and self._pump(0):
                    if not select.select([self.fd], [], [], 0)[0]:
                        break
                self.code = os.waitstatus_to_exitcode(status)
                return self.code
            if not open_:
                time.sleep(0.02)
        raise AssertionError("%s did not end in %s s\n--- terminal\n%s" % (shown(self.args), timeout, self.output))

    def stop(self):
        if self.code is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
        os.close(self.fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


# The server as the kubeconfig names it, for requests without kubectl.

_config = None


def config():
    global _config
    if _config is None:
        _config = _json.loads(run("config", "view", "--raw", "--minify", "--flatten", "-o", "json").stdout)
    return _config


def server():
    return config()["clusters"][0]["cluster"]["server"]


def ca():
    """The cluster's CA, PEM."""
    return base64.b64decode(config()["clusters"][0]["cluster"]["certificate-authority-data"]).decode()


def http_get(path, token=None, headers=None, method="GET", body=None, timeout=10):
    """A request without client certificate; (status, headers, body)."""
    url = urllib.parse.urlsplit(server())
    context = ssl.create_default_context(cadata=ca())
    connection = http.client.HTTPSConnection(url.hostname, url.port or 443, context=context, timeout=timeout)
    try:
        all_headers = dict(headers or {})
        if token:
            all_headers["Authorization"] = "Bearer " + token
        connection.request(method, path, body=body, headers=all_headers)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode(errors="replace")
    finally:
        connection.close()


def kubeconfig_with_token(token):
    """A kubeconfig with the cluster and nothing but this token as credentials."""
    return scratch("kubeconfig", {
        "apiVersion": "v1", "kind": "Config", "current-context": "token",
        "clusters": [{"name": "c", "cluster": config()["clusters"][0]["cluster"]}],
        "contexts": [{"name": "token", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": token}}]}, 0o600)


class Case(unittest.TestCase):
    """A class of tests with a namespace of its own."""
    maxDiff = None
    namespace = None

    @classmethod
    def setUpClass(cls):
        cls.namespaces = []
        cls.namespace = cls.new_namespace()

    @classmethod
    def new_namespace(cls):
        name = unique("kt-" + cls.__name__.lower())
        run("create", "namespace", name)
        cls.addClassCleanup(run, "delete", "namespace", name, "--wait=false", "--ignore-not-found", check=False)
        # Pods can be created once the namespace has its ServiceAccount.
        eventually(lambda: run("get", "serviceaccount", "default", "-n", name, check=False).code == 0,
                   message="the default ServiceAccount of " + name)
        return name

    def k(self, *args, **options):
        return run("--namespace", self.namespace, *args, **options)

    def j(self, *args, **options):
        return json("--namespace", self.namespace, *args, **options)

    def get(self, *args):
        return self.j("get", *args)

    def fails(self, *args, code=1, **options):
        """Runs a command that must fail; its stderr."""
        result = self.k(*args, check=False, **options)
        self.assertEqual(result.code, code, "%s\n%s%s" % (shown(args), result.stdout, result.stderr))
        return result.stderr

    def create(self, *objects, check=True, validate=None):
        """Creates objects; objects without a namespace go to the class's own."""
        args = ["create", "-f", "-"] + ([] if validate is None else ["--validate=" + validate])
        return self.k(*args, stdin=as_list(objects), check=check)

    def apply(self, *objects, options=(), check=True):
        return self.k("apply", "-f", "-", *options, stdin=as_list(objects), check=check)

    def ready(self, *pods, timeout=15):
        self.k("wait", "--for=condition=Ready", "--timeout=%ss" % timeout, *["pod/" + p for p in pods],
               timeout=timeout + 5)

    def background(self, *args, **options):
        process = Background("--namespace", self.namespace, *args, **options)
        self.addCleanup(process.stop)
        return process

    def terminal(self, *args, **options):
        terminal = Terminal("--namespace", self.namespace, *args, **options)
        self.addCleanup(terminal.stop)
        return terminal

    def jsonpath(self, path, *args):
        return self.k("get", *args, "-o", "jsonpath=" + path).stdout


def as_list(objects):
    if len(objects) == 1:
        return objects[0]
    # As several documents, so that messages are those of single objects.
    # What begins with a brace is JSON to kubectl 1.20, and JSON has no separators.
    return "---\n" + "\n---\n".join(_json.dumps(o) for o in objects)


# Manifests

# Ends at once on SIGTERM, as pid 1 must ask for.
IDLE = 'trap "exit 0" TERM INT; sleep 100000 & wait'


def container(name="c", script=IDLE, image="busybox:1", **more):
    return dict({"name": name, "image": image, "command": ["sh", "-c", script]}, **more)


def pod_spec(*containers, **more):
    return dict({"terminationGracePeriodSeconds": 1, "containers": list(containers) or [container()]}, **more)


def pod(name, *containers, labels=None, annotations=None, **spec):
    metadata = {"name": name}
    if labels:
        metadata["labels"] = labels
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(*containers, **spec)}


def template(app, *containers, **spec):
    return {"metadata": {"labels": {"app": app}}, "spec": pod_spec(*containers, **spec)}


def deployment(name, *containers, replicas=1, extra=None, **spec):
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"app": name}},
            "spec": dict({"replicas": replicas, "selector": {"matchLabels": {"app": name}},
                          "template": template(name, *containers, **spec)}, **(extra or {}))}


def workload(kind, name, *containers, extra=None, **spec):
    """A DaemonSet, StatefulSet or ReplicaSet."""
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name},
            "spec": dict({"selector": {"matchLabels": {"app": name}}, "template": template(name, *containers, **spec)},
                         **(extra or {}))}


def job(name, script, extra=None, **spec):
    spec.setdefault("restartPolicy", "Never")
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
            "spec": dict({"template": {"spec": pod_spec(container(script=script), **spec)}}, **(extra or {}))}


def service(name, app=None, port=80, target=None, **spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": dict({"selector": {"app": app or name}, "ports": [{"port": port, "targetPort": target or port}]},
                         **spec)}


def configmap(name, data=None, **more):
    metadata = dict({"name": name}, **more.pop("metadata", {}))
    return dict({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data or {}}, **more)


def web(name="c", port=8080, text=None):
    """A container that serves its host name (or the text) at / with busybox's httpd."""
    content = "echo '%s'" % text if text else "hostname"
    return container(name, "mkdir -p /tmp/www; %s > /tmp/www/index.html; exec httpd -f -p %d -h /tmp/www" % (
        content, port), ports=[{"containerPort": port}],
        readinessProbe={"tcpSocket": {"port": port}, "periodSeconds": 1})
