import Foundation
import Model
import Testing

@Suite("[Serial] nothing is left behind", .serialized, .printsClusters)
struct LeftBehindTests {
    private let run = "/run/minik/left", state = "/var/lib/minik/clusters/left"
    private func lab() throws -> String { try ClusterFiles.write(ClusterFiles.cluster("left", subnet: 221) + "\n" + ClusterFiles.echo) }

    @Test("a pod whose object went while nobody watched goes with the daemon's return: shim, namespace, link, directories")
    func orphans() throws {
        try TestCluster.with(try lab(), name: "left") { cluster in
            let uid = try #require(try cluster.pods("app=echo").first?.uid)
            // A pod that no object claims: its directories under another uid, its shim and link as they are.
            Shell.run(
                "kill -9 $(cut -d' ' -f1 \(run)/daemon.pid); mv \(run)/pods/\(uid) \(run)/pods/stray; mkdir -p \(state)/pods/stray; sleep 0.3"
            )
            // A link that is no port of the bridge was made by somebody else, and stays.
            for name in ["veth0badc0de", "veth0badcafe"] {
                cluster.minik("node exec worker -- ip link add \(name) type veth peer name peer-\(name.suffix(4))")
            }
            cluster.minik("node exec worker -- ip link set veth0badc0de master cni0")
            Shell.run("touch /run/netns/left_default_gone")
            let up = Shell.minik("up --cluster left", seconds: 60)
            #expect(up.isSuccess, "\(up)")
            let links = cluster.minik("node exec worker -- ip -o link").output
            #expect(!links.contains("veth0badc0de") && links.contains("veth0badcafe"), "\(links)")
            #expect(Shell.run("ls -d \(run)/pods/stray \(state)/pods/stray /run/netns/left_default_gone").output.isEmpty)
        }
    }

    @Test(
        "`down` finds processes without a run directory, works without a state directory, and names what is busy",
        arguments: ["run", "state", "both"])
    func down(_ lost: String) throws {
        #expect(Shell.minik("up \(try lab())", seconds: 60).isSuccess)
        defer { Shell.minik("down left", seconds: 30) }
        if lost != "state" { Shell.run("rm -rf \(run)") }
        if lost != "run" { Shell.run("rm -rf \(state)") }
        let down = Shell.minik("down left", seconds: 40)
        #expect(down.isSuccess, "\(down)")
        #expect(Shell.run("scripts/leaks left").output.isEmpty)
    }

    @Test("`down` exits 1 and names a mount that keeps a directory busy")
    func busy() throws {
        #expect(Shell.minik("up \(try lab())", seconds: 60).isSuccess)
        Shell.run("mkdir \(state)/busy && mount -t tmpfs t \(state)/busy")
        let down = Shell.minik("down left", seconds: 40)
        #expect(down.status == 1 && down.errors.contains("\(state)/busy is mounted"), "\(down)")
        Shell.run("umount \(state)/busy")
        let again = Shell.minik("down left", seconds: 40)
        #expect(again.isSuccess, "\(again)")
        #expect(Shell.run("scripts/leaks left").output.isEmpty)
    }
}
