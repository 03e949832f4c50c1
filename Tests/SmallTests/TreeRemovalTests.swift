import Foundation
import Glibc
import Host
import Testing

@Suite("a tree is removed whole, whatever its names are")
struct TreeRemovalTests {
    @Test("names that are no UTF-8, of files and directories, and a directory below them")
    func bytes() throws {
        let top = NSTemporaryDirectory() + "minik-tree-\(UUID().uuidString)"
        try Files.makeDirectory("\(top)/d")
        /// `caf\u{E9}` as Latin-1 writes it.
        func path(_ parent: String) -> [CChar] { Array(parent.utf8CString.dropLast()) + [47, 99, 97, 102, CChar(bitPattern: 0xE9), 0] }
        let directory = path("\(top)/d")
        try #require(mkdir(directory, 0o755) == 0)
        let below = Array(directory.dropLast()) + Array("/deep".utf8CString)
        try #require(mkdir(below, 0o755) == 0)
        for file in [path(top), Array(below.dropLast()) + [47, CChar(bitPattern: 0xFF), 0]] {
            let number = open(file, O_WRONLY | O_CREAT, 0o644)
            try #require(number >= 0)
            close(number)
        }
        Files.removeTree(top)
        #expect(!Files.exists(top))
    }
}
