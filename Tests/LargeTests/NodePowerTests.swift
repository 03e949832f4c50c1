import Foundation
import Model
import Testing

@Suite("[Serial] nodes that are cut off, switched off and paused", .serialized, .printsClusters)
struct NodePowerTests {
    private static let subnet = 244

    /// Three nodes, so that one that is lost is not most of them; and a short grace.
    private static func file(_ objects: String) throws -> String {
        let nodes = "  - {name: other, address: 192.168.\(subnet).12}\n  nodeMonitorGracePeriod: 4s"
        return try ClusterFiles.write(ClusterFiles.cluster("power", subnet: subnet, more: nodes) + "\n" + objects)
    }

    /// A pod of the worker's, which tolerates that it is lost for so long.
    private static func pod(_ name: String, seconds: Int) -> String {
        ClusterFiles.page(name, on: "worker").replacing(
            "  containers:",
            with: """
                  tolerations:
                  - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: \(seconds)}
                  volumes: [{name: disk, emptyDir: {}}, {name: memory, emptyDir: {medium: Memory}}]
                  containers:
                """
        ).replacing("ports:", with: "volumeMounts: [{name: disk, mountPath: /disk}, {name: memory, mountPath: /memory}]\n    ports:")
    }

    private func json(_ words: String) throws -> JSON { try Shell.json("\(Shell.minik) \(words) --cluster power -o json") }

    private func ready() throws -> String? {
        try json("get node worker")["status"]["conditions"].items.first { $0["type"] == "Ready" }?["status"].string
    }

    private func events(_ reason: String) throws -> [String] {
        try json("get events")["items"].items.filter { $0["reason"].string == reason }.compactMap { $0["message"].string }
    }

    private func answers(_ address: String) -> Bool {
        Shell.run("nsenter --net=/run/netns/power_other timeout 1 bash -c 'exec 3<>/dev/tcp/\(address)/80'").isSuccess
    }

    @Test("a node that is cut off is lost after its grace period, loses who tolerates that no longer, and catches up when it is connected")
    func partition() throws {
        let file = try Self.file(Self.pod("brief", seconds: 2) + "\n" + Self.pod("patient", seconds: 600))
        try TestCluster.with(file, name: "power") { cluster in
            let patient = try #require(try cluster.pod("patient")["status"]["podIP"].string)
            #expect(answers(patient))
            #expect(cluster.minik("link partition worker").output.contains("cut off"))
            let ports = try Shell.json("ip -n power__lan -j link show")
            #expect(ports.items.filter { $0["ifname"].string?.hasPrefix("lan") == true && $0["operstate"] == "DOWN" }.count == 1)
            #expect(!answers(patient))
            let logs = cluster.minik("logs patient")
            #expect(logs.status == 1 && logs.errors.contains("dial tcp 192.168.244.11:10250: connect: no route to host"), "\(logs)")
            let inside = cluster.minik("node exec worker -- timeout 1 bash -c 'exec 3<>/dev/tcp/\(patient)/80'")
            #expect(inside.isSuccess, "its pods go on: \(inside)")
            #expect(cluster.minik("link ls").output.contains("cut-off"))
            _ = try Shell.eventually(seconds: 15) { try ready() == "Unknown" ? true : nil }
            #expect(cluster.minik("get node worker").output.contains("NotReady"))
            let node = try json("get node worker")
            #expect(
                node["spec"]["taints"].items.compactMap { taint in
                    taint["key"] == "node.kubernetes.io/unreachable" ? taint["effect"].string : nil
                } == ["NoSchedule", "NoExecute"])
            _ = try Shell.eventually(seconds: 10) { cluster.minik("get pod brief").status == 1 ? true : nil }
            #expect(try events("TaintManagerEviction").contains("Marking for deletion Pod default/brief"))
            #expect(try cluster.pod("patient")["status"]["conditions"].items.contains { $0["type"] == "Ready" && $0["status"] == "False" })
            #expect(Shell.run("pgrep -cf '[s]him.*/power/pods/.*shim.sock'").output != "0\n")
            // The daemon's return changes nothing of it.
            Shell.run("kill -9 $(cut -d' ' -f1 /run/minik/power/daemon.pid)")
            #expect(Shell.minik("up -c power --no-kubeconfig").isSuccess)
            #expect(!answers(patient))
            #expect(cluster.minik("link heal worker").isSuccess)
            _ = try Shell.eventually(seconds: 10) { try ready() == "True" && answers(patient) ? true : nil }
            #expect(try json("get node worker")["spec"]["taints"].items.isEmpty)
            _ = try Shell.eventually(seconds: 10) {
                let pod = try cluster.pod("patient")
                let isReady = pod["status"]["conditions"].items.contains { $0["type"] == "Ready" && $0["status"] == "True" }
                return isReady && pod["status"]["containerStatuses"][0]["restartCount"] == 0 ? true : nil
            }
            #expect(
                try Shell.eventually(seconds: 10) { Shell.run("ls /run/netns/power_default_brief").isSuccess ? nil : true },
                "what was evicted has ended")
        }
    }

    @Test("a node that was stopped boots: its containers anew, what was in memory gone, its link as it was; one that is paused goes on")
    func power() throws {
        try TestCluster.with(try Self.file(Self.pod("web", seconds: 600)), name: "power") { cluster in
            #expect(cluster.minik("link worker --rate 100mbit").isSuccess)
            #expect(cluster.minik("exec web -- sh -c 'echo kept > /disk/x; echo lost > /memory/x'").isSuccess)
            #expect(cluster.minik("node exec worker -- sh -c 'echo x > /run/x; echo x > /root/x'").isSuccess)
            let boot = try json("get node worker")["status"]["nodeInfo"]["bootID"].string
            let home = cluster.minik("node stop master")
            #expect(home.status == 1 && home.errors.contains("the API is on master"), "\(home)")
            let unknown = cluster.minik("node stop nosuch")
            #expect(unknown.status == 1 && unknown.errors.contains("there is no node \"nosuch\""), "\(unknown)")

            #expect(cluster.minik("node stop worker").output.contains("is stopped"))
            #expect(cluster.minik("node ls").output.contains("stopped"))
            #expect(cluster.minik("node stop worker").errors.contains("node worker is stopped"))
            #expect(cluster.minik("node exec worker -- true").errors.contains("minik node start worker"))
            #expect(Shell.run("ip -n power_worker -br link | grep -vc '^lo'").output == "0\n")
            _ = try Shell.eventually(seconds: 15) { try ready() == "Unknown" ? true : nil }
            // The daemon's return does not boot it.
            Shell.run("kill -9 $(cut -d' ' -f1 /run/minik/power/daemon.pid)")
            #expect(Shell.minik("up -c power --no-kubeconfig").isSuccess)
            #expect(cluster.minik("node ls").output.contains("stopped"))
            let started = cluster.minik("node start worker")
            #expect(started.isSuccess, "\(started)")
            _ = try Shell.eventually(seconds: 15) {
                let pod = try cluster.pod("web"), state = pod["status"]["containerStatuses"][0]
                return try ready() == "True" && state["restartCount"] == 1 && state["ready"] == true ? true : nil
            }
            let now = try json("get node worker")["status"]["nodeInfo"]["bootID"].string
            #expect(now != boot && now?.isEmpty == false)
            #expect(try events("Rebooted") == ["Node worker has been rebooted, boot id: \(now ?? "")"])
            #expect(cluster.minik("exec web -- sh -c 'cat /disk/x; ls /memory'").output == "kept\n")
            #expect(cluster.minik("node exec worker -- sh -c 'cat /root/x; ls /run/x'").output == "x\n")
            let qdisc = cluster.minik("node exec worker -- tc -j qdisc show dev eth0").output
            #expect(try JSON(parsing: qdisc)[0]["kind"] == "tbf", "\(qdisc)")
            try pause(cluster)
        }
    }

    private func pause(_ cluster: TestCluster) throws {
        let address = try #require(try cluster.pod("web")["status"]["podIP"].string)
        _ = try Shell.eventually { answers(address) ? true : nil }
        #expect(cluster.minik("node pause worker").output.contains("is paused"))
        #expect(!answers(address))
        let deleted = cluster.minik("delete pod web --force --grace-period 0")
        #expect(deleted.isSuccess, "\(deleted)")
        _ = try Shell.eventually(seconds: 15) { try ready() == "Unknown" ? true : nil }
        #expect(cluster.minik("node unpause worker").isSuccess)
        _ = try Shell.eventually(seconds: 15) { try ready() == "True" ? true : nil }
        // What was deleted meanwhile is wound up.
        _ = try Shell.eventually(seconds: 10) { Shell.run("ls /run/netns/power_default_web").isSuccess ? nil : true }
    }
}
