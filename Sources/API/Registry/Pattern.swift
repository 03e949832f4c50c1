import CRE2

/// A regular expression of a schema, in RE2's syntax, which is what the API promises. Matching takes time in proportion to the text:
/// nothing that a pattern or a value can be makes it go back.
package final class Pattern: Sendable {
    package struct Malformed: Error, CustomStringConvertible { package let description: String }

    // Never changed once it is made, and RE2 may be asked from any thread.
    nonisolated(unsafe) private let compiled: OpaquePointer

    package init(_ text: String) throws(Malformed) {
        var text = text
        var why = [CChar](repeating: 0, count: 256)
        let compiled = text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { cre2_compile($0.baseAddress, $0.count, &why, why.count) }
        }
        guard let compiled else {
            throw Malformed(description: String(decoding: why.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
        }
        self.compiled = compiled
    }

    deinit { cre2_free(compiled) }

    /// The most steps that a byte of text may cost.
    var steps: Int { Int(cre2_steps(compiled)) }

    package func matches(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in bytes.withMemoryRebound(to: CChar.self) { cre2_matches(compiled, $0.baseAddress, $0.count) != 0 } }
    }
}
