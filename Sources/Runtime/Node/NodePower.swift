import Glibc
import Host
import Model

/// What becomes of a node by somebody's hand. It lies where it goes with the machine's next start: then every node runs.
package struct NodePower: Sendable {
    package enum State: String, Sendable {
        case running, stopped, paused
    }

    private let file: String

    package init(_ node: String, _ paths: ClusterPaths) { file = paths.nodePower(node) }

    private var mark: JSON? {
        guard let text = Files.text(file) else { return nil }
        return (try? JSON(parsing: text)) ?? .emptyObject  // a mark that cannot be read is one still
    }

    package var state: State {
        guard let mark else { return .running }
        return mark["state"].string.flatMap(State.init) ?? .stopped
    }

    /// Since when it is what it is; nil while it runs.
    package var since: Timestamp? { mark?["since"].string.flatMap(Timestamp.init) }

    /// Processes that had stopped by themselves before the node was paused.
    var stood: Set<ProcessIdentity> { ProcessIdentity.living(in: mark?["stood"] ?? .null) }

    func set(_ state: State, since: Timestamp = .now(), stood: Set<ProcessIdentity> = []) throws {
        guard state != .running else {
            guard unlink(file) == 0 || errno == ENOENT else { throw FileError("remove", file, errno: errno) }
            return
        }
        let mark: JSON = [
            "state": .string(state.rawValue), "since": .string(since.description), "stood": ProcessIdentity.json(stood),
        ]
        try Files.write(mark.text() + "\n", to: file, mode: 0o600)
    }
}

extension ProcessIdentity {
    package static func json(_ processes: Set<ProcessIdentity>) -> JSON {
        .array(processes.map { ["pid": .int($0.pid), "start": .int($0.startTime)] })
    }

    /// Those of a list that live still.
    package static func living(in json: JSON) -> Set<ProcessIdentity> {
        Set(
            json.items.compactMap { entry in
                guard let pid = entry["pid"].int, let living = ProcessIdentity(pid: pid), living.startTime == entry["start"].int else {
                    return nil
                }
                return living
            })
    }
}
