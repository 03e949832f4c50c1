import CSandbox
import Glibc
import Runtime

/// skopeo(1), which speaks with registries for us: their protocol, passwords and certificates are what it is for.
struct Skopeo {
    /// Ends with whoever started it: what that wanted is not wanted any more.
    private static let confined = ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"]
    /// What it says to people is not the image's; no more than this is kept.
    private static let mostWords = 64 * 1024

    let program: String

    /// Where it is; `install` is asked for it when it is not there.
    init(orElse install: () throws -> Void) throws {
        func find() -> String? { ["/usr/bin/skopeo", "/usr/local/bin/skopeo"].first { access($0, X_OK) == 0 } }
        if find() == nil { try install() }
        guard let path = find() else {
            throw ImageError("images are pulled by skopeo, which is not on this machine", hint: "install it: apt-get install skopeo")
        }
        program = path
    }

    /// What it printed; blocks until it has ended. `most`: bytes that are taken. Throws what it complained of. It is ended when it has
    /// said nothing for `patience` seconds, and `progress`, how far it has come, has not moved.
    func run(
        _ arguments: [String], most: Int = 1 << 16, patience: Int, progress: () -> Int = { 0 }, line: (String) -> Void = { _ in }
    ) throws -> [UInt8] {
        var output: [Int32] = [-1, -1], errors: [Int32] = [-1, -1]
        guard sandbox_pipe(&output) == 0, sandbox_pipe(&errors) == 0 else { throw FileError("make a pipe for", program, errno: errno) }
        let variables = ["PATH", "HOME", "XDG_RUNTIME_DIR", "REGISTRY_AUTH_FILE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"]
        let environment = (variables + variables.suffix(3).map { $0.lowercased() }).compactMap { (name: String) -> String? in
            getenv(name).map { "\(name)=\(String(cString: $0))" }
        }
        let pid = SmallProgram.spawn(
            Self.confined + [program] + arguments, environment: environment, stdio: [-1, output[1], errors[1]])
        close(output[1])
        close(errors[1])
        defer {
            close(output[0])
            close(errors[0])
        }
        guard pid > 0 else { throw FileError("start", program, errno: -pid) }
        var come = progress(), isHung = false
        let said = Self.read(output[0], errors[0], most: most, patience: patience, line: line) {
            let now = progress()
            isHung = now == come
            come = now
            if isHung { kill(pid, SIGKILL) }
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        if isHung {
            throw ImageError("the registry has sent nothing for \(patience) s", hint: "look at the registry, and at the way to it")
        }
        guard status == 0 else { throw RegistryComplaint(String(decoding: said.errors, as: UTF8.self), code: sandbox_exit_code(status)) }
        guard said.output.count <= most else { throw ImageError("the registry's answer is longer than \(most) bytes") }
        return said.output
    }

    /// Reads both until both have ended, so that neither keeps the program waiting; calls `silent` whenever neither has said anything for
    /// `patience` seconds.
    private static func read(
        _ output: Int32, _ errors: Int32, most: Int, patience: Int, line: (String) -> Void, silent: () -> Void
    ) -> (output: [UInt8], errors: [UInt8]) {
        var said: (output: [UInt8], errors: [UInt8]) = ([], []), open = [output, errors], started: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while !open.isEmpty {
            var waits = open.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            let ready = poll(&waits, nfds_t(waits.count), Int32(patience) * 1000)
            guard ready >= 0 || errno == EINTR else { return said }
            if ready == 0 { silent() }
            for wait in waits where wait.revents != 0 {
                let n = Glibc.read(wait.fd, &buffer, buffer.count)
                if n < 0, errno == EINTR { continue }
                guard n > 0 else {
                    open.removeAll { $0 == wait.fd }
                    continue
                }
                if wait.fd == errors {
                    said.errors += buffer[..<n].prefix(max(0, mostWords - said.errors.count))
                    continue
                }
                said.output += buffer[..<n].prefix(max(0, most + 1 - said.output.count))
                started += buffer[..<n]
                while let end = started.firstIndex(of: UInt8(ascii: "\n")) {
                    line(String(decoding: started[..<end], as: UTF8.self))
                    started.removeSubrange(...end)
                }
                if started.count > mostWords { started = [] }
            }
        }
        return said
    }
}

/// What a registry, or the way to it, answered; with what a person can do.
package struct RegistryComplaint: Error, CustomStringConvertible {
    package let message: String
    package let hint: String

    /// `text` is what skopeo wrote to its standard error.
    package init(_ text: String, code: Int32) {
        let lines = text.split(separator: "\n").map(String.init)
        // time="..." level=fatal msg="..."
        let fatal = lines.last { $0.contains("level=fatal") } ?? lines.last ?? ""
        let words = fatal.firstRange(of: "msg=\"").map { String(fatal[$0.upperBound...].dropLast()) } ?? fatal
        let said = words.isEmpty ? "skopeo ended with code \(code)" : words.replacing("\\\"", with: "\"").replacing("\\n", with: " ")
        message = said
        let known: [(words: [String], hint: String)] = [
            (["HTTP response to HTTPS client"], "this registry speaks plain HTTP: --insecure takes that"),
            (["x509:", "certificate"], "give the registry's own authority with --cacert FILE, or take any certificate with --insecure"),
            (
                ["unauthorized", "authentication required", "denied", "403"],
                "log in with docker login or podman login, or give a file of theirs with --authfile"
            ),
            (["manifest unknown", "name unknown", "not found", "404"], "look at the image's name and tag"),
            (["no such host", "lookup "], "look at the registry's name, and at this machine's DNS"),
            (["connection refused", "no route", "unreachable"], "nothing answers there: look at the registry's address and port"),
            (["toomanyrequests", "429"], "the registry wants you to wait, or to log in"),
            (["no space left"], "minik image prune --all makes room"),
        ]
        hint =
            known.first { entry in entry.words.contains { said.contains($0) } }?.hint ?? "try it by hand: skopeo inspect docker://NAME"
    }

    package var description: String { message }
}
