import Glibc
import Host
import Runtime

/// A package of Debian's that is needed only now.
package enum DebianPackage {
    /// Installs it, and says so; blocks until it is there.
    package static func install(_ name: String, _ purpose: String) throws {
        guard access("/usr/bin/apt-get", X_OK) == 0 else {
            throw UserError("\(name) is needed \(purpose), and this machine has no apt-get to install it with", hint: "install \(name)")
        }
        let words = "minik: installing \(name) \(purpose)\n"
        _ = write(STDERR_FILENO, words, words.utf8.count)
        let install = ["install", "-y", "--no-install-recommends", name]
        // On a fresh machine nothing is known of any package yet.
        if try run(install) == 0 { return }
        _ = try run(["update"])
        let code = try run(install)
        guard code == 0 else {
            throw UserError(
                "\(name) is needed \(purpose), and apt-get ended with code \(code)", hint: "try it by hand: apt-get install \(name)")
        }
    }

    private static func run(_ arguments: [String]) throws -> Int32 {
        let environment: [String] = ["PATH", "http_proxy", "https_proxy", "no_proxy"].compactMap { (name: String) -> String? in
            getenv(name).map { "\(name)=\(String(cString: $0))" }
        }
        return try ReportedProgram(
            ["/usr/bin/apt-get", "-q"] + arguments, environment: environment + ["DEBIAN_FRONTEND=noninteractive"], stdio: [-1, -1, -1]
        ).wait()
    }
}
