import Foundation
import Model
import Testing

@Suite("[Serial] a node is a machine: its files are its own", .serialized, .printsClusters)
struct NodeRootTests {
    private static let host = """
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: host, labels: {app: host}}
        spec:
          nodeName: worker
          terminationGracePeriodSeconds: 1
          volumes:
          - {name: root, hostPath: {path: /}}
          - {name: data, hostPath: {path: /srv/minik-node-root/data, type: DirectoryOrCreate}}
          - {name: link, hostPath: {path: /srv/minik-node-root/link}}
          - {name: log, hostPath: {path: /var/log}}
          containers:
          - name: c
            image: busybox
            command: [sh, -c, "echo said; sleep 3600"]
            volumeMounts:
            - {name: root, mountPath: /host}
            - {name: data, mountPath: /data}
            - {name: data, mountPath: /part, subPath: a/b}
            - {name: log, mountPath: /var/log, readOnly: true}
        """

    /// A directory of this machine's, away at the end.
    private static func withFolder(_ body: (String) throws -> Void) throws {
        let folder = "/srv/minik-test-\(UUID().uuidString.prefix(8))"
        Shell.run("mkdir -p \(folder)/sub; echo mine > \(folder)/sub/file")
        defer { Shell.run("rm -rf \(folder)") }
        try body(folder)
    }

    /// With a terminal and without.
    private static func logIn(_ cluster: TestCluster) throws {
        let fed = Shell.run("echo 'hostname; pwd; echo $HOME; exit 7' | \(Shell.minik) node shell -c \(cluster.name) worker")
        #expect(fed.output == "worker\n/root\n/root\n" && fed.status == 7, "\(fed)")
        // Control-Z and fg need a shell that has the terminal; who reads it afterwards gets it back.
        let typed = try Shell.python(
            """
            import os, pty, time
            child, terminal = pty.fork()
            if not child:
                os.execvp("sh", ["sh", "-c", "\(Shell.minik) node shell -c \(cluster.name) worker; echo code $?; read word; echo read $word"])
            said = b""
            def until(word):
                global said
                while word not in said: said += os.read(terminal, 4096)
                said = said[said.index(word) + len(word):]
            until(b"root@worker:")
            os.write(terminal, b"tty && sleep 60\\n")
            until(b"/dev/pts/"), time.sleep(0.3), os.write(terminal, b"\\x1a")
            until(b"Stopped")
            os.write(terminal, b"fg\\n")
            until(b"# fg"), until(b"sleep 60"), time.sleep(0.3), os.write(terminal, b"\\x03")
            until(b"^C"), until(b"worker:"), os.write(terminal, b"exit 5\\n")
            until(b"code 5")
            os.write(terminal, b"back\\n")
            until(b"read back")
            print("ok")
            """, seconds: 20)
        #expect(typed.output == "ok\n", "\(typed)")
        let nobody = cluster.minik("node shell nobody")
        #expect(nobody.errors.contains("there is no node \"nobody\"") && nobody.errors.contains("master"), "\(nobody)")
    }

    @Test("hostPath and `node exec` write into the node: not into this machine, not into another node; and `down` throws it away")
    func ownFiles() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("roots", subnet: 231) + "\n" + Self.host)
        try TestCluster.with(file, name: "roots") { cluster in
            #expect(cluster.minik("node exec worker -- ls -A /root /home").output == "/home:\n\n/root:\n", "nobody's own files are seen")
            let wrote = cluster.minik(
                "exec host -- sh -c 'echo pod > /data/file; echo part > /part/file; echo pod > /host/opt/minik-node-root'")
            #expect(wrote.isSuccess, "\(wrote)")
            try Self.logIn(cluster)
            let read = cluster.minik("node exec worker -- sh -c 'cd /srv/minik-node-root/data; cat file a/b/file /opt/minik-node-root'")
            #expect(read.output == "pod\npart\npod\n", "\(read)")
            for path in ["/tmp", "/opt", "/etc", "/var/lib", "/root", "/run"] {
                let touched = cluster.minik("node exec worker -- touch \(path)/minik-node-root")
                #expect(touched.isSuccess, "\(touched)")
            }
            let here = "ls -d /srv/minik-node-root /{tmp,opt,etc,var/lib,root,run}/minik-node-root"
            #expect(Shell.run(here).output.isEmpty)
            #expect(cluster.minik("node exec master -- bash -c '\(here)'").output.isEmpty)
            // The machine's own files are there, and what the node removes of them only the node misses.
            let removed = cluster.minik(
                "node exec worker -- sh -c 'rm /etc/os-release /usr/lib/os-release; ls /usr/lib/os-release; ls /usr/bin/env'")
            #expect(removed.output == "/usr/bin/env\n", "\(removed)")
            #expect(Shell.run("ls /usr/lib/os-release").isSuccess)
            let keys = cluster.minik("exec host -- sh -c 'cd /host/var/lib/minik; find . -type f'").output
            #expect(keys.split(separator: "\n").allSatisfy { $0.hasPrefix("./clusters/roots/dns/") }, "no key of a cluster: \(keys)")
            for (command, code, words) in [
                ("/nope", 127, "exec: \"/nope\": stat /nope: no such file or directory"),
                ("nope", 127, "exec: \"nope\": executable file not found in $PATH"),
                ("/etc/hosts", 126, "exec: \"/etc/hosts\": permission denied"),
                ("/etc", 126, "exec: \"/etc\": is a directory"),
            ] {
                let run = cluster.minik("node exec worker -- \(command)")
                #expect(run.status == code && run.errors == "error: \(words)\n", "\(run)")
            }
            #expect(cluster.minik("host exec -- /nope").status == 127)
            let mounts = cluster.minik("node exec worker -- cat /proc/mounts").output
            #expect(mounts.split(separator: "\n").first?.hasPrefix("overlay / overlay") == true, "\(mounts)")
            // A node whose init was killed has its files again.
            Shell.run("kill -9 $(cut -d' ' -f1 /run/minik/roots/nodes/worker.pid)")
            let again = try Shell.eventually(seconds: 30) { () -> String? in
                let read = cluster.minik("node exec worker -- cat /opt/minik-node-root")
                return read.isSuccess ? read.output : nil
            }
            #expect(again == "pod\n")
        }
    }

    /// Links where the daemon itself writes a node's files and clears its logs.
    private static func plantLinks(_ cluster: TestCluster, _ folder: String) throws {
        let run = "/run/minik/\(cluster.name)"
        #expect(cluster.minik("node exec worker -- ln -s \(folder)/sub/file /etc/hostname.new").isSuccess)
        Shell.run("kill -9 $(cut -d' ' -f1 \(run)/nodes/worker.pid)")
        let name = try Shell.eventually(seconds: 30) { () -> String? in
            let read = cluster.minik("node exec worker -- cat /etc/hostname")
            return read.isSuccess ? read.output : nil
        }
        #expect(name == "worker\n")
        #expect(cluster.minik("node exec worker -- sh -c 'mv /var/log/pods /var/log/was; ln -s \(folder) /var/log/pods'").isSuccess)
        Shell.run("kill -9 $(cut -d' ' -f1 \(run)/daemon.pid)")
        let up = Shell.minik("up --cluster \(cluster.name)", seconds: 60)
        #expect(up.isSuccess, "\(up)")
        #expect(Shell.run("cat \(folder)/sub/file").output == "mine\n", "nothing of this machine's was written or cleared")
    }

    @Test("a link on the node leads to the node's files, and never to this machine's")
    func links() throws {
        try Self.withFolder { folder in
            let file = try ClusterFiles.write(ClusterFiles.cluster("rootlinks", subnet: 232) + "\n" + ClusterFiles.echo)
            try TestCluster.with(file, name: "rootlinks") { cluster in
                let link = cluster.minik(
                    "node exec worker -- sh -c 'mkdir -p /srv/there && echo node > /srv/there/file && ln -s /srv/there /opt/link && ln -s \(folder) /opt/away && rm -rf \(folder)'"
                )
                #expect(link.isSuccess, "\(link)")
                let pods = ["link", "away"].map { name in
                    Self.host.replacing("name: host,", with: "name: \(name),").replacing("/srv/minik-node-root/link", with: "/opt/\(name)")
                        .replacing("- {name: log, mountPath: /var/log, readOnly: true}", with: "- {name: link, mountPath: /link}")
                }
                let applied = cluster.minik("apply -f \(try ClusterFiles.write(pods.joined(separator: "\n")))", seconds: 60)
                #expect(applied.isSuccess, "\(applied)")
                _ = try Shell.eventually { try cluster.pods("app=host").filter(\.isReady).count == 2 ? true : nil }
                #expect(cluster.minik("exec link -- cat /link/file").output == "node\n")
                #expect(cluster.minik("exec away -- sh -c 'ls /link; touch /link/x'").isSuccess)
                #expect(Shell.run("ls \(folder)").output == "sub\n", "this machine's is as it was")
                #expect(cluster.minik("node exec worker -- ls \(folder)").output == "x\n", "and the node's was made where its link led")
                try Self.plantLinks(cluster, folder)
            }
        }
    }

    @Test("extraMounts open a directory of this machine to all nodes or one, for writing or reading only; what is wrong is said before")
    func extraMounts() throws {
        try Self.withFolder { folder in
            // The clusters' keys by another name.
            Shell.run("mkdir \(folder)-keys && mount --bind /var/lib/minik \(folder)-keys")
            defer { Shell.run("umount \(folder)-keys; rmdir \(folder)-keys") }
            let more = "  extraMounts: [{hostPath: \(folder), nodePath: /mnt/all}]"
            let cluster = ClusterFiles.cluster("rootmounts", subnet: 233, more: more).replacing(
                ".11}", with: ".11, extraMounts: [{hostPath: \(folder)/sub, nodePath: /mnt/deep/one, readOnly: true}]}")
            try TestCluster.with(try ClusterFiles.write(cluster), name: "rootmounts") { cluster in
                #expect(cluster.minik("node exec master -- sh -c 'echo node > /mnt/all/new; cat /mnt/all/sub/file'").output == "mine\n")
                #expect(Shell.run("cat \(folder)/new").output == "node\n")
                let one = cluster.minik("node exec worker -- sh -c 'cat /mnt/deep/one/file /mnt/all/new; touch /mnt/deep/one/x'")
                #expect(one.output == "mine\nnode\n" && one.errors.contains("Read-only file system"), "\(one)")
                #expect(!cluster.minik("node exec master -- ls /mnt/deep/one").isSuccess)
                #expect(Shell.run("ls \(folder)-keys/clusters").output.contains("rootmounts"))
                #expect(cluster.minik("node exec master -- find \(folder)-keys").output == "\(folder)-keys\n")
            }
            for (wish, words) in [
                ("{hostPath: /no/such, nodePath: /a}", "there is no directory /no/such on this machine"),
                ("{hostPath: \(folder)/sub/file, nodePath: /a}", "there is no directory \(folder)/sub/file on this machine"),
                ("{hostPath: \(folder), nodePath: /etc/passwd}", "nodePath /etc/passwd: /etc/passwd is no directory on the nodes"),
                ("{hostPath: \(folder), nodePath: /etc/passwd/x}", "nodePath /etc/passwd/x: /etc/passwd is no directory on the nodes"),
                ("{hostPath: \(folder), nodePath: /etc}", "spec.extraMounts[0].nodePath: /etc is the node's own"),
            ] {
                let file = try ClusterFiles.write(ClusterFiles.cluster("rootmounts", subnet: 233, more: "  extraMounts: [\(wish)]"))
                let up = Shell.minik("up \(file)", seconds: 60)
                #expect(up.status == 1 && up.errors.contains(words), "\(up)")
                #expect(Shell.run("ls -d /var/lib/minik/clusters/rootmounts").output.isEmpty)
            }
        }
    }

    @Test("a log shipper finds every container's log below /var/log, by the names it knows, and none of pods that are gone")
    func logs() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("rootlogs", subnet: 234) + "\n" + Self.host)
        try TestCluster.with(file, name: "rootlogs") { cluster in
            let uid = try #require(try cluster.pods("app=host").first?.uid)
            let id = try cluster.pod("host")["status"]["containerStatuses"][0]["containerID"]
                .string
            let name = "host_default_c-\(try #require(id).dropFirst("minik://".count)).log"
            let found = cluster.minik("exec host -- sh -c 'cd /var/log/containers; readlink host_*; cat host_*'").output
            #expect(found.hasPrefix("/var/log/pods/default_host_\(uid)/c/0.log\n") && found.hasSuffix(" stdout F said\n"), "\(found)")
            #expect(cluster.minik("node exec worker -- ls /var/log/containers").output.contains(name))
            // A shipper follows the pods' restarts: the last two lives are there.
            let crash = cluster.minik("run crash --image=busybox -- sh -c 'echo again; exit 1'")
            #expect(crash.isSuccess, "\(crash)")
            _ = try Shell.eventually(seconds: 60) {
                try cluster.pod("crash")["status"]["containerStatuses"][0]["restartCount"].int == 2 ? true : nil
            }
            let node = try #require(try cluster.pod("crash")["spec"]["nodeName"].string)
            let lives = cluster.minik(
                "node exec \(node) -- sh -c 'cat /var/log/containers/crash_default_crash-*.log; ls /var/log/pods/default_crash_*/crash'")
            #expect(lives.output.split(separator: "\n").filter { $0.hasSuffix("again") }.count == 2, "\(lives)")
            #expect(lives.output.hasSuffix("1.log\n2.log\n"), "\(lives)")
            #expect(cluster.minik("delete pod crash host", seconds: 40).isSuccess)
            #expect(
                cluster.minik("node exec worker -- sh -c 'ls /var/log/containers /var/log/pods | grep -e host_ -e crash_'").output.isEmpty)
        }
    }

    @Test("a pod whose file lies in the node's /etc/kubernetes/manifests runs there, comes back when deleted, and goes with its file")
    func staticPods() throws {
        try TestCluster.with(try ClusterFiles.write(ClusterFiles.cluster("static", subnet: 235)), name: "static") { cluster in
            let text =
                "apiVersion: v1\\nkind: Pod\\nmetadata: {name: web}\\nspec: {terminationGracePeriodSeconds: 1, containers: [{name: web, image: httpd}]}\\n"
            let wrote = cluster.minik(
                "node exec worker -- sh -c 'mkdir -p /etc/kubernetes/manifests; printf \"\(text)\" > /etc/kubernetes/manifests/web.yaml'")
            #expect(wrote.isSuccess, "\(wrote)")
            func uid() throws -> String? {
                guard cluster.minik("get pod web-worker").isSuccess else { return nil }
                let pod = try cluster.pod("web-worker")
                return pod["status"]["containerStatuses"][0]["ready"].bool == true ? pod["metadata"]["uid"].string : nil
            }
            let first = try Shell.eventually(seconds: 20, uid)
            let pod = try cluster.pod("web-worker")
            #expect(pod["metadata"]["ownerReferences"][0]["kind"].string == "Node" && pod["spec"]["nodeName"].string == "worker")
            #expect(cluster.minik("delete pod web-worker", seconds: 20).isSuccess)
            let second = try Shell.eventually(seconds: 20, uid)
            #expect(second != first)
            #expect(cluster.minik("node exec worker -- rm /etc/kubernetes/manifests/web.yaml").isSuccess)
            _ = try Shell.eventually(seconds: 20) { cluster.minik("get pod web-worker").isSuccess ? nil : true }
        }
    }
}
