import Model

/// A version of a kind that a release of Kubernetes has removed: which one, what stands in its place, and how its objects are kept.
/// (kubernetes.io/docs/reference/using-api/deprecation-guide)
package struct RemovedVersion: Sendable {
    package let resource: Resource
    /// The minor releases that called it deprecated, and that have it no more.
    package let deprecated: Int
    package let removed: Int
    /// What is stored; nil where nothing took its place.
    package let successor: Resource?
    let kind: KindDefinition
    /// The first minor release that lacks it, even for who asks for it by --runtime-config.
    private let firstWithout: Int

    /// The version of a kind that is stored as `successor`, in the shape that `change` makes of the successor's.
    init(
        _ apiVersion: String, of successor: KindDefinition, _ deprecated: Int, _ removed: Int, firstWithout: Int? = nil,
        schema change: (Schema) -> Schema = { $0 }, form: StorageForm? = nil
    ) {
        let parts = apiVersion.split(separator: "/").map(String.init), old = successor.resource
        resource = Resource(parts[0], parts[1], old.plural, old.kind, namespaced: old.namespaced)
        (self.deprecated, self.removed, self.successor) = (deprecated, removed, old)
        self.firstWithout = firstWithout ?? removed
        let name = "io.k8s.api.\(parts[0].split(separator: ".").first ?? "").\(parts[1]).\(old.kind)"
        var kind = KindDefinition(
            resource, successor.singular, successor.shortNames, schema: change(successor.schema).named(name), successor.subresources,
            hasGeneration: successor.hasGeneration, columns: successor.columns)
        (kind.categories, kind.verbs, kind.selectableFields) = (successor.categories, successor.verbs, successor.selectableFields)
        (kind.explanation, kind.deletion, kind.scale) = (successor.explanation, successor.deletion, successor.scale)
        kind.storage = form ?? .sameShape(as: old)
        self.kind = kind
    }

    /// A kind that nothing took the place of.
    init(_ kind: KindDefinition, _ deprecated: Int, _ removed: Int) {
        (resource, self.kind, successor) = (kind.resource, kind, nil)
        (self.deprecated, self.removed, firstWithout) = (deprecated, removed, removed)
    }

    func isServed(by version: KubernetesVersion) -> Bool { version < KubernetesVersion(1, firstWithout) }

    /// The kind as that release serves it, with its warning where the release gives one.
    func kind(in version: KubernetesVersion) -> KindDefinition {
        var kind = kind
        if version >= KubernetesVersion(1, deprecated) { kind.deprecation = warning }
        return kind
    }

    /// As the API server words it. (k8s.io/apiserver/pkg/endpoints/deprecation, WarningMessage)
    var warning: String {
        let name = "\(resource.apiVersion) \(resource.kind)"
        let rest = successor.map { "; use \($0.apiVersion) \($0.kind)" } ?? ""
        return "\(name) is deprecated in v1.\(deprecated)+, unavailable in v1.\(removed)+\(rest)"
    }

    /// Which `kubernetesVersion` takes it.
    package var hint: String {
        let instead = successor.map { ", or write apiVersion: \($0.apiVersion)" } ?? ""
        return "Kubernetes v1.\(removed) removed it: kubernetesVersion: v1.\(firstWithout - 1) in the Cluster document takes it\(instead)"
    }
}

extension StorageForm {
    /// A version that differs from the stored one in its name, and in what is the default.
    static func sameShape(as resource: Resource) -> StorageForm { converted(to: resource, store: { $0 }, present: { $0 }) }

    /// A version with a shape of its own, whose objects are read as what they are and then converted.
    static func converted(
        to resource: Resource, store: @escaping @Sendable (JSON) -> JSON, present: @escaping @Sendable (JSON) -> JSON
    ) -> StorageForm {
        StorageForm(resource: resource, store: store, present: present, convertsShape: true)
    }
}
