import Model
import Synchronization

/// The kinds of a cluster: minik's own, the earlier versions that its release serves, and what its CustomResourceDefinitions add.
package final class KindCatalog: Sendable {
    private let custom = Mutex<[String: [KindDefinition]]>([:])
    private let removed: [KindDefinition]

    package init(_ version: KubernetesVersion = .current) { removed = RemovedVersions.kinds(in: version) }

    /// Own kinds first.
    package var kinds: [KindDefinition] { Registry.kinds + removed + customKinds }
    package var customKinds: [KindDefinition] { custom.withLock { all in all.keys.sorted().flatMap { all[$0] ?? [] } } }

    /// What clients can follow: each kind under the one name that its objects are stored by.
    package var followed: [Resource] { kinds.filter { $0.storage == nil && $0.verbs.contains("watch") }.map(\.resource) }

    package func kind(group: String, version: String, plural: String) -> KindDefinition? {
        Registry.kind(group: group, version: version, plural: plural)
            ?? (removed + customKinds).first {
                $0.resource.group == group && $0.resource.version == version && $0.resource.plural == plural
            }
    }

    package func kind(apiVersion: String, kind: String) -> KindDefinition? {
        Registry.kind(apiVersion: apiVersion, kind: kind)
            ?? (removed + customKinds).first { $0.resource.apiVersion == apiVersion && $0.resource.kind == kind }
    }

    package func kind(of resource: Resource) -> KindDefinition? {
        kind(group: resource.group, version: resource.version, plural: resource.plural)
    }

    /// Takes in what a CustomResourceDefinition says now; one that is being deleted serves on until it is gone.
    /// A kind of minik's own is as minik has it, whatever a definition of it says.
    func set(_ definition: JSON) {
        if Self.isBuiltIn(definition) { return }
        custom.withLock { $0[definition["metadata"]["name"].string ?? ""] = KindDefinition.custom(definition) }
    }

    /// True for the definition of a kind that minik has without it.
    static func isBuiltIn(_ definition: JSON) -> Bool {
        Registry.has(group: definition["spec"]["group"].string ?? "", plural: definition["spec"]["names"]["plural"].string ?? "")
    }

    func remove(_ name: String) { custom.withLock { $0[name] = nil } }
}
