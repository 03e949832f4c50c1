import Model

/// What is mounted into a node's root beside the machine's own; a word of the shim's command line each.
package enum NodeMount: Sendable, Hashable {
    /// The machine's disk at `path`, seen by the node there; what the node changes of it goes to `upper`. (`work`: overlayfs' own)
    case disk(path: String, upper: String, work: String)
    /// A directory of the machine's that the node shares.
    case folder(source: String, target: String, readOnly: Bool)

    package var word: String {
        let json: JSON =
            switch self {
            case .disk(let path, let upper, let work): ["disk": .string(path), "upper": .string(upper), "work": .string(work)]
            case .folder(let source, let target, let readOnly):
                ["folder": .string(source), "target": .string(target), "readOnly": .bool(readOnly)]
            }
        return json.text()
    }

    package init?(_ word: String) {
        guard let json = try? JSON(parsing: word) else { return nil }
        if let path = json["disk"].string, let upper = json["upper"].string, let work = json["work"].string {
            self = .disk(path: path, upper: upper, work: work)
        } else if let source = json["folder"].string, let target = json["target"].string, let readOnly = json["readOnly"].bool {
            self = .folder(source: source, target: target, readOnly: readOnly)
        } else {
            return nil
        }
    }
}
