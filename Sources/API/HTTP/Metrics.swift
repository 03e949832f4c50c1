import Model

/// metrics.k8s.io/v1beta1, as metrics-server would serve it: what pods and nodes use now.
extension Router {
    func metrics(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard request.method == "GET" else { throw Router.methodNotAllowed }
        guard let place = Target.Place(request.path), place.version == "v1beta1", let metrics, place.subresource == nil else {
            throw StatusError.noSuchPath
        }
        let time = JSON.string(now().description)
        func usage(_ value: (cpu: Int, memory: Int)) -> JSON {
            ["cpu": .string("\(value.cpu)n"), "memory": .string("\((value.memory + 1023) / 1024)Ki")]
        }
        func metadata(_ object: JSON) -> JSON {
            [
                "name": object["metadata"]["name"], "namespace": object["metadata"]["namespace"], "creationTimestamp": time,
                "labels": object["metadata"]["labels"],
            ]
        }
        let kind = place.plural == "pods" ? "PodMetrics" : "NodeMetrics"
        var items: [JSON] = []
        let resource: Resource = place.plural == "pods" ? .pods : .nodes
        guard ["pods", "nodes"].contains(place.plural) else { throw StatusError.noSuchPath }
        let selector = try Selection(
            request, Target(resource.path(namespace: place.namespace).split(separator: "/").map(String.init), api.catalog).unwrapped())
        if resource == .pods {
            let used = await metrics.pods()
            for pod in await api.store.list(.pods, namespace: place.namespace).items where selector.takes(pod) {
                guard let containers = used[APIServer.key(pod, .pods)] else { continue }
                items.append([
                    "kind": .string(kind), "apiVersion": "metrics.k8s.io/v1beta1", "metadata": metadata(pod), "timestamp": time,
                    "window": "15s",
                    "containers": .array(
                        containers.sorted { $0.key < $1.key }.map { ["name": .string($0.key), "usage": usage($0.value)] }),
                ])
            }
        } else {
            let used = await metrics.nodes()
            for node in await api.store.list(.nodes).items where selector.takes(node) {
                guard let value = used[node["metadata"]["name"].string ?? ""] else { continue }
                items.append([
                    "kind": .string(kind), "apiVersion": "metrics.k8s.io/v1beta1", "metadata": metadata(node), "timestamp": time,
                    "window": "15s",
                    "usage": usage(value),
                ])
            }
        }
        if let name = place.name {
            guard let one = items.first(where: { $0["metadata"]["name"].string == name }) else {
                throw StatusError.notFound(Resource("metrics.k8s.io", "v1beta1", place.plural, kind), name)
            }
            return .json(one)
        }
        return .json([
            "kind": .string("\(kind)List"), "apiVersion": "metrics.k8s.io/v1beta1", "metadata": .emptyObject, "items": .array(items),
        ])
    }
}

extension Optional {
    fileprivate func unwrapped() throws -> Wrapped {
        guard let self else { throw StatusError.noSuchPath }
        return self
    }
}
