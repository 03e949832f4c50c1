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
        let listeners = matrix.targets.compactMap { target in target.pod.map { (name: target.name, namespace: paths.podNetns($0)) } }
        let prober = ReachProbe(listeners: listeners)
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
            if case .outside = source {
                via = snapshot.cluster.nodes.compactMap { $0.place(family) }.first { $0.podCIDR.contains(target) }?.address
            }
            sendings.append(ReachProbe.Sending(namespace: namespace(party), packet: packet, via: via))
            if cell.isAllowed { expected.insert(token) }
        }
        let arrivals = try await prober.run(sendings, expected: expected)
        for index in measured.cells.indices {
            let hops = arrivals[base &+ UInt32(index)]?[matrix.targets[measured.cells[index].to].name]
            (measured.cells[index].measured, measured.cells[index].hops) = (hops != nil, hops)
        }
        return measured
    }

    private func namespace(_ party: ReachMatrix.Party) -> String {
        if let pod = party.pod { return paths.podNetns(pod) }
        return party.node.map(paths.nodeNetns) ?? paths.outside
    }
}
