import Glibc
import Model

/// How an image of minik's own is made of what Debian installs.
protocol ImageRecipe: Sendable {
    var name: String { get }
    /// Whether it is there for users to name.
    var isPublished: Bool { get }
    var configuration: ImageConfiguration { get }
    /// The programs it is made of, and the Debian package of each.
    var programs: [(path: String, package: String)] { get }
    /// Puts its files below `root`, an empty directory.
    func build(_ root: String) throws
}

/// The steps that images are made of.
enum Recipe {
    /// Copies a program or library to the same path, or to `target`, below `root`.
    static func copy(_ source: String, to target: String? = nil, in root: String) throws {
        let destination = root + (target ?? source)
        try Files.makeDirectory(String(destination.prefix(upTo: destination.lastIndex(of: "/") ?? destination.endIndex)))
        var info = stat()
        guard stat(source, &info) == 0 else { throw FileError("read", source, errno: errno) }
        try Files.write(try Files.read(source), to: destination, mode: info.st_mode & 0o777)
    }

    static func link(_ path: String, to target: String, in root: String) throws {
        let full = root + path
        try Files.makeDirectory(String(full.prefix(upTo: full.lastIndex(of: "/") ?? full.endIndex)))
        unlink(full)
        guard symlink(target, full) == 0 else { throw FileError("link", full, errno: errno) }
    }

    /// The lines that a program prints.
    static func output(_ command: String) throws -> [String] {
        guard let pipe = popen(command, "r") else { throw FileError("run", command, errno: errno) }
        var text = ""
        var buffer = [CChar](repeating: 0, count: 4096)
        while fgets(&buffer, Int32(buffer.count), pipe) != nil {
            text += String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
        guard pclose(pipe) == 0 else { throw FileError("run", command, errno: EIO) }
        return text.split(separator: "\n").map(String.init)
    }

    /// The shared libraries that programs need, as the dynamic linker finds them.
    static func libraries(_ programs: [String]) throws -> Set<String> {
        var found: Set<String> = []
        for line in try output("ldd \(programs.joined(separator: " ")) 2>/dev/null") {
            for word in line.split(whereSeparator: \.isWhitespace) where word.hasPrefix("/") && !word.hasSuffix(":") {
                found.insert(String(word))
            }
        }
        return found
    }

    /// The directories and files every image has.
    static func base(_ root: String) throws {
        for directory in ["bin", "sbin", "usr/bin", "usr/sbin", "etc", "root", "home", "var/log", "var/run", "proc", "sys", "dev", "run"] {
            try Files.makeDirectory("\(root)/\(directory)")
        }
        for directory in ["tmp", "var/tmp"] {
            try Files.makeDirectory("\(root)/\(directory)")
            chmod("\(root)/\(directory)", 0o1777)
        }
        chmod("\(root)/root", 0o700)
        let users = """
            root:x:0:0:root:/root:/bin/sh
            daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
            www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
            nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin

            """
        try Files.write(users, to: "\(root)/etc/passwd")
        try Files.write("root:x:0:\ndaemon:x:1:\ntty:x:5:\nwww-data:x:33:\nnogroup:x:65534:\n", to: "\(root)/etc/group")
        try Files.write("hosts: files dns\n", to: "\(root)/etc/nsswitch.conf")
    }
}
