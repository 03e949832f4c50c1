/// What is wrong with an image, an archive or the store, and what mends it.
package struct ImageError: Error, CustomStringConvertible {
    package let message: String
    package let hint: String?

    package init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }

    package var description: String { hint.map { "\(message)\n  \($0)" } ?? message }
}
