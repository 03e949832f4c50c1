import Glibc
import Host
import Model

/// A path of the node's as a volume, and what it has to be. (core/v1 HostPathVolumeSource)
struct HostPath {
    let path: String
    let type: String

    init(_ source: JSON) {
        path = source["path"].string ?? ""
        type = source["type"].string ?? ""
    }

    /// Makes what may be made, and checks what has to be there.
    func prepare(on root: NodeRoot) throws {
        if try root.type(of: path) == nil {
            switch type {
            // Of a path of which nothing was said container runtimes make a directory.
            case "DirectoryOrCreate", "": try root.make(path, isDirectory: true)
            case "FileOrCreate":
                let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
                guard try root.type(of: folder) == S_IFDIR else { throw FileError("create", path, errno: ENOENT) }
                try root.make(path, isDirectory: false)
            default: break
            }
        }
        let kind = try root.type(of: path)
        guard let kind, type.isEmpty || Self.types[type] == kind else {
            throw ContainerPlan.ConfigurationError(
                description: "hostPath type check failed: \(path) \(Self.words[type] ?? "does not exist")")
        }
    }

    private static let types = [
        "Directory": S_IFDIR, "DirectoryOrCreate": S_IFDIR, "File": S_IFREG, "FileOrCreate": S_IFREG, "Socket": S_IFSOCK,
        "CharDevice": S_IFCHR, "BlockDevice": S_IFBLK,
    ]
    private static let words = [
        "Directory": "is not a directory", "DirectoryOrCreate": "is not a directory", "File": "is not a file",
        "FileOrCreate": "is not a file",
        "Socket": "is not a socket file", "CharDevice": "is not a character device", "BlockDevice": "is not a block device",
    ]
}
