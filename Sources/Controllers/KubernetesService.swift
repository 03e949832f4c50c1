import Model

/// Keeps the API's own Service, and where it leads: nobody's selector finds the API.
/// (k8s.io/kubernetes/pkg/controlplane/controller/kubernetesservice and pkg/controlplane/reconcilers)
package struct KubernetesService: Sendable {
    package static let key = ObjectKey("default", "kubernetes")
    private static let interval = Duration.seconds(10)

    /// Where the API listens.
    private let publicIP: IPAddress
    private let port: Int
    private let serviceIP: IPAddress
    private let client: any Client
    private let clock: any Clock<Duration>
    private let report: @Sendable (String) -> Void

    package init(
        publicIP: IPAddress, port: Int = Cluster.apiPort, serviceIP: IPAddress, client: any Client,
        clock: any Clock<Duration> = ContinuousClock(),
        report: @escaping @Sendable (String) -> Void
    ) {
        self.publicIP = publicIP
        self.port = port
        self.serviceIP = serviceIP
        self.client = client
        self.clock = clock
        self.report = report
    }

    /// Looks at it every ten seconds until cancelled.
    package func run() async throws {
        while true {
            try await clock.sleep(for: Self.interval)
            do { try await reconcile() } catch  where !Task.isCancelled { report("the API's Service \(Self.key): \(error)") }
        }
    }

    /// Makes what is missing. The Service is its owner's to change, as upstream; where it leads is not.
    package func reconcile() async throws {
        if try await client.find(.services, Self.key) == nil { try await create(.services, service) }
        try await reconcile(.endpointSlices, slice)
        try await reconcile(.endpoints, endpoints)
    }

    private func reconcile(_ resource: Resource, _ wanted: (JSON) -> JSON) async throws {
        guard let held = try await client.find(resource, Self.key) else { return try await create(resource, wanted(.emptyObject)) }
        let wanted = wanted(held)
        if wanted != held { _ = try await client.update(resource, wanted) }
    }

    private func create(_ resource: Resource, _ object: JSON) async throws {
        var object = object
        object["apiVersion"] = .string(resource.apiVersion)
        object["kind"] = .string(resource.kind)
        object["metadata"]["namespace"] = .string(Self.key.namespace)
        object["metadata"]["name"] = .string(Self.key.name)
        _ = try await client.create(resource, object)
    }

    // MARK: What there should be

    private var service: JSON {
        [
            "metadata": ["labels": ["component": "apiserver", "provider": "kubernetes"]],
            "spec": [
                "clusterIP": .string(serviceIP.description),
                "ports": [["name": "https", "protocol": "TCP", "port": 443, "targetPort": .int(port)]],
            ],
        ]
    }

    private var address: JSON { .string(publicIP.description) }
    private var ports: JSON { [["name": "https", "port": .int(port), "protocol": "TCP"]] }

    private func slice(_ held: JSON) -> JSON {
        var slice = held
        slice["metadata"]["labels"] = ["kubernetes.io/service-name": .string(Self.key.name)]
        if slice["addressType"].isNull { slice["addressType"] = .string(publicIP.family.rawValue) }
        slice["endpoints"] = [["addresses": [address], "conditions": ["ready": true]]]
        if slice["ports"].items.isEmpty { slice["ports"] = ports }
        return slice
    }

    private func endpoints(_ held: JSON) -> JSON {
        var endpoints = held
        endpoints["metadata"]["labels"] = ["endpointslice.kubernetes.io/skip-mirror": "true"]
        let kept = held["subsets"].items.count == 1 ? held["subsets"].items[0]["ports"] : .null
        endpoints["subsets"] = [["addresses": [["ip": address]], "ports": kept.items.isEmpty ? ports : kept]]
        return endpoints
    }
}
