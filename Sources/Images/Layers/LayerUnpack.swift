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
        let input = try Descriptor(opening: blob, O_RDONLY)
        let report = try Pipe(for: program)
        let pid = SmallProgram.spawn(
            [program, directory, "\(mostBytes)", "\(mostEntries)"], environment: [], stdio: [input.number, report.writing.number, -1])
        guard pid > 0 else { throw FileError("start", program, errno: -pid) }
        let bytes = try report.keepReading().readAll("the report of \(program)")
        while waitpid(pid, nil, 0) < 0, errno == EINTR {}
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        let said = lines.last { !$0.isEmpty }.map(String.init) ?? ""
        let words = said.split(separator: " ").map(String.init)
        // Its word counts: in a daemon, which buries no children, there is no code. A good word is the only one.
        if lines.count == 2, lines[1].isEmpty, words.count == 5, words[0] == "ok", let digest = ContentDigest(hex: words[1]),
            let size = Int(words[2]), let entries = Int(words[3]), let implied = Int(words[4])
        {
            return Result(digest: digest, bytes: size, entries: entries, implied: implied)
        }
        throw ImageError(
            words.first == "failed" ? String(said.dropFirst("failed ".count)) : "\(program) ended without a word")
    }
}
