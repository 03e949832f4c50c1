import Model

/// `POST /minik/repair`: looks at all nodes at once and mends them. For the machine's root, as every path that no role names.
package struct RepairAPI: PathResponder {
    private let repair: @Sendable () async -> [String: [String]]

    /// `repair` returns what was found, by node.
    package init(_ repair: @escaping @Sendable () async -> [String: [String]]) { self.repair = repair }

    package func respond(_ request: HTTPRequest, _ user: UserInfo) async throws -> HTTPResponse? {
        guard request.path == ["minik", "repair"] else { return nil }
        guard request.method == "POST" else { throw Router.methodNotAllowed }
        var answer = JSON.emptyObject
        for (node, found) in await repair() { answer[node] = .array(found.map(JSON.string)) }
        return .json(answer)
    }
}
