import Model

/// A device file in a container's /dev.
package struct DeviceNode: Sendable, Hashable {
    /// Below /dev.
    package let path: String
    /// File type and permissions, as in stat(2).
    package let mode: Int
    package let major: Int
    package let minor: Int
    package let uid: Int
    package let gid: Int

    package init(path: String, mode: Int, major: Int, minor: Int, uid: Int = 0, gid: Int = 0) {
        self.path = path
        self.mode = mode
        self.major = major
        self.minor = minor
        self.uid = uid
        self.gid = gid
    }

    private static let character = 0o020000

    /// What every container has. (github.com/opencontainers/runtime-spec, config-linux.md, "Default Devices"; the terminals are devpts')
    package static let standard =
        [("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)].map {
            DeviceNode(path: $0, mode: character | 0o666, major: 1, minor: $1)
        } + [DeviceNode(path: "tty", mode: character | 0o666, major: 5, minor: 0)]

    package init(_ json: JSON) throws(PacketError) {
        self.init(
            path: try json.required("path", \.string), mode: try json.required("mode", \.int), major: try json.required("major", \.int),
            minor: try json.required("minor", \.int), uid: try json.required("uid", \.int), gid: try json.required("gid", \.int))
    }

    package var json: JSON {
        ["path": .string(path), "mode": .int(mode), "major": .int(major), "minor": .int(minor), "uid": .int(uid), "gid": .int(gid)]
    }
}
