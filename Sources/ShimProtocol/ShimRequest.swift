import Model

/// What a shim is asked.
package enum ShimRequest: Sendable {
    case start(ContainerSpec)
    /// The request is too long for a packet: it is in the file whose descriptor rides along.
    case enclosed
    /// Sends a signal to a container's first process.
    case signal(container: String, signal: Int)
    /// Asks for every container the shim knows, for a daemon that has just come back.
    case state
    /// Ends the pod: every container is killed, then the shim exits.
    case shutdown
    /// Runs a process in a container, as the container's own runs. Without a terminal the packet carries its stdin, stdout and stderr
    /// (stdin may be left out); with one the answer carries the pty's master. The process' exit is told on the same connection.
    /// `bound`: the process, and what it started, ends with the connection.
    case exec(container: String, argv: [String], tty: Bool, rows: Int, columns: Int, bound: Bool)
    /// Joins a container's own streams; the packet carries what to read its stdin from and what to write stdout and
    /// stderr to. `fromStart`: what the container's present life has said before comes first, nothing twice.
    case attach(container: String, fromStart: Bool)
    /// The size of a container's terminal.
    case resize(container: String, rows: Int, columns: Int)

    package var json: JSON {
        var json: JSON =
            switch self {
            case .enclosed: ["op": "enclosed"]
            case .start(let spec): ["op": "start", "container": .string(spec.name), "spec": spec.json]
            case .signal(let container, let signal): ["op": "signal", "container": .string(container), "signal": .int(signal)]
            case .state: ["op": "state"]
            case .shutdown: ["op": "shutdown"]
            case .exec(let container, let argv, let tty, let rows, let columns, let bound):
                [
                    "op": "exec", "container": .string(container), "argv": .array(argv.map(JSON.string)), "tty": .bool(tty),
                    "rows": .int(rows), "columns": .int(columns), "bound": .bool(bound),
                ]
            case .attach(let container, let fromStart): ["op": fromStart ? "attachFromStart" : "attach", "container": .string(container)]
            case .resize(let container, let rows, let columns):
                ["op": "resize", "container": .string(container), "rows": .int(rows), "columns": .int(columns)]
            }
        json["version"] = .int(ShimVersion.current)
        return json
    }

    package init(_ json: JSON) throws(PacketError) {
        let op = try json.required("op", \.string)
        switch op {
        case "enclosed": self = .enclosed
        case "start": self = .start(try ContainerSpec(json["spec"]))
        case "signal": self = .signal(container: try json.required("container", \.string), signal: try json.required("signal", \.int))
        case "state": self = .state
        case "shutdown": self = .shutdown
        case "exec":
            self = .exec(
                container: try json.required("container", \.string), argv: try json.list("argv", \.string),
                tty: try json.required("tty", \.bool),
                rows: try json.required("rows", \.int), columns: try json.required("columns", \.int),
                bound: try json.required("bound", \.bool))
        case "attach", "attachFromStart":
            self = .attach(container: try json.required("container", \.string), fromStart: op == "attachFromStart")
        case "resize":
            self = .resize(
                container: try json.required("container", \.string), rows: try json.required("rows", \.int),
                columns: try json.required("columns", \.int))
        default: throw PacketError("unknown request \"\(op)\"")
        }
    }
}
