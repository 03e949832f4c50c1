import API
import Foundation
import Host
import Lab
import Model
import Runtime
import Store
import Testing

@Suite("Snapshots, as they lie on the disk", .timeLimit(.minutes(2)))
struct SnapshotTests {
    /// The files of a cluster that nobody runs.
    private func withCluster(_ body: (ClusterPaths, Snapshots) throws -> Void) throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "m-\(UUID().uuidString.prefix(8))").path
        defer { Files.removeTree(root) }
        let paths = ClusterPaths(cluster: "c", below: root)
        try Files.makeDirectory(paths.pki)
        try Files.write("certificate", to: "\(paths.pki)/ca.crt", mode: 0o600)
        let cluster: JSON = ["apiVersion": "minik.dev/v1", "kind": "Cluster", "metadata": ["name": "c"]]
        try Files.write(cluster.text(), to: paths.clusterFile, mode: 0o600)
        try SQLiteJournal.create(path: paths.store)
        try body(paths, Snapshots(paths))
    }

    @Test(
        "a file that is another one than was saved, or shorter, is told by the list, which changes nothing",
        arguments: ["store.db", "cluster.json"])
    func damaged(_ file: String) throws {
        try withCluster { paths, snapshots in
            let saved = try snapshots.save("one")
            #expect(saved.json["sha256"].object?.keys.sorted() == ["cluster.json", "store.db"])
            #expect(snapshots.all().snapshots.map(\.name) == ["one"])
            let path = "\(paths.state)/snapshots/one/\(file)"
            let bytes = try Files.read(path)
            // Blank space after a document changes nothing of what it says, nor zeros after a database.
            for changed in [Array(bytes.dropLast(bytes.count / 2)), bytes + [0x20]] {
                try Files.write(changed, to: path, mode: 0o600)
                let (whole, damaged) = snapshots.all()
                #expect(whole.isEmpty && damaged.map(\.name) == ["one"])
                #expect(damaged[0].reason.hasPrefix("snapshot \"one\" is damaged: ") && !damaged[0].reason.contains("nothing was changed"))
            }
            try Files.write(bytes, to: path, mode: 0o600)
            #expect(snapshots.all().damaged.isEmpty)
        }
    }

    @Test("two commands at once: the second is told that there is another, not which it is")
    func together() throws {
        try withCluster { paths, snapshots in
            let lock = try ClusterLock(paths)
            #expect { try snapshots.save("one") } throws: { "\($0)".hasPrefix("another command is at work on cluster \"c\"") }
            lock.release()
        }
    }

    @Test("a claim whose directory is on no node any more has lost its data; one of another's provisioner may lie anywhere")
    func lost() throws {
        try withCluster { paths, _ in
            let node = Cluster.NodeSpec(
                name: "n1", isControlPlane: true, address: IPAddress(ipv4: 0xC0A8_C80B),
                podCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0000), 24),
                taints: .null, labels: [:])
            func volume(_ name: String, by provisioner: String = "minik.dev/local-path") -> PersistentVolume {
                PersistentVolume([
                    "metadata": ["name": .string(name), "annotations": ["pv.kubernetes.io/provisioned-by": .string(provisioner)]],
                    "spec": ["claimRef": ["namespace": "default", "name": .string("claim-\(name)")]], "status": ["phase": "Bound"],
                ])
            }
            try Files.makeDirectory("\(paths.nodeState("n1"))/own/volumes/there")
            let lost = NodeVolumes.lost([volume("there"), volume("gone"), volume("far", by: "example.com/nfs")], nodes: [node], paths)
            #expect(lost.map(\.description) == ["default/claim-gone"])
        }
    }
}
