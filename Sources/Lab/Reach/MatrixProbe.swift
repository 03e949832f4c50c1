import Model
import Proxy
import Runtime

/// Measures a matrix: one real packet a cell, and eyes at every pod.
package struct MatrixProbe {
    let paths: ClusterPaths
    let snapshot: ClusterSnapshot

    package init(paths: ClusterPaths, snapshot: ClusterSnapshot) {
        self.paths = paths
        self.snapshot = snapshot
    }

    package func measure(_ matrix: ReachMatrix) async throws -> ReachMatrix {
        var measured = matrix
        // Behind a Service may be any pod, and a node itself.
        let pods = snapshot.pods.filter { !$0.isHostNetwork && !$0.isFinished && !$0.isBeingDeleted && $0.ip != nil }
        let parties =
            pods.map { (name: "\($0.key)", namespace: paths.podNetns($0.key), addresses: $0.ips) }
            + snapshot.cluster.nodes.map { (name: "node/\($0.name)", namespace: paths.nodeNetns($0.name), addresses: $0.addresses) }
        // Only where a packet may arrive somebody listens: the kernel takes some ten milliseconds to close one such socket (packet_release
        // waits for a grace period), and there may be hundreds of pods beside those of the matrix.
        let ends = matrix.cells.reduce(into: Set<IPAddress>()) { $0.formUnion($1.ends) }
        let listeners = parties.filter { !ends.isDisjoint(with: $0.addresses) }
        // Who listens at each address, of whichever family.
        var names: [IPAddress: String] = [:]
        for listener in listeners { for address in listener.addresses { names[address] = listener.name } }
        let prober = ReachProbe(listeners: listeners.map { ($0.name, $0.namespace) })
        let base = UInt32.random(in: 1...0x7FFF) << 16
        var sendings: [ReachProbe.Sending] = [], expected: Set<UInt32> = []
        for (index, cell) in matrix.cells.enumerated() {
            let family = cell.probe.family ?? snapshot.cluster.families[0], party = matrix.sources[cell.from]
            guard let source = party.source(family), let target = matrix.targets[cell.to].addresses.of(family) else { continue }
            let token = base &+ UInt32(index)
            let packet = ProbePacket(
                from: matrix.walk.sourceAddress(of: source, to: target), to: target, proto: cell.probe.proto(family), port: cell.probe.port,
                token: token)
            // The client outside has no route to pods: it hands the packet to the pod's node, as a route there would.
            var via: IPAddress?
            if case .outside = source { via = matrix.walk.router(to: target) }
            guard canTell(cell) else { continue }
            sendings.append(ReachProbe.Sending(namespace: namespace(party), packet: packet, via: via))
            if cell.isAllowed { expected.insert(token) }
        }
        let arrivals = try await prober.run(sendings, expected: expected)
        for index in measured.cells.indices {
            let cell = matrix.cells[index], arrived = arrivals[base &+ UInt32(index)] ?? [:]
            guard canTell(cell) else { continue }
            let hops = cell.ends.compactMap { names[$0].flatMap { arrived[$0]?.hops } }.max()
            (measured.cells[index].measured, measured.cells[index].hops) = (hops != nil, hops)
        }
        return measured
    }

    /// One packet says nothing of ways that differ; and a node hears what comes to it before its own rules refuse it.
    private func canTell(_ cell: ReachMatrix.Cell) -> Bool {
        let nodes = snapshot.cluster.nodes.flatMap(\.addresses)
        return !cell.isPartly && (cell.isAllowed || !cell.ends.contains(where: nodes.contains))
    }

    private func namespace(_ party: ReachMatrix.Party) -> String {
        if let pod = party.pod { return paths.podNetns(pod) }
        return party.node.map(paths.nodeNetns) ?? paths.outside
    }
}
