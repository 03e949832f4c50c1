import Glibc
import Host
import Model

/// Reads a container's log file: CRI lines, as its shim wrote them.
package struct ContainerLog: Sendable {
    /// What is read at once, and the longest line that is waited for: shims write shorter ones.
    private static let piece = 64 * 1024, longestLine = 1 << 20

    private let path: String

    /// The log of life `attempt` of a container.
    package init(pod: Pod, node: String, container: String, attempt: Int, paths: ClusterPaths) {
        path = "\(paths.podLogs(pod, node: node))/\(container)/\(attempt).log"
    }

    package init(path: String) { self.path = path }

    package var exists: Bool { Files.exists(path) }

    /// Sends the log's text. With `follow` it goes on until `isOver` says that the container will write no more. However long the
    /// log is, and however slow its reader, a piece of it is in memory.
    package func read(_ options: LogOptions, now: Timestamp, to sink: ByteSink, isOver: @Sendable () async -> Bool) async throws {
        let since = options.since(now)
        var offset = options.tailLines.map(start(ofLast:)) ?? 0
        var partial: [UInt8] = []
        var left = options.limitBytes ?? Int.max
        while left > 0 {
            try Task.checkCancellation()
            let over = options.follow ? await isOver() : true
            let bytes = piece(at: offset)
            if bytes.isEmpty {
                if over { return }
                try await Task.sleep(for: .milliseconds(25))
                continue
            }
            offset += bytes.count
            partial += bytes
            let end = partial.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
            let lines = partial[..<end].split(separator: 0x0A).compactMap { Line($0) }.filter { line in
                since.map { line.time >= $0 } ?? true
            }
            let text = lines.flatMap { $0.text(timestamps: options.timestamps) }
            partial.removeFirst(end)
            if partial.count > Self.longestLine { partial = [] }
            if !text.isEmpty { try await sink(Array(text.prefix(left))) }
            left -= text.count
        }
    }

    /// The last lines, as many as there are up to `count`, of the last `bytes` of the file.
    package func last(_ count: Int, within bytes: Int) -> [Line] {
        let size = Files.size(path)
        let from = max(start(ofLast: count), size - bytes)
        var text: [UInt8] = []
        while text.count < bytes {
            let next = piece(at: from + text.count)
            if next.isEmpty { break }
            text += next
        }
        return text.split(separator: 0x0A).compactMap { Line($0) }
    }

    /// Where the last `count` lines begin: found from the end, as kubelet does. (k8s.io/kubernetes/pkg/util/tail)
    private func start(ofLast count: Int) -> Int {
        var end = Files.size(path), found = 0
        while end > 0 {
            let from = max(0, end - Self.piece)
            let bytes = piece(at: from).prefix(end - from)
            for index in bytes.indices.reversed() where bytes[index] == 0x0A {
                found += 1
                if found > count { return from + index + 1 }
            }
            end = from
        }
        return 0
    }

    private func piece(at offset: Int) -> [UInt8] { Files.piece(of: path, at: offset, atMost: Self.piece) }

    /// A line of the file.
    package struct Line {
        package let time: Timestamp
        private let stamp: ArraySlice<UInt8>
        private let isWhole: Bool
        private let content: ArraySlice<UInt8>

        /// `TIME STREAM TAG CONTENT`
        init?(_ line: ArraySlice<UInt8>) {
            let fields = line.split(separator: 0x20, maxSplits: 3, omittingEmptySubsequences: false)
            guard fields.count == 4, let time = Timestamp(String(decoding: fields[0], as: UTF8.self)) else { return nil }
            self.time = time
            stamp = fields[0]
            isWhole = fields[2].first == UInt8(ascii: "F")
            content = fields[3]
        }

        package func text(timestamps: Bool) -> [UInt8] { (timestamps ? Array(stamp) + [0x20] : []) + content + (isWhole ? [0x0A] : []) }
    }
}
