import Host
import Model
import Runtime
import Store

/// A cluster's objects and its Cluster document as they were at one moment: a directory with a document of its own, beside them.
package struct Snapshot: Sendable {
    package let name: String
    package let created: Timestamp
    package let revision: Int
    package let objects: Int
    let cluster: Cluster
    /// Whose it is: the cluster's certificate authority. Tokens and certificates among the objects hold for no other.
    let authority: String
    /// The SHA-256 of each file beside the document, by its name; an older minik's has none.
    private let digests: [String: String]
    private let directory: String

    static let kind = "Snapshot"
    private static let document = "snapshot.json", clusterDocument = "cluster.json", store = "store.db"

    /// Why one is none any more.
    struct Damaged: Error, CustomStringConvertible {
        let name: String
        let reason: String
        var description: String { "snapshot \"\(name)\" is damaged: \(reason)\n  remove it: minik snapshot rm \(name)" }
    }

    /// A directory that a snapshot is, or becomes.
    static func copy(of paths: ClusterPaths, in directory: String) -> StoreCopy { StoreCopy(of: paths.store, at: "\(directory)/\(store)") }
    func copy(of paths: ClusterPaths) -> StoreCopy { Self.copy(of: paths, in: directory) }

    /// Makes one in `directory`, which is there and empty.
    static func make(_ name: String, of cluster: Cluster, _ paths: ClusterPaths, in directory: String, now: Timestamp) throws -> Snapshot {
        let copy = copy(of: paths, in: directory)
        let revision = try copy.make()
        try Files.write(cluster.json.text(indented: true) + "\n", to: "\(directory)/\(clusterDocument)", mode: 0o600)
        var digests: [String: String] = [:]
        for file in [clusterDocument, store] { digests[file] = try digest("\(directory)/\(file)") }
        let snapshot = Snapshot(
            name: name, created: now, revision: revision, objects: try copy.contents().count, cluster: cluster,
            authority: try authority(of: paths), digests: digests, directory: directory)
        try Files.write(snapshot.json.text(indented: true) + "\n", to: "\(directory)/\(document)", mode: 0o600)
        return snapshot
    }

    private init(
        name: String, created: Timestamp, revision: Int, objects: Int, cluster: Cluster, authority: String, digests: [String: String],
        directory: String
    ) {
        (self.name, self.created, self.revision, self.objects) = (name, created, revision, objects)
        (self.cluster, self.authority, self.digests, self.directory) = (cluster, authority, digests, directory)
    }

    /// Reads the two documents of a snapshot; its objects only `verify` looks at.
    init(_ name: String, in directory: String) throws {
        (self.name, self.directory) = (name, directory)
        func read(_ file: String) throws -> JSON { try JSON(parsing: try Files.read("\(directory)/\(file)")) }
        let json: JSON
        do {
            json = try read(Self.document)
            cluster = try Cluster(stored: try read(Self.clusterDocument))
        } catch { throw Damaged(name: name, reason: "\(error)") }
        guard json["kind"].string == Self.kind, let created = json["metadata"]["creationTimestamp"].string.flatMap(Timestamp.init),
            let revision = json["revision"].int, let objects = json["objects"].int, let authority = json["authority"].string
        else { throw Damaged(name: name, reason: "\(directory)/\(Self.document) is not what `minik snapshot save` writes") }
        digests = json["sha256"].stringMap
        (self.created, self.revision, self.objects, self.authority) = (created, revision, objects, authority)
    }

    /// Throws unless all of it is there as it was saved.
    func verify(_ paths: ClusterPaths) throws {
        func damaged(_ reason: String) -> Damaged { Damaged(name: name, reason: reason) }
        for (file, saved) in digests.sorted(by: { $0.key < $1.key }) {
            let found: String
            do { found = try Self.digest("\(directory)/\(file)") } catch { throw damaged("\(error)") }
            guard found == saved else { throw damaged("\(directory)/\(file) has not the SHA-256 any more that it was saved with") }
        }
        let found: Int
        do { found = try copy(of: paths).contents().count } catch let error as SQLiteError { throw damaged(error.description) }
        guard found == objects else { throw damaged("\(objects) objects were saved, \(found) are there") }
    }

    /// Throws unless all of it is there, and is of the cluster that stands.
    func check(_ standing: Cluster, _ paths: ClusterPaths) throws {
        guard cluster.name == standing.name, authority == (try Self.authority(of: paths)) else {
            throw UserError(
                "snapshot \"\(name)\" is of another cluster (\"\(cluster.name)\", \(created)): its certificates and tokens are not this one's",
                hint: "a snapshot goes with its cluster; put objects into another one with: minik apply -f FILE")
        }
        guard cluster.shape == standing.shape else { throw ClusterStart.anotherShape(standing.name) }
        try verify(paths)
    }

    private static func authority(of paths: ClusterPaths) throws -> String {
        try digest("\(paths.pki)/ca.crt")
    }

    private static func digest(_ file: String) throws -> String {
        SHA256.digest(try Files.read(file)).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0\(digits)" : digits
        }.joined()
    }

    package var json: JSON {
        [
            "apiVersion": "minik.dev/v1", "kind": .string(Self.kind),
            "metadata": ["name": .string(name), "creationTimestamp": .string(created.description)],
            "cluster": .string(cluster.name), "revision": .int(revision), "objects": .int(objects), "authority": .string(authority),
            "sha256": JSON(digests),
        ]
    }

    /// What it takes of the disk.
    package var size: Int { Files.treeSize(directory) }

    /// The Cluster document of then takes the place of that of now.
    func restoreCluster(_ paths: ClusterPaths) throws {
        try Files.write(cluster.json.text(indented: true) + "\n", to: paths.clusterFile, mode: 0o600)
    }
}
