import Glibc

/// Paths that a document names.
package enum DocumentPath {
    /// The whole of a path, which begins beside the document unless it begins with `/`.
    package static func whole(_ path: String, in file: String) -> String {
        let words = path.hasPrefix("./") ? String(path.dropFirst(2)) : path
        return words.isEmpty ? found(".", file) : found(words, file)
    }

    private static func found(_ path: String, _ file: String) -> String {
        if path.hasPrefix("/") { return path }
        let folder = file.lastIndex(of: "/").map { String(file[..<$0]) }
        let beside = folder.map { "\($0)/\(path)" } ?? path
        if beside.hasPrefix("/") { return beside }
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        guard getcwd(&buffer, buffer.count) != nil else { return beside }
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self) + "/\(beside)"
    }
}
