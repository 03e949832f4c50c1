import Glibc
import Host
import Runtime

/// A directory for what a pull needs while it runs, and what must not lie on any disk.
final class PullFolder: Sendable {
    let path: String
    private let secrets: DescriptorList

    /// An empty one. `secrets`: bytes that a program that we start reads by the names of `secretPaths`; they go with this process,
    /// however it ends.
    init(below root: String, secrets: [[UInt8]] = []) throws {
        Self.sweep(below: root)
        guard let own = ProcessIdentity(pid: Int(getpid())) else { throw FileError("read", "/proc/self/stat", errno: errno) }
        var held = DescriptorList()
        for bytes in secrets {
            let file = try Descriptor.memoryFile()
            try file.write(bytes, to: "memory", "write to")
            held.append(file)
        }
        try Files.makeDirectory(root, mode: 0o700)
        try Files.makeDirectory("\(root)/pulls", mode: 0o700)
        path = "\(root)/pulls/\(own.pid)-\(own.startTime)-\(UInt32.random(in: 0 ... .max))"
        try Files.makeDirectory(path, mode: 0o700)
        self.secrets = held
    }

    var secretPaths: [String] { secrets.numbers.map { "/proc/\(getpid())/fd/\($0)" } }

    func remove() { Files.removeTree(path) }

    /// Removes what pulls left whose process is gone.
    static func sweep(below root: String) {
        for left in Files.list("\(root)/pulls") {
            let numbers = left.split(separator: "-").compactMap { Int($0) }
            if numbers.count == 3, ProcessIdentity(pid: numbers[0])?.startTime == numbers[1] { continue }
            Files.removeTree("\(root)/pulls/\(left)")
        }
    }
}

extension ImageStore {
    /// Removes what pulls left whose process is gone; every change of the store does so, too.
    package func forgetPulls() { PullFolder.sweep(below: places.root) }
}
