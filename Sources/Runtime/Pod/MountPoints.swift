import Glibc
import Host
import Model
import ShimProtocol

/// The empty files and directories that a container's volumes are mounted on. Those that its image lacks come from a layer below the
/// image, which all containers with the same mount points share: so none makes them anew, in a layer of its own.
package struct MountPoints: Hashable, Sendable {
    /// Below the root, without a slash in front, sorted.
    package let directories: [String]
    package let files: [String]

    private static let kernel = ["dev", "proc", "sys"]

    /// Those of `binds` that can be known before the image is looked at: what a sub-path is only its volume knows. `isDirectory`: what a
    /// source is, nil when there is none. `withKernel`: those of /dev, /proc and /sys, too, which every container has.
    package init(of binds: [BindMount], withKernel: Bool = false, isDirectory: (BindMount) throws -> Bool?) rethrows {
        var directories: Set<String> = [], files: Set<String> = []
        for bind in binds where bind.subPath.isEmpty {
            let parts = bind.target.split(separator: "/").filter { $0 != "." }
            guard !parts.isEmpty, !parts.contains(".."), !Self.kernel.contains(String(parts[0])),
                let isDirectory = try isDirectory(bind)
            else { continue }
            let path = parts.joined(separator: "/")
            if isDirectory { directories.insert(path) } else { files.insert(path) }
        }
        // Nothing is made below a file, nor below what is mounted: the volume is there then.
        let all = directories.union(files)
        func isBelowAnother(_ path: String) -> Bool { all.contains { path.hasPrefix("\($0)/") } }
        self.directories = (directories.subtracting(files).filter { !isBelowAnother($0) } + (withKernel ? Self.kernel : [])).sorted()
        self.files = files.filter { !isBelowAnother($0) }.sorted()
    }

    private var name: String {
        ShortHash.hex((directories.map { "\($0)/" } + files).joined(separator: "\n"), digits: 16)
    }

    /// The layer, below `folder`; made whole where it is not there, and never changed after that, for the kernel does not expect it of a
    /// layer that is in use.
    package func layer(in folder: String) throws(FileError) -> String {
        let layer = "\(folder)/\(name)"
        if Files.isDirectory(layer) { return layer }
        let fresh = "\(layer).\(UID.random())"
        do {
            try Files.makeDirectory(fresh)
            for path in directories { try Files.makeDirectory("\(fresh)/\(path)") }
            for path in files {
                if let cut = path.lastIndex(of: "/") { try Files.makeDirectory("\(fresh)/\(path[..<cut])") }
                try Files.create([], at: "\(fresh)/\(path)", mode: 0o644)
            }
        } catch {
            Files.removeTree(fresh)
            throw error
        }
        if rename(fresh, layer) == 0 { return layer }
        let problem = errno
        Files.removeTree(fresh)
        // Another container was quicker.
        guard Files.isDirectory(layer) else { throw FileError("rename to", layer, errno: problem) }
        return layer
    }
}
