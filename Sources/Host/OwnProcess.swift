import CHost

/// What a process says of itself.
package enum OwnProcess {
    /// So few heaps, whatever the number of threads: what was needed for a while can go back. Before the first thread. (mallopt(3))
    package static func limitHeaps(_ count: Int32) { host_limit_heaps(count) }

    /// Free pages go back to the machine. (malloc_trim(3))
    package static func trimMemory() { host_trim_memory() }

    /// Standard output tells each line as it ends, a pipe's reader included.
    package static func bufferLines() { host_line_buffer() }

    /// The variables that it was started with, as the kernel keeps them. (proc(5))
    package static func environment() throws(FileError) -> [String: String] {
        let entries = try Files.read("/proc/self/environ").split(separator: 0).map { $0.split(separator: UInt8(ascii: "="), maxSplits: 1) }
        let pairs = entries.map { ($0[0], $0.count > 1 ? $0[1] : []) }
        return Dictionary(
            pairs.map { (String(decoding: $0, as: UTF8.self), String(decoding: $1, as: UTF8.self)) }, uniquingKeysWith: { $1 })
    }

    /// What wait(2) told of a process, as a shell says it: its exit code, or 128 and the signal.
    package static func exitCode(ofStatus status: Int32) -> Int32 { host_exit_code(status) }
}
