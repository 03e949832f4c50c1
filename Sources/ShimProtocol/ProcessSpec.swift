import Model

/// What a process in a container runs as: the container's own, and those that `exec` starts beside it.
package struct ProcessSpec: Sendable, Hashable {
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
    /// Nothing of the machine is kept from it: no masked paths, its devices, its keyrings.
    package var privileged = false
    package var tty = false
    /// Directories of the control groups it runs in.
    package var cgroups: [String] = []

    package init() {}

    package init(_ json: JSON) throws(PacketError) {
        argv = try json.list("argv", \.string)
        guard !argv.isEmpty else { throw PacketError("argv is empty") }
        environment = try json.list("environment", \.string)
        workingDirectory = try json.required("workingDirectory", \.string)
        uid = try json.required("uid", \.int)
        gid = try json.required("gid", \.int)
        groups = try json.list("groups", \.int)
        capabilities = UInt64(bitPattern: Int64(try json.required("capabilities", \.int)))
        noNewPrivileges = try json.required("noNewPrivileges", \.bool)
        privileged = try json.required("privileged", \.bool)
        tty = try json.required("tty", \.bool)
        cgroups = try json.list("cgroups", \.string)
    }

    package var json: JSON {
        [
            "argv": .array(argv.map(JSON.string)), "environment": .array(environment.map(JSON.string)),
            "workingDirectory": .string(workingDirectory), "uid": .int(uid), "gid": .int(gid), "groups": .array(groups.map(JSON.int)),
            "capabilities": .int(Int(Int64(bitPattern: capabilities))), "noNewPrivileges": .bool(noNewPrivileges),
            "privileged": .bool(privileged),
            "tty": .bool(tty), "cgroups": .array(cgroups.map(JSON.string)),
        ]
    }
}
