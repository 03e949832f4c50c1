"""What the tests of conformance share: objects as dicts through the official Python client's dynamic client, and pods that say something.

The tests follow the assertions of Kubernetes' own end-to-end tests marked [Conformance]; each test's docstring is the name upstream gives it.
KUBECONFIG names a file whose current context is the cluster.
"""
import contextlib
import faulthandler
import json
import secrets
import signal
import threading
import time
import unittest

from kubernetes import client, config, stream, watch
from kubernetes.client import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import DynamicApiError

MERGE, STRATEGIC, JSON_PATCH, APPLY = (
    "application/merge-patch+json", "application/strategic-merge-patch+json", "application/json-patch+json", "application/apply-patch+yaml")

# Ends at once on SIGTERM, as pid 1 must ask for.
IDLE = 'trap "exit 0" TERM INT; sleep 100000 & wait'


def setUpModule():
    faulthandler.dump_traceback_later(300, exit=True)
    config.load_kube_config()


def tearDownModule():
    faulthandler.cancel_dump_traceback_later()


def unique(word):
    return "%s-%s" % (word, secrets.token_hex(3))


def container(name="c", script=IDLE, image="busybox", **more):
    return dict({"name": name, "image": image, "command": ["sh", "-c", script]}, **more)


def pod(name, *containers, labels=None, annotations=None, **spec):
    metadata = {"name": name}
    if labels:
        metadata["labels"] = labels
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": dict({"terminationGracePeriodSeconds": 1, "containers": list(containers) or [container()]}, **spec)}


def web(name="c", port=8080, text=None, **more):
    """A container that serves its host name (or the text) at / with busybox's httpd."""
    content = "echo '%s'" % text if text else "hostname"
    return container(name, "mkdir -p /tmp/www; %s > /tmp/www/index.html; exec httpd -f -p %d -h /tmp/www" % (content, port),
                     **dict({"ports": [{"containerPort": port}], "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1}}, **more))


def condition(obj, kind):
    """A condition of an object's status, or an empty dict."""
    return next((c for c in obj.get("status", {}).get("conditions", []) if c["type"] == kind), {})


class Case(unittest.TestCase):
    """A namespace of the class' own, deleted at the end; no test takes longer than `limit` seconds."""
    maxDiff = None
    limit = 60

    @classmethod
    def setUpClass(cls):
        cls.api = client.ApiClient()
        send = cls.api.rest_client.request
        cls.api.rest_client.request = lambda *a, **k: send(*a, **dict(k, _request_timeout=k.get("_request_timeout") or 20))
        cls.core = client.CoreV1Api(cls.api)
        cls.dynamic = DynamicClient(cls.api)
        cls.ns = unique("e2e-" + cls.__name__.lower())
        cls.core.create_namespace({"metadata": {"name": cls.ns}})

    @classmethod
    def tearDownClass(cls):
        cls.core.delete_namespace(cls.ns, _preload_content=False).data
        cls.api.close()

    def run(self, result=None):
        signal.signal(signal.SIGALRM, lambda *_: self.fail("a test took more than %d s" % self.limit))
        signal.alarm(self.limit)
        try:
            return super().run(result)
        finally:
            signal.alarm(0)

    # Objects are dicts; a kind is "Pod", or "batch/v1 Job" with its API's version.

    def kind(self, kind):
        version, _, name = kind.rpartition(" ")
        return self.dynamic.resources.get(kind=name, **({"api_version": version} if version else {"api_version": CORE.get(name, "v1")}))

    def create(self, obj, namespace=None, **query):
        resource = self.dynamic.resources.get(api_version=obj["apiVersion"], kind=obj["kind"])
        return resource.create(body=obj, namespace=self.where(resource, namespace), **query).to_dict()

    def get(self, kind, name, namespace=None, **query):
        resource = self.kind(kind)
        return resource.get(name=name, namespace=self.where(resource, namespace), **query).to_dict()

    def list(self, kind, namespace=None, **query):
        """The items; query: label_selector, field_selector, limit, resource_version ..."""
        resource = self.kind(kind)
        return resource.get(namespace=self.where(resource, namespace), **query).to_dict()["items"]

    def replace(self, obj, **query):
        resource = self.dynamic.resources.get(api_version=obj["apiVersion"], kind=obj["kind"])
        return resource.replace(body=obj, namespace=obj["metadata"].get("namespace"), **query).to_dict()

    def update(self, kind, name, change, namespace=None):
        """Reads the object, lets change(obj) alter it and replaces it, again when somebody else was quicker."""
        for _ in range(20):
            obj = self.get(kind, name, namespace)
            change(obj)
            try:
                return self.replace(obj)
            except DynamicApiError as error:
                if error.status != 409:
                    raise
        self.fail("20 conflicts in a row at %s %s" % (kind, name))

    def patch(self, kind, name, body, content_type=STRATEGIC, namespace=None, **query):
        resource = self.kind(kind)
        return resource.patch(name=name, namespace=self.where(resource, namespace), body=body, content_type=content_type, **query).to_dict()

    def delete(self, kind, name, namespace=None, **options):
        """options: those of DeleteOptions, such as propagationPolicy and gracePeriodSeconds."""
        resource = self.kind(kind)
        return resource.delete(name=name, namespace=self.where(resource, namespace), body=options or None).to_dict()

    def forget(self, kind, name, namespace=None, **options):
        """Deletes what may be gone already, or go meanwhile."""
        try:
            self.delete(kind, name, namespace, **options)
        except DynamicApiError as error:
            if error.status != 404:
                raise

    def delete_collection(self, kind, namespace=None, label_selector=None):
        resource = self.kind(kind)
        resource.delete(namespace=self.where(resource, namespace), label_selector=label_selector)

    def where(self, resource, namespace):
        return (namespace or self.ns) if resource.namespaced else None

    def raw(self, method, path, body=None, content_type="application/json", headers=None):
        """A request as it stands; (status, headers, text). Redirects are not followed."""
        all_headers = {"Accept": "application/json", **self.api.default_headers, **(headers or {})}
        if body is not None:
            all_headers["Content-Type"] = content_type
            body = body if isinstance(body, (str, bytes)) else json.dumps(body)
        answer = self.api.rest_client.pool_manager.request(method, self.api.configuration.host + path, body=body, headers=all_headers, timeout=20,
                                                           redirect=False, retries=False)
        return answer.status, answer.headers, answer.data.decode(errors="replace")

    def gone(self, kind, name, namespace=None):
        try:
            self.get(kind, name, namespace)
            return False
        except DynamicApiError as error:
            if error.status == 404:
                return True
            raise

    def refused(self, status, call, *args, **kwargs):
        """The Status (a dict) with which the cluster refuses a call."""
        with self.assertRaises((DynamicApiError, ApiException)) as caught:
            call(*args, **kwargs)
        self.assertEqual(caught.exception.status, status, caught.exception.body)
        return json.loads(caught.exception.body)

    # Time.

    def until(self, what, test, seconds=20, interval=0.05):
        """What test() returns once it is true; an error of the API or a missing key is "not yet"."""
        end, last = time.monotonic() + seconds, None
        while time.monotonic() < end:
            try:
                last = test()
                if last:
                    return last
            except (DynamicApiError, ApiException, KeyError, IndexError, AssertionError) as error:
                last = error
            time.sleep(interval)
        self.fail("not in %d s: %s; last: %r" % (seconds, what, last))

    def never(self, what, test, seconds=3, interval=0.1):
        """Fails if test() becomes true within the seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.assertFalse(test(), what)
            time.sleep(interval)

    @contextlib.contextmanager
    def watching(self, kind, namespace=None, **query):
        """A list of events (type, object) that grows while the block runs: `with self.watching("Pod", label_selector="a=b") as events`."""
        resource = self.kind(kind)
        version = resource.get(namespace=self.where(resource, namespace)).to_dict()["metadata"]["resourceVersion"]
        events, watcher = [], watch.Watch()

        def follow():
            with contextlib.suppress(Exception):
                for event in resource.watch(namespace=self.where(resource, namespace), resource_version=version, watcher=watcher,
                                            timeout=self.limit, **query):
                    events.append((event["type"], event["raw_object"]))

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield events
        finally:
            watcher.stop()

    # Pods.

    def pod_is(self, name, phase, seconds=20, namespace=None):
        """The pod once it is in the phase."""
        def look():
            found = self.get("Pod", name, namespace)
            return found if found["status"].get("phase") == phase else None
        return self.until("pod %s is %s" % (name, phase), look, seconds)

    def ready(self, name, seconds=20, namespace=None):
        """The pod once it is ready."""
        def look():
            found = self.get("Pod", name, namespace)
            return found if condition(found, "Ready").get("status") == "True" else None
        return self.until("pod %s is ready" % name, look, seconds)

    def logs(self, name, container=None, namespace=None, **query):
        return self.core.read_namespaced_pod_log(name, namespace or self.ns, container=container, _preload_content=False, **query).data.decode()

    def exec(self, name, *command, container=None, namespace=None, seconds=20):
        """(exit code, stdout, stderr) of a command in a container."""
        more = {"container": container} if container else {}
        run = stream.stream(self.core.connect_get_namespaced_pod_exec, name, namespace or self.ns, command=list(command), stdout=True,
                            stderr=True, stdin=False, tty=False, _preload_content=False, **more)
        run.run_forever(timeout=seconds)
        return run.returncode, run.read_stdout(), run.read_stderr()

    def shell(self, name, script, **options):
        """What a script prints in a container; it must succeed."""
        code, out, err = self.exec(name, "sh", "-c", script, **options)
        self.assertEqual(code, 0, "%s in %s: %s%s" % (script, name, out, err))
        return out

    def output(self, obj, seconds=20, container=None):
        """Creates a pod, waits for its success and returns what it printed."""
        self.create(obj)
        name = obj["metadata"]["name"]

        def ended():
            found = self.get("Pod", name)
            return found if found["status"].get("phase") in ("Succeeded", "Failed") else None
        found = self.until("pod %s has ended" % name, ended, seconds)
        text = self.logs(name, container or obj["spec"]["containers"][0]["name"])
        self.assertEqual(found["status"]["phase"], "Succeeded", text)
        return text

    def events(self, name, reason=None, namespace=None):
        """The Events of an object."""
        found = self.list("Event", namespace, field_selector="involvedObject.name=" + name)
        return [e for e in found if reason in (None, e["reason"])]


# The API of kinds outside v1, so that tests can name them in one word.
CORE = {
    "Deployment": "apps/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "ControllerRevision": "apps/v1",
    "Job": "batch/v1", "CronJob": "batch/v1", "EndpointSlice": "discovery.k8s.io/v1", "Ingress": "networking.k8s.io/v1",
    "IngressClass": "networking.k8s.io/v1", "NetworkPolicy": "networking.k8s.io/v1", "PodDisruptionBudget": "policy/v1",
    "Lease": "coordination.k8s.io/v1", "RuntimeClass": "node.k8s.io/v1", "PriorityClass": "scheduling.k8s.io/v1",
    "ServiceCIDR": "networking.k8s.io/v1", "IPAddress": "networking.k8s.io/v1", "StorageClass": "storage.k8s.io/v1",
}
