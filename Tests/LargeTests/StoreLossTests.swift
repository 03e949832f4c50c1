import Foundation
import Model
import Testing

@Suite("[Serial] a store that is damaged or gone", .serialized, .printsClusters)
struct StoreLossTests {
    /// What the daemon finds when it comes back.
    enum Loss: String, CaseIterable, CustomTestStringConvertible {
        case damaged, cut, gone, older
        var testDescription: String { rawValue }

        /// What does it to `$store`; its log of writes is in the file by then.
        var script: String {
            switch self {
            case .damaged: "dd if=/dev/zero of=$store bs=4096 seek=3 count=4 conv=notrunc status=none"
            case .cut: "truncate -s 0 $store"
            case .gone: "rm $store"
            case .older: "sqlite3 $store \"update state set value=value-5 where key='revision'\""
            }
        }
    }

    @Test("the daemon refuses it and names its copy, what runs goes on, and `up --restore` brings the copy back", arguments: Loss.allCases)
    func refused(_ loss: Loss) throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("loss", subnet: 216) + "\n" + ClusterFiles.echo)
        try TestCluster.with(file, name: "loss") { cluster in
            let before = try cluster.pods("app=echo")
            let kill =
                "pid=$(cut -d' ' -f1 /run/minik/loss/daemon.pid); kill -9 $pid; while kill -0 $pid 2>/dev/null && ! grep -q '^State:.Z' /proc/$pid/status; do sleep 0.05; done"
            // A daemon that starts keeps a copy of what it finds.
            #expect(Shell.run("\(kill); \(Shell.minik) up \(file)", seconds: 40).isSuccess)
            let damage = Shell.run(
                "\(kill); store=/var/lib/minik/clusters/loss/store.db; sqlite3 $store 'pragma wal_checkpoint(truncate)' >/dev/null; \(loss.script)"
            )
            #expect(damage.isSuccess, "\(damage)")

            let refused = Shell.minik("up \(file)", seconds: 60)
            #expect(refused.status == 1, "\(refused)")
            for word in ["/var/lib/minik/clusters/loss/store.db", "store.db.copy", "minik up --cluster loss --restore"] {
                #expect(refused.errors.contains(word), "\(refused)")
            }
            let said = Shell.run("exec 3<>/dev/tcp/192.168.216.11/30700; echo one >&3; read -r -t 5 heard <&3 && echo \"heard $heard\"")
            #expect(said.output == "heard one\n", "pods and Services go on: \(said)")

            let restored = Shell.minik("up --cluster loss --restore", seconds: 60)
            #expect(restored.isSuccess, "\(restored)")
            let after = try cluster.pods("app=echo")
            #expect(after.map(\.uid) == before.map(\.uid) && after.first?.status["containerStatuses"][0]["restartCount"].int == 0)
            #expect(cluster.minik("exec echo -- echo alive").output == "alive\n")
        }
    }
}
