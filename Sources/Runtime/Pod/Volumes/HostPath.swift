import Glibc
import Model

/// A path of this machine as a volume, and what it has to be. (core/v1 HostPathVolumeSource)
struct HostPath {
    let path: String
    let type: String

    init(_ source: JSON) {
        path = source["path"].string ?? ""
        type = source["type"].string ?? ""
    }

    /// Makes what may be made, and checks what has to be there.
    func prepare() throws {
        if !Files.exists(path) {
            switch type {
            case "DirectoryOrCreate": try Files.makeDirectory(path)
            case "FileOrCreate": try Files.write([], to: path)
            // As container runtimes do for a path of which nothing was said.
            case "": try Files.makeDirectory(path)
            default: break
            }
        }
        var info = stat()
        guard stat(path, &info) == 0 else {
            throw ContainerPlan.ConfigurationError(
                description: "hostPath type check failed: \(path) \(Self.words[type] ?? "does not exist")")
        }
        let kind = info.st_mode & S_IFMT
        let expected: mode_t? =
            switch type {
            case "Directory", "DirectoryOrCreate": S_IFDIR
            case "File", "FileOrCreate": S_IFREG
            case "Socket": S_IFSOCK
            case "CharDevice": S_IFCHR
            case "BlockDevice": S_IFBLK
            default: nil
            }
        guard expected == nil || expected == kind else {
            throw ContainerPlan.ConfigurationError(
                description: "hostPath type check failed: \(path) \(Self.words[type] ?? "is of another type")")
        }
    }

    private static let words = [
        "Directory": "is not a directory", "DirectoryOrCreate": "is not a directory", "File": "is not a file",
        "FileOrCreate": "is not a file",
        "Socket": "is not a socket file", "CharDevice": "is not a character device", "BlockDevice": "is not a block device",
    ]
}
