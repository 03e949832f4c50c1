import Foundation
import Model
import Testing

@Suite("[Serial] a cluster's checkpoints", .serialized, .printsClusters)
struct CheckpointClusterTests {
    private static let bearing = """

        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: bearing}
        spec:
          nodeName: worker
          terminationGracePeriodSeconds: 0
          tolerations: [{key: trial, operator: Exists, effect: NoExecute, tolerationSeconds: 4}]
          containers: [{name: c, image: busybox, command: [sleep, "1000"]}]
        """

    private func said(_ word: String) -> String {
        Shell.run("exec 3<>/dev/tcp/192.168.217.11/30700; echo \(word) >&3; read -r -t 1 heard <&3 && echo \"heard $heard\"").output
    }

    private func curl(_ path: String) -> String {
        Shell.run("curl -s --max-time 5 --unix-socket /run/minik/checkpoint/api.sock 'http://minik\(path)'").output
    }

    @Test(
        "a snapshot brings objects back under their addresses, pods anew; watches of before expire; what is no snapshot of this cluster's is told"
    )
    func snapshots() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("checkpoint", subnet: 217) + "\n" + ClusterFiles.echo)
        try TestCluster.with(file, name: "checkpoint") { cluster in
            let service = try Shell.json("\(Shell.minik) get service echo -c checkpoint -o json"), before = try cluster.pod("echo")
            let bad = cluster.minik("snapshot save ../x")
            #expect(bad.status == 1 && bad.errors.contains("must be at most 32 lower case letters"), "\(bad)")
            let saved = cluster.minik("snapshot save first -o json")
            #expect(try JSON(parsing: saved.output)["metadata"]["name"] == "first", "\(saved)")
            let twice = cluster.minik("snapshot save first")
            #expect(twice.status == 1 && twice.errors.contains("minik snapshot rm first"), "\(twice)")

            #expect(cluster.minik("delete service echo").isSuccess && cluster.minik("run late --image busybox -- sleep 1000").isSuccess)
            let late = try Shell.eventually { try JSON(parsing: curl("/api/v1/pods"))["metadata"]["resourceVersion"].string }
            try damaged(cluster)
            #expect(try cluster.pod("late")["metadata"]["name"] == "late", "nothing was changed")

            let restored = cluster.minik("snapshot restore first")
            #expect(restored.isSuccess && restored.output.contains("\"first\" restored"), "\(restored)")
            let answer = curl("/api/v1/pods?watch=1&timeoutSeconds=1&resourceVersion=\(late)")
            #expect(answer.contains("\"code\":410"), "\(answer)")
            #expect(try Shell.json("\(Shell.minik) get service echo -c checkpoint -o json")["spec"] == service["spec"])
            #expect(try Shell.eventually { said("again") == "heard again\n" ? true : nil })
            let after = try cluster.pod("echo")
            #expect(after["metadata"]["uid"] != before["metadata"]["uid"] && after["status"]["containerStatuses"][0]["restartCount"] == 0)
            #expect(cluster.minik("get pod late").status == 1)
            #expect(
                Shell.run("pgrep -f '[s]him.*/checkpoint/pods/.*shim.sock' | wc -l").output.trimmingCharacters(in: .whitespacesAndNewlines)
                    == "\(try JSON(parsing: curl("/api/v1/pods"))["items"].items.count)", "what ran of other pods is gone")
            #expect(cluster.minik("snapshot rm first").isSuccess && cluster.minik("snapshot list").output == "no snapshots\n")
        }
    }

    private func damaged(_ cluster: TestCluster) throws {
        let folder = "/var/lib/minik/clusters/checkpoint/snapshots"
        Shell.run(
            "cp -a \(folder)/first \(folder)/torn; dd if=/dev/zero of=\(folder)/torn/store.db bs=4096 seek=3 count=4 conv=notrunc status=none"
        )
        let torn = cluster.minik("snapshot restore torn"), listed = cluster.minik("snapshot list")
        #expect(torn.status == 1 && torn.errors.contains("\"torn\" is damaged, and nothing was changed: "), "\(torn)")
        #expect(listed.errors.contains("\"torn\" is damaged: ") && listed.errors.contains("store.db has not the SHA-256"), "\(listed)")
        #expect(listed.output.contains("first") && !listed.output.contains("torn"), "\(listed)")
        Shell.run(
            "cp -a \(folder)/first \(folder)/foreign; sed -i 's/\"authority\": *\"[^\"]*\"/\"authority\": \"00\"/' \(folder)/foreign/snapshot.json"
        )
        let foreign = cluster.minik("snapshot restore foreign")
        #expect(foreign.status == 1 && foreign.errors.contains("is of another cluster"), "\(foreign)")
        let none = cluster.minik("snapshot restore nobody")
        #expect(none.status == 1 && none.errors.contains("there are: first, foreign, torn"), "\(none)")
        Shell.run("rm -r \(folder)/torn \(folder)/foreign")
    }

    @Test("a paused cluster stands still, its clocks too: what would have run out meanwhile has not, and pods are those of before")
    func pause() throws {
        let echo = ClusterFiles.echo.replacing("spec:\n  containers:", with: "spec:\n  tolerations: [{operator: Exists}]\n  containers:")
        let file = try ClusterFiles.write(ClusterFiles.cluster("checkpoint", subnet: 217) + "\n" + echo + Self.bearing)
        try TestCluster.with(file, name: "checkpoint") { cluster in
            let before = try cluster.pod("echo")
            #expect(said("one") == "heard one\n")
            let taint = #"{"spec":{"taints":[{"key":"trial","effect":"NoExecute","timeAdded":"'$(date -u +%FT%TZ)'"}]}}"#
            let tainted = Shell.run(
                "curl -s --unix-socket /run/minik/checkpoint/api.sock -X PATCH -H 'Content-Type: application/merge-patch+json' "
                    + "-d '\(taint)' http://minik/api/v1/nodes/worker")
            #expect(tainted.output.contains("\"trial\""), "\(tainted)")
            let paused = cluster.minik("pause")
            #expect(paused.isSuccess, "\(paused)")
            #expect(said("two") == "", "nobody answers")
            for command in ["get pods", "up", "pause", "snapshot restore x"] {
                let refused = cluster.minik(command)
                #expect(refused.status == 1, "\(refused)")
            }
            #expect(cluster.minik("status").output.contains("paused   since"))
            Thread.sleep(forTimeInterval: 5)
            let resumed = cluster.minik("resume")
            #expect(resumed.isSuccess, "\(resumed)")
            #expect(try cluster.pod("bearing")["metadata"]["deletionTimestamp"].isNull, "its time stood still")
            #expect(said("three") == "heard three\n")
            let after = try cluster.pod("echo")
            #expect(after["metadata"]["uid"] == before["metadata"]["uid"] && after["status"]["containerStatuses"][0]["restartCount"] == 0)
            #expect(try Shell.eventually { cluster.minik("get pod bearing").status == 1 ? true : nil }, "and goes on")
            #expect(cluster.minik("pause").isSuccess, "one that is paused goes down as any other")
        }
    }
}
