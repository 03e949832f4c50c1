import Foundation
import Glibc
import Host
import Runtime

/// Debian's docker-registry on this machine's loopback, for one test; with TLS and a password where it is told so.
final class Registry {
    let host: String
    let directory = FileManager.default.temporaryDirectory.appending(path: "registry-\(UUID().uuidString.prefix(8))").path
    private var pid: pid_t = 0
    static let user = "learner", password = "open-sesame"

    struct DidNotStart: Error, CustomStringConvertible { let description: String }

    init(port: Int, isLocked: Bool = false) throws {
        host = "127.0.0.1:\(port)"
        try Files.makeDirectory(directory)
        var http = "http: {addr: \"\(host)\"}", auth = ""
        if isLocked {
            let made = Shell.run(
                "cd \(directory) && openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=registry -addext subjectAltName=IP:127.0.0.1 && perl -e 'print \"\(Self.user):\", crypt(\"\(Self.password)\", \"\\$2y\\$04\\$abcdefghijklmnopqrstuu\"), \"\\n\"' >htpasswd"
            )
            guard made.isSuccess else { throw DidNotStart(description: "\(made)") }
            http = "http: {addr: \"\(host)\", tls: {certificate: \(directory)/cert.pem, key: \(directory)/key.pem}}"
            auth = "auth: {htpasswd: {realm: test, path: \(directory)/htpasswd}}"
        }
        try Files.write(
            "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: \(directory)/data}}\n\(http)\n\(auth)\n",
            to: "\(directory)/config.yml")
        let log = open("\(directory)/log", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(log) }
        pid = SmallProgram.spawn(
            ["\(Shell.root)/.build/clients/docker-registry", "serve", "\(directory)/config.yml"], environment: ["PATH=/usr/bin:/bin"],
            stdio: [-1, log, log])
        for _ in 0..<100 {
            if Shell.run("curl -sk -o /dev/null http\(isLocked ? "s" : "")://\(host)/v2/").isSuccess { return }
            usleep(100_000)
        }
        throw DidNotStart(description: Files.text("\(directory)/log") ?? "no log")
    }

    /// Puts an archive of docker's under a name.
    func push(_ archive: String, _ name: String, options: String = "--dest-tls-verify=false") -> CommandResult {
        Shell.run("skopeo --insecure-policy copy -q \(options) docker-archive:\(archive) docker://\(host)/\(name)", seconds: 60)
    }

    deinit {
        if pid > 0 {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
        Files.removeTree(directory)
    }
}
