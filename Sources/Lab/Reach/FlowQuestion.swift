import Model
import Proxy

/// From whom to what: the question of `minik why`, with its names resolved.
package struct FlowQuestion {
    package let source: PacketSource
    package let sourceName: String
    package let targetName: String
    package let address: IPAddress
    package let probe: ReachMatrix.Probe

    /// `from`: POD, node/NAME, host or an IP. `to`: POD, svc/NAME or an IP, then `:PORT`, `:PORT/PROTO` or `:icmp`; an IPv6 address with a
    /// port stands in brackets. `family`: nil where the target's first that the source has, too, is meant.
    package init(from: String, to: String, namespace: String, family: IPFamily? = nil, _ snapshot: ClusterSnapshot) throws {
        let from = Self.unbracketed(from), (place, ending) = Self.parts(to)
        for text in [from, place] { try Self.check(text, snapshot.cluster) }
        let names = Names(snapshot: snapshot, namespace: namespace)
        var wish: ReachMatrix.Probe?
        if let ending {
            guard let probe = Self.probe(ending) else {
                throw UserError("error: \"\(ending)\" is no port", hint: "write it as 80, 53/udp or icmp")
            }
            wish = probe
        }
        let source = try names.source(from)
        var target = try names.target(place)
        // From outside a Service is asked at its load balancer.
        if source.node == nil, let balancer = names.balancer(of: target, family) { target = balancer }
        let common = target.addresses.filter { source.families.contains($0.family) && $0.family == family ?? $0.family }
        guard let address = common.first, let packets = source.packets(address.family) else {
            throw UserError(
                "error: no packet goes from \(source.name) to \(target.name)\(family.map { " over \($0.rawValue)" } ?? "")",
                hint: "they have no address of one family")
        }
        (self.source, sourceName) = (packets, source.name)
        (targetName, self.address) = (wish.flatMap { names.front(at: address, $0) } ?? target.name, address)
        guard let probe = wish ?? (target.probes.count == 1 ? target.probes.first : nil) else {
            let choices = target.probes.map { "\(place):\($0.port)" }.joined(separator: ", ")
            throw UserError(
                "error: which port of \(target.name)?",
                hint: target.probes.isEmpty ? "such as \(place):80 or \(place):icmp" : "one of \(choices)")
        }
        self.probe = probe
    }

    /// PORT/PROTO is how people say it, PROTO/PORT how a probe is written.
    private static func probe(_ text: String) -> ReachMatrix.Probe? {
        ReachMatrix.Probe(text) ?? ReachMatrix.Probe(text.split(separator: "/").reversed().joined(separator: "/"))
    }

    static func isPort(_ text: String) -> Bool { probe(text) != nil }

    package var proto: UInt8 { probe.proto(address.family) }

    private static func unbracketed(_ text: String) -> String {
        text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
    }

    /// What is before a port, and the port: `web:80`, `[fd00::1]:80`, `fd00::1`.
    private static func parts(_ text: String) -> (String, String?) {
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            let rest = text[text.index(after: end)...]
            return (String(text[text.index(after: text.startIndex)..<end]), rest.hasPrefix(":") ? String(rest.dropFirst()) : nil)
        }
        if IPAddress(text) != nil { return (text, nil) }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        return (parts[0], parts.count == 2 ? parts[1] : nil)
    }

    private static func check(_ text: String, _ cluster: Cluster) throws {
        guard let address = IPAddress(text) else { return }
        // 0.0.0.0, 127.0.0.1, 224.0.0.1, 255.255.255.255
        if address.isUnspecified || address.isLoopback || address.isMulticast || address == IPAddress(ipv4: .max) {
            throw UserError(
                "error: \"\(text)\" is no machine's address that a packet can be followed from or to: it means nobody, everybody or the machine "
                    + "itself", hint: "name a pod, node/NAME, host, svc/NAME or the address of one machine")
        }
        let family = address.family
        guard !cluster.families.contains(family) else { return }
        let others = cluster.families.map(\.rawValue).joined(separator: " and ")
        throw UserError(
            "error: \"\(text)\" is an \(family.rawValue) address, and the cluster has \(others) only: no pod's link lets \(family.rawValue) through, "
                + "to or from anybody", hint: "see \"What a pod may send, and what reaches it\" in docs/policy.md")
    }

    /// Who sends: what its packets start as, in each family that it has.
    private struct Source {
        let name: String
        let addresses: [IPAddress]
        /// nil: outside.
        let node: String?
        let isPod: Bool

        var families: [IPFamily] { addresses.map(\.family) }

        func packets(_ family: IPFamily) -> PacketSource? {
            guard let address = addresses.of(family) else { return nil }
            guard let node else { return .outside(address) }
            return isPod ? .pod(address, node: node) : .node(node)
        }
    }

    private struct Target {
        let name: String
        let addresses: [IPAddress]
        var probes: [ReachMatrix.Probe] = []
    }

    private static func list(_ addresses: [IPAddress]) -> String { addresses.map(\.description).joined(separator: ", ") }

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

        private static let outside = ["host", "outside"]
        private var outside: Source {
            let addresses = snapshot.cluster.networks.map(\.host)
            return Source(name: "the outside client (\(list(addresses)))", addresses: addresses, node: nil, isPod: false)
        }

        func source(_ text: String) throws -> Source {
            if Self.outside.contains(text) { return outside }
            if let address = IPAddress(text) {
                if let pod = snapshot.pods.first(where: { $0.ips.contains(address) && !$0.isHostNetwork }) {
                    return try source(pod, [address])
                }
                if let node = snapshot.cluster.nodes.first(where: { $0.addresses.contains(address) }) { return source(node, [address]) }
                return Source(name: "\(address), outside", addresses: [address], node: nil, isPod: false)
            }
            if let pod = pod(text) { return try source(pod, pod.ips) }
            if let node = node(text) { return source(node, node.addresses) }
            throw UserError(
                "error: there is no pod or node \"\(text)\"",
                hint: "name a pod (NAMESPACE/NAME outside -n \(namespace)), node/NAME, host, or an IP address")
        }

        private func source(_ node: Cluster.NodeSpec, _ addresses: [IPAddress]) -> Source {
            Source(name: "node \(node.name)", addresses: addresses, node: node.name, isPod: false)
        }

        private func source(_ pod: Pod, _ addresses: [IPAddress]) throws -> Source {
            guard let node = pod.nodeName, !addresses.isEmpty else { throw addressless(pod) }
            return Source(name: "\(pod.key) (\(list(addresses)), \(node))", addresses: addresses, node: node, isPod: !pod.isHostNetwork)
        }

        private func addressless(_ pod: Pod) -> UserError {
            UserError("error: pod \(pod.key) has no address yet", hint: "see: minik get pods")
        }

        private func addressless(_ service: Service) -> UserError {
            let message = "error: Service \(service.key) has no address of its own"
            guard service.type == "ExternalName" else { return UserError(message, hint: "ask for one of its pods") }
            let name = service.spec["externalName"].string ?? ""
            return UserError("\(message): it is another name for \(name)", hint: "ask for an address of \(name)")
        }

        func target(_ text: String) throws -> Target {
            if let address = IPAddress(text) {
                if let service = snapshot.services.first(where: { $0.clusterIPs.contains(address) }) { return target(service, [address]) }
                if let pod = snapshot.pods.first(where: { $0.ips.contains(address) && !$0.isHostNetwork }) {
                    return try target(pod, [address])
                }
                if let service = snapshot.services.first(where: { $0.balancerAddresses.contains(address) }) {
                    return target(service, [address], "load balancer of ")
                }
                if let service = snapshot.services.first(where: { $0.externalIPs.contains(address) }) {
                    return target(service, [address], "external address of ")
                }
                let node = snapshot.cluster.nodes.first { $0.addresses.contains(address) }
                return Target(name: node.map { "node \($0.name) (\(address))" } ?? "\(address)", addresses: [address])
            }
            if text.hasPrefix("gateway/") { return try gateway(String(text.dropFirst(8))) }
            let isService = text.hasPrefix("svc/") || text.hasPrefix("service/")
            let name = isService ? String(text.drop { $0 != "/" }.dropFirst()) : text
            let parts = name.split(separator: "/").map(String.init)
            let key = parts.count == 2 ? ObjectKey(parts[0], parts[1]) : ObjectKey(namespace, name)
            let pod = isService ? nil : pod(text)
            if let service = snapshot.services.first(where: { $0.key == key }), !text.hasPrefix("pod/") {
                if pod != nil { throw UserError("error: \"\(text)\" is a pod and a Service", hint: "say pod/\(text) or svc/\(text)") }
                guard !service.clusterIPs.isEmpty else {
                    throw addressless(service)
                }
                return target(service, service.clusterIPs)
            }
            if let pod { return try target(pod, pod.ips) }
            if let node = node(text) { return Target(name: "node \(node.name) (\(list(node.addresses)))", addresses: node.addresses) }
            if Self.outside.contains(text) { return Target(name: outside.name, addresses: outside.addresses) }
            throw UserError(
                "error: there is no pod, Service or node \"\(text)\"",
                hint: "name a pod, svc/NAME or gateway/NAME (NAMESPACE/NAME outside -n \(namespace)), node/NAME, host, or an IP address")
        }

        /// NAME or NAMESPACE/NAME
        private func gateway(_ text: String) throws -> Target {
            let parts = text.split(separator: "/").map(String.init)
            let key = parts.count == 2 ? ObjectKey(parts[0], parts[1]) : ObjectKey(namespace, text)
            guard let service = snapshot.services.first(where: { $0.gateway == key }), !service.balancerAddresses.isEmpty else {
                throw UserError(
                    "error: no Gateway \"\(key)\" has an address",
                    hint: "see: minik describe gateway \(key.name) -n \(key.namespace)")
            }
            return target(service, service.balancerAddresses, "load balancer of ")
        }

        /// Who stands behind a port of a node: a Service with a node port, or a pod with a host port.
        func front(at address: IPAddress, _ probe: ReachMatrix.Probe) -> String? {
            guard let node = snapshot.cluster.nodes.first(where: { $0.addresses.contains(address) }) else { return nil }
            let place = "node \(node.name) (\(address))"
            for service in snapshot.services where service.clusterIP(address.family) != nil {
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

        /// The load balancer of the Service that has the target's addresses, where there is one in a family of theirs.
        func balancer(of asked: Target, _ family: IPFamily?) -> Target? {
            let service = snapshot.services.first { service in asked.addresses.contains { service.clusterIPs.contains($0) } }
            guard let service else { return nil }
            let own = service.balancerAddresses.filter { asked.addresses.of($0.family) != nil && $0.family == family ?? $0.family }
            return own.isEmpty ? nil : target(service, own, "load balancer of ")
        }

        private func target(_ pod: Pod, _ addresses: [IPAddress]) throws -> Target {
            guard !addresses.isEmpty else { throw addressless(pod) }
            return Target(
                name: "\(pod.key) (\(list(addresses)), \(pod.nodeName ?? "?"))", addresses: addresses, probes: pod.declaredProbes)
        }

        private func target(_ service: Service, _ addresses: [IPAddress], _ kind: String = "") -> Target {
            let probes = service.ports.compactMap { port in
                UInt16(exactly: port.port).map { ReachMatrix.Probe(proto: port.proto.number, port: $0) }
            }
            let gateway = service.gateway.map { " of Gateway \($0)" } ?? ""
            return Target(name: "\(kind)Service \(service.key)\(gateway) (\(list(addresses)))", addresses: addresses, probes: probes)
        }
    }
}
