import Model
import Proxy

/// From whom to what: the question of `minik why`, with its names resolved.
package struct FlowQuestion {
    package let source: PacketSource
    package let sourceName: String
    package let targetName: String
    package let address: IPAddress
    package let probe: ReachMatrix.Probe

    /// `from`: POD, node/NAME, host or an IP. `to`: POD, svc/NAME or an IP, then `:PORT`, `:PORT/PROTO` or `:icmp`.
    package init(from: String, to: String, namespace: String, _ snapshot: ClusterSnapshot) throws {
        for text in [from, to] where text.hasPrefix("[") || text.split(separator: ":", omittingEmptySubsequences: false).count > 2 {
            throw UserError(
                "error: \"\(text)\" is an IPv6 address, and the cluster has IPv4 only: no pod's link lets IPv6 through, to or from anybody",
                hint: "see \"What a pod may send, and what reaches it\" in docs/policy.md")
        }
        let names = Names(snapshot: snapshot, namespace: namespace)
        (source, sourceName) = try names.source(from)
        let parts = to.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        var wish: ReachMatrix.Probe?
        if parts.count == 2 {
            // PORT/PROTO is how people say it, PROTO/PORT how a probe is written.
            let turned = parts[1].split(separator: "/").reversed().joined(separator: "/")
            guard let probe = ReachMatrix.Probe(parts[1]) ?? ReachMatrix.Probe(turned) else {
                throw UserError("error: \"\(parts[1])\" is no port", hint: "write it as 80, 53/udp or icmp")
            }
            wish = probe
        }
        var target = try names.target(parts[0])
        if let wish, let front = names.front(at: target.address, wish) { target.name = front }
        // From outside a Service is asked at its load balancer.
        if case .outside = source, let balancer = names.balancer(at: target.address) { target = balancer }
        targetName = target.name
        address = target.address
        guard let probe = wish ?? (target.probes.count == 1 ? target.probes.first : nil) else {
            let choices = target.probes.map { "\(parts[0]):\($0.port)" }.joined(separator: ", ")
            throw UserError(
                "error: which port of \(target.name)?",
                hint: target.probes.isEmpty ? "such as \(parts[0]):80 or \(parts[0]):icmp" : "one of \(choices)")
        }
        self.probe = probe
    }

    private struct Names {
        let snapshot: ClusterSnapshot
        let namespace: String

        private func pod(_ text: String) -> Pod? {
            let name = text.hasPrefix("pod/") ? String(text.dropFirst(4)) : text
            let parts = name.split(separator: "/").map(String.init)
            let key = parts.count == 2 ? ObjectKey(parts[0], parts[1]) : ObjectKey(namespace, name)
            return snapshot.pods.first { $0.key == key }
        }

        private func node(_ text: String) -> Cluster.NodeSpec? {
            let name = text.hasPrefix("node/") ? String(text.dropFirst(5)) : text
            return snapshot.cluster.nodes.first { $0.name == name }
        }

        func source(_ text: String) throws -> (PacketSource, String) {
            if ["host", "outside"].contains(text) {
                return (.outside(snapshot.cluster.hostAddress), "the outside client (\(snapshot.cluster.hostAddress))")
            }
            if let address = IPAddress(text) {
                if let pod = snapshot.pods.first(where: { $0.ip == address && !$0.isHostNetwork }) { return try source(pod) }
                if let node = snapshot.cluster.nodes.first(where: { $0.address == address }) {
                    return (.node(node.name), "node \(node.name)")
                }
                return (.outside(address), "\(address), outside")
            }
            if let pod = pod(text) { return try source(pod) }
            if let node = node(text) { return (.node(node.name), "node \(node.name)") }
            throw UserError(
                "error: there is no pod or node \"\(text)\"",
                hint: "name a pod (NAMESPACE/NAME outside -n \(namespace)), node/NAME, host, or an IP address")
        }

        private func source(_ pod: Pod) throws -> (PacketSource, String) {
            guard let node = pod.nodeName, let address = pod.ip else {
                throw UserError("error: pod \(pod.key) has no address yet", hint: "see: minik get pods")
            }
            return (pod.isHostNetwork ? .node(node) : .pod(address, node: node), "\(pod.key) (\(address), \(node))")
        }

        func target(_ text: String) throws -> (name: String, address: IPAddress, probes: [ReachMatrix.Probe]) {
            if let address = IPAddress(text) {
                if let service = snapshot.services.first(where: { $0.clusterIP == address }) {
                    return (describe(service), address, probes(service))
                }
                if let service = snapshot.services.first(where: { $0.balancerAddresses.contains(address) }) {
                    return ("load balancer of Service \(service.key) (\(address))", address, probes(service))
                }
                if let service = snapshot.services.first(where: { $0.externalIPs.contains(address) }) {
                    return ("external address of Service \(service.key) (\(address))", address, probes(service))
                }
                if let pod = snapshot.pods.first(where: { $0.ip == address && !$0.isHostNetwork }) { return try target(pod) }
                let node = snapshot.cluster.nodes.first { $0.address == address }
                return (node.map { "node \($0.name) (\(address))" } ?? "\(address)", address, [])
            }
            let isService = text.hasPrefix("svc/") || text.hasPrefix("service/")
            let name = isService ? String(text.drop { $0 != "/" }.dropFirst()) : text
            let parts = name.split(separator: "/").map(String.init)
            let key = parts.count == 2 ? ObjectKey(parts[0], parts[1]) : ObjectKey(namespace, name)
            let pod = isService ? nil : pod(text)
            if let service = snapshot.services.first(where: { $0.key == key }), !text.hasPrefix("pod/") {
                if pod != nil { throw UserError("error: \"\(text)\" is a pod and a Service", hint: "say pod/\(text) or svc/\(text)") }
                guard let address = service.clusterIP else {
                    throw UserError("error: Service \(key) has no address of its own", hint: "ask for one of its pods")
                }
                return (describe(service), address, probes(service))
            }
            if let pod { return try target(pod) }
            if let node = node(text) { return ("node \(node.name) (\(node.address))", node.address, []) }
            throw UserError(
                "error: there is no pod, Service or node \"\(text)\"",
                hint: "name a pod or svc/NAME (NAMESPACE/NAME outside -n \(namespace)), or an IP address")
        }

        /// Who stands behind a port of a node: a Service with a node port, or a pod with a host port.
        func front(at address: IPAddress, _ probe: ReachMatrix.Probe) -> String? {
            guard let node = snapshot.cluster.nodes.first(where: { $0.address == address }) else { return nil }
            let place = "node \(node.name) (\(address))"
            for service in snapshot.services {
                let ports = service.ports.filter { $0.nodePort == Int(probe.port) && $0.proto.number == probe.proto }
                if !ports.isEmpty { return "node port of Service \(service.key) on \(place)" }
                if service.healthCheckNodePort == Int(probe.port), probe.proto == TransportProtocol.tcp.number {
                    return "health check of Service \(service.key) on \(place)"
                }
            }
            let pod = snapshot.pods.first { pod in
                pod.nodeName == node.name && !pod.isFinished && !pod.isHostNetwork
                    && pod.hostPorts.contains {
                        $0.port == probe.port && $0.proto.number == probe.proto && ($0.address ?? address) == address
                    }
            }
            return pod.map { "host port of \($0.key) on \(place)" }
        }

        /// The load balancer of the Service that has a cluster address.
        func balancer(at address: IPAddress) -> (name: String, address: IPAddress, probes: [ReachMatrix.Probe])? {
            guard let service = snapshot.services.first(where: { $0.clusterIP == address }), let own = service.balancerAddresses.first
            else {
                return nil
            }
            return ("load balancer of Service \(service.key) (\(own))", own, probes(service))
        }

        private func target(_ pod: Pod) throws -> (name: String, address: IPAddress, probes: [ReachMatrix.Probe]) {
            guard let address = pod.ip else { throw UserError("error: pod \(pod.key) has no address yet", hint: "see: minik get pods") }
            return ("\(pod.key) (\(address), \(pod.nodeName ?? "?"))", address, pod.declaredProbes)
        }

        private func describe(_ service: Service) -> String { "Service \(service.key) (\(service.clusterIP.map(\.description) ?? "None"))" }

        private func probes(_ service: Service) -> [ReachMatrix.Probe] {
            service.ports.compactMap { port in UInt16(exactly: port.port).map { ReachMatrix.Probe(proto: port.proto.number, port: $0) } }
        }
    }
}
