import Foundation
import Glibc
import Host
import Netlink
import Runtime
import Testing

/// A network namespace for one test, gone when the test is.
struct TestNamespace: ~Copyable {
    let path: String
    let name: String

    init() throws {
        name = "mt-\(UUID().uuidString.prefix(8).lowercased())"
        path = "/run/netns/\(name)"
        try FileManager.default.createDirectory(atPath: "/run/netns", withIntermediateDirectories: true)
        try NetworkNamespace.create(path: path)
    }

    deinit { NetworkNamespace.delete(path: path) }

    /// What a program prints inside the namespace; it must succeed.
    func output(_ command: String) throws -> String { try Self.output(command, in: path) }

    /// The same for a test in which something else runs meanwhile: no thread that tasks share waits for the program.
    func awaitOutput(_ command: String) async throws -> String {
        let path = path
        return try await SmallProgram.blocking { try Self.output(command, in: path) }
    }

    private static func output(_ command: String, in path: String) throws -> String {
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).out").path
        defer { unlink(file) }
        let out = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        defer { close(out) }
        let pid = SmallProgram.spawn(
            ["/usr/bin/timeout", "10", "/usr/bin/nsenter", "--net=\(path)", "/bin/sh", "-c", command],
            environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], stdio: [-1, out, out])
        try #require(pid > 0, "cannot start a shell: errno \(-pid)")
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let text = Files.text(file) ?? ""
        try #require(status == 0, "\(command): \(text)")
        return text
    }

    /// Feeds `text` to nft.
    func nft(_ text: String) throws -> String {
        let file = FileManager.default.temporaryDirectory.appending(path: "\(name).nft")
        try text.write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        return try output("nft -f \(file.path)")
    }
}
