import API
import Model
import Netlink
import Proxy
import Runtime

/// What a learner sees of a cluster's network: links, routes, sizes and hops, and who reaches whom. In lines that can be compared with
/// another cluster's of the same lab: what is named at random has no name in them.
package struct NetworkFacts: Sendable {
    /// A subject, and what is to be said of it.
    package struct Subject: Sendable, Hashable {
        package let name: String
        package let lines: [String]

        package init(name: String, lines: [String]) {
            self.name = name
            self.lines = lines
        }
    }

    package let title: String
    package let subjects: [Subject]

    package init(title: String, subjects: [Subject]) {
        self.title = title
        self.subjects = subjects
    }

    /// Looks at a cluster that is up, and sends a packet for each cell of its matrix.
    package static func read(_ paths: ClusterPaths, _ cluster: Cluster, title: String) async throws -> NetworkFacts {
        let client = HTTPClient(socketPath: paths.apiSocket)
        let snapshot = try await ClusterSnapshot(cluster: cluster, client: client)
        let isWanted: (Pod) -> Bool = { $0.namespace != "kube-system" }
        let matrix = ReachMatrix(snapshot, probes: ReachMatrix.declaredProbes(snapshot, isWanted), isWanted: isWanted)
        let measured = try await MatrixProbe(paths: paths, snapshot: snapshot).measure(matrix)
        var subjects: [Subject] = []
        for node in cluster.nodes { subjects += try place(paths.nodeNetns(node.name), node.name, cluster) }
        if let pod = matrix.targets.first?.pod { subjects += try place(paths.podNetns(pod), "a pod", cluster) }
        return NetworkFacts(title: title, subjects: subjects + [hops(measured), reach(measured, snapshot)])
    }

    private static func place(_ path: String, _ name: String, _ cluster: Cluster) throws -> [Subject] {
        var place = try NetworkPlace(path: path)
        let reading = try place.read(for: cluster.families.map { .connected(.all($0), from: nil, dev: "") })
        return [
            Subject(name: "links of \(name)", lines: links(reading)), Subject(name: "routes of \(name)", lines: routes(reading)),
        ]
    }

    /// Each kind of link once, with how many there are.
    package static func links(_ reading: NetworkReading) -> [String] {
        let names = Dictionary(uniqueKeysWithValues: reading.links.values.map { ($0.index, $0.name) })
        let lines = reading.links.values.filter { $0.name != "lo" }.map { link -> String in
            let master = link.master.flatMap { names[$0] }.map { " in \($0)" } ?? ""
            return "\(nameless(link.name)) (\(link.kind ?? "device"))\(master), mtu \(link.mtu)"
        }
        return counted(lines)
    }

    package static func routes(_ reading: NetworkReading) -> [String] {
        let names = Dictionary(uniqueKeysWithValues: reading.links.values.map { ($0.index, $0.name) })
        let lines = reading.routes.map { route -> String in
            let destination = route.destination.prefixLength == 0 ? "default" : route.destination.description
            guard let device = names[route.device] else { return "blackhole \(destination)" }
            // A route to one pod: which address it has is chance.
            let isOwn = nameless(device) != device
            return "\(isOwn ? "a pod's address" : destination)\(route.gateway.map { " via \($0)" } ?? "") dev \(nameless(device))"
        }
        return counted(lines)
    }

    /// `veth` and `cali` are followed by what depends on the pod.
    private static func nameless(_ name: String) -> String {
        for kind in ["veth", "cali"] where name.hasPrefix(kind) && name.count > kind.count { return "\(kind)..." }
        return name
    }

    private static func counted(_ lines: [String]) -> [String] {
        Dictionary(grouping: lines, by: \.self).map { line, all in all.count > 1 ? "\(line) (\(all.count))" : line }.sorted()
    }

    /// How many hops packets had left that went from pod to pod.
    private static func hops(_ matrix: ReachMatrix) -> Subject {
        var found: [String: Set<Int>] = [:]
        for cell in matrix.cells {
            let from = matrix.sources[cell.from], to = matrix.targets[cell.to]
            guard let hops = cell.hops, from.pod != nil, from.pod != to.pod else { continue }
            found[from.node == to.node ? "on the same node" : "on another node", default: []].insert(hops)
        }
        let lines = found.map { way, hops in "to a pod \(way): \(hops.sorted().map(String.init).joined(separator: ", "))" }
        return Subject(name: "TTL", lines: lines.sorted())
    }

    /// Which packets arrive, from all pods of one owner to all of another.
    private static func reach(_ matrix: ReachMatrix, _ snapshot: ClusterSnapshot) -> Subject {
        let owners = Dictionary(snapshot.pods.map { ($0.key, owner($0)) }, uniquingKeysWith: { $1 })
        func name(_ party: ReachMatrix.Party) -> String { party.pod.flatMap { owners[$0] } ?? party.name }
        var counts: [String: (arrived: Int, all: Int)] = [:]
        for cell in matrix.cells {
            let flow = "\(name(matrix.sources[cell.from])) -> \(name(matrix.targets[cell.to])) \(cell.probe)"
            let count = counts[flow] ?? (0, 0)
            counts[flow] = (count.arrived + (cell.measured == true ? 1 : 0), count.all + 1)
        }
        let lines = counts.map { flow, count in
            let verdict =
                count.arrived == count.all ? "arrives" : count.arrived == 0 ? "does not arrive" : "\(count.arrived) of \(count.all) arrive"
            return "\(flow): \(verdict)"
        }
        return Subject(name: "who reaches whom", lines: lines.sorted())
    }

    /// A pod's own name, or, where a controller named it at random, the controller's without the template's hash.
    private static func owner(_ pod: Pod) -> String {
        guard let controller = pod.metadata.controller?["name"].string else { return "\(pod.key)" }
        let hash = pod.labels["pod-template-hash"].map { "-\($0)" } ?? ""
        return "\(pod.namespace)/\(controller.hasSuffix(hash) ? String(controller.dropLast(hash.count)) : controller)"
    }
}
