import Model

/// Who reaches whom: every source with every pod, for every probe.
package struct ReachMatrix: Sendable {
    /// One end: a pod, or as a source a node or the client outside.
    package struct Party: Sendable, Hashable {
        /// `default/web`, `node/k8s-node1` or `outside`: a client on the nodes' LAN that sends by way of the pod's node.
        package let name: String
        /// nil for a node, and for a way into a Service.
        package let pod: ObjectKey?
        /// The node, or the pod's; nil for the client outside.
        package let node: String?
        /// One of each family.
        package let addresses: [IPAddress]
        /// What alone a way into a Service, or a port of a node, is asked, in whatever family; nil of a pod.
        package var probe: Probe? = nil

        /// nil: it has no address of the family.
        package func source(_ family: IPFamily) -> PacketSource? {
            guard let address = addresses.of(family) else { return nil }
            guard let node else { return .outside(address) }
            return pod == nil ? .node(node) : .pod(address, node: node)
        }
    }

    package struct Probe: Sendable, Hashable, CustomStringConvertible {
        /// 1 stands for ICMP of either family.
        package let proto: UInt8
        package let port: UInt16
        /// nil: the cluster's first.
        package var family: IPFamily?

        package init(proto: UInt8, port: UInt16) {
            self.proto = proto
            self.port = port
        }

        /// The protocol's number in packets of a family.
        package func proto(_ family: IPFamily) -> UInt8 { proto == 1 && family == .ipv6 ? 58 : proto }

        /// The same in each of a cluster's families.
        fileprivate func inEach(_ families: [IPFamily]) -> [Probe] {
            families.enumerated().map { index, family in
                var probe = self
                probe.family = index == 0 ? nil : family
                return probe
            }
        }

        /// The same, but for the family.
        fileprivate func isAlike(_ other: Probe) -> Bool { proto == other.proto && port == other.port }

        /// Reads `TCP/80`, `udp/53`, `icmp`; a number alone is TCP.
        package init?(_ text: String) {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            if parts.count == 1, let port = UInt16(parts[0]), port > 0 {
                self.init(proto: TransportProtocol.tcp.number, port: port)
            } else if parts.count == 1, parts[0].uppercased() == "ICMP" {
                self.init(proto: 1, port: 0)
            } else if parts.count == 2, let proto = TransportProtocol(rawValue: parts[0].uppercased()), let port = UInt16(parts[1]),
                port > 0
            {
                self.init(proto: proto.number, port: port)
            } else {
                return nil
            }
        }

        package var description: String {
            let what = proto == 1 ? "ICMP" : "\(TransportProtocol.allCases.first { $0.number == proto }?.rawValue ?? "\(proto)")/\(port)"
            return family.map { "\(what) over \($0.rawValue)" } ?? what
        }
    }

    package struct Cell: Sendable {
        package let from: Int
        package let to: Int
        package let probe: Probe
        package let isAllowed: Bool
        /// The words of the rule that stopped it.
        package let reason: String?
        /// Where a packet may arrive: one address, or those of a Service's endpoints.
        package var ends: Set<IPAddress> = []
        /// Some of the ways that it may take are open, and others are not: one packet says nothing of it.
        package var isPartly = false
        /// What real packets did; nil when none were sent.
        package var measured: Bool?
        /// How many hops a packet that arrived had left (TTL).
        package var hops: Int?
        package var differs: Bool { measured.map { $0 != isAllowed } ?? false }
    }

    package let sources: [Party]
    package let targets: [Party]
    package let probes: [Probe]
    package var cells: [Cell]
    /// The way on which the cells were computed.
    package let walk: PacketWalk
    private let families: [IPFamily]

    /// Computes the matrix of the pods that `isWanted`, and of the nodes as sources, from the tables that the nodes should hold.
    /// `fronts`: ways into Services, as targets after the pods.
    package init(_ snapshot: ClusterSnapshot, probes: [Probe], fronts: [ServiceFront] = [], isWanted: (Pod) -> Bool) {
        families = snapshot.cluster.families
        let families = families, wished = probes.flatMap { $0.inEach(families) }, ofPods = Set(wished)
        let ofFronts = fronts.flatMap { front in
            front.probe.inEach(families).filter { front.addresses.of($0.family ?? families[0]) != nil }
        }
        self.probes = wished + ofFronts.reduce(into: [Probe]()) { if !ofPods.contains($1), !$0.contains($1) { $0.append($1) } }
        let pods = snapshot.pods.filter { !$0.isFinished && !$0.isBeingDeleted && !$0.isHostNetwork && $0.ip != nil && isWanted($0) }.sorted
        { $0.key < $1.key }
        let parties: [Party] = pods.compactMap { pod in
            pod.nodeName.map { Party(name: "\(pod.key)", pod: pod.key, node: $0, addresses: pod.ips) }
        }
        targets = parties + fronts.map { Party(name: $0.name, pod: nil, node: nil, addresses: $0.addresses, probe: $0.probe) }
        sources =
            parties + snapshot.cluster.nodes.map { Party(name: "node/\($0.name)", pod: nil, node: $0.name, addresses: $0.addresses) }
            + [Party(name: "outside", pod: nil, node: nil, addresses: snapshot.cluster.networks.map(\.host))]
        walk = snapshot.walk()
        var cells: [Cell] = []
        for probe in self.probes {
            for from in sources.indices {
                for (to, target) in targets.enumerated() where target.probe?.isAlike(probe) ?? ofPods.contains(probe) {
                    if let cell = Self.cell(from, to, probe, sources[from], target, families, walk) { cells.append(cell) }
                }
            }
        }
        self.cells = cells
    }

    /// What a cell would be if another pod stood in the target's place.
    package func cell(from: Int, to: Int, as pod: Pod, _ probe: Probe) -> Cell? {
        let party = Party(name: "\(pod.key)", pod: pod.key, node: pod.nodeName, addresses: pod.ips)
        return Self.cell(from, to, probe, sources[from], party, families, walk)
    }

    /// nil: one of them has no address of the probe's family.
    private static func cell(
        _ from: Int, _ to: Int, _ probe: Probe, _ source: Party, _ target: Party, _ families: [IPFamily], _ walk: PacketWalk
    ) -> Cell? {
        let family = probe.family ?? families[0]
        guard let source = source.source(family), let address = target.addresses.of(family) else { return nil }
        return cell(from, to, probe, walk.journeys(from: source, to: address, proto: probe.proto(family), port: probe.port))
    }

    /// Allowed when it passes on every way that it may take.
    private static func cell(_ from: Int, _ to: Int, _ probe: Probe, _ journeys: [Journey]) -> Cell {
        let closed = journeys.first { !$0.isDelivered }, isAllowed = !journeys.isEmpty && closed == nil, stop = closed?.stop
        return Cell(
            from: from, to: to, probe: probe, isAllowed: isAllowed,
            reason: isAllowed ? nil : stop?.comment ?? stop?.element ?? "no way there", ends: Set(journeys.map(\.packet.destination)),
            isPartly: closed != nil && journeys.contains(where: \.isDelivered))
    }

    /// What there is to probe where nobody says: the ports that the pods declare, and ICMP.
    package static func declaredProbes(_ snapshot: ClusterSnapshot, _ isWanted: (Pod) -> Bool) -> [Probe] {
        let declared = snapshot.pods.filter(isWanted).flatMap(\.declaredProbes)
        let ports = Set(declared).sorted { ($0.proto, $0.port) < ($1.proto, $1.port) }
        return (ports.isEmpty ? [Probe(proto: TransportProtocol.tcp.number, port: 80)] : ports) + [Probe(proto: 1, port: 0)]
    }

    /// The cells that `self` and `other`, of the same parties and probes, do not have alike: what a change opens and closes.
    package func changes(to other: ReachMatrix) -> [(before: Cell, after: Cell)] {
        let before = Dictionary(cells.map { (key($0), $0) }, uniquingKeysWith: { $1 })
        return other.cells.compactMap { after in
            guard let old = before[other.key(after)], old.isAllowed != after.isAllowed else { return nil }
            return (old, after)
        }
    }

    private func key(_ cell: Cell) -> String { "\(sources[cell.from].name) \(targets[cell.to].name) \(cell.probe)" }
}

extension Pod {
    /// The ports that the pod's containers declare.
    package var declaredProbes: [ReachMatrix.Probe] {
        containers.flatMap(\.ports).compactMap { port in
            guard let proto = TransportProtocol(rawValue: port["protocol"].string ?? "TCP"),
                let number = port["containerPort"].int.flatMap({ UInt16(exactly: $0) })
            else { return nil }
            return ReachMatrix.Probe(proto: proto.number, port: number)
        }
    }
}
