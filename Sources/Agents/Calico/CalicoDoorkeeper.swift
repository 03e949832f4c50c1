import Glibc
import Host
import Model
import Runtime

/// Answers the node's plugins, each in its turn, at `CalicoDoor.path`.
struct CalicoDoorkeeper {
    let path: String
    let answer: @Sendable (CalicoQuestion) async -> CalicoAnswer

    /// Until cancelled.
    func run() async throws {
        try Files.makeDirectory(String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex)))
        unlink(path)
        let listener = try UnixSocket.listening(at: path, .packets)
        // Root's: what it says decides over pods.
        chmod(path, 0o600)
        defer { unlink(path) }
        try await withThrowingDiscardingTaskGroup { group in
            let wait = try DescriptorWait()
            while true {
                _ = try await wait.readable([listener.number])
                let link = SharedDescriptor(try UnixSocket.accept(listener.number))
                group.addTask { try await serve(link) }
            }
        }
    }

    /// One question. Who goes away before the answer has had no use for it.
    private func serve(_ link: SharedDescriptor) async throws {
        defer { link.close() }
        let wait = try DescriptorWait()
        guard let number = link.borrow({ $0.number }) else { return }
        _ = try await wait.readable([number])
        let question: CalicoQuestion?
        do {
            let bytes = try UnixSocket.receive(CalicoDoor.largestMessage, over: number).bytes
            question = bytes.isEmpty ? nil : CalicoQuestion(try JSON(parsing: Array(bytes)))
        } catch { question = nil }
        guard let question else { return }
        let reply = await answer(question).json.bytes()
        _ = link.borrow { UnixSocket.send(reply, over: $0.number) }
    }
}
