import Glibc
import Host
import Runtime

/// Files of Debian's packages, below a root: this machine's own, or that of packages that were unpacked beside it.
package struct PackageTree: Sendable {
    package let root: String
    private let database: String

    /// `database`: where dpkg notes what each package has brought.
    package init(root: String = "", database: String = "/var/lib/dpkg/info") {
        self.root = root
        self.database = database
    }

    /// Whether all that the recipe takes of packages is installed here.
    package func has(_ recipe: ImageRecipe) -> Bool {
        recipe.packages.allSatisfy { package, paths in hasInstalled(package) && paths.allSatisfy { Files.exists(root + $0) } }
    }

    /// What an image from this machine's packages depends on: each package's list is written anew when it is upgraded.
    package func stamp(_ packages: [String]) -> String {
        packages.sorted().map { package in
            guard let list = list(package) else { return "\(package) -\n" }
            return "\(package) \(Files.stamp(list))\n"
        }.joined()
    }

    package func hasInstalled(_ package: String) -> Bool { list(package) != nil }

    private func list(_ package: String) -> String? {
        ["\(database)/\(package).list", "\(database)/\(package):\(Self.debianArchitecture).list"].first(where: Files.exists)
    }

    /// The file that a name of a library means, as ld.so(8) looks for it.
    package func library(_ name: String, for program: String, _ file: ELFFile) -> String? {
        if name.contains("/") { return Files.exists(root + name) ? name : nil }
        let origin = String(program.prefix(upTo: program.lastIndex(of: "/") ?? program.startIndex))
        let own = file.directories.map { $0.replacing("${ORIGIN}", with: origin).replacing("$ORIGIN", with: origin) }
        return (own + ["/usr/lib/\(Self.triplet)", "/usr/lib64", "/usr/lib"]).map { "\($0)/\(name)" }.first { Files.exists(root + $0) }
    }

    /// What dpkg and its directories call this machine.
    private static let machine: String = {
        var names = utsname()
        uname(&names)
        return withUnsafeBytes(of: &names.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }()
    private static let triplet = (machine == "ppc64le" ? "powerpc64le" : machine) + "-linux-gnu"
    private static let debianArchitecture =
        ["x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64el"][machine] ?? machine
}

extension Files {
    /// Changes when a file does.
    static func stamp(_ path: String) -> String {
        var info = stat()
        return stat(path, &info) == 0 ? "\(info.st_size) \(info.st_mtim.tv_sec).\(info.st_mtim.tv_nsec)" : "-"
    }
}
