import Glibc

/// Apache httpd, laid out as the official image is: /usr/local/apache2 with htdocs, conf, bin and logs.
struct HTTPDImage: ImageRecipe {
    let name = "httpd", isPublished = true
    private let program = "/usr/sbin/apache2", prefix = "/usr/local/apache2"
    private let modules = [
        "mpm_event", "authz_core", "authz_host", "dir", "mime", "alias", "autoindex", "status", "env", "headers", "setenvif", "cgid",
        "reqtimeout",
    ]

    var configuration: ImageConfiguration {
        ImageConfiguration(
            command: ["httpd-foreground"],
            environment: ["PATH=\(prefix)/bin:\(ImageConfiguration.standardPath)", "HTTPD_PREFIX=\(prefix)"], workingDirectory: prefix,
            stopSignal: Int(SIGWINCH))
    }
    var programs: [(path: String, package: String)] {
        [(program, "apache2-bin"), (BusyboxImage.program, "busybox-static")]
    }

    func build(_ root: String) throws {
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
        try Files.write(
            text(ofConfiguration: objects.map { String($0.split(separator: "/").last ?? "") }), to: "\(root)\(prefix)/conf/httpd.conf")
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

    private func text(ofConfiguration objects: [String]) -> String {
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
