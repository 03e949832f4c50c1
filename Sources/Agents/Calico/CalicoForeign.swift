import Model

/// What people say in Calico's own kinds, and minik's calico-node does not do: named in the log, for a policy that holds nobody is worse
/// than none.
package struct CalicoForeign {
    package static let kinds: Set<Resource> = [.calicoGlobalPolicies, .calicoPolicies, .calicoHosts, .calicoFelix]
    /// What the fields of a FelixConfiguration ask for that there is.
    private static let idle: Set<String> = [
        "logSeverityScreen", "reportingInterval", "bpfLogLevel", "floatingIPs", "bpfConnectTimeLoadBalancing",
    ]

    let client: any Client
    let log: ProgramLog

    /// Until cancelled.
    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for kind in Self.kinds {
                group.addTask { [self] in
                    try await Reflector(kind, client: client) { [log] in log.warn($0) }.run { change in
                        if let words = Self.words(kind, change.key, old: change.old, new: change.new) { log.warn(words) }
                    }
                }
            }
            while try await group.next() != nil {}
        }
    }

    package static func words(_ kind: Resource, _ key: ObjectKey, old: JSON?, new: JSON?) -> String? {
        guard let object = new, old?["spec"] != object["spec"] else { return nil }
        let name = "\(kind.kind).\(kind.group) \(key)"
        guard kind == .calicoFelix else { return "\(name): minik's calico-node does not know this kind: it holds nobody" }
        let fields = (object["spec"].object ?? JSONObject()).map(\.0).filter { !idle.contains($0) }.sorted()
        return fields.isEmpty ? nil : "\(name): minik's calico-node does not read \(fields.joined(separator: ", "))"
    }
}
