import CHost
import Foundation
import Glibc
import Host
import Model
import Runtime
import ShimProtocol
import Synchronization
import Testing

/// A shim's end of a connection, that says what a test wants.
private final class FakeShim {
    let path: String
    private let listener: Int32
    private var connection: Int32 = -1

    init(path: String = FileManager.default.temporaryDirectory.appending(path: "shim-\(UUID().uuidString.prefix(8)).sock").path) throws {
        self.path = path
        listener = host_unix_socket(path, Int32(SOCK_SEQPACKET.rawValue), 1)
        try #require(listener >= 0, "listen on \(path): errno \(-listener)")
    }

    deinit {
        close(listener)
        if connection >= 0 { close(connection) }
        unlink(path)
    }

    /// What was asked.
    func hear() throws -> JSON {
        if connection < 0 { connection = host_accept(listener) }
        var bytes = [UInt8](repeating: 0, count: maximumShimPacket), fds: [Int32] = [-1, -1, -1], count = 0
        let n = host_receive(connection, &bytes, bytes.count, &fds, 3, &count)
        for fd in fds where fd >= 0 { close(fd) }
        try #require(n > 0)
        return try JSON(parsing: bytes[..<n])
    }

    func say(_ text: String) {
        let bytes = Array(text.utf8)
        _ = host_send(connection, bytes, bytes.count, nil, 0)
    }
}

@Suite("a daemon's connection to a shim")
struct ShimConnectionTests {
    @Test("an odd packet is told and ends nothing", .timeLimit(.minutes(5)))
    func odd() async throws {
        let shim = try FakeShim(), connection = try ShimConnection(socket: shim.path)
        try connection.send(.state)
        #expect(try shim.hear()["version"].int == ShimVersion.current)
        shim.say("not JSON")
        shim.say(#"{"say":"hibernated","version":7}"#)
        shim.say(#"{"say":"started","version":2,"record":{"name":"a"}}"#)
        shim.say(#"{"say":"ended","version":2,"exitCode":3}"#)
        var heard: [String] = []
        for await message in connection.messages {
            switch message.reply {
            case .failure(let error): heard.append("\(message.version): \(error)")
            case .success(.ended(let code)): heard.append("ended \(code)")
            case .success: heard.append("something else")
            }
            if heard.count == 4 { break }
        }
        #expect(heard == ["0: no JSON", "7: unknown word \"hibernated\"", "2: pid is missing, or is not what it should be", "ended 3"])
        connection.disconnect()
    }

    @Test("an older shim is known by what it does not say", .timeLimit(.minutes(5)))
    func older() async throws {
        let shim = try FakeShim(), connection = try ShimConnection(socket: shim.path)
        try connection.send(.exec(container: "c", argv: ["true"], tty: false, rows: 0, columns: 0, bound: true))
        let asked = try shim.hear()
        // What version 1 asks for is there, by the same names.
        #expect(
            asked["op"].string == "exec" && asked["container"].string == "c" && asked["argv"].items == ["true"]
                && asked["tty"].bool == false)
        shim.say(#"{"say":"joined"}"#)
        let answer = try #require(try await connection.next(within: .seconds(20)))
        #expect(answer.version == 1)
        if case .success(.joined) = answer.reply {} else { Issue.record("\(answer.reply)") }
        connection.disconnect()
    }

    @Test("what a shim tells everybody is no answer to who attaches", .timeLimit(.minutes(5)))
    func endedBefore() async throws {
        let root = "/tmp/minik-test-\(UInt64.random(in: 0...UInt64.max))", paths = ClusterPaths(cluster: "c", below: root)
        defer { Files.removeTree(root) }
        try Files.makeDirectory(paths.podRun("u"))
        let shim = try FakeShim(path: paths.shimSocket("u")), heard = Mutex<[String]>([])
        async let conversation: Void = ProcessStream.run(
            pod: Pod(["metadata": ["uid": "u"]]), StreamRequest(container: "c", command: [], stdin: false, tty: false), paths: paths,
            input: StreamInputs()
        ) { output in heard.withLock { $0.append("\(output)") } }
        #expect(try shim.hear()["op"].string == "attach")
        var record = ContainerRecord(name: "c", pid: 1, startedAt: Timestamp(seconds: 1))
        (record.pid, record.exitCode, record.finishedAt) = (0, 0, Timestamp(seconds: 2))
        shim.say(ShimReply.exited(record).json.text())
        shim.say(ShimReply.failed(container: "c", stage: "attach: the container is not running", errno: Int(ESRCH)).json.text())
        try await conversation
        #expect(heard.withLock(\.self) == [#"failure("failed to exec in container: attach: the container is not running")"#])
    }

    @Test("a shim that says nothing is not waited for for ever", .timeLimit(.minutes(5)))
    func silent() async throws {
        let shim = try FakeShim(), connection = try ShimConnection(socket: shim.path)
        try connection.send(.state)
        _ = try shim.hear()
        await #expect(throws: ShimSilent.self) { try await connection.next(within: .milliseconds(50)) }
        connection.disconnect()
    }

    @Test("a shim that is gone is no answer", .timeLimit(.minutes(5)))
    func gone() async throws {
        var shim: FakeShim? = try FakeShim()
        let connection = try ShimConnection(socket: try #require(shim).path)
        try connection.send(.state)
        _ = try shim?.hear()
        shim = nil
        #expect(try await connection.next(within: .seconds(20)) == nil)
    }
}

@Suite("why a process did not start, in containerd's words")
struct StartFailureTests {
    static let before =
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: "

    @Test(
        "of a container",
        arguments: [
            ("exec: /no/such", ENOENT, "exec: \"/no/such\": stat /no/such: no such file or directory"),
            ("exec: nosuch", ENOENT, "exec: \"nosuch\": executable file not found in $PATH"),
            ("exec: ", ENOENT, "exec: \"\": executable file not found in $PATH"),
            ("exec: /etc/passwd", EACCES, "exec: \"/etc/passwd\": permission denied"),
            ("exec: /etc", EISDIR, "exec: \"/etc\": is a directory"),
            ("mount /proc", EPERM, "mount /proc: operation not permitted"),
        ])
    func container(_ stage: String, _ error: Int32, _ words: String) {
        #expect(StartFailure(stage: stage, errno: Int(error)).ofContainer == Self.before + words)
    }

    @Test("of a process that is asked for")
    func exec() {
        #expect(
            StartFailure(stage: "exec: nosuch", errno: Int(ENOENT)).ofExec(id: "ab")
                == "failed to exec in container: failed to start exec \"ab\": OCI runtime exec failed: exec failed: unable to start container process: "
                + "exec: \"nosuch\": executable file not found in $PATH")
    }

    @Test("a failed sub-path is the configuration's fault, all else the start's")
    func inputs() {
        let mounts: JSON = [["name": "d", "subPath": "a"], ["name": "e", "subPath": "a/b"], ["name": "f", "subPathExpr": "$(X)"]]
        let pod = Pod(["spec": ["containers": [["name": "c", "volumeMounts": mounts]]]])
        func reason(_ stage: String) -> String {
            switch ShimReply.failed(container: "c", stage: stage, errno: 2).inputs(of: pod, now: Timestamp(seconds: 5)).first {
            case .startFailed(_, let reason, let message): "\(reason): \(message)"
            case .startError: "StartError"
            default: "?"
            }
        }
        for (path, volume) in [("a/b", "e"), ("x", "f")] {
            #expect(
                reason("prepare subPath \(path)")
                    == "CreateContainerConfigError: failed to prepare subPath for volumeMount \"\(volume)\" of container \"c\"")
        }
        #expect(reason("exec: nosuch") == "StartError")
        #expect(reason("bind /etc/hosts") == "StartError")
    }
}
