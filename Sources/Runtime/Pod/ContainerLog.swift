import Dispatch
import Glibc
import Model

/// Reads a container's log file: CRI lines, as its shim wrote them.
package struct ContainerLog: Sendable {
    package struct Options: Sendable {
        package var follow = false
        package var timestamps = false
        package var tailLines: Int?
        package var since: Timestamp?
        package var limitBytes: Int?

        package init(follow: Bool, timestamps: Bool, tailLines: Int?, since: Timestamp?, limitBytes: Int? = nil) {
            self.limitBytes = limitBytes
            self.follow = follow
            self.timestamps = timestamps
            self.tailLines = tailLines
            self.since = since
        }
    }

    private let path: String

    /// The log of life `attempt` of a container.
    package init(pod: Pod, node: String, container: String, attempt: Int, paths: ClusterPaths) {
        path = "\(paths.podLogs(pod, node: node))/\(container)/\(attempt).log"
    }

    package var exists: Bool { Files.exists(path) }

    /// The log's text in pieces. With `follow` it goes on until `isOver` says that the container will write no more.
    package func read(_ options: Options, isOver: @escaping @Sendable () async -> Bool) -> AsyncThrowingStream<[UInt8], any Error> {
        let (pieces, continuation) = AsyncThrowingStream.makeStream(of: [UInt8].self)
        let path = path
        let work = Task {  // ends with its reader
            var offset = 0
            var partial: [UInt8] = []
            var isFirst = true
            var left = options.limitBytes ?? Int.max
            while !Task.isCancelled {
                let over = options.follow ? await isOver() : true
                // The last lines are known once all there is has been read.
                let bytes = isFirst && options.tailLines != nil ? try? Files.read(path) : Self.read(path, from: offset)
                if let bytes, !bytes.isEmpty {
                    offset += bytes.count
                    partial += bytes
                    let end = partial.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
                    var lines = partial[..<end].split(separator: 0x0A).compactMap { Line($0) }.filter { line in options.since.map { line.time >= $0 } ?? true }
                    partial.removeFirst(end)
                    if isFirst, let tail = options.tailLines { lines = Array(lines.suffix(tail)) }
                    isFirst = false
                    let text = lines.flatMap { $0.text(timestamps: options.timestamps) }
                    if !text.isEmpty { continuation.yield(Array(text.prefix(left))) }
                    left -= text.count
                    if left <= 0 { break }
                    continue
                }
                if over { break }
                try? await Task.sleep(for: .milliseconds(25))
            }
            continuation.finish()
        }
        continuation.onTermination = { _ in work.cancel() }
        return pieces
    }

    /// A line of the file.
    struct Line {
        let time: Timestamp
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

        func text(timestamps: Bool) -> [UInt8] { (timestamps ? Array(stamp) + [0x20] : []) + content + (isWhole ? [0x0A] : []) }
    }

    private static func read(_ path: String, from offset: Int) -> [UInt8]? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var buffer = [UInt8](repeating: 0, count: 256 * 1024)
        let n = pread(fd, &buffer, buffer.count, offset)
        return n > 0 ? Array(buffer[..<n]) : []
    }
}
