import Glibc
import Host
import Runtime

/// skopeo(1), which speaks with registries for us: their protocol, passwords and certificates are what it is for.
struct Skopeo {
    /// What it says to people is not the image's; no more than this is kept.
    private static let mostWords = 64 * 1024

    let program: String

    private static var path: String? { ["/usr/bin/skopeo", "/usr/local/bin/skopeo"].first { access($0, X_OK) == 0 } }
    static var isThere: Bool { path != nil }

    /// Where it is; `install` is asked for it when it is not there.
    init(orElse install: () throws -> Void) throws {
        if Self.path == nil { try install() }
        guard let path = Self.path else {
            throw ImageError("images are pulled by skopeo, which is not on this machine", hint: "install it: apt-get install skopeo")
        }
        program = path
    }

    /// What it printed; blocks until it has ended. `most`: bytes that are taken. Throws what it complained of. It is ended when it has
    /// said nothing for `patience` seconds, and `progress`, how far it has come, has not moved; or when `running` is stopped.
    func run(
        _ arguments: [String], most: Int = 1 << 16, patience: Int, running: RunningProgram = RunningProgram(),
        progress: () -> Int = { 0 }, line: (String) -> Void = { _ in }
    ) throws -> [UInt8] {
        let output = try Pipe(for: program), errors = try Pipe(for: program)
        let variables = ["PATH", "HOME", "XDG_RUNTIME_DIR", "REGISTRY_AUTH_FILE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"]
        let environment = (variables + variables.suffix(3).map { $0.lowercased() }).compactMap { (name: String) -> String? in
            getenv(name).map { "\(name)=\(String(cString: $0))" }
        }
        let child = try ReportedProgram(
            [program] + arguments, environment: environment, stdio: [-1, output.writing.number, errors.writing.number])
        let said = output.keepReading(), complained = errors.keepReading()
        let process = child.identity
        running.started(process)
        var come = progress(), isHung = false
        let words = Self.read(said.number, complained.number, most: most, patience: patience, line: line) {
            let now = progress()
            isHung = now == come
            come = now
            if isHung { process?.signal(SIGKILL) }
        }
        let code = child.wait()
        if running.isStopped { throw CancellationError() }
        if isHung {
            throw ImageError("the registry has sent nothing for \(patience) s", hint: "look at the registry, and at the way to it")
        }
        guard code == 0 else { throw RegistryComplaint(String(decoding: words.errors, as: UTF8.self), code: code) }
        guard words.output.count <= most else { throw ImageError("the registry's answer is longer than \(most) bytes") }
        return words.output
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
