import Host
import Model

/// Where a node's CNI plugins run: its files and programs.
package struct CNIGround: Sendable {
    /// The regular files of a folder, by name.
    package let texts: @Sendable (_ folder: String) throws -> [String: String]
    package let has: @Sendable (_ path: String) throws -> Bool
    package let write: @Sendable (_ text: String, _ path: String) throws -> Void
    package let remove: @Sendable (_ path: String) throws -> Void
    package let run: @Sendable (NodeProgram) async throws -> NodeProgram.Answer
    /// The number that one of this machine's processes has on the node; nil when it has ended.
    package let number: @Sendable (_ process: Int) -> Int?

    package init(
        texts: @escaping @Sendable (String) throws -> [String: String], has: @escaping @Sendable (String) throws -> Bool,
        write: @escaping @Sendable (String, String) throws -> Void, remove: @escaping @Sendable (String) throws -> Void,
        run: @escaping @Sendable (NodeProgram) async throws -> NodeProgram.Answer, number: @escaping @Sendable (Int) -> Int?
    ) {
        self.texts = texts
        self.has = has
        self.write = write
        self.remove = remove
        self.run = run
        self.number = number
    }

    /// The node as it runs.
    package static func node(_ name: String, _ paths: ClusterPaths) -> CNIGround {
        let root: @Sendable () throws -> NodeRoot = { try NodeRoot(name, paths: paths) }
        return CNIGround(
            texts: { try root().texts(in: $0) }, has: { try root().type(of: $0) != nil }, write: { try root().write($0, to: $1) },
            remove: { try root().remove($0) },
            run: { program in
                guard let node = ProcessIdentity(file: paths.nodePID(name)) else { throw NodeRoot.NodeDown(node: name) }
                return try await program.run(on: node)
            },
            // The second of a pod's shim: it is born below the node's init.
            number: { ContainerProcesses.namespaces(of: $0).dropFirst().first })
    }
}
