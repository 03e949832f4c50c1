import Model

/// The proxy subresources: requests handed on to pods, Services and nodes.
/// (kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services)
extension Router {
    func proxy(_ target: Target, _ request: HTTPRequest) async throws -> HTTPResponse {
        // `name`, `name:port` or `scheme:name:port`
        let parts = (target.name ?? "").split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let (scheme, name, port) = parts.count == 3 ? (parts[0], parts[1], parts[2]) : ("", parts[0], parts.count == 2 ? parts[1] : "")
        let isSecure = scheme == "https"
        let marker = "/proxy"
        let rest = request.rawPath.firstRange(of: marker).map { String(request.rawPath[$0.upperBound...]) } ?? ""
        if rest.isEmpty, ["GET", "HEAD"].contains(request.method) {
            // So that a page's relative links lead on through the proxy.
            let location = "\(request.rawPath)/\(request.rawQuery.isEmpty ? "" : "?\(request.rawQuery)")"
            return .with(headers: [("Location", location)], .bytes([], contentType: "text/plain", code: 301))
        }
        let prefix = String(request.rawPath.dropLast(rest.utf8.count))
        let path = (rest.isEmpty ? "/" : rest) + (request.rawQuery.isEmpty ? "" : "?\(request.rawQuery)")
        let namespace = target.namespace ?? ""
        switch target.resource {
        case .pods:
            let pod = Pod(try await api.get(.pods, ObjectKey(namespace, name)))
            guard let address = pod.ip else {
                throw StatusError(503, .serviceUnavailable, "address not allowed: pod \(name) has no address")
            }
            guard mayDial(address, of: pod) else {
                throw StatusError.badRequest("address not allowed: \(address) is no pod's of this cluster")
            }
            let number =
                Int(port) ?? pod.containers.lazy.compactMap { $0.port(named: port, protocol: "TCP") }.first ?? pod.containers.first?.ports
                .first?["containerPort"].int
                ?? 80
            let proxied = ProxiedRequest(request, path: path, prefix: prefix, to: address.authority(port: number), isSecure: isSecure)
            return try await proxied.send(over: try await dialling(address, number))
        case .services:
            let (address, number) = try await endpoint(ObjectKey(namespace, name), port)
            let proxied = ProxiedRequest(request, path: path, prefix: prefix, to: address.authority(port: number), isSecure: isSecure)
            return try await proxied.send(over: try await dialling(address, number))
        default:
            return try await kubelet(name, path)
        }
    }

    private func dialling(_ address: IPAddress, _ port: Int) async throws -> Int32 {
        do { return try await nodes.controlPlane.dial(address, port: port) } catch {
            throw StatusError(
                503, .serviceUnavailable, "error trying to reach service: dial tcp \(address.authority(port: port)): \(error)")
        }
    }

    /// Whether an address can be this pod's: its node's when it is in the node's network, else one of the pods' that is neither Flannel's
    /// nor a bridge's. Whoever may write statuses would otherwise choose what the API's machine dials.
    private func mayDial(_ address: IPAddress, of pod: Pod) -> Bool {
        let nodes = api.cluster.nodes
        if pod.isHostNetwork { return nodes.contains { $0.name == pod.nodeName && $0.addresses.contains(address) } }
        return api.cluster.networks.contains { $0.pods.contains(address) }
            && !nodes.contains { $0.podCIDRs.contains { $0[0] == address || $0[1] == address } }
    }

    /// Whether an endpoint's address is its pod's, as Kubernetes asks before it dials one: a slice that somebody wrote by hand names
    /// anything.
    /// (pkg/registry/core/service/storage: isValidAddress)
    private func isPodsAddress(_ address: IPAddress, _ target: JSON, in namespace: String) async throws -> Bool {
        guard target["kind"].string == "Pod", let name = target["name"].string else { return false }
        do {
            let pod = Pod(try await api.get(.pods, ObjectKey(namespace, name)))
            return pod.ips.contains(address) && mayDial(address, of: pod)
        } catch let error as StatusError where error.reason == .notFound { return false }
    }

    /// A ready endpoint of a Service, for the port of that name or number.
    private func endpoint(_ key: ObjectKey, _ port: String) async throws -> (IPAddress, Int) {
        let service = Service(try await api.get(.services, key))
        guard let wanted = port.isEmpty ? service.ports.first : service.ports.first(where: { $0.name == port || "\($0.port)" == port })
        else {
            throw StatusError(503, .serviceUnavailable, "no service port \"\(port)\" found for service \"\(key.name)\"")
        }
        var found: [(IPAddress, Int)] = []
        for slice in try await api.list(EndpointSlice.self, namespace: key.namespace) where slice.serviceKey == key {
            guard let number = slice.ports.first(where: { ($0["name"].string ?? "") == wanted.name })?["port"].int else { continue }
            for endpoint in slice.endpoints where endpoint["conditions"]["ready"].bool ?? true {
                guard let address = endpoint["addresses"][0].string.flatMap({ IPAddress($0) }) else { continue }
                if try await isPodsAddress(address, endpoint["targetRef"], in: key.namespace) { found.append((address, number)) }
            }
        }
        guard let chosen = found.randomElement() else {
            throw StatusError(503, .serviceUnavailable, "no endpoints available for service \"\(key.name)\"")
        }
        return chosen
    }

    /// What a node's kubelet would answer.
    private func kubelet(_ node: String, _ path: String) async throws -> HTTPResponse {
        _ = try await api.get(.nodes, ObjectKey("", node))
        switch path {
        case "/healthz": return .text("ok")
        case "/pods", "/pods/":
            let pods = try await api.list(Pod.self).filter { $0.nodeName == node }
            return .json(["kind": "PodList", "apiVersion": "v1", "metadata": .emptyObject, "items": .array(pods.map(\.json))])
        default:
            throw StatusError(404, .notFound, "the server could not find the requested resource: minik's nodes answer /healthz and /pods")
        }
    }
}
