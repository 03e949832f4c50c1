/// Why a program cannot go on, in a sentence for its log.
package struct ProgramFailure: Error, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
