import Foundation
import Glibc
import Host
import Model
import Runtime
import Testing

/// What a command said and how it ended.
struct CommandResult: CustomStringConvertible {
    let command: String
    let status: Int32
    let output: String
    let errors: String
    var isSuccess: Bool { status == 0 }
    var description: String { "$ \(command)\n\(output)\(errors)(exit code \(status))" }
}

/// The repository, and commands run in it. Every command is bounded in time.
enum Shell {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
    static let minik = "\(root)/.build/release/minik"

    /// Runs a shell command; it is ended after `seconds`, which counts as failure 124.
    @discardableResult
    static func run(_ command: String, seconds: Int = 30) -> CommandResult {
        let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try? FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        // Files, not pipes: a process left behind cannot hold the test up.
        let files = ["out", "err"].map { directory.appending(path: $0) }
        for file in files { FileManager.default.createFile(atPath: file.path, contents: nil) }
        let out = open(files[0].path, O_WRONLY | O_CLOEXEC), err = open(files[1].path, O_WRONLY | O_CLOEXEC)
        defer {
            close(out)
            close(err)
        }
        // Not Foundation's Process: its children inherit a signal mask under which timeout(1) never wakes up.
        let environment = ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" }
        let pid = SmallProgram.spawn(
            ["/usr/bin/timeout", "-k", "2", "\(seconds)", "/bin/bash", "-c", "cd \(root); \(command)"], environment: environment,
            stdio: [-1, out, err])
        var status: Int32 = 0
        guard pid > 0 else { return CommandResult(command: command, status: 127, output: "", errors: "cannot start bash: errno \(-pid)") }
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        func text(_ url: URL) -> String { (try? String(contentsOf: url, encoding: .utf8)) ?? "" }
        let code = status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
        return CommandResult(command: command, status: code, output: text(files[0]), errors: text(files[1]))
    }

    /// `minik ...`
    @discardableResult
    static func minik(_ arguments: String, seconds: Int = 30) -> CommandResult { run("\(minik) \(arguments)", seconds: seconds) }

    /// Runs `body` until it gives something, for at most `seconds`.
    static func eventually<T>(seconds: Double = 10, _ body: () throws -> T?) throws -> T {
        let deadline = Date().addingTimeInterval(seconds)
        while Date() < deadline {
            if let value = try body() { return value }
            Thread.sleep(forTimeInterval: 0.05)
        }
        return try #require(try body(), "it did not happen within \(seconds) s")
    }

    /// Runs a Python program: what plays a terminal's user or a service manager.
    static func python(_ program: String, seconds: Int = 60) throws -> CommandResult {
        let path = try ClusterFiles.write(program)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return run("python3 \(path)", seconds: seconds)
    }

    /// The JSON that a command prints.
    static func json(_ command: String) throws -> JSON {
        let result = run(command)
        try #require(result.isSuccess, "\(result)")
        return try JSON(parsing: result.output)
    }
}

/// A cluster for one test: brought up from a file, taken down at the end, with the machine as it was before.
struct TestCluster {
    let name: String

    static func with(_ file: String, name: String, _ body: (TestCluster) throws -> Void) throws {
        let before = Shell.run("scripts/leaks").output
        let up = Shell.minik("up \(file)", seconds: 60)
        try #require(up.isSuccess, "\(up)")
        defer { Shell.minik("down \(name)", seconds: 30) }
        try body(TestCluster(name: name))
        let down = Shell.minik("down \(name)", seconds: 30)
        #expect(down.isSuccess, "\(down)")
        #expect(Shell.run("scripts/leaks").output == before, "nothing of the cluster is left")
    }

    @discardableResult
    func minik(_ arguments: String, seconds: Int = 30) -> CommandResult {
        let parts = arguments.split(separator: " -- ", maxSplits: 1)
        let tail = parts.count > 1 ? " -- \(parts[1])" : ""
        return Shell.minik("\(parts[0]) --cluster \(name)\(tail)", seconds: seconds)
    }

    func pod(_ name: String) throws -> JSON { try Shell.json("\(Shell.minik) get pod \(name) --cluster \(self.name) -o json") }

    /// The pods that a selector chooses, as the API tells them.
    func pods(_ selector: String) throws -> [Pod] {
        try Shell.json("\(Shell.minik) get pods --cluster \(name) -l '\(selector)' -o json")["items"].items.map { Pod($0) }
    }
}
