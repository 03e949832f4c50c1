import Glibc
import Host
import Model

/// The faults that a cluster's nodes were given and not freed of yet. As long as there is one, what is broken is left alone. They lie in
/// the cluster's state: they outlive the daemon, and go with the cluster.
package struct InjectedFaults: Sendable {
    package struct Entry: Sendable, Hashable {
        package let name: String
        package let node: String
        package let since: Timestamp

        package init(name: String, node: String, since: Timestamp) { (self.name, self.node, self.since) = (name, node, since) }

        package var json: JSON { ["name": .string(name), "node": .string(node), "since": .string(since.description)] }
    }

    private let file: String

    package init(_ paths: ClusterPaths) { file = paths.faults }

    package struct Unreadable: Error, CustomStringConvertible {
        let file: String
        let reason: String
        package var description: String { "\(file) does not say which faults there are: \(reason)" }
    }

    package var all: [Entry] {
        get throws {
            guard Files.exists(file) else { return [] }
            do {
                return try JSON(parsing: try Files.read(file)).items.map { entry in
                    Entry(
                        name: entry["name"].string ?? "", node: entry["node"].string ?? "",
                        since: entry["since"].string.flatMap(Timestamp.init) ?? .now())
                }
            } catch { throw Unreadable(file: file, reason: "\(error)") }
        }
    }

    /// Whether there is one; a list that cannot be read is one of some.
    package var isSome: Bool { Files.exists(file) }

    package func set(_ entries: [Entry]) throws {
        guard !entries.isEmpty else {
            guard unlink(file) == 0 || errno == ENOENT else { throw FileError("remove", file, errno: errno) }
            return
        }
        try Files.write(JSON.array(entries.map(\.json)).text(indented: true) + "\n", to: file, mode: 0o600)
    }
}
