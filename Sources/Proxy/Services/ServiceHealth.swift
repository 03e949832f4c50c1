import Model

/// What a load balancer is told when it asks a node about a Service of externalTrafficPolicy Local. (kubernetes pkg/proxy/healthcheck)
package struct ServiceHealth: Hashable, Sendable {
    /// Where it asks.
    package let port: UInt16
    /// The node's own endpoints that are ready.
    package let localEndpoints: Int

    package init(port: UInt16, localEndpoints: Int) {
        self.port = port
        self.localEndpoints = localEndpoints
    }

    /// The answer's body, as kube-proxy writes it.
    package func text(_ service: ObjectKey) -> String {
        """
        {
        \t"service": {
        \t\t"namespace": "\(service.namespace)",
        \t\t"name": "\(service.name)"
        \t},
        \t"localEndpoints": \(localEndpoints),
        \t"serviceProxyHealthy": true
        }
        """
    }
}

/// Where load balancers ask one node.
package protocol ServiceHealthTarget: Sendable {
    /// Answers for these Services from now on, each at its port, and for no others.
    func serve(_ healths: [ObjectKey: ServiceHealth]) async
}

extension ServiceCompiler {
    /// nil of one that has no address of the node's family, too: whoever asks there asks of that family's endpoints.
    func health(_ service: Service, _ slices: [EndpointSlice]) -> ServiceHealth? {
        guard service.needsHealthCheck, service.clusterIP(node.family) != nil,
            let port = service.healthCheckNodePort.flatMap({ UInt16(exactly: $0) })
        else { return nil }
        return ServiceHealth(port: port, localEndpoints: readyLocalAddresses(slices).count)
    }
}
