import Foundation
import Model
import Testing

@Suite("a cluster's life", .serialized)
struct ClusterTests {
    @Test("the daemon dies: pods, Services and one open connection go on, and `up` takes over")
    func daemonDies() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("crash", subnet: 201) + "\n" + ClusterFiles.echo)
        try TestCluster.with(file, name: "crash") { cluster in
            let before = try cluster.pods("app=echo")
            let pid = try #require(Shell.run("cut -d' ' -f1 /run/minik/crash/daemon.pid").output.split(separator: "\n").first)
            let script = """
                exec 3<>/dev/tcp/192.168.201.10/30700
                say() { echo "$1" >&3; read -r -t 5 heard <&3 && echo "heard $heard"; }
                say one
                kill -9 \(pid)
                while kill -0 \(pid) 2>/dev/null && ! grep -q '^State:.Z' /proc/\(pid)/status; do sleep 0.05; done
                say two
                (exec 4<>/dev/tcp/192.168.201.11/30700; echo new >&4; read -r -t 5 heard <&4 && echo "meanwhile $heard")
                \(Shell.minik) ls
                \(Shell.minik) up \(file) >/dev/null 2>&1 || echo "up failed"
                say three
                """
            let result = Shell.run(script, seconds: 40)
            for word in ["heard one", "heard two", "meanwhile new", "heard three", "Stopped"] { #expect(result.output.contains(word), "\(result)") }
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

    @Test("containers are confined, and see the files and names that Kubernetes gives them")
    func confinement() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("confined", subnet: 202) + "\n" + ClusterFiles.echo)
        try TestCluster.with(file, name: "confined") { cluster in
            func inside(_ command: String) -> String { cluster.minik("exec echo -- sh -c '\(command)'").output }
            #expect(inside("ls /proc/self/fd").split(separator: "\n").sorted() == ["0", "1", "2", "3"], "3 is ls reading the directory")
            #expect(inside("ls /proc/1/fd | wc -l").trimmed == "4", "the first process has its stdio and its socket, nothing of the daemon's")
            // CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP
            #expect(inside("grep -E ^Cap[EPB] /proc/1/status | sort -u -k2 | cut -f2").split(separator: "\n") == ["00000000a80425fb"])
            #expect(inside("echo 1 > /proc/sys/net/ipv4/ip_forward; echo $?").contains("1"))
            #expect(inside("cat /proc/kcore 2>/dev/null | wc -c").trimmed == "0")
            #expect(inside("ls / | tr \"\\n\" \" \"").contains("proc root"))
            #expect(inside("mount | grep -cE \"on /etc/(hosts|hostname|resolv.conf) \"").trimmed == "3", "\(inside("mount"))")
            let pod = try #require(try cluster.pods("app=echo").first)
            #expect(inside("hostname").trimmed == "echo")
            #expect(inside("cat /etc/hosts").contains("\(pod.ip?.description ?? "?")\techo"))
            #expect(inside("cat /etc/resolv.conf") == "search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.1.0.10\noptions ndots:5\n")
            #expect(inside("ls /dev").split(separator: "\n").contains("shm"))
            #expect(Shell.run("stat -c %a /var/lib/minik/clusters/confined /run/minik/confined").output == "700\n700\n")
        }
    }

    @Test("containers of a pod share network, IPC, host name and volumes; killed processes start again; deleted pods are replaced")
    func pods() throws {
        let more = """
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
        let file = try ClusterFiles.write(ClusterFiles.cluster("pods", subnet: 203) + "\n" + more)
        try TestCluster.with(file, name: "pods") { cluster in
            for namespace in ["net", "ipc", "uts"] {
                let links = ["one", "two"].map { cluster.minik("exec pair --container \($0) -- readlink /proc/self/ns/\(namespace)").output }
                #expect(links[0] == links[1] && links[0].hasPrefix("\(namespace):["))
            }
            #expect(cluster.minik("exec pair --container one -- sh -c 'echo hello >/one/file'").isSuccess)
            #expect(cluster.minik("exec pair --container two -- cat /two/file").output == "hello\n")
            #expect(cluster.minik("exec pair --container one -- sh -c 'exit 7'").status == 7)

            #expect(cluster.minik("exec pair --container two -- kill -9 1").status >= 0)
            let killed = Shell.run("pkill -9 -f 'sleep 3600' --nslist pid --ns 1; ip netns pids pods_default_pair | head -1")
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

            #expect(cluster.minik("run stranger --image=nginx").isSuccess)
            let refused = try Shell.eventually { () -> String? in
                let events = cluster.minik("get events").output
                return events.contains("Failed to pull image \"nginx\"") ? events : nil
            }
            #expect(refused.contains("busybox, httpd"), "the event names the images there are")
            #expect(cluster.minik("get pod stranger").output.contains("ImagePull"))
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
            let path = try ClusterFiles.write(script)
            let result = Shell.run("python3 \(path)", seconds: 60)
            for word in ["size True", "tty True", "interrupt True", "resize True", "code 5"] { #expect(result.output.contains(word), "\(result)") }
        }
    }

    @Test("two clusters with the same addresses run side by side")
    func sideBySide() throws {
        let first = try ClusterFiles.write(ClusterFiles.cluster("twin1", subnet: 205) + "\n" + ClusterFiles.echo)
        let second = try ClusterFiles.write(ClusterFiles.cluster("twin2", subnet: 205) + "\n" + ClusterFiles.echo)
        try TestCluster.with(first, name: "twin1") { one in
            try TestCluster.with(second, name: "twin2") { two in
                for cluster in [one, two] {
                    let result = cluster.minik("host exec -- bash -c 'exec 3<>/dev/tcp/192.168.205.11/30700; echo \(cluster.name) >&3; timeout 3 head -1 <&3'")
                    #expect(result.output == "\(cluster.name)\n", "\(result)")
                }
            }
            #expect(one.minik("exec echo -- echo still").output == "still\n")
        }
    }
}
