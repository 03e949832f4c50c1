import Model

/// `POST /minik/nodes/NODE/VERB`: a node is stopped, started, paused, unpaused. For the machine's root, as every path that no role names.
package struct NodePowerAPI: PathResponder {
    package enum Verb: String, Sendable, CaseIterable {
        case stop, start, restart, pause, unpause
    }

    private let perform: @Sendable (_ node: String, Verb) async throws -> [String]

    /// `perform` returns what of it went wrong.
    package init(_ perform: @escaping @Sendable (_ node: String, Verb) async throws -> [String]) { self.perform = perform }

    package func respond(_ request: HTTPRequest, _ user: UserInfo) async throws -> HTTPResponse? {
        guard request.path.count == 4, request.path.starts(with: ["minik", "nodes"]), let verb = Verb(rawValue: request.path[3]) else {
            return nil
        }
        guard request.method == "POST" else { throw Router.methodNotAllowed }
        return .json(["problems": .array(try await perform(request.path[2], verb).map(JSON.string))])
    }
}
