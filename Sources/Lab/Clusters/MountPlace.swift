import Glibc
import Model
import Runtime

/// A place on the nodes that a directory of the machine is to be mounted on.
struct MountPlace {
    let path: String
    /// What else the nodes have opened to them.
    let others: [Cluster.ExtraMount]

    /// Where a node has directories of its own, empty at first.
    private static let own = ["/run", "/tmp", "/root", "/home", "/var/log"]

    /// The part of the path that is no directory there, nor can be made one; nil when nothing stands in the way. Elsewhere a node's files
    /// are the machine's.
    var obstacle: String? {
        let parts = path.split(separator: "/")
        for count in parts.indices.map({ $0 + 1 }) {
            let place = "/" + parts.prefix(count).joined(separator: "/")
            guard let file = source(of: place) else { return nil }
            var info = stat()
            guard stat(file, &info) == 0 else { return nil }
            if info.st_mode & S_IFMT != S_IFDIR { return place }
        }
        return nil
    }

    /// Which of the machine's files a place shows; nil for what is the node's alone.
    private func source(of place: String) -> String? {
        func holds(_ folder: String) -> Bool { place == folder || place.hasPrefix("\(folder)/") }
        if let mount = others.filter({ holds($0.nodePath) }).max(by: { $0.nodePath.utf8.count < $1.nodePath.utf8.count }) {
            return mount.hostPath + place.dropFirst(mount.nodePath.count)
        }
        return Self.own.contains(where: holds) ? nil : place
    }
}
