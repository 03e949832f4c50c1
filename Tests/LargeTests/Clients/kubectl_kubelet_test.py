"""What a container gets and a pod's status says, beside what kubelet, containerd and runc were seen to give."""
import subprocess

import kubectl as k

LOOK = """
echo home=$HOME; echo "links=$(env | grep -c ^KUBERNETES_)"; echo "bin=$(env | grep -c ^blob)"; echo id=$(id -u):$(id -g):$(id -G)
echo port=$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start); echo ping=$(cat /proc/sys/net/ipv4/ping_group_range)
for v in empty config secret projected down; do [ -e /v/$v ] && echo $v=$(stat -c %u:%g:%a /v/$v); done
T=/v/projected/token; [ -e $T ] && echo token=$(stat -L -c %u:%g:%a $T); echo secretfs=$(stat -f -c %T /v/secret)
echo state=$(readlink /v/config/..data); cat /v/down/notes; echo; echo done; sleep 3600
"""


class Kubelet(k.Case):
    def look(self, name):
        k.eventually(lambda: "\ndone\n" in self.k("logs", name, check=False).stdout)
        return dict(line.split("=", 1) for line in self.k("logs", name).stdout.splitlines() if "=" in line)

    def test_what_a_container_gets(self):
        self.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"word": "x"}, "binaryData": {"blob": "AAE="}})
        self.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"word": "x"}})
        volumes = [
            {"name": "empty"}, {"name": "config", "configMap": {"name": "c"}}, {"name": "secret", "secret": {"secretName": "s"}},
            {"name": "projected", "projected": {"sources": [{"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": 600}}]}},
            {"name": "down", "downwardAPI": {"items": [{"path": "notes", "fieldRef": {"fieldPath": "metadata.annotations"}}]}}]

        def pod(name, context, own=None):
            mounts = [{"name": v["name"], "mountPath": "/v/" + v["name"]} for v in volumes]
            return k.pod(name, k.container(script=LOOK, volumeMounts=mounts, securityContext=own or {}, envFrom=[{"configMapRef": {"name": "c"}}]),
                         volumes=volumes, securityContext=context, enableServiceLinks=False, terminationGracePeriodSeconds=0)
        self.create(pod("root", {}))
        self.create(pod("web", {}, {"runAsUser": 33}))
        self.create(pod("user", {"runAsUser": 1000, "runAsGroup": 3000, "fsGroup": 2000, "supplementalGroups": [4000]}))
        root, web, user = self.look("root"), self.look("web"), self.look("user")
        self.assertEqual((root["home"], root["id"], root["links"], root["bin"]), ("/root", "0:0:0", "8", "0"))
        self.assertEqual((root["port"], root["ping"]), ("0", "0 2147483647"))
        self.assertEqual([root[v] for v in ("empty", "config", "secret", "projected", "down")],
                         ["0:0:777", "0:0:777", "0:0:1777", "0:0:1777", "0:0:1777"])
        # Where the machine keeps what goes with its next start: in memory, as everywhere that systemd runs.
        run = subprocess.run(["stat", "-f", "-c", "%T", "/run"], capture_output=True, text=True, check=True).stdout.strip()
        self.assertEqual((root["token"], root["secretfs"]), ("0:0:644", run))
        self.assertRegex(root["state"], r"^\.\.\d{4}(_\d\d){5}\.\d+$")
        self.assertEqual(root["kubernetes.io/config.source"], '"api"')
        self.assertIn("kubernetes.io/config.seen", root)
        self.assertEqual((web["home"], web["id"], web["token"]), ("/var/www", "33:33:33", "33:0:600"))
        self.assertEqual(user["home"], "/")
        self.assertEqual(user["id"].split(":")[:2], ["1000", "3000"])
        self.assertEqual(set(user["id"].split(":")[2].split()), {"2000", "3000", "4000"})
        self.assertEqual([user[v] for v in ("empty", "config", "secret", "token")], ["0:2000:2777", "0:2000:2777", "0:2000:3777", "1000:2000:640"])
        status = self.get("pod", "user")["status"]
        one = status["containerStatuses"][0]
        self.assertEqual(one["user"]["linux"]["uid"], 1000)
        self.assertEqual({m["mountPath"] for m in one["volumeMounts"]} & {"/v/empty", "/v/down"}, {"/v/empty", "/v/down"})
        self.assertEqual(one["resources"], {})
        self.assertRegex(one["imageID"], "^sha256:[0-9a-f]{64}$")
        self.assertEqual([c["type"] for c in status["conditions"]],
                         ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"])
        events = self.k("get", "events").stdout
        for words in ("already present on machine and can be accessed by the pod", "Container created", "Container started"):
            self.assertIn(words, events)

    def test_what_is_told_of_a_pod_that_cannot_run(self):
        self.create(k.pod("never", k.container(image="none:1", imagePullPolicy="Never")))
        self.create(k.pod("unnamed", k.container(image="UPPER CASE")))
        self.create(k.pod("group", k.container(), securityContext={"runAsGroup": 5}))
        self.create(k.pod("novolume", k.container(volumeMounts=[{"name": "x", "mountPath": "/x"}]), volumes=[{"name": "x", "configMap": {"name": "none"}}]))
        self.create(k.pod("claim", k.container(), volumes=[{"name": "x", "persistentVolumeClaim": {"claimName": "data"}}]))

        def waiting(name):
            return ((self.get("pod", name)["status"].get("containerStatuses") or [{}])[0].get("state") or {}).get("waiting", {}).get("reason")
        k.eventually(lambda: waiting("never") == "ErrImageNeverPull")
        k.eventually(lambda: waiting("unnamed") == "InvalidImageName")
        for words in ('user group "5" is specified without user', 'MountVolume.SetUp failed for volume "x" : configmap "none" not found',
                      'persistentvolumeclaim "data" not found'):
            k.eventually(lambda: words in self.k("get", "events").stdout)
        ready = [c for c in self.get("pod", "novolume")["status"]["conditions"] if c["type"] == "PodReadyToStartContainers"]
        self.assertEqual(ready[0]["status"], "False")
        self.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "none"}, "data": {"word": "x"}})
        self.ready("novolume")
        self.k("delete", "pod", "never", "unnamed", "group", "claim", "novolume", "--grace-period=1")
