import Model

/// The older Endpoints of a Service, which have one family. (k8s.io/kubernetes/pkg/controller/endpoint)
extension EndpointsReconciler {
    func writeEndpoints(
        _ service: Service, _ family: IPFamily, _ groups: [JSON: [Pod]], _ trigger: LastChangeTrigger, _ client: any Client
    ) async throws {
        let subsets = groups.sorted { $0.key.text() < $1.key.text() }.compactMap { Self.subset(service, family, $0, $1) }
        var labels = service.labels
        labels["endpoints.kubernetes.io/managed-by"] = "endpoint-controller"
        if service.isHeadless { labels["service.kubernetes.io/headless"] = "" }
        var wanted: JSON = [
            "apiVersion": "v1", "kind": "Endpoints",
            "metadata": [
                "name": .string(service.name), "namespace": .string(service.namespace), "labels": JSON(labels),
                "ownerReferences": [service.ownerReference],
            ],
            "subsets": subsets.isEmpty ? .null : .array(subsets),
        ]
        do {
            var current = try await client.get(.endpoints, service.key)
            guard current["subsets"] != wanted["subsets"] || current["metadata"]["labels"].stringMap != labels else { return }
            trigger.mark(&wanted, after: [current])
            for field in ["labels", "annotations"] { current["metadata"][field] = wanted["metadata"][field] }
            current["subsets"] = wanted["subsets"]
            written.note(.endpoints, try await client.update(.endpoints, current))
        } catch let error as StatusError where error.reason == .notFound {
            trigger.mark(&wanted, after: [])
            written.note(.endpoints, try await client.create(.endpoints, wanted))
        }
    }

    /// The pods that serve the same ports; nil: nobody.
    private static func subset(_ service: Service, _ family: IPFamily, _ ports: JSON, _ pods: [Pod]) -> JSON? {
        let takesAll = service.publishNotReadyAddresses
        let live = pods.filter { !$0.isBeingDeleted || takesAll }
        guard !live.isEmpty, !ports.items.isEmpty || service.isHeadless else { return nil }
        func addresses(_ pods: [Pod]) -> JSON {
            pods.isEmpty
                ? .null
                : .array(
                    pods.map { pod in
                        [
                            "ip": .string(pod.ip(family)?.description ?? ""), "nodeName": JSON(pod.nodeName),
                            "hostname": pod.spec["subdomain"].string == service.name ? pod.spec["hostname"] : .null,
                            "targetRef": [
                                "kind": "Pod", "namespace": .string(pod.namespace), "name": .string(pod.name), "uid": .string(pod.uid),
                            ],
                        ]
                    })
        }
        // As they are stored: an Endpoints port without a name has none, where a slice's has an empty one.
        let named = ports.items.map { port in
            var port = port
            if port["name"].string == "" { port["name"] = .null }
            return port
        }
        return [
            "addresses": addresses(live.filter { $0.isReady || takesAll }),
            "notReadyAddresses": addresses(live.filter { !$0.isReady && !takesAll }),
            "ports": named.isEmpty ? .null : .array(named),
        ]
    }
}
