import Glibc
import Runtime

/// A directory for what a pull needs while it runs.
struct PullFolder {
    let path: String

    /// An empty one; those of pulls that were cut short go.
    init(below root: String) throws {
        let all = "\(root)/pulls"
        for left in Files.list(all) where left.split(separator: "-").first.flatMap({ Int($0) }).map({ kill(pid_t($0), 0) != 0 }) ?? true {
            Files.removeTree("\(all)/\(left)")
        }
        try Files.makeDirectory(root, mode: 0o700)
        try Files.makeDirectory(all, mode: 0o700)
        path = "\(all)/\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try Files.makeDirectory(path, mode: 0o700)
    }

    func remove() { Files.removeTree(path) }
}
