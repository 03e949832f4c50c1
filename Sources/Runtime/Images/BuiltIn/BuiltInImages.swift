import Glibc
import Model
import Synchronization

/// minik's own images, each assembled once from what Debian installs. They answer to their name whatever registry and tag it comes with;
/// but whoever names a digest wants that one image, and no look-alike.
package struct BuiltInImages: ImageSource {
    private static let recipes: [any ImageRecipe] = [BusyboxImage(), HTTPDImage(), DNSImage()]
    /// Images are made anew when this changes: what they are made of is not all that they are.
    private static let version = 4

    private let directory: String
    private let sizes = TreeSizes()

    package init(directory: String = ClusterPaths.images) { self.directory = directory }

    package var names: [String] { Self.recipes.filter(\.isPublished).map(\.name) }

    package func resolve(_ reference: ImageReference) -> Image? {
        guard reference.digest == nil, let recipe = Self.recipes.first(where: { $0.name == reference.name }) else { return nil }
        let says = recipe.configuration
        let words = [recipe.name] + says.entrypoint + says.command + says.environment + [says.workingDirectory, "\(says.stopSignal)"]
        return Image(
            id: "sha256:\(ShortHash.hex(words.joined(separator: "\n"), digits: 64))", configuration: says,
            layers: ["\(directory)/\(recipe.name)"])
    }

    /// Those that are assembled, by the name that people know them by.
    package func listings() -> [ImageListing] {
        names.filter { Files.isDirectory("\(directory)/\($0)") }.map { name in
            let tree = "\(directory)/\(name)"
            return ImageListing(names: ["docker.io/library/\(name):latest"], size: sizes.size(tree, stamp: "\(tree).stamp"))
        }
    }

    /// Assembles what is missing or older than what it is made of. An image appears whole or not at all.
    package func assemble(progress: (String) -> Void) throws {
        for recipe in Self.recipes {
            let root = "\(directory)/\(recipe.name)"
            let stamp = try Self.stamp(recipe)
            if Files.text("\(root).stamp") == stamp, Files.isDirectory(root) { continue }
            progress(recipe.name)
            let temporary = "\(root).new"
            Files.removeTree(temporary)
            try Files.makeDirectory(temporary)
            do { try recipe.build(temporary) } catch {
                Files.removeTree(temporary)
                throw error
            }
            // A running container keeps the directories it has mounted; new ones get the new image.
            Files.removeTree(root)
            guard rename(temporary, root) == 0 else { throw FileError("rename to", root, errno: errno) }
            try Files.write(stamp, to: "\(root).stamp")
        }
    }

    /// What an image was made of: path, size and time of its programs, and the recipes' version.
    private static func stamp(_ recipe: any ImageRecipe) throws -> String {
        try recipe.programs.map { path, package in
            var info = stat()
            guard stat(path, &info) == 0 else { throw MissingProgram(path: path, package: package) }
            return "\(version) \(path) \(info.st_size) \(info.st_mtim.tv_sec)\n"
        }.joined()
    }
}

/// How large trees are, each looked at once: heartbeats of nodes ask time and again, and a tree that changes has another stamp.
private final class TreeSizes: Sendable {
    private let known = Mutex<[String: (stamp: String?, size: Int)]>([:])

    func size(_ path: String, stamp file: String) -> Int {
        let stamp = Files.text(file)
        if let found = known.withLock({ $0[path] }), found.stamp == stamp { return found.size }
        let size = Files.treeSize(path)
        known.withLock { $0[path] = (stamp, size) }
        return size
    }
}

package struct MissingProgram: Error, CustomStringConvertible {
    package let path: String
    package let package: String
    package var description: String { "\(path) is missing: install the Debian package \(package)" }
}
