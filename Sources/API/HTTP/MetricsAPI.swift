import Model

/// metrics.k8s.io/v1beta1, as metrics-server would serve it: what pods and nodes use now.
struct MetricsAPI: PathResponder {
    let api: APIServer
    let nodes: any NodeDirectory
    let now: @Sendable () -> Timestamp

    func respond(_ request: HTTPRequest, _ user: UserInfo) async throws -> HTTPResponse? {
        guard request.path.starts(with: ["apis", "metrics.k8s.io"]) else { return nil }
        guard request.method == "GET" else { throw Router.methodNotAllowed }
        guard let place = Target.Place(request.path), place.version == "v1beta1", place.subresource == nil, !place.isWatch,
            let resource = [Resource.pods, .nodes].first(where: { $0.plural == place.plural }),
            let target = Target(resource.path(namespace: place.namespace).split(separator: "/").map(String.init), api.catalog)
        else { throw StatusError.noSuchPath }
        let selector = try Router.Selection(request, target), measured = Self.measured(resource)
        let objects = try await api.store.list(resource, namespace: place.namespace).items.filter {
            selector.takes($0) && (place.name == nil || $0.metadata.name == place.name)
        }
        let items = try await usage(of: objects, measured)
        if let name = place.name {
            guard let one = items.first else { throw StatusError.notFound(measured, name) }
            return .json(one)
        }
        return .json([
            "kind": .string("\(measured.kind)List"), "apiVersion": .string(measured.apiVersion), "metadata": .emptyObject,
            "items": .array(items),
        ])
    }

    private static func measured(_ resource: Resource) -> Resource {
        Resource("metrics.k8s.io", "v1beta1", resource.plural, "\(resource.kind)Metrics", namespaced: resource.namespaced)
    }

    /// The rows of those objects of which anybody can say what they use.
    private func usage(of objects: [JSON], _ measured: Resource) async throws -> [JSON] {
        let places = measured.namespaced ? objects.compactMap { Pod($0).nodeName } : objects.map(\.metadata.name)
        let used = try await ask(Set(places))
        let time = JSON.string(now().description)
        return objects.compactMap { object in
            let node = measured.namespaced ? Pod(object).nodeName : object.metadata.name
            guard let usage = node.flatMap({ used[$0] }) else { return nil }
            var row: JSON = [
                "kind": .string(measured.kind), "apiVersion": .string(measured.apiVersion),
                "metadata": [
                    "name": object["metadata"]["name"], "namespace": object["metadata"]["namespace"], "creationTimestamp": time,
                    "labels": object["metadata"]["labels"],
                ], "timestamp": time, "window": "15s",
            ]
            if measured.namespaced {
                guard let containers = usage.pods[object.metadata.key] else { return nil }
                row["containers"] = .array(
                    containers.sorted { $0.key < $1.key }.map { ["name": .string($0.key), "usage": Self.amount($0.value)] })
            } else {
                row["usage"] = Self.amount(usage.node)
            }
            return row
        }
    }

    /// Asks nodes at once.
    private func ask(_ names: Set<String>) async throws -> [String: NodeUsage] {
        await withTaskGroup(of: (String, NodeUsage?).self) { group in
            for name in names {
                guard let services = nodes.services(of: name) else { continue }
                // Of a node that does not answer there is nothing to tell, as the metrics server has it.
                group.addTask { (name, try? await services.usage()) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    private static func amount(_ value: NodeUsage.Amount) -> JSON {
        ["cpu": .string("\(value.cpu)n"), "memory": .string("\((value.memory + 1023) / 1024)Ki")]
    }
}
