"""Volumes a pod has without storage classes, after Kubernetes' conformance tests of [sig-storage].

The cases are many and alike: most are rows of a table that becomes a test each. A pod runs a script at a volume; the test looks at what it prints.
"""
import base64
import unittest

from conformance import Case, container, pod, setUpModule, tearDownModule, unique  # noqa: F401

DATA = {"data-1": "value-1", "data-2": "value-2", "data-3": "value-3"}
RESOURCES = {"requests": {"cpu": "250m", "memory": "32Mi"}, "limits": {"cpu": "1250m", "memory": "64Mi"}}


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def rows(method, table):
    """A class decorator: each row (name, upstream's name, arguments) becomes a test that calls the method."""
    def decorate(cls):
        for name, upstream, arguments in table:
            def test(self, arguments=arguments):
                method(self, **arguments)
            test.__doc__, test.__name__ = "[sig-storage] " + upstream, "test_" + name
            setattr(cls, test.__name__, test)
        return cls
    return decorate


def source(kind, name, items=None, mode=None, optional=None):
    """A volume's source of a kind: configMap, secret, or "projected " and one of these."""
    chosen = {key: value for key, value in (("items", items), ("optional", optional)) if value is not None}
    default = {} if mode is None else {"defaultMode": mode}
    if kind.startswith("projected "):
        return {"projected": dict({"sources": [{kind.split()[1]: dict({"name": name}, **chosen)}]}, **default)}
    return {kind: dict({"secretName" if kind == "secret" else "name": name}, **chosen, **default)}


class Volumes(Case):
    def data(self, kind, data=DATA, name=None, namespace=None, **more):
        """A ConfigMap or Secret with the data; its name."""
        name, secret = name or unique("data"), kind.endswith("secret")
        self.create(dict({"apiVersion": "v1", "kind": "Secret" if secret else "ConfigMap", "metadata": {"name": name},
                          "data": {key: b64(value) for key, value in data.items()} if secret else data}, **more), namespace)
        return name

    def change(self, kind, name, data):
        def change(obj):
            obj["data"] = {key: b64(value) if kind.endswith("secret") else value for key, value in data.items()}
        self.update("Secret" if kind.endswith("secret") else "ConfigMap", name, change)

    def prints(self, volume, script, read_only=False, context=None, mount=None, **more):
        """What a script prints with a volume at /volume."""
        return self.output(pod(unique("volume"), container(
            script=script, volumeMounts=[dict({"name": "v", "mountPath": "/volume", "readOnly": read_only}, **(mount or {}))], **more),
            restartPolicy="Never", volumes=[dict({"name": "v"}, **volume)], **({"securityContext": context} if context else {})))

    def shows(self, name, path, text, container=None):
        """Waits until a file in a running container has a text in it, or, for None, cannot be read."""
        def look():
            code, out, err = self.exec(name, "cat", path, container=container)
            self.assertTrue(code != 0 if text is None else text in out, (code, out, err))
            return True
        self.until("%s shows %s" % (path, text), look)


# What ConfigMaps and Secrets, alone and projected, have in common.

def consume(self, kind, mode=None, item=None, mapped=False, user=None, group=None, shadow=False):
    """A file of the volume has the data's content and the expected mode. item: the mode of a mapped item; shadow: another namespace
    has an object of the same name."""
    name = unique("data")
    if shadow:
        other = self.core.create_namespace({"metadata": {"name": unique("e2e-other")}}).metadata.name
        self.addCleanup(self.core.delete_namespace, other)
        self.data(kind, {"this_should_not_match": "similarly"}, name, other)
    self.data(kind, name=name)
    items = [dict({"key": "data-2", "path": "path/to/data-2"}, **({} if item is None else {"mode": item}))] if mapped else None
    path, value = ("path/to/data-2", "value-2") if mapped else ("data-1", "value-1")
    context = {key: value for key, value in (("runAsUser", user), ("fsGroup", group)) if value is not None}
    text = self.prints(source(kind, name, items, mode), "cat /volume/%s; echo; stat -L -c %%a /volume/%s; find -L /volume -type f" % (path, path),
                       read_only=True, context=context)
    self.assertEqual(text.split()[:2], [value, "%o" % (item if item is not None else mode if mode is not None else 0o644)])
    # The files there are as well: those of the data, and, through the links, those links lead to.
    names = {line.rpartition("/")[2] for line in text.split()[2:]}
    self.assertEqual(names, {"data-2"} if mapped else set(DATA))


def consume_twice(self, kind):
    """The same object is the source of two volumes of a pod."""
    name = self.data(kind)
    text = self.output(pod(unique("volumes"), container(
        script="for d in one two; do cat /$d/data-1; echo; stat -L -c %a /$d/data-1; done",
        volumeMounts=[{"name": d, "mountPath": "/" + d, "readOnly": True} for d in ("one", "two")]),
        restartPolicy="Never", volumes=[dict({"name": d}, **source(kind, name)) for d in ("one", "two")]))
    self.assertEqual(text.split(), ["value-1", "644"] * 2)


def follow(self, kind):
    """An update of the object reaches the volume of a running pod."""
    name = self.data(kind, {"data-1": "value-1"})
    it = self.create(pod(unique("follow"), container(volumeMounts=[{"name": "v", "mountPath": "/volume", "readOnly": True}]),
                         volumes=[dict({"name": "v"}, **source(kind, name))]))["metadata"]["name"]
    self.pod_is(it, "Running")
    self.shows(it, "/volume/data-1", "value-1")
    self.change(kind, name, {"data-1": "value-2"})
    self.shows(it, "/volume/data-1", "value-2")


def follow_optional(self, kind):
    """Creation, update and deletion of optional objects reach the volumes of a running pod."""
    names = {"delete": self.data(kind, {"data-1": "value-1"}), "update": self.data(kind, {"data-1": "value-1"}), "create": unique("data")}
    it = self.create(pod(unique("optional"), *(
        container(what, volumeMounts=[{"name": what, "mountPath": "/volumes/" + what, "readOnly": True}]) for what in names),
        restartPolicy="Never", volumes=[dict({"name": what}, **source(kind, name, optional=True)) for what, name in names.items()]))
    it = it["metadata"]["name"]
    self.pod_is(it, "Running")
    self.shows(it, "/volumes/create/data-1", None, "create")
    self.shows(it, "/volumes/update/data-3", None, "update")
    self.shows(it, "/volumes/delete/data-1", "value-1", "delete")
    self.delete("Secret" if kind.endswith("secret") else "ConfigMap", names["delete"])
    self.change(kind, names["update"], {"data-3": "value-3"})
    self.data(kind, {"data-1": "value-1"}, names["create"])
    self.shows(it, "/volumes/create/data-1", "value-1", "create")
    self.shows(it, "/volumes/update/data-3", "value-3", "update")
    self.shows(it, "/volumes/update/data-1", None, "update")
    self.shows(it, "/volumes/delete/data-1", None, "delete")


def immutable(self, kind):
    """An object marked immutable takes neither other data nor the mark off, but labels and its deletion."""
    name, what = self.data(kind), "Secret" if kind == "secret" else "ConfigMap"

    def add(key):
        def change(obj):
            obj["data"][key] = b64("value")
        return change

    def mark(value):
        def change(obj):
            obj["immutable"] = value
        return change

    def label(obj):
        obj["metadata"]["labels"] = {"label1": "value1"}
    self.assertIn("data-4", self.update(what, name, add("data-4"))["data"])
    self.assertIs(self.update(what, name, mark(True))["immutable"], True)
    self.assertEqual(self.refused(422, self.update, what, name, add("data-5"))["reason"], "Invalid")
    found = self.get(what, name)
    self.assertEqual((found["immutable"], "data-5" in found["data"]), (True, False))
    self.assertEqual(self.refused(422, self.update, what, name, mark(False))["reason"], "Invalid")
    self.assertEqual(self.update(what, name, label)["metadata"]["labels"], {"label1": "value1"})
    self.delete(what, name)
    self.assertTrue(self.gone(what, name))


def consumes(kind, title, *more):
    return [(name, "%s should be consumable from pods in volume%s" % (title, upstream), dict(arguments, kind=kind)) for name, upstream, arguments in (
        ("is_read", "", {}),
        ("default_mode", " with defaultMode set", {"mode": 0o400}),
        ("mapped", " with mappings", {"mapped": True}),
        ("mapped_with_a_mode", " with mappings and Item mode set", {"mapped": True, "item": 0o400})) + more]


AS_USER = (("as_a_user", " as non-root", {"user": 1000}), ("mapped_as_a_user", " with mappings as non-root", {"user": 1000, "mapped": True}))
AS_GROUP = ("as_a_user_with_mode_and_group", " as non-root with defaultMode and fsGroup set", {"user": 1000, "mode": 0o440, "group": 1001})


@rows(consume, consumes("configMap", "ConfigMap", *AS_USER))
@rows(consume_twice, [("two_volumes", "ConfigMap should be consumable in multiple volumes in the same pod", {"kind": "configMap"})])
@rows(follow, [("updates_arrive", "ConfigMap updates should be reflected in volume", {"kind": "configMap"})])
@rows(follow_optional, [("optional_ones_come_and_go", "ConfigMap optional updates should be reflected in volume", {"kind": "configMap"})])
@rows(immutable, [("immutable_ones", "ConfigMap should be immutable if `immutable` field is set", {"kind": "configMap"})])
class ConfigMapVolumes(Volumes):
    def test_binary_data(self):
        """[sig-storage] ConfigMap binary data should be reflected in volume"""
        name = self.data("configMap", {"data-1": "value-1"}, binaryData={"dump.bin": b64(bytes.fromhex("decafebad0feff"))})
        text = self.prints(source("configMap", name), "cat /volume/data-1; echo; hexdump -C /volume/dump.bin", read_only=True)
        self.assertIn("value-1", text)
        self.assertIn("de ca fe ba d0 fe ff", text)


@rows(consume, consumes("secret", "Secrets", AS_GROUP) + [(
    "another_namespace_has_one_of_the_name", "Secrets should be able to mount in a volume regardless of a different secret existing with same name "
    "in different namespace", {"kind": "secret", "shadow": True})])
@rows(consume_twice, [("two_volumes", "Secrets should be consumable in multiple volumes in a pod", {"kind": "secret"})])
@rows(follow_optional, [("optional_ones_come_and_go", "Secrets optional updates should be reflected in volume", {"kind": "secret"})])
@rows(immutable, [("immutable_ones", "Secrets should be immutable if `immutable` field is set", {"kind": "secret"})])
class SecretVolumes(Volumes):
    pass


@rows(consume, consumes("projected configMap", "Projected configMap", *AS_USER))
@rows(consume_twice, [("two_volumes", "Projected configMap should be consumable in multiple volumes in the same pod",
                       {"kind": "projected configMap"})])
@rows(follow, [("updates_arrive", "Projected configMap updates should be reflected in volume", {"kind": "projected configMap"})])
@rows(follow_optional, [("optional_ones_come_and_go", "Projected configMap optional updates should be reflected in volume",
                         {"kind": "projected configMap"})])
class ProjectedConfigMaps(Volumes):
    pass


@rows(consume, consumes("projected secret", "Projected secret", AS_GROUP))
@rows(consume_twice, [("two_volumes", "Projected secret should be consumable in multiple volumes in a pod", {"kind": "projected secret"})])
@rows(follow_optional, [("optional_ones_come_and_go", "Projected secret optional updates should be reflected in volume",
                         {"kind": "projected secret"})])
class ProjectedSecrets(Volumes):
    pass


class ProjectedCombined(Volumes):
    def test_all_sources_in_one_volume(self):
        """[sig-storage] Projected combined should project all components that make up the projection API [Projection]"""
        config, secret = self.data("configMap", {"configmap-data": "configmap-value-1"}), self.data("secret", {"secret-data": "secret-value-1"})
        it = pod(unique("combined"), container(script="cat /all/podname && cat /all/secret-data && cat /all/configmap-data",
                                               volumeMounts=[{"name": "podinfo", "mountPath": "/all", "readOnly": False}]),
                 restartPolicy="Never", volumes=[{"name": "podinfo", "projected": {"sources": [
                     {"downwardAPI": {"items": [{"path": "podname", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}]}},
                     {"secret": {"name": secret}}, {"configMap": {"name": config}}]}}])
        text = self.output(it)
        for words in it["metadata"]["name"], "secret-value-1", "configmap-value-1":
            self.assertIn(words, text)


# What a pod's own fields say, in a volume of their own and projected.

def podinfo(projected, *items, mode=None):
    default = {} if mode is None else {"defaultMode": mode}
    return {"projected": dict({"sources": [{"downwardAPI": {"items": list(items)}}]}, **default)} if projected else {
        "downwardAPI": dict({"items": list(items)}, **default)}


def tells(self, projected, path=None, resource=None, expected=None, item=None, mode=None, shown="cat /volume/file", **more):
    """A field or a resource of the pod, in a file. expected: a pattern; the default is the pod's name."""
    what = {"fieldRef": {"apiVersion": "v1", "fieldPath": path}} if path else {"resourceFieldRef": {"containerName": "c", "resource": resource}}
    items = dict({"path": "file"}, **what, **({} if item is None else {"mode": item}))
    it = pod(unique("podinfo"), container(script=shown, volumeMounts=[{"name": "v", "mountPath": "/volume"}], **more),
             restartPolicy="Never", volumes=[dict({"name": "v"}, **podinfo(projected, items, mode=mode))])
    self.assertRegex(self.output(it).strip(), "^%s$" % (expected or it["metadata"]["name"]))


def changes(self, projected, what):
    """Labels or annotations that change reach the volume."""
    it = pod(unique("podinfo"), container(volumeMounts=[{"name": "v", "mountPath": "/volume"}]), volumes=[
        dict({"name": "v"}, **podinfo(projected, {"path": what, "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata." + what}}))])
    it["metadata"][what] = {"key1": "value1", "key2": "value2"}
    name = self.create(it)["metadata"]["name"]
    self.pod_is(name, "Running")
    self.shows(name, "/volume/" + what, 'key1="value1"\nkey2="value2"')

    def change(obj):
        obj["metadata"][what].update(key2="other", key3="value3")
    self.update("Pod", name, change)
    self.shows(name, "/volume/" + what, 'key2="other"\nkey3="value3"')


MODE = {"path": "metadata.name", "shown": "stat -L -c %a /volume/file", "expected": "400"}


def tellings(title, projected):
    return [(name, "%s should %s" % (title, upstream), dict(arguments, projected=projected)) for name, upstream, arguments in (
        ("pod_name", "provide podname only", {"path": "metadata.name"}),
        ("default_mode", "set DefaultMode on files", dict(MODE, mode=0o400)),
        ("item_mode", "set mode on item file", dict(MODE, item=0o400)),
        ("cpu_limit", "provide container's cpu limit", {"resource": "limits.cpu", "resources": RESOURCES, "expected": "2"}),
        ("memory_limit", "provide container's memory limit", {"resource": "limits.memory", "resources": RESOURCES, "expected": "67108864"}),
        ("cpu_request", "provide container's cpu request", {"resource": "requests.cpu", "resources": RESOURCES, "expected": "1"}),
        ("memory_request", "provide container's memory request", {"resource": "requests.memory", "resources": RESOURCES, "expected": "33554432"}),
        ("cpu_of_the_node", "provide node allocatable (cpu) as default cpu limit if the limit is not set",
         {"resource": "limits.cpu", "expected": "[1-9][0-9]*"}),
        ("memory_of_the_node", "provide node allocatable (memory) as default memory limit if the limit is not set",
         {"resource": "limits.memory", "expected": "[1-9][0-9]*"}))]


def changings(title, projected):
    return [("%s_change" % what, "%s should update %s on modification" % (title, what), {"projected": projected, "what": what})
            for what in ("labels", "annotations")]


@rows(tells, tellings("Downward API volume", False))
@rows(changes, changings("Downward API volume", False))
class DownwardAPIVolumes(Volumes):
    pass


@rows(tells, tellings("Projected downwardAPI", True))
@rows(changes, changings("Projected downwardAPI", True))
class ProjectedDownwardAPI(Volumes):
    pass


# Empty directories.

def writes(self, user, mode, medium):
    """A new file in the directory has its mode and content; one in memory is in a tmpfs."""
    text = self.prints({"emptyDir": {"medium": medium} if medium else {}},
                       "umask 0; echo new file > /volume/f && chmod %o /volume/f && stat -c '%%a %%u' /volume/f && cat /volume/f; "
                       "awk '$2 == \"/volume\" { print $3 }' /proc/mounts" % mode, context={"runAsUser": user} if user else None)
    lines = text.splitlines()
    self.assertEqual(lines[:2], ["%o %d" % (mode, user), "new file"])
    if medium:
        self.assertEqual(lines[2], "tmpfs")


def modes(self, medium, group=None):
    text = self.prints({"emptyDir": {"medium": medium} if medium else {}}, "stat -c %A /volume; awk '$2 == \"/volume\" { print $3 }' /proc/mounts",
                       context={"fsGroup": group} if group else None)
    lines = text.splitlines()
    self.assertRegex(lines[0], "^drwxrwxrw[xt]$" if not group else "^drwxrw[xs]rw[xt]$")
    if medium:
        self.assertEqual(lines[1], "tmpfs")


def in_group(self, user):
    """New files in memory belong to the pod's fsGroup."""
    text = self.prints({"emptyDir": {"medium": "Memory"}},
                       "umask 0; echo new file > /volume/f && chmod 660 /volume/f && stat -c '%a %g' /volume/f; cat /volume/f",
                       context=dict({"fsGroup": 123}, **({"runAsUser": user} if user else {})))
    self.assertEqual(text.splitlines(), ["660 123", "new file"])


@rows(writes, [("%s_%o_%s" % (who, mode, where), "EmptyDir volumes should support (%s,%04o,%s)" % (who.replace("_", "-"), mode, where),
                {"user": user, "mode": mode, "medium": medium})
               for who, user in (("root", 0), ("non_root", 1001)) for mode in (0o644, 0o666, 0o777)
               for where, medium in (("tmpfs", "Memory"), ("default", None))])
@rows(modes, [("mode_in_memory", "EmptyDir volumes volume on tmpfs should have the correct mode", {"medium": "Memory"}),
              ("mode_on_disk", "EmptyDir volumes volume on default medium should have the correct mode", {"medium": None})])
class EmptyDirs(Volumes):
    def test_are_shared_between_containers(self):
        """[sig-storage] EmptyDir volumes pod should support shared volumes between containers"""
        name = self.create(pod(
            unique("shared"), container("main", volumeMounts=[{"name": "v", "mountPath": "/usr/share/volumeshare"}]),
            container("sub", "echo Hello from the sub-container > /pod-data/shareddata.txt", volumeMounts=[{"name": "v", "mountPath": "/pod-data"}]),
            restartPolicy="Never", terminationGracePeriodSeconds=0, volumes=[{"name": "v", "emptyDir": {}}]))["metadata"]["name"]
        self.pod_is(name, "Running")
        self.shows(name, "/usr/share/volumeshare/shareddata.txt", "Hello from the sub-container\n", "main")


GROUP = "EmptyDir volumes when FSGroup is specified "


@rows(in_group, [("files_of_root", GROUP + "new files should be created with FSGroup ownership when container is root", {"user": 0}),
                 ("files_of_a_user", GROUP + "new files should be created with FSGroup ownership when container is non-root", {"user": 1001})])
@rows(modes, [("mode_in_memory", GROUP + "volume on tmpfs should have the correct mode using FSGroup", {"medium": "Memory", "group": 1001}),
              ("mode_on_disk", GROUP + "volume on default medium should have the correct mode using FSGroup", {"medium": None, "group": 1001})])
class MoreOfEmptyDirs(Volumes):
    """Not among upstream's conformance tests, mostly among those of [NodeConformance]."""

    def test_a_new_subpath_is_as_the_volume(self):
        """[sig-storage] EmptyDir volumes when FSGroup is specified nonexistent volume subPath should have the correct mode and owner using FSGroup"""
        self.assertEqual(self.prints({"emptyDir": {"medium": "Memory"}}, "stat -c '%A %u %g' /volume", mount={"subPath": "test-sub"},
                                     context={"fsGroup": 123, "runAsUser": 1001}).strip(), "drwxrwsrwt 0 123")

    def test_a_new_subpath_is_of_use_to_every_user(self):
        """(The kubelet makes a missing subPath with the volume's mode.)"""
        self.assertEqual(self.prints({"emptyDir": {}}, "touch /volume/f && stat -c '%A %u' /volume", mount={"subPath": "test-sub"},
                                     context={"runAsUser": 1001}).strip(), "drwxrwxrwx 0")

    def test_a_subpath_does_not_lead_out_of_the_volume(self):
        """[sig-storage] In-tree Volumes [Driver: emptydir] subPath should fail if subpath directory is outside the volume"""
        mount = {"name": "v", "mountPath": "/volume"}
        name = self.create(pod(unique("subpath"), container(script="ls /volume", volumeMounts=[dict(mount, subPath="out")]),
                               initContainers=[container("link", "ln -s /bin /volume/out", volumeMounts=[mount])],
                               restartPolicy="Never", volumes=[{"name": "v", "emptyDir": {}}]))["metadata"]["name"]

        def look():
            state = self.get("Pod", name)["status"]["containerStatuses"][0]["state"]
            self.assertEqual(state.get("waiting", {}).get("reason"), "CreateContainerConfigError", state)
            return True
        self.until("the container cannot be made", look)
        self.assertTrue(any("subpath" in e["message"].lower() for e in self.events(name, "Failed")), self.events(name))

    def test_a_limit_is_the_size_of_memory(self):
        """[sig-storage] EmptyDir volumes pod should support memory backed volumes of specified size"""
        size = self.prints({"emptyDir": {"medium": "Memory", "sizeLimit": "10Mi"}}, "df -k /volume | awk 'END { print $2 }'")
        self.assertEqual(size.strip(), "10240")


class EmptyDirWrappers(Volumes):
    def test_do_not_conflict(self):
        """[sig-storage] EmptyDir wrapper volumes should not conflict"""
        name = unique("wrapper")
        self.data("secret", {"data-1": "value-1\n"}, name)
        self.data("configMap", {}, name, binaryData={"data-1": b64("value-1\n")})
        it = self.create(pod(unique("wrapper"), container(volumeMounts=[
            {"name": "secret-volume", "mountPath": "/etc/secret-volume", "readOnly": True},
            {"name": "configmap-volume", "mountPath": "/etc/configmap-volume"}]),
            volumes=[dict({"name": "secret-volume"}, **source("secret", name)), dict({"name": "configmap-volume"}, **source("configMap", name))]))
        self.pod_is(it["metadata"]["name"], "Running")

    def test_do_not_race(self):
        """[sig-storage] EmptyDir wrapper volumes should not cause race condition when used for configmaps"""
        names = [self.data("configMap", {"data-1": "value-1"}, "racey-configmap-%d" % i) for i in range(50)]
        node = next(n["metadata"]["labels"]["kubernetes.io/hostname"] for n in self.list("Node") if not n["spec"].get("taints"))
        spec = pod("template", container(volumeMounts=[{"name": name, "mountPath": "/etc/config-%d" % i} for i, name in enumerate(names)]),
                   volumes=[dict({"name": name}, **source("configMap", name, items=[{"key": "data-1", "path": "data-1"}])) for name in names],
                   dnsPolicy="Default", affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                       {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}]}}})["spec"]
        for _ in range(3):
            rc = unique("wrapped-volume-race")
            self.create({"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": rc}, "spec": {
                "replicas": 5, "selector": {"name": rc}, "template": {"metadata": {"labels": {"name": rc}}, "spec": spec}}})
            self.until("five pods run", lambda: [p["status"].get("phase") for p in self.list("Pod", label_selector="name=" + rc)] == ["Running"] * 5)
            self.delete("ReplicationController", rc, propagationPolicy="Foreground")
            self.until("they are gone", lambda: not self.list("Pod", label_selector="name=" + rc))


class HostPaths(Volumes):
    """Not among upstream's conformance tests."""

    def two(self, write, read, sub=None):
        """What the second of two containers prints; they have a node's /tmp at /volume, the second at the subpath."""
        more = {"subPath": sub} if sub else {}
        return self.output(pod(unique("hostpath"), container("read", read, volumeMounts=[dict({"name": "v", "mountPath": "/volume"}, **more)]),
                               initContainers=[container("write", write, volumeMounts=[{"name": "v", "mountPath": "/volume"}])],
                               restartPolicy="Never", volumes=[{"name": "v", "hostPath": {"path": "/tmp"}}]))

    def test_mode(self):
        """[sig-storage] HostPath should give a volume the correct mode"""
        self.assertEqual(self.two("true", "stat -c %A /volume").strip(), "drwxrwxrwt")

    def test_are_read_and_written(self):
        """[sig-storage] HostPath should support r/w"""
        name = unique("minik-conformance")
        self.assertEqual(self.two("echo new file > /volume/" + name, "cat /volume/%s && rm /volume/%s" % (name, name)), "new file\n")

    def test_subpaths(self):
        """[sig-storage] HostPath should support subPath"""
        name = unique("minik-conformance")
        text = self.two("mkdir /volume/%s && echo new file > /volume/%s/f" % (name, name), "cat /volume/f && rm /volume/f", sub=name)
        self.assertEqual(text, "new file\n")
        self.two("rmdir /volume/" + name, "true")


# Parts of volumes that are written atomically.

def part(self, volume, sub, expected=None, at="/probe-volume/file"):
    """A file of a volume is read at a path of its own, again and again. expected: the default is the pod's name."""
    kind, build = volume
    it = pod(unique("subpath"), container(script="for i in 1 2 3 4 5; do cat %s || exit 1; echo; sleep 0.1; done" % at,
                                          volumeMounts=[{"name": "v", "mountPath": at, "subPath": sub}]),
             restartPolicy="Never", volumes=[dict({"name": "v"}, **build(self.data(kind, {"key": "value"})))])
    self.assertEqual(self.output(it).split(), [expected or it["metadata"]["name"]] * 5)


@rows(part, [("of_" + name, "Subpath Atomic writer volumes should support subpaths with " + upstream, arguments) for name, upstream, arguments in (
    ("a_secret", "secret pod", {"volume": ("secret", lambda name: source("secret", name)), "sub": "key", "expected": "value"}),
    ("a_config_map", "configmap pod", {"volume": ("configMap", lambda name: source("configMap", name)), "sub": "key", "expected": "value"}),
    ("a_config_map_at_a_file", "configmap pod with mountPath of existing file",
     {"volume": ("configMap", lambda name: source("configMap", name)), "sub": "key", "expected": "value", "at": "/etc/resolv.conf"}),
    ("podinfo", "downward pod", {"volume": ("configMap", lambda name: podinfo(False, {"path": "downward/podname", "fieldRef": {
        "apiVersion": "v1", "fieldPath": "metadata.name"}})), "sub": "downward/podname"}),
    ("projections", "projected pod", {"volume": ("configMap", lambda name: source("projected configMap", name, items=[
        {"key": "key", "path": "projected/key"}])), "sub": "projected/key", "expected": "value"}))])
class Subpaths(Volumes):
    pass


if __name__ == "__main__":
    unittest.main()
