import Model

/// A container as its shim knows it.
package struct ContainerRecord: Sendable, Hashable {
    package var name: String
    /// The first process, as the node sees it; 0 once it has ended.
    package var pid: Int
    package var startedAt: Timestamp
    package var finishedAt: Timestamp?
    package var exitCode: Int?
    /// The signal that ended it, 0 for an exit of its own.
    package var signal: Int
    /// Why it ended, where its exit code does not tell; the daemon knows that, no shim says it.
    package var reason: String?
    /// What it left to be told of its end; the daemon reads that, no shim says it.
    package var message: String?

    package init(name: String, pid: Int, startedAt: Timestamp) {
        self.name = name
        self.pid = pid
        self.startedAt = startedAt
        signal = 0
    }

    package init(_ json: JSON) throws(PacketError) {
        name = try json.required("name", \.string)
        pid = try json.required("pid", \.int)
        startedAt = try json.time("startedAt")
        finishedAt = json["finishedAt"].isNull ? nil : try json.time("finishedAt")
        exitCode = json["exitCode"].isNull ? nil : try json.required("exitCode", \.int)
        guard pid > 0 || exitCode != nil else { throw PacketError("exitCode is missing of a container that has ended") }
        signal = try json.required("signal", \.int)
    }

    package var json: JSON {
        [
            "name": .string(name), "pid": .int(pid), "startedAt": .string(startedAt.precise),
            "finishedAt": JSON(finishedAt?.precise), "exitCode": JSON(exitCode), "signal": .int(signal),
        ]
    }
}
