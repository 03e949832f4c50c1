import API
import Glibc
import Host
import Model
import Proxy
import Runtime
import YAML

/// A cluster that somebody else has made, seen through its API alone. Takes no root on this machine: the lab's state is its user's.
package struct GuestGround: LabGround {
    /// How it is found again.
    package struct Record: Sendable {
        /// What the user named.
        package let kubeconfig: String
        package let context: String?
        package let image: String
        package let lab: String
        /// The namespaces that the lab makes.
        let namespaces: [String]
        /// By the lab's names of nodes, theirs.
        let machines: [String: String]
    }

    let record: Record
    package let cluster: Cluster
    package let client: HTTPClient
    package let shell: LabShell
    private let names: GuestNames

    init(_ record: Record, _ names: GuestNames, _ file: LabFile) throws {
        (self.record, self.names, cluster) = (record, names, file.cluster)
        client = HTTPClient(try APIEndpoint(kubeconfig: record.kubeconfig, context: record.context))
        shell = LabShell(guest: Self.folder, folder: file.folder)
    }

    package var name: String { "the cluster of \(record.kubeconfig)" }
    package var stateFile: String { Self.stateFile }

    /// The first request tells, and says more.
    package func requireAnswer() {}

    package func judge(_ expectations: [LabExpectation]) async throws -> [LabFinding] {
        var snapshot = ClusterSnapshot(cluster: cluster)
        snapshot.pods = try await client.list(Pod.self)
        snapshot.services = try await client.list(Service.self)
        snapshot.namespaces = try await client.list(Namespace.self)
        let probes = GuestProbes(client: client, image: record.image, lab: record.lab)
        return try await GuestReach(probes: probes, snapshot: snapshot).judge(expectations)
    }

    package func placed(_ manifest: Manifest) throws -> Manifest {
        try GuestLab.placed(manifest, names, lab: record.lab, Set(record.namespaces))
    }

    // MARK: Files

    /// XDG Base Directory Specification, XDG_STATE_HOME.
    static var folder: String {
        func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 } }
        return (variable("XDG_STATE_HOME") ?? "\(variable("HOME") ?? "/root")/.local/state") + "/minik/lab"
    }

    static var stateFile: String { "\(folder)/lab.json" }
    private static var recordFile: String { "\(folder)/guest.json" }

    /// Whether a lab is, or was being, taken as a guest by this user.
    package static var exists: Bool { Files.exists(recordFile) }

    func write() throws {
        try Files.makeDirectory(Self.folder, mode: 0o700)
        let json: JSON = [
            "kubeconfig": .string(record.kubeconfig), "context": JSON(record.context), "image": .string(record.image),
            "lab": .string(record.lab), "namespaces": .array(record.namespaces.map(JSON.string)),
            "machines": JSON(record.machines),
        ]
        try Files.write(json.text(indented: true) + "\n", to: Self.recordFile, mode: 0o600)
    }

    static func stored() throws -> Record {
        let json: JSON
        do { json = try JSON(parsing: try Files.read(recordFile)) } catch {
            throw UserError("\(recordFile) does not say which cluster the lab is in: \(error)", hint: "remove it, and the lab's namespaces")
        }
        return Record(
            kubeconfig: json["kubeconfig"].string ?? "", context: json["context"].string, image: json["image"].string ?? "",
            lab: json["lab"].string ?? "", namespaces: json["namespaces"].items.compactMap(\.string), machines: json["machines"].stringMap)
    }

    // MARK: The end

    /// Deletes the namespaces that carry the lab's mark, with all that is in them, and waits until they are gone. For its pods' last words
    /// nobody waits.
    package func clear() async throws -> [String] {
        let problems = try await deleteNamespaces()
        if problems.isEmpty { Files.removeTree(Self.folder) }
        return problems
    }

    private func deleteNamespaces() async throws -> [String] {
        let marked = try await client.list(Namespace.self).filter { $0.labels[GuestNames.label] == record.lab }.map(\.name)
        for name in marked {
            do { try await client.delete(.namespaces, ObjectKey("", name)) } catch let error as StatusError where error.reason == .notFound
            {}
        }
        for pod in try await client.list(Pod.self) where marked.contains(pod.namespace) {
            do { try await client.delete(.pods, pod.key, gracePeriod: 1, uid: pod.uid) } catch let error as StatusError
                where [.notFound, .conflict].contains(error.reason)
            {}
        }
        let deadline = ContinuousClock.now + .seconds(120)
        var left = marked
        while !left.isEmpty, ContinuousClock.now < deadline {
            let there = Set(try await client.list(Namespace.self).map(\.name))
            left = left.filter(there.contains)
            if !left.isEmpty { try await Task.sleep(for: .milliseconds(200)) }
        }
        return left.map { "namespace \($0), which is being deleted for two minutes now" }
    }
}
