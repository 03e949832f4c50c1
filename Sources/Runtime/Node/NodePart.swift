/// Something of a node that can be held against what it should be: its network, a table, its pods' links.
package protocol NodePart: Sendable {
    /// Looks, and corrects what is not as it should be. In words, what was found; empty when all was right.
    func repair() async throws -> [String]
}

/// A part that is given as a function.
package struct NodePartFunction: NodePart {
    private let body: @Sendable () async throws -> [String]
    package init(_ body: @escaping @Sendable () async throws -> [String]) { self.body = body }
    package func repair() async throws -> [String] { try await body() }
}
