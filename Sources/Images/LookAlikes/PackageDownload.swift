import Glibc
import Host
import Runtime

/// Fetches Debian's packages with what they depend on, and unpacks them beside the machine: nothing is installed, and nothing that
/// packages bring along is run.
struct PackageDownload {
    let packages: [String]
    /// An empty directory.
    let folder: String
    let program: QuietProgram

    private var archives: String { "\(folder)/archives" }
    private var root: String { "\(folder)/root" }

    func run() throws -> PackageTree {
        guard Files.exists("/usr/bin/apt-get"), Files.exists("/usr/bin/dpkg-deb") else {
            throw ImageError("this machine has no apt-get to fetch Debian's packages with")
        }
        try Files.makeDirectory("\(archives)/partial")
        try Files.write("", to: "\(folder)/status")
        do { try program.run(fetch) } catch is QuietProgram.Failure {
            // On a fresh machine nothing is known of any package yet, and on an old one what is known is no more.
            do { try program.run(["/usr/bin/apt-get", "-q", "update"]) } catch is QuietProgram.Failure {}
            try program.run(fetch)
        }
        for directory in ["bin", "sbin", "lib", "lib64"] {
            try Files.makeDirectory("\(root)/usr/\(directory)")
            guard symlink("usr/\(directory)", "\(root)/\(directory)") == 0 else {
                throw FileError("link", "\(root)/\(directory)", errno: errno)
            }
        }
        // dpkg-deb's own unpacking would put directories in the places of our links. Two at once, as everywhere here.
        try program.shell(
            """
            printf '%s\\0' "$1"/*.deb | xargs -0 -P2 -n1 sh -ec 'dpkg-deb --fsys-tarfile "$2" |
              tar -x --keep-directory-symlink --exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/locale -C "$1"' \
              sh "$2"
            """, [archives, root])
        return PackageTree(root: root)
    }

    /// As on a machine with nothing installed: an image is the same whatever else is here.
    private var fetch: [String] {
        [
            "/usr/bin/apt-get", "-q", "-y", "--no-install-recommends", "--download-only", "-o", "Dir::State::status=\(folder)/status",
            "-o", "Dir::Cache=\(folder)", "-o", "Dir::Cache::archives=\(archives)/", "-o", "Debug::NoLocking=true",
            "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20",
            "install",
        ] + packages
    }
}
