import Foundation
import Glibc
import Model
import Testing

@Suite("[Serial] what kubectl tells of pods that ended, and what a daemon without descriptors does", .serialized, .printsClusters)
struct EndingsTests {
    /// RESTARTS of a pod as kubectl prints it: how many, and how many seconds ago the last was.
    private func restarts(_ kubectl: String, _ pod: String) throws -> (count: Int, ago: Int?)? {
        let row = Shell.run("\(kubectl) get pod \(pod) --no-headers").output
        guard let match = row.firstMatch(of: #/^\S+ +1/1 +Running +(\d+)(?: \((\d+)s ago\))?/#), let count = Int(match.1) else {
            return nil
        }
        return (count, match.2.flatMap { Int($0) })
    }

    @Test(
        "RESTARTS: a shim that is killed, the daemon alone, the daemon with the node's init; and an attached command that fails says its words once"
    )
    func restarts() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("restarts", subnet: 223) + "\n" + ClusterFiles.echo)
        try TestCluster.with(file, name: "restarts") { cluster in
            let config = try ClusterFiles.write(cluster.minik("kubeconfig").output),
                kubectl = "KUBECONFIG=\(config) .build/clients/kubectl-1.32"
            let run = "/run/minik/restarts"
            func kill(_ files: String...) { for file in files { Shell.run("kill -9 $(cut -d' ' -f1 \(run)/\(file))") } }
            let uid = try #require(try cluster.pods("app=echo").first?.uid)
            #expect(try restarts(kubectl, "echo")?.count == 0)
            // Older than any restart is to be.
            Thread.sleep(forTimeInterval: 12)
            kill("pods/\(uid)/shim.pid")
            let first = try Shell.eventually(seconds: 20) { try restarts(kubectl, "echo").flatMap { $0.count == 1 ? $0 : nil } }
            #expect(try #require(first.ago) < 10, "the restart's age, not the pod's")
            kill("daemon.pid")
            #expect(Shell.minik("up \(file)", seconds: 60).isSuccess)
            let same = try Shell.eventually(seconds: 20) { try restarts(kubectl, "echo") }
            #expect(same.count == 1, "what went on without the daemon was not restarted")
            Thread.sleep(forTimeInterval: 6)
            kill("daemon.pid", "nodes/worker.pid")
            #expect(Shell.minik("up \(file)", seconds: 60).isSuccess)
            let second = try Shell.eventually(seconds: 30) { try restarts(kubectl, "echo").flatMap { $0.count == 2 ? $0 : nil } }
            #expect(try #require(second.ago) < 20)

            let said = Shell.run(
                "\(kubectl) run v --rm -i -q --restart=Never --image=busybox -- sh -c 'sleep 1; echo one; sleep 2; exit 3' </dev/null")
            #expect(said.output == "one\n" && !said.errors.contains("couldn't attach"), "\(said)")
        }
    }

    @Test("at the limit of open files pods wait, and say why; nothing half-made stays, and all run when there is room")
    func descriptors() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("files", subnet: 224))
        let pods = try ClusterFiles.write(
            (1...6).map {
                "apiVersion: v1\nkind: Pod\nmetadata: {name: p\($0), labels: {app: p}}\nspec: {containers: [{name: c, image: busybox, command: [sleep, \"60\"]}]}\n"
            }
            .joined(separator: "---\n"))
        try TestCluster.with(file, name: "files") { cluster in
            let daemon = Shell.run("cut -d' ' -f1 /run/minik/files/daemon.pid").output.trimmingCharacters(in: .whitespacesAndNewlines)
            func shims() -> Int {
                Int(
                    Shell.run("pgrep -c -f '^[^ ]*minik-shim pod /run/minik/files/'").output.trimmingCharacters(in: .whitespacesAndNewlines)
                ) ?? 0
            }
            let before = shims()
            Shell.run("prlimit --pid \(daemon) --nofile=$(($(ls /proc/\(daemon)/fd | wc -l) + 6)):")
            #expect(cluster.minik("apply -f \(pods)").isSuccess)
            Thread.sleep(forTimeInterval: 5)
            Shell.run("prlimit --pid \(daemon) --nofile=4096:")
            _ = try Shell.eventually(seconds: 60) { try cluster.pods("app=p").filter(\.isReady).count == 6 ? true : nil }
            #expect(shims() == before + 6)
            let events = cluster.minik("get events").output
            #expect(events.contains("FailedCreatePodSandBox") && events.contains("Too many open files"), "\(events)")
        }
    }
}
