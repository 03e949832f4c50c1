import Model

/// What a shim says.
package enum ShimReply: Sendable {
    case started(ContainerRecord)
    /// A container or process did not start, or a request was not understood: the step that failed, on what, and the errno.
    case failed(container: String, stage: String, errno: Int)
    case exited(ContainerRecord)
    case state([ContainerRecord])
    /// A process of `exec` runs, or an `attach` has joined.
    case joined
    /// The process of `exec` on this connection has ended, or the container attached to has.
    case ended(exitCode: Int)

    package var json: JSON {
        var json: JSON =
            switch self {
            case .started(let record): ["say": "started", "record": record.json]
            case .failed(let container, let stage, let errno):
                ["say": "failed", "container": .string(container), "stage": .string(stage), "errno": .int(errno)]
            case .exited(let record): ["say": "exited", "record": record.json]
            case .state(let records): ["say": "state", "records": .array(records.map(\.json))]
            case .joined: ["say": "joined"]
            case .ended(let exitCode): ["say": "ended", "exitCode": .int(exitCode)]
            }
        json["version"] = .int(ShimVersion.current)
        return json
    }

    package init(_ json: JSON) throws(PacketError) {
        let word = try json.required("say", \.string)
        switch word {
        case "started": self = .started(try ContainerRecord(json["record"]))
        case "failed":
            self = .failed(
                container: try json.required("container", \.string), stage: try json.required("stage", \.string),
                errno: try json.required("errno", \.int))
        case "exited": self = .exited(try ContainerRecord(json["record"]))
        case "state":
            var records: [ContainerRecord] = []
            for record in try json.required("records", \.array) { records.append(try ContainerRecord(record)) }
            self = .state(records)
        case "joined": self = .joined
        case "ended": self = .ended(exitCode: try json.required("exitCode", \.int))
        default: throw PacketError("unknown word \"\(word)\"")
        }
    }
}
