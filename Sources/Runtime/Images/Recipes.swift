import Glibc

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

/// busybox and its applets.
package enum BusyboxImage {
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

    static func build(_ root: String) throws {
        try Recipe.base(root)
        try install(root)
    }

    /// Puts busybox at /bin/busybox and a link for every applet where the applet belongs.
    static func install(_ root: String) throws {
        try Recipe.copy(program, to: own, in: root)
        for applet in try Recipe.output("\(program) --list-full") where applet != "bin/busybox" {
            try Recipe.link("/\(applet)", to: own, in: root)
        }
    }
}

/// Apache httpd, laid out as the official image is: /usr/local/apache2 with htdocs, conf, bin and logs.
enum HTTPDImage {
    static let program = "/usr/sbin/apache2"
    static let prefix = "/usr/local/apache2"
    private static let modules = [
        "mpm_event", "authz_core", "authz_host", "dir", "mime", "alias", "autoindex", "status", "env", "headers", "setenvif", "cgid",
        "reqtimeout",
    ]

    static func build(_ root: String) throws {
        try Recipe.base(root)
        try BusyboxImage.install(root)
        let directory = "/usr/lib/apache2/modules"
        let objects = modules.map { "\(directory)/mod_\($0).so" }.filter(Files.exists)
        for object in objects { try Recipe.copy(object, to: "\(prefix)/modules\(object.dropFirst(directory.count))", in: root) }
        let libraries = try Recipe.libraries([program] + objects)
        for library in libraries { try Recipe.copy(library, in: root) }
        // glibc loads this one by itself when a thread ends, so no program names it.
        if let libc = libraries.first(where: { $0.hasSuffix("/libc.so.6") }) {
            try Recipe.copy(libc.replacing("/libc.so.6", with: "/libgcc_s.so.1"), in: root)
        }
        try Recipe.copy(program, to: "\(prefix)/bin/httpd", in: root)
        if Files.exists("/etc/mime.types") { try Recipe.copy("/etc/mime.types", to: "\(prefix)/conf/mime.types", in: root) }
        try Recipe.link("/etc/apache2/apache2.conf", to: "\(prefix)/conf/httpd.conf", in: root)
        for directory in ["logs", "htdocs", "conf", "cgi-bin"] { try Files.makeDirectory("\(root)\(prefix)/\(directory)") }
        try Files.write("<html><body><h1>It works!</h1></body></html>\n", to: "\(root)\(prefix)/htdocs/index.html")
        try Files.write(configuration(objects.map { String($0.split(separator: "/").last ?? "") }), to: "\(root)\(prefix)/conf/httpd.conf")
        let foreground = """
            #!/bin/sh
            set -e
            # Apache gets grumpy about PID files pre-existing
            rm -f \(prefix)/logs/httpd.pid
            # by its path: Debian's busybox shell would take the name for its own applet
            exec \(prefix)/bin/httpd -DFOREGROUND "$@"

            """
        try Files.write(foreground, to: "\(root)\(prefix)/bin/httpd-foreground", mode: 0o755)
    }

    private static func configuration(_ objects: [String]) -> String {
        let loads = objects.map { object in
            let name = object.dropFirst("mod_".count).dropLast(".so".count)
            return "LoadModule \(name == "mpm_event" ? "mpm_event" : String(name))_module modules/\(object)"
        }
        return """
            ServerRoot "\(prefix)"
            DefaultRuntimeDir "\(prefix)/logs"
            PidFile "\(prefix)/logs/httpd.pid"
            Listen 80
            \(loads.joined(separator: "\n"))
            User www-data
            Group www-data
            ServerAdmin you@example.com
            StartServers 1
            ThreadsPerChild 25
            MinSpareThreads 25
            MaxSpareThreads 75
            MaxRequestWorkers 100
            <Directory />
                AllowOverride none
                Require all denied
            </Directory>
            DocumentRoot "\(prefix)/htdocs"
            <Directory "\(prefix)/htdocs">
                Options Indexes FollowSymLinks
                AllowOverride None
                Require all granted
            </Directory>
            DirectoryIndex index.html
            <Files ".ht*">
                Require all denied
            </Files>
            ErrorLog /proc/self/fd/2
            LogLevel warn
            LogFormat "%h %l %u %t \\"%r\\" %>s %b" common
            CustomLog /proc/self/fd/1 common
            TypesConfig conf/mime.types
            AcceptFilter http none

            """
    }
}

/// The cluster's DNS server: one static program.
enum DNSImage {
    static func build(_ root: String) throws {
        try Recipe.base(root)
        try Recipe.copy(SmallProgram.path("minik-dns"), to: "/minik-dns", in: root)
    }
}
