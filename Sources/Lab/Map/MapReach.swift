import Model
import Proxy

/// Who reaches whom, as the picture and its matrix show it. Pods that no policy can tell apart are one party where there are many.
package struct MapReach: Sendable {
    package struct Party: Sendable, Hashable {
        /// As the picture calls it: a pod's key, `node/NAME`, `outside`.
        package let id: String
        package let pods: [ObjectKey]
        /// What it is asked at, where its containers declare something.
        package let ports: [String]
    }

    /// More pods than these are shown by one of each kin.
    package static let mostPods = 40
    /// What is computed at most, and the parties that are left out of it.
    private static let mostCells = 24_000, mostParties = 80

    package let sources: [Party]
    package let targets: [Party]
    package let probes: [String]
    /// By probe and source: a letter for each target.
    package let rows: [[String]]
    /// Whether the nodes' own packets are in it: to pods of one kin on several nodes there is no one answer.
    package let isWhole: Bool
    /// Pods that have no place in it.
    package let leftOut: Int

    /// `isWanted` as in `minik matrix`.
    package init(_ snapshot: ClusterSnapshot, isWanted: (Pod) -> Bool = { $0.namespace != "kube-system" }) {
        let map = ClusterMap(snapshot, MapSight()), wanted = snapshot.pods.filter { isWanted($0) && Self.isReachable($0) }
        let shown = Dictionary(map.pods.map { ($0.key, $0) }, uniquingKeysWith: { $1 })
        let pods = wanted.compactMap { shown[$0.key] }.sorted { $0.key < $1.key }
        isWhole = pods.count <= Self.mostPods
        var kins: [[ClusterMap.Pod]] = []
        var places: [String: Int] = [:]
        for pod in pods {
            if !isWhole, let place = places[pod.kin] {
                kins[place].append(pod)
            } else {
                places[pod.kin] = kins.count
                kins.append([pod])
            }
        }
        let chosen = kins.prefix(Self.mostParties)
        leftOut = kins.dropFirst(Self.mostParties).reduce(0) { $0 + $1.count }
        let byKey = Dictionary(chosen.map { ("\($0[0].key)", $0) }, uniquingKeysWith: { $1 })
        func isChosen(_ pod: Pod) -> Bool { byKey["\(pod.key)"] != nil }
        let all = ReachMatrix.declaredProbes(snapshot, isChosen),
            size = max(1, chosen.count * (chosen.count + snapshot.cluster.nodes.count + 1))
        // ICMP is the last, and always among them.
        let fitting = max(1, Self.mostCells / size / snapshot.cluster.families.count)
        let matrix = ReachMatrix(
            snapshot, probes: all.count <= fitting ? all : all.prefix(fitting - 1) + all.suffix(1), isWanted: isChosen)
        func party(_ party: ReachMatrix.Party) -> Party {
            let kin = byKey[party.name] ?? []
            return Party(id: party.name, pods: kin.map(\.key), ports: kin.first?.ports ?? [])
        }
        let rowsShown = matrix.sources.indices.filter { [isWhole] in
            isWhole || matrix.sources[$0].node == nil || matrix.sources[$0].pod != nil
        }
        sources = rowsShown.map { party(matrix.sources[$0]) }
        targets = matrix.targets.map(party)
        probes = matrix.probes.map(\.description)
        let byPod = Dictionary(wanted.map { ($0.key, $0) }, uniquingKeysWith: { $1 })
        let others = byKey.compactMapValues { $0.count > 1 ? byPod[$0[1].key] : nil }
        let cells = Dictionary(grouping: matrix.cells, by: \.probe)
        rows = matrix.probes.map { probe in
            let bySource = Dictionary(grouping: cells[probe] ?? [], by: \.from)
            return rowsShown.map { source in
                var letters = [Character](repeating: "?", count: matrix.targets.count)
                for var cell in bySource[source] ?? [] {
                    // A kin's cell with itself is not about a pod and itself, which nobody can forbid.
                    if cell.from == cell.to, let other = others[matrix.targets[cell.to].name] {
                        cell = matrix.cell(from: source, to: cell.to, as: other, probe) ?? cell
                    }
                    letters[cell.to] = cell.isAllowed ? "." : cell.isPartly ? "~" : "X"
                }
                return String(letters)
            }
        }
    }

    private static func isReachable(_ pod: Pod) -> Bool { pod.isActive && !pod.isHostNetwork && pod.ip != nil && pod.nodeName != nil }

    package var json: JSON {
        func list(_ parties: [Party]) -> JSON {
            .array(
                parties.map {
                    [
                        "id": .string($0.id), "pods": .array($0.pods.map { .string("\($0)") }), "ports": .array($0.ports.map(JSON.string)),
                    ]
                })
        }
        return [
            "sources": list(sources), "targets": list(targets), "probes": .array(probes.map(JSON.string)),
            "rows": .array(rows.map { .array($0.map(JSON.string)) }), "leftOut": .int(leftOut),
        ]
    }

    /// A flow that a change opened or closed.
    package struct Difference: Sendable, Hashable {
        package let from: String
        package let to: String
        package let probe: String
        /// As in `rows`.
        package let before: Character
        package let after: Character
    }

    /// What is otherwise in `later`, of the parties and probes that both have.
    package func differences(to later: MapReach) -> [Difference] {
        let olds = Dictionary(targets.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { $1 })
        let oldSources = Dictionary(sources.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { $1 })
        var found: [Difference] = []
        for (index, probe) in later.probes.enumerated() {
            guard let old = probes.firstIndex(of: probe) else { continue }
            let oldRows = rows[old].map(Array.init)
            for (row, source) in later.sources.enumerated() {
                guard let oldRow = oldSources[source.id] else { continue }
                for (column, letter) in later.rows[index][row].enumerated() {
                    guard let oldColumn = olds[later.targets[column].id] else { continue }
                    let before = oldRows[oldRow][oldColumn]
                    if before == letter { continue }
                    found.append(
                        Difference(from: source.id, to: later.targets[column].id, probe: probe, before: before, after: letter))
                }
            }
        }
        return found
    }
}
