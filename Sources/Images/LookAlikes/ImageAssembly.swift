import Glibc
import Host
import Model
import Runtime

/// Makes the root directory of an image as its recipe says, and one for each of minik's programs in it: a program is a layer of its
/// own, which all images that have it share.
struct ImageAssembly {
    /// Where minik's programs lie in an image, beside one another, as on a machine.
    private static let programs = "/usr/libexec/minik"

    let recipe: ImageRecipe
    let packages: PackageTree
    /// busybox, a program of this machine or of a package.
    let busybox: String
    let tree: ImageTree

    func run() throws {
        try tree.write(users: recipe.users)
        for directory in recipe.directories { try tree.make(directory) }
        for (package, paths) in recipe.packages.sorted(by: { $0.key < $1.key }) {
            for path in paths {
                guard Files.exists(packages.root + path) else {
                    throw ImageError("Debian's package \(package) has no \(path) here, of which the look-alike of \(recipe.name) is made")
                }
                try copy(path)
            }
        }
        if recipe.hasApplets { try installBusybox() }
        for (path, program) in recipe.programs { try tree.link(path, to: "\(Self.programs)/\(program)") }
        for (path, target) in recipe.links { try tree.link(path, to: target) }
        for file in recipe.files { try tree.write(Array(file.text.utf8), to: file.path, mode: file.mode) }
        for (path, directory) in recipe.joined {
            let whole = try Files.list(packages.root + directory).flatMap { try Files.read("\(packages.root)\(directory)/\($0)") }
            try tree.write(whole, to: path, mode: 0o644)
        }
    }

    /// Makes a program's layer: it, and this machine's libraries that it needs.
    static func lay(_ program: String, from path: String, into tree: ImageTree) throws {
        try copy(path, from: PackageTree(), to: "\(programs)/\(program)", in: tree)
    }

    /// Copies a file or a directory to the same path, with the libraries it needs.
    private func copy(_ path: String) throws {
        let source = packages.root + path
        if Files.isDirectory(source) {
            try tree.make(ImageRecipe.Directory(path: path, mode: 0o755, user: 0, group: 0))
            for name in Files.list(source) { try copy("\(path)/\(name)") }
            return
        }
        if tree.has(path) { return }
        // A link to its neighbour stays one, for programs that go by their own name; another becomes what it leads to.
        var buffer = [UInt8](repeating: 0, count: 4096)
        let length = readlink(source, &buffer, buffer.count), target = String(decoding: buffer.prefix(max(0, length)), as: UTF8.self)
        if length > 0, !target.contains("/") {
            try copy(path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex) + "/\(target)")
            return try tree.link(path, to: target)
        }
        try Self.copy(path, from: packages, to: path, in: tree)
    }

    /// A file and what it needs.
    private static func copy(_ path: String, from packages: PackageTree, to target: String, in tree: ImageTree) throws {
        let (bytes, mode) = try Files.read(path, inRoot: packages.root)
        try tree.write(bytes, to: target, mode: mode & 0o777)
        guard let file = ELFFile(bytes) else { return }
        var needed = file.needed
        // glibc loads this one by itself when a thread ends, so no program names it.
        if needed.contains("libc.so.6") { needed.append("libgcc_s.so.1") }
        for name in needed {
            guard let library = packages.library(name, for: path, file) else {
                throw ImageError("\(path) needs \(name), which is not here", hint: "install what it belongs to")
            }
            // Where it is looked for, whatever it is a link to.
            if !tree.has(library) { try copy(library, from: packages, to: library, in: tree) }
        }
        if let interpreter = file.interpreter, !tree.has(interpreter) {
            try copy(interpreter, from: packages, to: interpreter, in: tree)
        }
    }

    /// busybox at /bin/busybox, and a link for every applet whose name no program of a package has.
    private func installBusybox() throws {
        let own = "/usr/bin/busybox"
        try Self.copy(busybox, from: PackageTree(), to: own, in: tree)
        for applet in try Busybox.output("'\(busybox)' --list-full") where applet != "bin/busybox" {
            let path = applet.hasPrefix("usr/") || !applet.contains("/") ? "/\(applet)" : "/usr/\(applet)"
            let name = path.split(separator: "/").last ?? ""
            if !["/usr/bin", "/usr/sbin"].contains(where: { tree.has("\($0)/\(name)") }) { try tree.link(path, to: own) }
        }
    }
}
