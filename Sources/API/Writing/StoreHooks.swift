import Model

/// What the server does around the store for objects of a kind. (upstream: BeginCreate, AfterCreate, AfterUpdate and AfterDelete
/// of genericregistry.Store)
package struct StoreHooks: Sendable {
    package typealias Hook = @Sendable (_ object: JSON, _ server: isolated APIServer) async throws -> Void

    /// Completes an object from what else there is, or refuses it; `old` on an update.
    var admit: @Sendable (_ object: inout JSON, _ old: JSON?, _ server: isolated APIServer) async throws -> Void = { _, _, _ in }
    /// Warns of an object that is valid, or refuses it all the same; `old` on an update.
    var review: @Sendable (_ object: JSON, _ old: JSON?, _ server: isolated APIServer) async throws -> [String] = { _, _, _ in [] }
    /// Whoever is admitted must see what the one before was given.
    var admitsInTurn = false
    /// Notes what has been stored, in the turn of its admission.
    var stored: @Sendable (_ object: JSON, _ server: isolated APIServer) -> Void = { _, _ in }
    /// Notes that an object is gone, in the turn of its deletion.
    var removed: @Sendable (_ key: ObjectKey, _ server: isolated APIServer) -> Void = { _, _ in }
    /// What follows at once from an object's being there.
    var afterCreate: Hook = { _, _ in }
    /// What follows at once from a change of the object itself.
    var afterUpdate: Hook = { _, _ in }
}

extension KindDefinition {
    static let serviceHooks = StoreHooks(
        admit: { object, old, server in
            let allocator = ServiceAllocator(cluster: server.cluster, claims: try await server.loadedClaims(), own: ObjectKey(of: object))
            try allocator.allocate(&object, old: old)
        },
        admitsInTurn: true,
        stored: { object, server in server.claim(ObjectKey(of: object), Service(object)) },
        removed: { key, server in server.claim(key, nil) })

    static let podHooks = StoreHooks(
        admit: { object, old, server in
            guard old == nil else { return }
            try await PodAdmission(store: server.store, credentials: server.credentials).admit(&object)
            guard !object["spec"]["schedulingGates"].items.isEmpty else { return }
            // (k8s.io/kubernetes/pkg/registry/core/pod, applySchedulingGatedCondition)
            object["status"]["conditions"].setCondition(
                "PodScheduled", false, reason: "SchedulingGated", message: "Scheduling is blocked due to non-empty scheduling gates",
                now: server.now())
        },
        review: { object, old, server in try await PodSecurityAdmission(store: server.store).review(pod: object, old: old) })

    /// Of what makes pods of a template: `template` finds it in the object.
    static func templateHooks(_ template: @escaping @Sendable (JSON) -> JSON) -> StoreHooks {
        StoreHooks(review: { object, _, server in
            try await PodSecurityAdmission(store: server.store).review(template: template(object), of: object)
        })
    }

    /// (k8s.io/kubernetes/plugin/pkg/admission/storage/storageobjectinuseprotection)
    static let persistentVolumeHooks = StoreHooks(admit: { object, old, server in
        guard old == nil else { return }
        protect(&object, by: .string(PersistentVolume.protection))
        object["status"]["lastPhaseTransitionTime"] = .string(server.now().description)
    })

    static let persistentVolumeClaimHooks = StoreHooks(admit: { object, old, server in
        guard let old else {
            protect(&object, by: .string(PersistentVolumeClaim.protection))
            try await ClaimAdmission(store: server.store).admit(&object)
            return
        }
        try await ClaimAdmission(store: server.store).admitGrowth(object, old: old)
    })

    private static func protect(_ object: inout JSON, by finalizer: JSON) {
        let held = object["metadata"]["finalizers"].items
        if !held.contains(finalizer) { object["metadata"]["finalizers"] = .array(held + [finalizer]) }
    }

    static let quotaHooks = StoreHooks(stored: { _, server in server.noteQuota() })

    static let namespaceHooks = StoreHooks(
        review: { object, old, server in try await PodSecurityAdmission(store: server.store).review(namespace: object, old: old) },
        afterCreate: { object, server in try await server.furnish(object["metadata"]["name"].string ?? "") })

    static let definitionHooks = StoreHooks(
        removed: { key, server in server.catalog.remove(key.name) },
        afterCreate: { object, server in try await server.establish(object) },
        afterUpdate: { object, server in try await server.establish(object) })
}
