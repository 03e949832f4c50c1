import Model
import Store

/// The namespaces that objects lie in, and what each holds from its first moment.
extension APIServer {
    /// Puts the object into its namespace, which must be there and stay.
    func settle(_ object: inout JSON, _ name: String, _ kind: KindDefinition) async throws {
        guard kind.resource.namespaced else {
            object["metadata"]["namespace"] = .null
            return
        }
        let namespace = object["metadata"]["namespace"].string ?? "default"
        object["metadata"]["namespace"] = .string(namespace)
        guard let home = try await store.get(.namespaces, ObjectKey("", namespace)) else {
            throw StatusError.notFound(.namespaces, namespace)
        }
        guard home["status"]["phase"].string == "Terminating", !kind.outlivesNamespace else { return }
        throw StatusError(
            403, .forbidden,
            "\(kind.resource) \"\(name)\" is forbidden: unable to create new content in namespace \(namespace) because it is being terminated",
            causes: [
                StatusError.Cause(
                    reason: "NamespaceTerminating", message: "namespace \(namespace) is being terminated", field: "metadata.namespace")
            ], details: StatusError.details(kind.resource, name))
    }

    /// What every namespace holds from its first moment.
    package func furnish(_ namespace: String) async throws {
        try await ensure(
            .serviceAccounts,
            ["apiVersion": "v1", "kind": "ServiceAccount", "metadata": ["name": "default", "namespace": .string(namespace)]])
        guard let credentials else { return }
        let data: JSON = ["ca.crt": .string(credentials.caCertificate)]
        let key = ObjectKey(namespace, "kube-root-ca.crt")
        if var held = try await store.get(.configMaps, key) {
            if held["data"] == data { return }
            held["data"] = data
            _ = try await update(.configMaps, held)
            return
        }
        try await ensure(
            .configMaps,
            [
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": [
                    "name": .string(key.name), "namespace": .string(namespace),
                    "annotations": [
                        "kubernetes.io/description":
                            "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."
                    ],
                ],
                "data": data,
            ])
    }

    /// Creates an object unless it is there: another may have been quicker, which is as good.
    private func ensure(_ resource: Resource, _ object: JSON) async throws {
        guard try await store.get(resource, Self.key(object, resource)) == nil else { return }
        do { _ = try await create(resource, object) } catch let error as StatusError { if error.reason != .alreadyExists { throw error } }
    }
}
