import API
import Model
import Runtime

/// What every cluster holds before anyone asks for anything.
struct Bootstrap {
    let cluster: Cluster
    let paths: ClusterPaths
    let client: any Client

    func namespaces(_ api: APIServer) async throws {
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            try await ensure(.namespaces, ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)]])
            try await api.furnish(name)
        }
        for (name, value, words) in [
            (
                "system-cluster-critical", 2_000_000_000,
                "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."
            ),
            ("system-node-critical", 2_000_001_000, "Used for system critical pods that must not be moved from their current node."),
        ] {
            try await ensure(
                .priorityClasses,
                [
                    "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": ["name": .string(name)],
                    "value": .int(value),
                    "description": .string(words),
                ])
        }
        try await storage()
        try await ensure(
            .serviceCIDRs,
            [
                "apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": ["name": "kubernetes"],
                "spec": ["cidrs": .array(cluster.networks.map { .string($0.services.description) })],
            ])
        for (resource, object) in BootstrapPolicy.objects { try await reconcile(resource, object, api) }
    }

    /// Makes a role or binding what it should be at each start, as Kubernetes does, unless its annotation says that it is somebody's own.
    private func reconcile(_ resource: Resource, _ object: JSON, _ api: APIServer) async throws {
        let metadata = object["metadata"]
        let key = ObjectKey(metadata["namespace"].string ?? "", metadata["name"].string ?? "")
        guard var held = try await api.store.get(resource, key) else { return try await ensure(resource, object) }
        let mark = held["metadata"]["annotations"][BootstrapPolicy.autoupdate].string
        if mark == "false" { return }
        for field in ["labels", "annotations"] {
            for (name, value) in metadata[field].stringMap { held["metadata"][field][name] = .string(value) }
        }
        if !object["aggregationRule"].isNull { held["aggregationRule"] = object["aggregationRule"] }
        for field in ["rules", "subjects"] where !object[field].isNull {
            // Without the mark it is of a minik whose roles were wider than Kubernetes'; with it, what an administrator added stays.
            let kept = mark == nil ? [] : held[field].items.filter { !object[field].items.contains($0) }
            held[field] = .array(object[field].items + kept)
        }
        _ = try await client.update(resource, held)
    }

    /// The class that claims get which name none. Once only: who deletes it, or makes another one the default, has it so.
    private func storage() async throws {
        let done = "minik.dev/default-storage-class"
        let system = try await client.get(.namespaces, ObjectKey("", "kube-system"))
        guard system["metadata"]["annotations"][done].isNull else { return }
        try await ensure(
            .storageClasses,
            [
                "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
                "metadata": ["name": "standard", "annotations": [StorageClass.defaultMark: "true"]],
                "provisioner": .string(StorageClass.localProvisioner), "reclaimPolicy": "Delete",
                "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": true,
            ])
        _ = try await client.patch(.namespaces, ObjectKey("", "kube-system"), ["metadata": ["annotations": [done: "standard"]]])
    }

    private func ensure(_ resource: Resource, _ object: JSON) async throws {
        do { _ = try await client.create(resource, object) } catch let error as StatusError where error.reason == .alreadyExists {}
    }
}
