import API
import Host
import Model
import Netlink
import Runtime

/// Gives nodes of a running cluster faults, and frees them: what is written down first is what `clear` goes by.
package struct FaultInjection {
    private let paths: ClusterPaths
    private let cluster: Cluster
    private var injected: InjectedFaults { InjectedFaults(paths) }

    package init(_ cluster: Cluster, _ paths: ClusterPaths) { (self.cluster, self.paths) = (cluster, paths) }

    package var entries: [InjectedFaults.Entry] { get throws { try injected.all } }

    /// Returns the nodes that have it now. `node`: nil for the first worker.
    package func inject(_ fault: Fault, on node: String?) async throws -> [String] {
        if let need = fault.missing(in: cluster) {
            throw UserError(
                "fault \"\(fault.name)\" needs \(need.rawValue)", hint: "cluster \"\(cluster.name)\" has plugin \(cluster.plugin.rawValue)")
        }
        let nodes = try places(of: fault, node)
        return try await ClusterLock.with(paths) {
            let before = try injected.all
            if let there = before.first(where: { $0.name == fault.name && nodes.contains($0.node) }) {
                throw UserError(
                    "node \(there.node) has had the fault \"\(fault.name)\" since \(there.since)", hint: "minik fault clear \(fault.name)")
            }
            try requireAlone(fault, on: nodes, beside: before)
            for node in nodes { try requireRunning(node) }
            // Nobody mends from here on.
            try injected.set(before + nodes.map { InjectedFaults.Entry(name: fault.name, node: $0, since: .now()) })
            var done: [String] = []
            do {
                for node in nodes {
                    done.append(node)
                    try await run(fault, on: node, isClearing: false)
                }
            } catch {
                for node in done { try? await run(fault, on: node, isClearing: true) }  // as far as it went; the first error counts
                try injected.set(before)
                throw error
            }
            return nodes
        }
    }

    /// Frees a node of a fault, or all nodes that have it. What minik itself keeps right is right when this returns.
    package func clear(_ fault: Fault, on node: String?, _ client: HTTPClient) async throws -> [String] {
        let nodes = try await ClusterLock.with(paths) {
            let nodes = try injected.all.filter { $0.name == fault.name && (node == nil || $0.node == node) }.map(\.node)
            guard !nodes.isEmpty else {
                throw UserError("no node\(node.map { " \($0)" } ?? "") has the fault \"\(fault.name)\"", hint: "see: minik fault list")
            }
            for node in nodes { try requireRunning(node) }
            for node in nodes {
                try await run(fault, on: node, isClearing: true)
                try injected.set(try injected.all.filter { $0.name != fault.name || $0.node != node })
            }
            return nodes
        }
        if cluster.repair == .automatic, !injected.isSome { _ = try await NodeRepair(client: client).found() }
        return nodes
    }

    private func places(of fault: Fault, _ node: String?) throws -> [String] {
        let names = cluster.nodes.map(\.name)
        if fault.isEverywhere {
            guard node == nil else {
                throw UserError("fault \"\(fault.name)\" is one of all nodes together", hint: "leave --node out")
            }
            return names
        }
        guard let node else { return [(cluster.nodes.first { !$0.isControlPlane } ?? cluster.controlPlane).name] }
        guard names.contains(node) else {
            throw UserError("there is no node \"\(node)\"", hint: "there are: \(names.joined(separator: ", "))")
        }
        return [node]
    }

    private func requireAlone(_ fault: Fault, on nodes: [String], beside entries: [InjectedFaults.Entry]) throws {
        guard let changes = fault.changes else { return }
        for entry in entries where nodes.contains(entry.node) {
            guard try Fault.named(entry.name).changes == changes else { continue }
            throw UserError(
                "node \(entry.node) has the fault \"\(entry.name)\", which is about \(changes), as \"\(fault.name)\" is",
                hint: "minik fault clear \(entry.name) --node \(entry.node)")
        }
    }

    private func requireRunning(_ node: String) throws {
        let state = NodePower(node, paths).state
        guard state == .running else {
            throw UserError("node \(node) is \(state.rawValue)", hint: "minik node \(state == .paused ? "unpause" : "start") \(node)")
        }
    }

    private func run(_ fault: Fault, on node: String, isClearing: Bool) async throws {
        switch fault.means {
        case .partition: try NodeLinks(paths).changeLocked(node) { $0.isPartitioned = !isClearing }
        case .scripts(let inject, let clear):
            guard let spec = cluster.nodes.first(where: { $0.name == node }), let process = ProcessIdentity(file: paths.nodePID(node))
            else {
                throw UserError("node \(node) has no init that runs", hint: "see: minik status")
            }
            let folder = "/var/lib/minik/faults/\(fault.name)"
            let text =
                isClearing
                ? "mkdir -p \(folder)\n\(clear)\ncd /\nrm -rf \(folder)" : "rm -rf \(folder)\nmkdir -p \(folder)\n\(inject)"
            let answer = try await NodeProgram(
                ["/bin/sh", "-euc", text], environment: environment(spec, folder), input: "", limit: 30
            ).run(on: process)
            guard answer.code == 0 else {
                let words = answer.complaints.trimmed
                throw UserError(
                    "\(isClearing ? "clear" : "inject") the fault \"\(fault.name)\" on node \(node): "
                        + (words.isEmpty ? "its script ended with \(answer.code)" : words),
                    hint: "its script: minik fault show \(fault.name)")
            }
            if fault.isWithoutOffload {
                // A veth leaves them to whoever looks, that is to nobody, where nobody has said otherwise.
                try NetworkNamespace(path: paths.nodeNetns(node)).setOffloadsChecksums(isClearing, "eth0")
            }
        }
    }

    private func environment(_ node: Cluster.NodeSpec, _ folder: String) -> [String] {
        func place(_ node: Cluster.NodeSpec) -> NodePlace { node.places.first { $0.podCIDR.family == .ipv4 } ?? node.places[0] }
        let own = place(node)
        var words = [
            "NODE": node.name, "NODE_IP": "\(own.address)", "POD_CIDR": "\(own.podCIDR)", "POD_GATEWAY": "\(own.podCIDR[1])",
            "FAULT": folder,
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ]
        if let peer = cluster.nodes.last(where: { $0.name != node.name }) {
            (words["PEER"], words["PEER_IP"]) = (peer.name, "\(place(peer).address)")
            words["PEER_POD_NETWORK"] = "\(place(peer).podCIDR.network)"
        }
        if let all = cluster.networks.map(\.pods).first(where: { $0.family == .ipv4 }) {
            let last = IPNetwork(all.last, own.podCIDR.prefixLength)
            (words["CLUSTER_CIDR"], words["OTHER_ADDRESS"]) = ("\(all)", "\(last[1])/\(last.prefixLength)")
        }
        return words.map { "\($0)=\($1)" }
    }
}
