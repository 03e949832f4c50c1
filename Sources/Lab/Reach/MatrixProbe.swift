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
        let listeners =
            pods.compactMap { pod in pod.ip.map { (name: "\($0)", namespace: paths.podNetns(pod.key)) } }
            + snapshot.cluster.nodes.map { (name: "\($0.address)", namespace: paths.nodeNetns($0.name)) }
        let prober = ReachProbe(listeners: listeners)
        let base = UInt32.random(in: 1...0x7FFF) << 16
        var sendings: [ReachProbe.Sending] = [], expected: Set<UInt32> = []
        for (index, cell) in matrix.cells.enumerated() {
            let source = matrix.sources[cell.from], target = matrix.targets[cell.to]
            let token = base &+ UInt32(index)
            let packet = ProbePacket(
                from: matrix.walk.sourceAddress(of: source.source, to: target.address), to: target.address, proto: cell.probe.proto,
                port: cell.probe.port, token: token)
            // The client outside has no route to pods: it hands the packet to the pod's node, as a route there would.
            var via: IPAddress?
            if case .outside = source.source { via = matrix.walk.router(to: target.address) }
            guard canTell(cell) else { continue }
            sendings.append(ReachProbe.Sending(namespace: namespace(source), packet: packet, via: via))
            if cell.isAllowed { expected.insert(token) }
        }
        let arrivals = try await prober.run(sendings, expected: expected)
        for index in measured.cells.indices {
            let arrived = arrivals[base &+ UInt32(index)] ?? []
            let cell = matrix.cells[index]
            if canTell(cell) { measured.cells[index].measured = cell.ends.contains { arrived.contains("\($0)") } }
        }
        return measured
    }

    /// One packet says nothing of ways that differ; and a node hears what comes to it before its own rules refuse it.
    private func canTell(_ cell: ReachMatrix.Cell) -> Bool {
        let nodes = snapshot.cluster.nodes.map(\.address)
        return !cell.isPartly && (cell.isAllowed || !cell.ends.contains(where: nodes.contains))
    }

    private func namespace(_ party: ReachMatrix.Party) -> String {
        if let pod = party.pod { return paths.podNetns(pod) }
        if case .node(let name) = party.source { return paths.nodeNetns(name) }
        return paths.outside
    }
}
