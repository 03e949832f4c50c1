import Foundation
import Model
import Testing

@Suite("[Serial] a pod keeps to itself, and its sandbox to its word", .serialized, .printsClusters)
struct IsolationTests {
    private static let pods = """
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: plain, labels: {app: plain}}
        spec:
          terminationGracePeriodSeconds: 1
          containers:
          - {name: c, image: busybox, command: [sleep, "3600"]}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: privileged, labels: {app: privileged}}
        spec:
          terminationGracePeriodSeconds: 1
          containers:
          - {name: c, image: busybox, command: [sleep, "3600"], securityContext: {privileged: true}}
        """

    private static func with(_ more: String, subnet: Int, _ body: (TestCluster) throws -> Void) throws {
        try TestCluster.with(try ClusterFiles.write(ClusterFiles.cluster("alone", subnet: subnet) + "\n" + more), name: "alone", body)
    }

    @Test("a default pod opens no device of the machine; a privileged one has them, and the capabilities there are")
    func devices() throws {
        try Self.with(Self.pods, subnet: 222) { cluster in
            let tried = cluster.minik(
                "exec plain -- sh -c 'mknod lb b 7 0; head -c 1 lb; mknod tun c 10 200; head -c 1 tun; echo x >/dev/null && echo null'")
            for name in ["lb", "tun"] { #expect(tried.errors.contains("\(name): Operation not permitted"), "\(tried)") }
            #expect(tried.output == "null\n", "\(tried)")
            let own = cluster.minik("exec privileged -- sh -c 'ls /dev; grep CapEff /proc/self/status'")
            let machine = Shell.run("ls /dev | grep -x -e loop0 -e kmsg -e tty0; grep CapEff /proc/self/status")
            #expect(!machine.output.isEmpty && machine.output.split(separator: "\n").allSatisfy { own.output.contains($0) }, "\(own)")
        }
    }

    @Test("a terminal is given though the container has FIFOs where devices were, and its pod goes as every pod does")
    func console() throws {
        try Self.with(Self.pods, subnet: 223) { cluster in
            cluster.minik("exec plain -- sh -c 'rm -f /dev/ptmx /dev/console /dev/null; mkfifo /dev/ptmx /dev/console /dev/null'")
            let typed = Shell.run(
                "script -qec '\(Shell.minik) exec -it plain --cluster alone -- sh -c \"tty; echo here\"' /dev/null", seconds: 20)
            #expect(typed.isSuccess && typed.output.contains("here"), "\(typed)")
            let gone = cluster.minik("delete pod plain", seconds: 20)
            #expect(gone.isSuccess, "\(gone)")
        }
    }

    @Test("a shim that does not answer is ended, and its pod's end comes")
    func stopped() throws {
        try Self.with(Self.pods, subnet: 224) { cluster in
            let uid = try #require(try cluster.pods("app=plain").first?.uid)
            Shell.run("kill -STOP $(cut -d' ' -f1 /run/minik/alone/pods/\(uid)/shim.pid)")
            let gone = cluster.minik("delete pod plain", seconds: 60)
            #expect(gone.isSuccess, "\(gone)")
            #expect(Shell.run("ls -d /run/minik/alone/pods/\(uid) /sys/fs/cgroup/*/minik/alone/*/\(uid)").output.isEmpty)
            #expect(cluster.minik("get events").output.contains("SandboxNotResponding"))
        }
    }

    @Test("an exec probe that takes too long is ended with what it started")
    func probes() throws {
        let probe = """
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: probed, labels: {app: probed}}
            spec:
              terminationGracePeriodSeconds: 1
              containers:
              - name: c
                image: busybox
                command: [sleep, "3600"]
                livenessProbe: {exec: {command: [sh, -c, "sleep 4321 & sleep 4322"]}, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 100}
            """
        try Self.with(probe, subnet: 225) { cluster in
            Thread.sleep(forTimeInterval: 7)
            let counts = (0..<4).map { _ in
                Thread.sleep(forTimeInterval: 0.5)
                return Shell.run("ps -eo args | grep -c '[s]leep 432[12]'").output.trimmed
            }
            #expect(counts.allSatisfy { Int($0) ?? 99 <= 2 } && Set(counts).count > 1 || counts.contains("0"), "\(counts)")
            #expect(cluster.minik("get events").output.contains("timed out after 1s"))
            let probed = try cluster.pods("app=probed").first
            #expect(probed?.status["containerStatuses"][0]["restartCount"].int == 0)
        }
    }

    @Test("a program that is not there fails its pod, and its Job after as many tries as that allows")
    func missing() throws {
        let job = """
            ---
            apiVersion: batch/v1
            kind: Job
            metadata: {name: lost}
            spec:
              backoffLimit: 0
              template: {metadata: {labels: {app: lost}}, spec: {restartPolicy: Never, containers: [{name: c, image: busybox, command: [/no/such]}]}}
            """
        let file = try ClusterFiles.write(ClusterFiles.cluster("alone", subnet: 226))
        try TestCluster.with(file, name: "alone") { cluster in
            Shell.minik("apply -f \(try ClusterFiles.write(job)) --cluster alone")
            let failed = try Shell.eventually(seconds: 20) { () -> Pod? in
                let job = try Shell.json("\(Shell.minik) get job lost --cluster alone -o json")
                guard job["status"]["conditions"].items.contains(where: { $0["type"].string == "Failed" }) else { return nil }
                return try cluster.pods("app=lost").first
            }
            let ended = failed.status["containerStatuses"][0]["state"]["terminated"]
            #expect(failed.phase == "Failed" && ended["reason"].string == "StartError" && ended["exitCode"].int == 128)
            #expect(ended["message"].string?.hasSuffix("exec: \"/no/such\": stat /no/such: no such file or directory") == true)
        }
    }

    @Test("control groups that no pod claims go with the daemon's return")
    func strayGroups() throws {
        try Self.with(Self.pods, subnet: 227) { cluster in
            let made = Shell.run("for d in /sys/fs/cgroup/*/minik/alone/worker; do mkdir -p $d/stray/c.0 && echo $d/stray; done").output
            #expect(made.contains("/worker/stray"))
            Shell.run("kill -9 $(cut -d' ' -f1 /run/minik/alone/daemon.pid)")
            #expect(Shell.minik("up --cluster alone", seconds: 60).isSuccess)
            #expect(Shell.run("ls -d /sys/fs/cgroup/*/minik/alone/worker/stray").output.isEmpty)
        }
    }

    /// A shim of version 1, as far as a daemon can tell: it knows one running container, and says its end when `end` is there.
    private static func oldShim(_ run: String) -> String {
        """
        import json, os, socket, sys, time
        path = "\(run)/shim.sock"
        if os.path.exists(path): os.unlink(path)
        server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        server.bind(path); server.listen(8)
        start = open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19]
        open("\(run)/shim.pid", "w").write(f"{os.getpid()} {start}\\n")
        asked = open("/tmp/old-shim.asked", "w", buffering=1)
        record = {"name": "c", "pid": os.getpid(), "startedAt": sys.argv[1], "finishedAt": None, "exitCode": None, "signal": 0}
        peers, told = [], False
        server.settimeout(0.05)
        while True:
            try:
                peer, _ = server.accept(); peer.settimeout(0.05); peers.append(peer)
            except TimeoutError: pass
            if os.path.exists("/tmp/old-shim.end") and not told and peers:
                told = True
                record.update(pid=0, exitCode=5, finishedAt=sys.argv[1])
                peers[0].send(json.dumps({"say": "exited", "record": record}).encode())
            for peer in list(peers):
                try: request = peer.recv(200000)
                except TimeoutError: continue
                if not request: peers.remove(peer); continue
                op = json.loads(request)["op"]
                asked.write(op + "\\n")
                if op == "state": peer.send(json.dumps({"say": "state", "records": [record]}).encode())
                if op == "shutdown": sys.exit(0)
        """
    }

    @Test("an older minik's shim is kept as long as its container runs, and asked to start no other")
    func older() throws {
        let pod = """
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: old, labels: {app: old}}
            spec:
              hostNetwork: true
              terminationGracePeriodSeconds: 1
              containers:
              - {name: c, image: busybox, command: [sleep, "3600"]}
            """
        try Self.with(pod, subnet: 228) { cluster in
            let uid = try #require(try cluster.pods("app=old").first?.uid), run = "/run/minik/alone/pods/\(uid)"
            let script = try ClusterFiles.write(Self.oldShim(run))
            defer { Shell.run("rm -f /tmp/old-shim.*") }
            Shell.run(
                """
                rm -f /tmp/old-shim.*; kill -9 $(cut -d' ' -f1 /run/minik/alone/daemon.pid); kill -9 $(cut -d' ' -f1 \(run)/shim.pid)
                setsid python3 \(script) $(date -u +%Y-%m-%dT%H:%M:%S.000000000Z) </dev/null >/tmp/old-shim.log 2>&1 & sleep 1
                """)
            #expect(Shell.minik("up --cluster alone", seconds: 60).isSuccess)
            Thread.sleep(forTimeInterval: 1)
            let kept = try #require(try cluster.pods("app=old").first)
            #expect(kept.phase == "Running" && kept.status["containerStatuses"][0]["restartCount"].int == 0, "\(kept.status)")
            #expect(Shell.run("cat /tmp/old-shim.asked").output.hasPrefix("state\n"))
            Shell.run("touch /tmp/old-shim.end")
            let renewed = try Shell.eventually(seconds: 20) { () -> Pod? in
                let pod = try cluster.pods("app=old").first
                return pod?.status["containerStatuses"][0]["restartCount"].int == 1
                    && pod?.status["containerStatuses"][0]["ready"].bool == true ? pod : nil
            }
            #expect(renewed.phase == "Running")
            let asked = Shell.run("cat /tmp/old-shim.asked /tmp/old-shim.log").output
            #expect(!asked.contains("start") && !asked.contains("Traceback"), "\(asked)")
            #expect(cluster.minik("get events").output.contains("SandboxOutdated"))
        }
    }
}
