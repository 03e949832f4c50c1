import Model

/// A host path mounted into a container.
package struct BindMount: Sendable, Hashable {
    package let source: String
    /// What below the source is mounted, made if it is not there; it never leads out of the source. Empty: the source itself.
    package let subPath: String
    package let target: String
    package let readOnly: Bool

    package init(source: String, subPath: String = "", target: String, readOnly: Bool) {
        self.source = source
        self.subPath = subPath
        self.target = target
        self.readOnly = readOnly
    }
}

/// All a shim needs to start a container: everything is resolved, nothing is looked up.
package struct ContainerSpec: Sendable, Hashable {
    package var name = ""
    /// The image's root, the overlay's private layers, and the directory it is mounted on.
    package var lower = ""
    package var upper = ""
    package var work = ""
    package var merged = ""
    package var binds: [BindMount] = []
    package var argv: [String] = []
    package var environment: [String] = []
    package var workingDirectory = "/"
    package var uid = 0
    package var gid = 0
    /// Supplementary groups.
    package var groups: [Int] = []
    /// One bit a capability (linux/capability.h).
    package var capabilities: UInt64 = 0
    package var noNewPrivileges = false
    package var readOnlyRoot = false
    package var privileged = false
    package var tty = false
    package var stdin = false
    package var stdinOnce = false
    /// The file the output goes to, in the CRI log format.
    package var logPath = ""
    /// The container whose processes this one sees; empty: its own only.
    package var target = ""

    package init() {}

    package init(_ json: JSON) {
        name = json["name"].string ?? ""
        lower = json["lower"].string ?? ""
        upper = json["upper"].string ?? ""
        work = json["work"].string ?? ""
        merged = json["merged"].string ?? ""
        binds = json["binds"].items.map {
            BindMount(
                source: $0["source"].string ?? "", subPath: $0["subPath"].string ?? "", target: $0["target"].string ?? "",
                readOnly: $0["readOnly"].bool ?? false)
        }
        argv = json["argv"].items.compactMap(\.string)
        environment = json["environment"].items.compactMap(\.string)
        workingDirectory = json["workingDirectory"].string ?? "/"
        uid = json["uid"].int ?? 0
        gid = json["gid"].int ?? 0
        groups = json["groups"].items.compactMap(\.int)
        capabilities = UInt64(json["capabilities"].int ?? 0)
        noNewPrivileges = json["noNewPrivileges"].bool ?? false
        readOnlyRoot = json["readOnlyRoot"].bool ?? false
        target = json["target"].string ?? ""
        privileged = json["privileged"].bool ?? false
        tty = json["tty"].bool ?? false
        stdin = json["stdin"].bool ?? false
        stdinOnce = json["stdinOnce"].bool ?? false
        logPath = json["logPath"].string ?? ""
    }

    package var json: JSON {
        [
            "name": .string(name), "lower": .string(lower), "upper": .string(upper), "work": .string(work),
            "merged": .string(merged),
            "binds": .array(
                binds.map { ["source": .string($0.source), "subPath": .string($0.subPath), "target": .string($0.target), "readOnly": .bool($0.readOnly)] }),
            "argv": .array(argv.map(JSON.string)), "environment": .array(environment.map(JSON.string)),
            "workingDirectory": .string(workingDirectory), "uid": .int(uid), "gid": .int(gid), "groups": .array(groups.map(JSON.int)),
            "capabilities": .int(Int(capabilities)), "noNewPrivileges": .bool(noNewPrivileges),
            "readOnlyRoot": .bool(readOnlyRoot), "target": .string(target), "privileged": .bool(privileged), "tty": .bool(tty), "stdin": .bool(stdin),
            "stdinOnce": .bool(stdinOnce), "logPath": .string(logPath),
        ]
    }
}
