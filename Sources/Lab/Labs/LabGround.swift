import API
import Model
import Proxy
import Runtime

/// Where a lab is taken: a cluster of its own, or one that somebody else has made.
package protocol LabGround: Sendable {
    /// What the lab speaks of, by the names that it has here.
    var cluster: Cluster { get }
    var client: HTTPClient { get }
    var shell: LabShell { get }
    /// The file that says how far its learner has come.
    var stateFile: String { get }
    /// For people: where it is.
    var name: String { get }

    /// Throws when nobody answers there.
    func requireAnswer() throws
    /// What becomes of real packets.
    func judge(_ expectations: [LabExpectation]) async throws -> [LabFinding]
    /// A manifest of the lab's as it is applied here.
    func placed(_ manifest: Manifest) throws -> Manifest
    /// Takes away all that the lab has made; what is left of it.
    func clear() async throws -> [String]
}

/// A cluster of minik's, made for the lab and gone with it.
package struct OwnGround: LabGround {
    package let paths: ClusterPaths
    package let cluster: Cluster
    package let client: HTTPClient
    package let shell: LabShell

    init(_ paths: ClusterPaths, _ file: LabFile) throws {
        guard let cluster = try paths.storedCluster() else {
            throw UserError("cluster \"\(paths.cluster)\" is not up", hint: "start the lab: minik lab start \(file.lab.name)")
        }
        (self.paths, self.cluster) = (paths, cluster)
        client = HTTPClient(socketPath: paths.apiSocket)
        shell = LabShell(paths, folder: file.folder)
    }

    package var stateFile: String { LabState.path(paths) }
    package var name: String { "cluster \"\(paths.cluster)\"" }

    package func requireAnswer() throws { try paths.requireDaemon() }

    package func judge(_ expectations: [LabExpectation]) async throws -> [LabFinding] {
        try await LabReach(paths: paths, snapshot: ClusterSnapshot(cluster: cluster, client: client)).judge(expectations)
    }

    package func placed(_ manifest: Manifest) -> Manifest { manifest }

    package func clear() async throws -> [String] { try await LabStart.stop(paths) }
}
