import Glibc

/// busybox and its applets.
package struct BusyboxImage: ImageRecipe {
    let name = "busybox", isPublished = true
    var configuration: ImageConfiguration { ImageConfiguration(command: ["sh"]) }
    var programs: [(path: String, package: String)] { [(Self.program, "busybox-static")] }

    /// A newer one than this machine's own, which scripts/busybox unpacks; and this machine's.
    private static let newer = "\(ClusterPaths.stateRoot)/programs/busybox", own = "/bin/busybox"

    static let program = canTimeOut(newer) ? newer : own

    /// What containers will miss; nil when nothing.
    package static var shortcoming: String? {
        program == newer || canTimeOut(own)
            ? nil : "the images' busybox is this machine's own, whose wget has no --timeout: scripts/busybox fetches a newer one"
    }

    /// Whether this busybox's wget knows -T, by trying. Nobody listens on port 1: refused is the answer of one that understood.
    package static func canTimeOut(_ program: String) -> Bool {
        guard Files.exists(program) else { return false }
        let words = try? Recipe.output("'\(program)' wget -T 1 --spider http://127.0.0.1:1/ 2>&1 || true")
        return words?.contains { $0.contains("refused") } ?? false
    }

    func build(_ root: String) throws {
        try Recipe.base(root)
        try Self.install(root)
    }

    /// Puts busybox at /bin/busybox and a link for every applet where the applet belongs.
    static func install(_ root: String) throws {
        try Recipe.copy(program, to: own, in: root)
        for applet in try Recipe.output("\(program) --list-full") where applet != "bin/busybox" {
            try Recipe.link("/\(applet)", to: own, in: root)
        }
    }
}
