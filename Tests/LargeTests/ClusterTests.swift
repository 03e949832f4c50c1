import Foundation
import Model
import Testing

@Suite("[Serial] a cluster's life", .serialized, .printsClusters)
struct ClusterTests {
    @Test("the daemon dies: pods, Services and one open connection go on, and `up` takes over")
    func daemonDies() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("crash", subnet: 221) + "\n" + ClusterFiles.echo)
        try TestCluster.with(file, name: "crash") { cluster in
            let before = try cluster.pods("app=echo")
            let pid = try #require(Shell.run("cut -d' ' -f1 /run/minik/crash/daemon.pid").output.split(separator: "\n").first)
            let script = """
                exec 3<>/dev/tcp/192.168.221.10/30700
                say() { echo "$1" >&3; read -r -t 5 heard <&3 && echo "heard $heard"; }
                say one
                kill -9 \(pid)
                while kill -0 \(pid) 2>/dev/null && ! grep -q '^State:.Z' /proc/\(pid)/status; do sleep 0.05; done
                say two
                (exec 4<>/dev/tcp/192.168.221.11/30700; echo new >&4; read -r -t 5 heard <&4 && echo "meanwhile $heard")
                \(Shell.minik) ls
                \(Shell.minik) up \(file) >/dev/null 2>&1 || echo "up failed"
                say three
                """
            let result = Shell.run(script, seconds: 40)
            for word in ["heard one", "heard two", "meanwhile new", "heard three", "Stopped"] {
                #expect(result.output.contains(word), "\(result)")
            }
            let after = try cluster.pods("app=echo")
            #expect(after.map(\.uid) == before.map(\.uid) && after.map(\.ip) == before.map(\.ip))
            #expect(after.first?.status["containerStatuses"][0]["restartCount"].int == 0)
            #expect(cluster.minik("exec echo -- echo alive").output == "alive\n")
            let next = cluster.minik("run later --image=busybox --restart=Never -- sleep 60")
            #expect(next.isSuccess, "\(next)")
            let later = try Shell.eventually { try cluster.pods("run=later").first { $0.phase == "Running" } }
            #expect(later.ip != nil && later.ip != before.first?.ip, "an address in use is not given twice")
        }
    }

    @Test("the daemon that comes back reads its tables and leaves alone what is right")
    func adoption() throws {
        let file = try ClusterFiles.write(
            ClusterFiles.cluster("adopt", subnet: 214) + "\n" + ClusterFiles.echo
                + "\n---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: all}\nspec: {podSelector: {}, ingress: [{}]}\n"
        )
        try TestCluster.with(file, name: "adopt") { cluster in
            // The handle of a rule tells whether it was written anew.
            func tables() -> String { Shell.run("nsenter --net=/run/netns/adopt_worker nft -a list ruleset").output }
            func handles(_ listing: String) -> [String] {
                listing.replacing(/counter packets \d+ bytes \d+/, with: "counter").split(separator: "\n").filter {
                    $0.contains("# handle")
                }.map(String.init).sorted()
            }
            let before = tables()
            let damage = Shell.run(
                """
                pid=$(cut -d' ' -f1 /run/minik/adopt/daemon.pid); kill -9 $pid
                while kill -0 $pid 2>/dev/null && ! grep -q '^State:.Z' /proc/$pid/status; do sleep 0.05; done
                nsenter --net=/run/netns/adopt_worker nft flush set ip kube-proxy cluster-nodeports
                nsenter --net=/run/netns/adopt_worker nft add rule ip kube-netpol forward counter drop
                """)
            #expect(damage.isSuccess, "\(damage)")
            #expect(Shell.minik("up \(file)").isSuccess)
            let after = tables()
            // The rule that was put there names nothing; those of minik's own that drop say why.
            #expect(
                after.contains("30700") && after.firstMatch(of: /counter packets \d+ bytes \d+ drop #/) == nil, "what was damaged is mended"
            )
            let rewritten = Set(handles(before)).subtracting(handles(after))
            #expect((1...4).contains(rewritten.count), "only the rules of the one changed chain were written again: \(rewritten)")
        }
    }

    @Test("a service manager hears that the daemon is ready, that it lives, and why it ended")
    func serviceManager() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("unit", subnet: 215) + "\n" + ClusterFiles.echo)
        try TestCluster.with(file, name: "unit") { _ in
            // Python plays systemd: its notify socket, its watchdog, and in a mount namespace of its own its journal.
            let result = try Shell.python(
                """
                import os, signal, socket, subprocess, tempfile, time
                minik = "\(Shell.minik)"
                libc = __import__("ctypes").CDLL(None, use_errno=True)
                os.makedirs("/run/systemd", exist_ok=True)
                assert libc.unshare(0x20000) == 0 and libc.mount(b"none", b"/", None, (1 << 18) | 0x4000, None) == 0
                assert libc.mount(b"tmpfs", b"/run/systemd", b"tmpfs", 0, None) == 0
                os.makedirs("/run/systemd/journal")
                journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); journal.bind("/run/systemd/journal/socket")
                notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); path = tempfile.mkdtemp() + "/notify"; notify.bind(path)
                for s in (journal, notify): s.settimeout(5)
                def end(pid):
                    os.kill(pid, signal.SIGKILL)
                    while os.path.exists(f"/proc/{pid}") and "State:\\tZ" not in open(f"/proc/{pid}/status").read(): time.sleep(0.05)
                end(int(open("/run/minik/unit/daemon.pid").read().split()[0]))
                env = dict(os.environ, NOTIFY_SOCKET=path, WATCHDOG_USEC="400000", JOURNAL_STREAM="1:1")
                daemon = subprocess.Popen([minik, "serve", "unit"], env=env)
                first = b""
                while b"READY" not in first: first = notify.recv(4096)
                print("first", first.decode().split("\\n"))
                beats = []
                while len(beats) < 4:
                    assert notify.recv(4096) == b"WATCHDOG=1"
                    beats.append(time.time())
                print("watchdog", max(b - a for a, b in zip(beats, beats[1:])) < 0.4)
                daemon.send_signal(signal.SIGTERM); words = b""
                while b"STOPPING" not in words: words = notify.recv(4096)
                print("stopping", words.decode(), daemon.wait(5))
                store = "/var/lib/minik/clusters/unit/store.db"
                os.rename(store, store + ".aside"); os.mkdir(store)
                broken = subprocess.Popen([minik, "serve", "unit"], env=env, stderr=subprocess.DEVNULL)
                entry = journal.recv(65536)
                print("journal", [f in entry for f in (b"MESSAGE=minik serve unit: ", b"PRIORITY=3", b"SYSLOG_IDENTIFIER=minik", b"MINIK_CLUSTER=unit")])
                last = b""
                while b"STATUS=" not in last: last = notify.recv(4096)
                print("errno", b"ERRNO=" in last, broken.wait(5) != 0)
                os.rmdir(store); os.rename(store + ".aside", store)
                """)
            for word in ["'READY=1'", "watchdog True", "stopping STOPPING=1 0", "journal [True, True, True, True]", "errno True True"] {
                #expect(result.output.contains(word), "\(result)")
            }
            #expect(Shell.minik("up \(file)").isSuccess)
        }
    }

    @Test("containers are confined, and see the files and names that Kubernetes gives them")
    func confinement() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("confined", subnet: 202) + "\n" + ClusterFiles.echo)
        try TestCluster.with(file, name: "confined") { cluster in
            func inside(_ command: String) -> String {
                let result = cluster.minik("exec echo -- sh -c '\(command)'")
                #expect(result.isSuccess, "\(result)")
                return result.output
            }
            #expect(inside("ls /proc/self/fd").split(separator: "\n").sorted() == ["0", "1", "2", "3"], "3 is ls reading the directory")
            #expect(
                inside("ls /proc/1/fd | wc -l").trimmed == "4", "the first process has its stdio and its socket, nothing of the daemon's")
            // CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP
            #expect(inside("grep -E ^Cap[EPB] /proc/1/status | sort -u -k2 | cut -f2").split(separator: "\n") == ["00000000a80425fb"])
            #expect(inside("echo 1 > /proc/sys/net/ipv4/ip_forward 2>/dev/null || echo refused").trimmed == "refused")
            #expect(inside("cat /proc/kcore 2>/dev/null | wc -c").trimmed == "0")
            #expect(inside("ls / | tr \"\\n\" \" \"").contains("proc root"))
            #expect(inside("mount | grep -cE \"on /etc/(hosts|hostname|resolv.conf) \"").trimmed == "3", "\(inside("mount"))")
            let pod = try #require(try cluster.pods("app=echo").first)
            #expect(inside("hostname").trimmed == "echo")
            #expect(inside("cat /etc/hosts").contains("\(pod.ip?.description ?? "?")\techo"))
            #expect(
                inside("cat /etc/resolv.conf")
                    == "search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.1.0.10\noptions ndots:5\n")
            #expect(inside("ls /dev").split(separator: "\n").contains("shm"))
            #expect(Shell.run("stat -c %a /var/lib/minik/clusters/confined /run/minik/confined").output == "700\n700\n")
        }
    }

    /// A pod of two containers with a volume, and a Deployment.
    private static let pairAndWeb = """
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: pair}
        spec:
          volumes: [{name: shared, emptyDir: {}}]
          containers:
          - {name: one, image: "busybox:1.36", command: [sleep, "3600"], volumeMounts: [{name: shared, mountPath: /one}]}
          - {name: two, image: busybox, command: [sleep, "3600"], volumeMounts: [{name: shared, mountPath: /two}]}
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec:
          replicas: 2
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec: {containers: [{name: httpd, image: httpd}]}
        """

    @Test("containers of a pod share network, IPC, host name and volumes; killed processes start again; deleted pods are replaced")
    func pods() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("pods", subnet: 203) + "\n" + Self.pairAndWeb)
        try TestCluster.with(file, name: "pods") { cluster in
            for namespace in ["net", "ipc", "uts"] {
                let links = ["one", "two"].map {
                    cluster.minik("exec pair --container \($0) -- readlink /proc/self/ns/\(namespace)").output
                }
                #expect(links[0] == links[1] && links[0].hasPrefix("\(namespace):["))
            }
            #expect(cluster.minik("exec pair --container one -- sh -c 'echo hello >/one/file'").isSuccess)
            #expect(cluster.minik("exec pair --container two -- cat /two/file").output == "hello\n")
            #expect(cluster.minik("exec pair --container one -- sh -c 'exit 7'").status == 7)

            #expect(cluster.minik("exec pair --container two -- kill -9 1").status >= 0)
            let killed = Shell.run("ip netns pids pods_default_pair | head -1")
            #expect(!killed.output.isEmpty)
            let web = try cluster.pods("app=web").map(\.name).sorted()
            #expect(cluster.minik("delete pod \(web[0]) --now").isSuccess)
            let now = try Shell.eventually {
                let pods = try cluster.pods("app=web").filter { $0.isReady && !$0.isBeingDeleted }
                return pods.count == 2 && !pods.map(\.name).contains(web[0]) ? pods : nil
            }
            #expect(now.map(\.name).contains(web[1]), "the other pod was left alone")
            #expect(cluster.minik("scale deployment web --replicas=4").output == "deployment.apps/web scaled\n")
            _ = try Shell.eventually { try cluster.pods("app=web").filter(\.isReady).count == 4 ? true : nil }
            #expect(cluster.minik("logs deployment/web").output.contains("AH00094"))

            let crash = cluster.minik("run crash --image=busybox -- sh -c 'echo dying; exit 3'")
            #expect(crash.isSuccess, "\(crash)")
            let looping = try Shell.eventually { () -> String? in
                let row = cluster.minik("get pod crash").output
                return row.contains("CrashLoopBackOff") ? row : nil
            }
            #expect(looping.contains("0/1"))
            #expect(cluster.minik("logs crash --previous").output == "dying\n")

            #expect(cluster.minik("run stranger --image=registry.invalid/team/nginx").isSuccess)
            let refused = try Shell.eventually { () -> String? in
                let events = cluster.minik("get events").output
                return events.contains("Failed to pull image \"registry.invalid/team/nginx\"") ? events : nil
            }
            #expect(refused.contains("minik image load"), "the event says what helps without a network")
            #expect(cluster.minik("get pod stranger").output.contains("ImagePull"))
        }
    }

    @Test("probes: unready pods get no traffic, a container that hangs is restarted, a slow one is given its time")
    func probes() throws {
        let more = """
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: web, labels: {app: web}}
            spec:
              containers:
              - name: httpd
                image: httpd
                ports: [{name: http, containerPort: 80}]
                readinessProbe: {httpGet: {path: /ready.html, port: http}, periodSeconds: 1, failureThreshold: 1}
                livenessProbe: {exec: {command: [test, "!", -e, /tmp/dead]}, periodSeconds: 1, failureThreshold: 2}
                startupProbe: {tcpSocket: {port: 80}, periodSeconds: 1}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: web}
            spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
            """
        let file = try ClusterFiles.write(ClusterFiles.cluster("probes", subnet: 213) + "\n" + more)
        let up = Shell.minik("up \(file) --timeout 4", seconds: 30)
        #expect(!up.isSuccess && up.errors.contains("gave up waiting for: pods/web"), "\(up)")
        let cluster = TestCluster(name: "probes")
        defer { #expect(Shell.minik("down probes").isSuccess && Shell.run("scripts/leaks probes").output.isEmpty) }
        func web() throws -> Pod { try #require(try cluster.pods("app=web").first) }
        func endpoints() -> String { cluster.minik("get endpoints web").output }
        #expect(try web().phase == "Running" && !web().isReady && web().status["containerStatuses"][0]["started"].bool == true)
        #expect(!endpoints().contains(":80"))
        #expect(cluster.minik("get events").output.contains("Readiness probe failed: HTTP probe failed with statuscode: 404"))

        #expect(cluster.minik("exec web -- sh -c 'echo yes >/usr/local/apache2/htdocs/ready.html'").isSuccess)
        let address = try #require(try web().ip)
        _ = try Shell.eventually { try web().isReady && endpoints().contains("\(address):80") ? true : nil }
        let pid = Shell.run("cut -d' ' -f1 /run/minik/probes/daemon.pid").output.trimmed
        Shell.run("kill -9 \(pid); while kill -0 \(pid) 2>/dev/null && ! grep -q '^State:.Z' /proc/\(pid)/status; do sleep 0.05; done")
        #expect(Shell.minik("up \(file)").isSuccess)
        #expect(try web().isReady, "a daemon that takes over makes nobody unready")
        let generation = try web().status["containerStatuses"][0]["restartCount"].int

        #expect(cluster.minik("exec web -- sh -c 'rm /usr/local/apache2/htdocs/ready.html; touch /tmp/dead'").isSuccess)
        _ = try Shell.eventually { endpoints().contains(":80") ? nil : true }
        let restarted = try Shell.eventually { () -> Pod? in
            let pod = try web()
            return pod.status["containerStatuses"][0]["restartCount"].int ?? 0 > generation ?? 0 ? pod : nil
        }
        #expect(restarted.status["containerStatuses"][0]["lastState"]["terminated"].isNull == false)
        #expect(cluster.minik("get events").output.contains("Container httpd failed liveness probe, will be restarted"))
    }

    @Test("long answers and long environments arrive whole")
    func long() throws {
        // A ConfigMap of 900 kB, and a container whose environment is longer than a packet to its shim.
        let lines = (0..<9000).map { "  key\($0): \"\(String(repeating: "x", count: 90))\"" }.joined(separator: "\n")
        let variables = (0..<3000).map { "{name: VARIABLE_\($0), value: \"\(String(repeating: "v", count: 90))\"}" }.joined(separator: ", ")
        let more = """
            ---
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: big}
            data:
            \(lines)
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: rich}
            spec: {containers: [{name: c, image: busybox, command: [sleep, "100"], env: [\(variables)]}]}
            """
        let file = try ClusterFiles.write(ClusterFiles.cluster("long", subnet: 226) + "\n" + more)
        try TestCluster.with(file, name: "long") { cluster in
            let seen = cluster.minik("exec rich -- env").output
            #expect(seen.split(separator: "\n").filter { $0.hasPrefix("VARIABLE_") }.count == 3000)
            let fetch =
                "curl -s -H 'Connection: close' --unix-socket /run/minik/long/api.sock http://minik/api/v1/namespaces/default/configmaps | wc -c"
            let sizes = Set(Shell.run("for i in $(seq 20); do \(fetch); done", seconds: 60).output.split(separator: "\n"))
            #expect(sizes.count == 1 && Int(sizes.first ?? "0") ?? 0 > 900_000, "twenty whole answers: \(sizes)")
            for _ in 0..<5 {
                let data = try Shell.json("\(Shell.minik) get cm big --cluster long -o json")["data"]
                #expect(data.object?.count == 9000)
            }
        }
    }

    @Test("two clusters with the same addresses run side by side")
    func sideBySide() throws {
        let first = try ClusterFiles.write(ClusterFiles.cluster("twin1", subnet: 205) + "\n" + ClusterFiles.echo)
        let second = try ClusterFiles.write(ClusterFiles.cluster("twin2", subnet: 205) + "\n" + ClusterFiles.echo)
        try TestCluster.with(first, name: "twin1") { one in
            try TestCluster.with(second, name: "twin2") { two in
                for cluster in [one, two] {
                    let result = cluster.minik(
                        "host exec -- bash -c 'exec 3<>/dev/tcp/192.168.205.11/30700; echo \(cluster.name) >&3; timeout 3 head -1 <&3'")
                    #expect(result.output == "\(cluster.name)\n", "\(result)")
                }
            }
            #expect(one.minik("exec echo -- echo still").output == "still\n")
        }
    }
}
