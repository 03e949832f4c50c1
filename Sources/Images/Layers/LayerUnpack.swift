import CSandbox
import Glibc
import Host
import Runtime

/// One layer unpacked into an empty directory, by minik-unpack in a sandbox of its own.
struct LayerUnpack {
    let program: String
    let mostBytes: Int
    let mostEntries: Int

    struct Result {
        let digest: ContentDigest
        let bytes: Int
        let entries: Int
        let implied: Int
    }

    /// Blocks until it is done. The error says what is wrong with the layer, but not which it is.
    func run(_ blob: String, into directory: String) throws -> Result {
        let input = open(blob, O_RDONLY | O_CLOEXEC)
        guard input >= 0 else { throw FileError("open", blob, errno: errno) }
        defer { close(input) }
        var report: [Int32] = [-1, -1]
        guard sandbox_pipe(&report) == 0 else { throw FileError("make a pipe for", program, errno: errno) }
        let pid = SmallProgram.spawn(
            [program, directory, "\(mostBytes)", "\(mostEntries)"], environment: [], stdio: [input, report[1], -1])
        close(report[1])
        defer { close(report[0]) }
        guard pid > 0 else { throw FileError("start", program, errno: -pid) }
        var bytes: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 4096)
        while case let n = read(report[0], &buffer, buffer.count), n != 0 {
            if n > 0 { bytes += buffer[..<n] } else if errno != EINTR { break }
        }
        while waitpid(pid, nil, 0) < 0, errno == EINTR {}
        let said = String(decoding: bytes, as: UTF8.self).split(separator: "\n").last.map(String.init) ?? ""
        let words = said.split(separator: " ").map(String.init)
        // Its last word counts: in a daemon, which buries no children, there is no code.
        if words.count == 5, words[0] == "ok", let digest = ContentDigest(hex: words[1]), let size = Int(words[2]),
            let entries = Int(words[3]), let implied = Int(words[4])
        {
            return Result(digest: digest, bytes: size, entries: entries, implied: implied)
        }
        throw ImageError(
            words.first == "failed" ? String(said.dropFirst("failed ".count)) : "\(program) ended without a word")
    }
}
