import Glibc
import Host

/// The busybox of which images have their shell and their small programs.
package enum Busybox {
    /// A newer one than this machine's own, which scripts/busybox unpacks; and this machine's.
    private static let newer = "\(ClusterPaths.stateRoot)/programs/busybox", own = "/bin/busybox"

    package static let program = canTimeOut(newer) ? newer : own

    /// What containers will miss; nil when nothing.
    package static var shortcoming: String? {
        program == newer || canTimeOut(own)
            ? nil : "the images' busybox is this machine's own, whose wget has no --timeout: scripts/busybox fetches a newer one"
    }

    /// Whether this busybox's wget knows -T, by trying. Nobody listens on port 1: refused is the answer of one that understood.
    package static func canTimeOut(_ program: String) -> Bool {
        guard Files.exists(program) else { return false }
        let words = try? output("'\(program)' wget -T 1 --spider http://127.0.0.1:1/ 2>&1 || true")
        return words?.contains { $0.contains("refused") } ?? false
    }

    /// The lines that a shell's command prints.
    package static func output(_ command: String) throws -> [String] {
        guard let pipe = popen(command, "r") else { throw FileError("run", command, errno: errno) }
        var text = ""
        var buffer = [CChar](repeating: 0, count: 4096)
        while fgets(&buffer, Int32(buffer.count), pipe) != nil {
            text += String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
        // A daemon hears of no child's end. (wait(2), SIGCHLD ignored)
        let status = pclose(pipe)
        guard status == 0 || status < 0 && errno == ECHILD else { throw FileError("run", command, errno: EIO) }
        return text.split(separator: "\n").map(String.init)
    }
}
