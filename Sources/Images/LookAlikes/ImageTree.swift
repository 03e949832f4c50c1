import Glibc
import Host
import Runtime

/// The root directory of an image while it is made. /bin, /sbin, /lib and /lib64 are links into /usr, as Debian has them.
struct ImageTree {
    private static let places = ["bin", "sbin", "lib", "lib64"]

    let root: String

    /// Makes the directories that every image has.
    init(making root: String) throws {
        self.root = root
        try Files.makeDirectory(root)
        for place in Self.places {
            try Files.makeDirectory("\(root)/usr/\(place)")
            guard symlink("usr/\(place)", "\(root)/\(place)") == 0 else { throw FileError("link", "\(root)/\(place)", errno: errno) }
        }
        for directory in ["etc", "home", "var/log", "var/run", "proc", "sys", "dev", "run"] {
            try Files.makeDirectory("\(root)/\(directory)")
        }
        try make(ImageRecipe.Directory(path: "/root", mode: 0o700, user: 0, group: 0))
        for path in ["/tmp", "/var/tmp"] { try make(ImageRecipe.Directory(path: path, mode: 0o1777, user: 0, group: 0)) }
    }

    func make(_ directory: ImageRecipe.Directory) throws {
        let path = root + directory.path
        try Files.makeDirectory(path)
        guard chown(path, directory.user, directory.group) == 0, chmod(path, directory.mode) == 0 else {
            throw FileError("change the owner of", path, errno: errno)
        }
    }

    func has(_ path: String) -> Bool {
        var info = stat()
        return lstat(root + path, &info) == 0
    }

    func write(_ bytes: [UInt8], to path: String, mode: UInt32) throws {
        try makeParent(path)
        unlink(root + path)
        try Files.create(bytes, at: root + path, mode: mode)
    }

    func link(_ path: String, to target: String) throws {
        try makeParent(path)
        unlink(root + path)
        guard symlink(target, root + path) == 0 else { throw FileError("link", root + path, errno: errno) }
    }

    /// Users and groups: those that every image has, and these.
    func write(users: [ImageRecipe.User]) throws {
        let standard = [
            "root:x:0:0:root:/root:/bin/sh", "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin",
            "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin", "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
        ]
        let more = users.map { "\($0.name):x:\($0.id):\($0.group):\($0.name):\($0.home):/bin/sh" }
        try write(Array((standard + more).map { "\($0)\n" }.joined().utf8), to: "/etc/passwd", mode: 0o644)
        let groups =
            ["root:x:0:", "daemon:x:1:", "tty:x:5:", "www-data:x:33:", "nogroup:x:65534:"] + users.map { "\($0.name):x:\($0.group):" }
        try write(Array(groups.map { "\($0)\n" }.joined().utf8), to: "/etc/group", mode: 0o644)
        try write(Array("hosts: files dns\n".utf8), to: "/etc/nsswitch.conf", mode: 0o644)
    }

    private func makeParent(_ path: String) throws {
        try Files.makeDirectory(root + path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex))
    }
}
