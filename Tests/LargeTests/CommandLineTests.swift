import Foundation
import Model
import Testing

@Suite("[Serial] the command line speaks kubectl's words", .serialized, .printsClusters)
struct CommandLineTests {
    private static let web = """
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec:
          replicas: REPLICAS
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec: {containers: [{name: httpd, image: httpd, ports: [{name: http, containerPort: 80}]}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: web}
        spec: {selector: {app: web}, ports: [{port: 8080, targetPort: http}]}
        """

    @Test("a directory comes up file by file; up again applies what changed and nothing else")
    func directory() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "minik-lab-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        func write(_ name: String, _ text: String) throws {
            try text.write(to: directory.appending(path: name), atomically: true, encoding: .utf8)
        }
        try write("10-cluster.yaml", ClusterFiles.cluster("files", subnet: 210))
        try write("20-web.yaml", Self.web.replacing("REPLICAS", with: "1"))
        try write("notes.txt", "not: [yaml")
        try TestCluster.with(directory.path, name: "files") { cluster in
            let before = try cluster.pods("app=web")
            #expect(before.count == 1 && before[0].isReady)
            let service = cluster.minik("get svc web -o json").output
            try write("20-web.yaml", Self.web.replacing("REPLICAS", with: "2"))
            let again = Shell.minik("up \(directory.path)")
            #expect(again.isSuccess && again.errors.contains("is up to date in"), "\(again)")
            #expect(try cluster.pods("app=web").filter(\.isReady).count == 2)
            #expect(try cluster.pods("app=web").contains { $0.uid == before[0].uid }, "the pod that was there stays")
            #expect(cluster.minik("get svc web -o json").output == service, "what did not change was not written")
            // On a terminal the stages change in place.
            let shown = Shell.run("script -qec '\(Shell.minik) up \(directory.path)' /dev/null")
            #expect(shown.output.contains("\u{1B}[2K\r … everything ready") && shown.output.contains(" ✓ 2 objects"), "\(shown)")
        }
    }

    @Test("get in every form, describe, label, watch, run, logs")
    func words() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("words", subnet: 211) + "\n" + Self.web.replacing("REPLICAS", with: "2"))
        try TestCluster.with(file, name: "words") { cluster in
            try forms(cluster)
            try labels(cluster)
            try describe(cluster)
            try watch(cluster)
            try run(cluster)
        }
    }

    private func forms(_ cluster: TestCluster) throws {
        let pods = try cluster.pods("app=web").map(\.name).sorted()
        #expect(cluster.minik("get pods -o name").output == pods.map { "pod/\($0)\n" }.joined())
        #expect(cluster.minik("get pods -l app!=web").errors == "No resources found in default namespace.\n")
        let yaml = cluster.minik("get pod \(pods[0]) -o yaml")
        // A stranger reads the YAML: Python's parser, not ours.
        let path = try ClusterFiles.write(yaml.output)
        let read = Shell.run(
            "python3 -c 'import yaml,sys; d=yaml.safe_load(open(\"\(path)\")); print(d[\"kind\"], d[\"metadata\"][\"name\"], d[\"status\"][\"phase\"])'"
        )
        #expect(read.output == "Pod \(pods[0]) Running\n", "\(read)")
        #expect(cluster.minik("get svc web -o wide").output.split(separator: "\n").first?.contains("SELECTOR") == true)
        #expect(
            cluster.minik("get all").output.contains("deployment.apps/web")
                && cluster.minik("get all").output.contains("service/kubernetes"))
        #expect(cluster.minik("get pods -A").output.contains("kube-system"))
        #expect(cluster.minik("get nodes").output.contains("control-plane") && cluster.minik("get endpointslices").output.contains("web-"))
        #expect(cluster.minik("get pod nobody").errors.contains("Error from server (NotFound): pods \"nobody\" not found"))
        #expect(Shell.minik("delete --help").output.contains("USAGE: minik delete"))
        #expect(Shell.minik("get --nonsense").errors.contains("Unknown option '--nonsense'"))
        #expect(cluster.minik("get gizmos").errors.contains("the server doesn't have a resource type \"gizmos\""))
    }

    private func labels(_ cluster: TestCluster) throws {
        let pod = try #require(try cluster.pods("app=web").first).name
        #expect(cluster.minik("label pod \(pod) tier=front").output == "pod/\(pod) labeled\n")
        #expect(try cluster.pods("tier=front").map(\.name) == [pod])
        let refused = cluster.minik("label pod \(pod) tier=back")
        #expect(!refused.isSuccess && refused.errors.contains("'tier' already has a value (front), and --overwrite is false"), "\(refused)")
        #expect(cluster.minik("label pod \(pod) tier=back --overwrite").isSuccess)
        #expect(cluster.minik("label pod \(pod) tier-").output == "pod/\(pod) unlabeled\n")
        #expect(try cluster.pods("tier").isEmpty)
    }

    private func describe(_ cluster: TestCluster) throws {
        let pod = try #require(try cluster.pods("app=web").first)
        let words: [(String, [String])] = [
            ("pod \(pod.name)", ["Status:           Running", "IP:               \(pod.ip?.description ?? "?")", "Container started"]),
            ("svc web", ["Selector:", "TargetPort:", "http/TCP", "Endpoints:"]),
            ("deployment web", ["Replicas:", "2 desired | 2 updated | 2 total | 2 available"]),
            ("node worker", ["PodCIDR:", "InternalIP"]),
        ]
        for (object, lines) in words {
            let result = cluster.minik("describe \(object)")
            for line in lines { #expect(result.output.contains(line), "\(line): \(result)") }
        }
    }

    private func watch(_ cluster: TestCluster) throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "watch-\(UUID().uuidString.prefix(6))").path
        defer { try? FileManager.default.removeItem(atPath: file) }
        let script = """
            timeout 6 \(Shell.minik) get pods -w --cluster words >\(file) & sleep 0.5
            \(Shell.minik) run seen --cluster words --image=busybox --restart=Never -- sh -c 'sleep 0.3; exit 4' >/dev/null
            for i in $(seq 40); do grep -q 'seen.*Error' \(file) && break; sleep 0.1; done
            kill %1; wait; cat \(file)
            """
        let shown = Shell.run(script)
        let states = shown.output.split(separator: "\n").filter { $0.hasPrefix("seen ") }.map { $0.split(separator: " ")[2] }
        #expect(shown.output.components(separatedBy: "NAME ").count == 2, "one header: \(shown)")
        #expect(states.first == "Pending" && states.contains("Running") && states.last == "Error", "\(shown)")
    }

    private func run(_ cluster: TestCluster) throws {
        let piped = Shell.run(
            "printf 'one\\ntwo\\n' | \(Shell.minik) run count --cluster words --rm -i --image=busybox --restart=Never -- sh -c 'wc -l; exit 6'"
        )
        let fromFile = Shell.run(
            "\(Shell.minik) exec deployment/web --cluster words -i -- wc -c < Package.swift; wc -c < Package.swift; \(Shell.minik) exec deployment/web --cluster words -i -- cat < /dev/null"
        )
        // What was said before we came is in the log, and said once; the code is the container's.
        let early = Shell.run(
            "\(Shell.minik) run early --cluster words --rm -i --image=busybox --restart=Never -- sh -c 'echo one; sleep 1; echo two; exit 7' </dev/null"
        )
        #expect(early.output.hasPrefix("one\ntwo\n") && early.status == 7, "\(early)")
        let counts = fromFile.output.split(separator: "\n")
        #expect(counts.count == 2 && counts.first == counts.last, "\(fromFile)")
        #expect(piped.output.hasPrefix("2\n") && piped.output.contains("pod \"count\" deleted") && piped.status == 6, "\(piped)")
        #expect(cluster.minik("get pod count").errors.contains("NotFound"))
        // The tutorial's way in: a terminal in a pod that goes with it.
        let typed = try Shell.python(
            """
            import os, pty, select, time
            pid, fd = pty.fork()
            if pid == 0: os.execv("\(Shell.minik)", "minik run typed --cluster words --rm -it --image=busybox /bin/sh".split())
            seen = b""
            def until(words, seconds=10):
                global seen
                end = time.time() + seconds
                while time.time() < end:
                    if select.select([fd], [], [], 0.1)[0]:
                        try: seen += os.read(fd, 4096)
                        except OSError: return words in seen
                        if words in seen: return True
                return False
            os.write(fd, b"\\n") if until(b"pressing enter") else None; print("prompt", until(b"# "))
            os.write(fd, b"wget -qO- http://web:8080\\n"); print("page", until(b"It works!"))
            os.write(fd, b"exit 3\\n"); print("deleted", until(b"pod \\"typed\\" deleted"))
            until(b"never", 3)
            print("code", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])); print(seen)
            """)
        for word in ["prompt True", "page True", "deleted True", "code 3"] { #expect(typed.output.contains(word), "\(typed)") }
        let followed = Shell.run(
            "timeout 2 \(Shell.minik) logs -f deployment/web --cluster words & sleep 0.5; \(Shell.minik) node exec worker --cluster words -- wget -qO- http://$(\(Shell.minik) get svc web --cluster words -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"spec\"][\"clusterIP\"])'):8080/one; wait"
        )
        #expect(followed.output.contains("AH00094"), "\(followed)")
    }

    @Test("four at a time, hundreds of short processes lose no byte of what they say")
    func shortProcesses() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("short", subnet: 212) + "\n" + ClusterFiles.echo)
        try TestCluster.with(file, name: "short") { _ in
            let script = """
                work() { for i in $(seq 60); do \(Shell.minik) exec echo --cluster short -- sh -c "echo out $1 $i; echo err $1 $i >&2; exit 9"; echo "code $?"; done; }
                for w in 1 2 3 4; do work $w & done; wait
                """
            let result = Shell.run(script, seconds: 60)
            let out = result.output.split(separator: "\n").map(String.init), err = result.errors.split(separator: "\n").map(String.init)
            let all = (1...4).flatMap { w in (1...60).map { "\(w) \($0)" } }
            #expect(Set(out).isSuperset(of: all.map { "out \($0)" }))
            #expect(Set(err).isSuperset(of: all.map { "err \($0)" }))
            #expect(out.filter { $0 == "code 9" }.count == all.count)
        }
    }

    @Test("whoever runs a short program hears all of it, once, however soon it has ended, with a terminal and without")
    func shortRuns() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("brief", subnet: 213))
        try TestCluster.with(file, name: "brief") { _ in
            let words = "--cluster brief --rm --image=busybox --restart=Never -- sh -c 'echo one; echo two >&2; echo three'"
            let script = """
                for i in $(seq 8); do
                  \(Shell.minik) run piped$i -i \(words) </dev/null 2>&1 | grep -xE 'one|two|three' | sort | xargs echo piped
                  script -qec "\(Shell.minik) run typed$i -it \(words)" /dev/null </dev/null | tr -d '\r' | grep -xE 'one|two|three' | sort | xargs echo typed
                done
                """
            let result = Shell.run(script, seconds: 60)
            let lines = result.output.split(separator: "\n")
            #expect(lines.count == 16 && lines.allSatisfy { $0.hasSuffix("ed one three two") }, "\(result)")
        }
    }

    @Test("a terminal is a terminal: size, job control, Ctrl-C, exit code")
    func terminal() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("tty", subnet: 204) + "\n" + ClusterFiles.echo)
        try TestCluster.with(file, name: "tty") { _ in
            // Python's pty plays the user: a window of 33 x 111, keys, and the exit code.
            let script = """
                import fcntl, os, pty, select, struct, sys, termios, time
                pid, fd = pty.fork()
                if pid == 0: os.execv("\(Shell.minik)", ["minik", "exec", "echo", "--cluster", "tty", "-i", "-t", "--", "sh"])
                fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 111, 0, 0))
                seen = b""
                def until(words, seconds=8):
                    global seen
                    end = time.time() + seconds
                    while time.time() < end:
                        if select.select([fd], [], [], 0.1)[0]:
                            try: seen += os.read(fd, 4096)
                            except OSError: break
                            if words in seen: return True
                    print("missing", words, "in", seen); return False
                until(b"# ")
                os.write(fd, b"stty size\\n"); print("size", until(b"33 111"))
                os.write(fd, b"tty; sleep 100\\n"); print("tty", until(b"/dev/pts/0")); time.sleep(0.3)
                os.write(fd, b"\\x03"); time.sleep(0.2); os.write(fd, b"echo st''ill\\n"); print("interrupt", until(b"still"))
                fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 99, 0, 0)); os.kill(pid, 28); time.sleep(0.2)
                os.write(fd, b"stty size\\n"); print("resize", until(b"40 99"))
                os.write(fd, b"exit 5\\n"); until(b"never", 2)
                print("code", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                """
            let result = try Shell.python(script)
            for word in ["size True", "tty True", "interrupt True", "resize True", "code 5"] {
                #expect(result.output.contains(word), "\(result)")
            }
        }
    }

    @Test("up puts the cluster into the caller's kubeconfig and down takes it out; nothing else there changes")
    func kubeconfig() throws {
        let home = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: home) }
        let path = "\(home)/.kube/config"
        let other =
            "apiVersion: v1\nclusters:\n- cluster: {server: https://example.com}\n  name: other\ncontexts: []\ncurrent-context: other\nkind: Config\nusers: []\n"
        let file = try ClusterFiles.write(ClusterFiles.cluster("kubeconf", subnet: 230))
        defer { Shell.minik("down kubeconf") }
        // As sudo would call it for the user nobody.
        let nobody = Shell.run("id -u nobody; id -g nobody").output.split(separator: "\n").map(String.init)
        let sudo = "SUDO_UID=\(nobody[0]) SUDO_GID=\(nobody[1]) KUBECONFIG=\(path)"
        let up = Shell.run("mkdir -p \(home)/.kube && printf '\(other)' > \(path) && \(sudo) \(Shell.minik) up \(file)", seconds: 60)
        try #require(up.isSuccess, "\(up)")
        #expect(Shell.run("stat -c '%a %u' \(path)").output == "600 \(nobody[0])\n")
        let kubectl = "KUBECONFIG=\(path) .build/clients/kubectl-1.32"
        #expect(Shell.run("\(kubectl) config current-context").output == "minik-kubeconf\n")
        #expect(Shell.run("\(kubectl) get nodes -o name").output == "node/master\nnode/worker\n")
        #expect(Shell.run("\(kubectl) config get-clusters | sort").output == "NAME\nminik-kubeconf\nother\n")
        #expect(
            Shell.run(
                "\(Shell.minik) kubeconfig -c kubeconf > \(home)/own && KUBECONFIG=\(home)/own .build/clients/kubectl-1.32 get ns default -o name"
            ).output
                == "namespace/default\n")
        // The daemon comes back at the same place.
        Shell.run("kill -9 $(cut -d' ' -f1 /run/minik/kubeconf/daemon.pid)")
        #expect(Shell.run("\(sudo) \(Shell.minik) up \(file)").isSuccess)
        #expect(Shell.run("KUBECONFIG=\(home)/own .build/clients/kubectl-1.32 get ns default -o name").output == "namespace/default\n")
        // Whoever takes it down has another file in mind, and that one is remembered.
        let down = Shell.run("KUBECONFIG=\(home)/elsewhere \(Shell.minik) down kubeconf")
        #expect(down.isSuccess && !FileManager.default.fileExists(atPath: "\(home)/elsewhere"), "\(down)")
        #expect(Shell.run("stat -c '%a %u' \(path)").output == "600 \(nobody[0])\n")
        #expect(Shell.run("\(kubectl) config get-clusters | sort").output == "NAME\nother\n")
        #expect(Shell.run("scripts/leaks kubeconf").output.isEmpty)
        // Who does not want it is not given it.
        let quiet = Shell.run("KUBECONFIG=\(home)/none \(Shell.minik) up \(file) --no-kubeconfig")
        #expect(quiet.isSuccess && !FileManager.default.fileExists(atPath: "\(home)/none"), "\(quiet)")
    }
}
