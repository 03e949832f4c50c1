import Model

// One message is one SOCK_SEQPACKET packet holding one JSON document; descriptors ride along (SCM_RIGHTS).

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
    /// Runs a process in a container. Without a terminal the packet carries its stdin, stdout and stderr; with one the
    /// answer carries the pty's master. The process' exit is told on the same connection.
    case exec(container: String, argv: [String], tty: Bool, rows: Int, columns: Int)
    /// Joins a container's own streams; the packet carries what to read its stdin from and what to write stdout and
    /// stderr to.
    case attach(container: String)
    /// The size of a container's terminal.
    case resize(container: String, rows: Int, columns: Int)

    package var json: JSON {
        switch self {
        case .enclosed: ["op": "enclosed"]
        case .start(let spec): ["op": "start", "spec": spec.json]
        case .signal(let container, let signal): ["op": "signal", "container": .string(container), "signal": .int(signal)]
        case .state: ["op": "state"]
        case .shutdown: ["op": "shutdown"]
        case .exec(let container, let argv, let tty, let rows, let columns):
            [
                "op": "exec", "container": .string(container), "argv": .array(argv.map(JSON.string)), "tty": .bool(tty),
                "rows": .int(rows), "columns": .int(columns),
            ]
        case .attach(let container): ["op": "attach", "container": .string(container)]
        case .resize(let container, let rows, let columns):
            ["op": "resize", "container": .string(container), "rows": .int(rows), "columns": .int(columns)]
        }
    }

    package init?(_ json: JSON) {
        let container = json["container"].string ?? ""
        switch json["op"].string {
        case "enclosed": self = .enclosed
        case "start": self = .start(ContainerSpec(json["spec"]))
        case "signal": self = .signal(container: container, signal: json["signal"].int ?? 15)
        case "state": self = .state
        case "shutdown": self = .shutdown
        case "exec":
            self = .exec(
                container: container, argv: json["argv"].items.compactMap(\.string), tty: json["tty"].bool ?? false,
                rows: json["rows"].int ?? 0, columns: json["columns"].int ?? 0)
        case "attach": self = .attach(container: container)
        case "resize": self = .resize(container: container, rows: json["rows"].int ?? 24, columns: json["columns"].int ?? 80)
        default: return nil
        }
    }
}

/// A container as its shim knows it.
package struct ContainerRecord: Sendable, Hashable {
    package var name: String
    /// The first process, as the host sees it; 0 once it has ended.
    package var pid: Int
    package var startedAt: Timestamp
    package var finishedAt: Timestamp?
    package var exitCode: Int?
    /// The signal that ended it, 0 for an exit of its own.
    package var signal: Int
    /// What it left to be told of its end; the daemon reads that, no shim says it.
    package var message: String?

    package init(name: String, pid: Int, startedAt: Timestamp) {
        self.name = name
        self.pid = pid
        self.startedAt = startedAt
        signal = 0
    }

    package init(_ json: JSON) {
        name = json["name"].string ?? ""
        pid = json["pid"].int ?? 0
        startedAt = json["startedAt"].string.flatMap(Timestamp.init) ?? Timestamp(seconds: 0)
        finishedAt = json["finishedAt"].string.flatMap(Timestamp.init)
        exitCode = json["exitCode"].int
        signal = json["signal"].int ?? 0
    }

    package var json: JSON {
        [
            "name": .string(name), "pid": .int(pid), "startedAt": .string(startedAt.precise),
            "finishedAt": JSON(finishedAt?.precise), "exitCode": JSON(exitCode), "signal": .int(signal),
        ]
    }
}

/// What a shim says.
package enum ShimReply: Sendable {
    case started(ContainerRecord)
    /// A container or process did not start: the step that failed, on what, and the errno.
    case failed(container: String, stage: String, errno: Int)
    case exited(ContainerRecord)
    case state([ContainerRecord])
    /// A process of `exec` runs, or an `attach` has joined.
    case joined
    /// The process of `exec` on this connection has ended, or the container attached to has.
    case ended(exitCode: Int)

    package var json: JSON {
        switch self {
        case .started(let record): ["say": "started", "record": record.json]
        case .failed(let container, let stage, let errno):
            ["say": "failed", "container": .string(container), "stage": .string(stage), "errno": .int(errno)]
        case .exited(let record): ["say": "exited", "record": record.json]
        case .state(let records): ["say": "state", "records": .array(records.map(\.json))]
        case .joined: ["say": "joined"]
        case .ended(let exitCode): ["say": "ended", "exitCode": .int(exitCode)]
        }
    }

    package init?(_ json: JSON) {
        switch json["say"].string {
        case "started": self = .started(ContainerRecord(json["record"]))
        case "failed":
            self = .failed(
                container: json["container"].string ?? "", stage: json["stage"].string ?? "", errno: json["errno"].int ?? 0)
        case "exited": self = .exited(ContainerRecord(json["record"]))
        case "state": self = .state(json["records"].items.map(ContainerRecord.init))
        case "joined": self = .joined
        case "ended": self = .ended(exitCode: json["exitCode"].int ?? 0)
        default: return nil
        }
    }
}

/// The largest packet either side sends.
package let maximumShimPacket = 192 * 1024
