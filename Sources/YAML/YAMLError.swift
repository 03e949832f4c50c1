/// Text that is no YAML, or more than anybody writes: where, and what is wrong with it.
package struct YAMLError: Error, CustomStringConvertible {
    package let file: String
    package let line: Int
    package let message: String
    package var description: String { "\(file):\(line): \(message)" }
}
