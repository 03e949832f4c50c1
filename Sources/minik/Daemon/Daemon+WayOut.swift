import Model
import Netlink
import Proxy
import Runtime

/// The way out of a cluster with `internet: true`: its link, its tables, and a machine that sends on packets; the control plane's keeper
/// looks after them.
extension Daemon {
    func runWayOut(
        _ nodes: [StartedNode], _ report: @escaping @Sendable (String) -> Void,
        _ group: inout ThrowingTaskGroup<Void, any Error>
    ) async throws {
        guard let keeper = nodes.first(where: { $0.spec == cluster.controlPlane })?.keeper else { return }
        let link = InternetLink(cluster: cluster, paths: paths, device: InternetTables.device)
        let forwarding = MachineForwarding(paths)
        try forwarding.note(cluster.families)
        _ = try link.repair()
        let lan = try KernelRulesets(namespace: paths.lanNetns), machine = try KernelRulesets(namespace: "/proc/self/ns/net")
        await keeper.add(
            NodePartFunction {
                let found = try link.repair()
                // A LAN that was made again is another namespace.
                try await lan.reopen()
                return found
            })
        for way in cluster.waysOut {
            let outer = InternetTables.machine(way, link: paths.internetLink, isGuarded: forwarding.wasOff(way.family))
            for (table, rules, target) in [
                (InternetTables.lanID(way.family), InternetTables.lan(way), lan),
                (InternetTables.machineID(cluster.name, way.family), outer, machine),
            ] {
                let tables = TableKeeper<ObjectKey>(table: table, base: rules, target: target, report: report)
                try await tables.sync()
                group.addTask { try await tables.run() }
                await keeper.add(TablePart(tables))
            }
        }
        // Last: the machine sends on nothing that its table does not fence in.
        _ = try forwarding.repair(cluster.families)
        await keeper.add(NodePartFunction { [cluster] in try forwarding.repair(cluster.families) })
    }
}
