extension Cluster {
    /// A directory of this machine's that nodes see as theirs. (kind's word for it: sigs.k8s.io/kind, Mount)
    package struct ExtraMount: Sendable, Hashable {
        package let hostPath: String
        package let nodePath: String
        package let isReadOnly: Bool

        package init(hostPath: String, nodePath: String, isReadOnly: Bool = false) {
            self.hostPath = hostPath
            self.nodePath = nodePath
            self.isReadOnly = isReadOnly
        }

        /// null for none.
        static func json(_ mounts: [ExtraMount]) -> JSON {
            if mounts.isEmpty { return .null }
            return .array(
                mounts.map {
                    ["hostPath": .string($0.hostPath), "nodePath": .string($0.nodePath), "readOnly": $0.isReadOnly ? true : .null]
                })
        }
    }
}
