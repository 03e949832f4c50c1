import Model

/// The map for a terminal: machines with their links, pods and Services, in a hundred columns.
package struct MapText {
    private static let width = 100, mostNames = 12

    let map: ClusterMap

    package init(map: ClusterMap) { self.map = map }

    package var text: String {
        var lines = ["cluster \(map.cluster)   plugin \(map.plugin)\(map.isEnforced ? "" : ", which enforces no policies")"]
        for node in map.nodes { lines += [""] + self.node(node) }
        let waiting = map.pods(on: "").map { "\($0.key)" }
        if !waiting.isEmpty { lines += [""] + Self.wrapped(waiting, after: "pods without a node   ") }
        for machine in map.machines where machine.kind != .node {
            let title = machine.kind == .lan ? "the nodes' LAN" : "the client outside"
            lines += ["", "\(title)   \(machine.addresses.joined(separator: ", "))"] + links(machine.devices)
        }
        lines += ["", "Services"] + services
        if !map.policies.isEmpty { lines += ["", "Policies"] + policies }
        return lines.map { Self.cut($0) }.joined(separator: "\n")
    }

    private static func cut(_ line: String) -> String { line.count <= width ? line : line.prefix(width - 1) + "~" }

    /// What does not fit in one line goes on in the next, below where it began.
    private static func wrapped(_ words: [String], after start: String) -> [String] {
        var lines = [start]
        for word in words {
            let separator = lines[lines.count - 1].count > start.count ? " " : ""
            if lines[lines.count - 1].count + separator.count + word.count > width, lines[lines.count - 1].count > start.count {
                lines.append(String(repeating: " ", count: start.count) + word)
            } else {
                lines[lines.count - 1] += separator + word
            }
        }
        return lines
    }

    /// The first of many names.
    private static func fewer(_ names: [String]) -> [String] {
        names.count <= mostNames ? names : names.prefix(mostNames) + ["and \(names.count - mostNames) more"]
    }

    private func node(_ node: ClusterMap.Machine) -> [String] {
        let role = node.isControlPlane ? "control plane" : "worker"
        let title = "node \(node.name)   \(role), \(node.status)   "
        let networks = node.podNetworks.enumerated().map { ($0.offset == 0 ? "  pods " : "") + $0.element }
        let pods = map.pods(on: node.name), own = Set(pods.compactMap(\.device))
        let lines = Self.wrapped(node.addresses + networks, after: title) + links(node.devices.filter { !own.contains($0.name) })
        let rows = pods.map { pod -> [String] in
            let device = pod.device.flatMap { node.device($0) }
            let link = pod.isHostNetwork ? "the node's own" : device.map { "\($0.name)\($0.isUp ? "" : " (down)")" } ?? "no link"
            return [
                "  \(pod.key)", pod.isReady ? "" : pod.phase == "Running" ? "not ready" : pod.phase,
                pod.addresses.joined(separator: "\n"), link, device.map { Self.traffic($0) } ?? "", Self.shield(pod),
            ]
        }
        if pods.isEmpty { return lines + ["  no pods"] }
        return lines + Self.table(["  POD", "", "ADDRESS", "LINK", "RX/TX", "ISOLATED"], rows)
    }

    private static func shield(_ pod: ClusterMap.Pod) -> String {
        NetworkPolicy.Direction.allCases.filter { !(pod.isolated[$0] ?? []).isEmpty }.map(\.rawValue).joined(separator: ",")
    }

    private func links(_ devices: [ClusterMap.Device]) -> [String] {
        let rows = devices.map { device -> [String] in
            let end = device.leadsTo.map { "to \($0 == "LAN" ? "the LAN" : $0)" } ?? device.vni.map { "VNI \($0)" } ?? ""
            let state = device.isUp ? "" : "down"
            return [
                "  \(device.name)", device.kind ?? "device", state, device.addresses.joined(separator: "\n"),
                [end, device.master.map { "in \($0)" }].compactMap(\.self).filter { !$0.isEmpty }.joined(separator: ", "),
                "mtu \(device.mtu)",
                Self.traffic(device),
            ]
        }
        return rows.isEmpty ? ["  no links"] : Self.table(["  LINK", "KIND", "", "ADDRESS", "", "", "RX/TX"], rows)
    }

    private static func traffic(_ device: ClusterMap.Device) -> String {
        let (received, sent) = (device.statistics.received, device.statistics.sent), dropped = received.dropped + sent.dropped
        return "\(amount(received.bytes))/\(amount(sent.bytes))\(dropped > 0 ? ", \(dropped) dropped" : "")"
    }

    /// `712B`, `8.4k`, `1.2M`
    static func amount(_ bytes: UInt64) -> String {
        var value = Double(bytes), unit = 0
        let units = ["B", "k", "M", "G", "T", "P", "E"]
        while value >= 1000, unit < units.count - 1 { (value, unit) = (value / 1000, unit + 1) }
        if unit == 0 || value >= 100 { return "\(Int(value))\(units[unit])" }
        return "\(Double(Int(value * 10)) / 10)\(units[unit])"
    }

    private var services: [String] {
        if map.services.isEmpty { return ["  none"] }
        return map.services.flatMap { service -> [String] in
            let outside = service.outsideAddresses.isEmpty ? "" : ", outside \(service.outsideAddresses.joined(separator: ","))"
            let place = service.addresses.isEmpty ? "" : " \(service.addresses.joined(separator: ","))"
            let title = "  \(service.key)   \(service.type)\(place) \(service.ports.joined(separator: ","))\(outside)"
            let ends = service.endpoints.map { endpoint in
                let ports = endpoint.ports.map { ":\($0)" }.joined()
                return "\(endpoint.pod.map { "\($0)" } ?? endpoint.address)\(ports)\(endpoint.isReady ? "" : " (not ready)")"
            }.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }  // one of both families is one pod
            if service.type == "ExternalName" {
                return ["  \(service.key)   ExternalName", "    -> \(service.addresses.joined()) (a name)"]
            }
            return [title] + Self.wrapped(ends.isEmpty ? ["nobody"] : Self.fewer(ends), after: "    -> ")
        }
    }

    private var policies: [String] {
        map.policies.flatMap { policy -> [String] in
            let title = "  \(policy.name)   \(policy.kind), \(policy.directions.map(\.rawValue).joined(separator: ","))"
            let pods = policy.pods.isEmpty ? ["no pod"] : Self.fewer(policy.pods.map { "\($0)" })
            return [title] + Self.wrapped(pods, after: "    isolates ")
        }
    }

    /// Columns two spaces apart; those that are empty in every row are left out. What a cell has in a second line goes below it.
    private static func table(_ header: [String], _ rows: [[String]]) -> [String] {
        let columns = header.indices.filter { column in rows.contains { !$0[column].isEmpty } }
        let lines = ([header] + rows).flatMap { row -> [[String]] in
            let cells = row.map { $0.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) }
            return (0..<(cells.map(\.count).max() ?? 1)).map { line in cells.map { line < $0.count ? $0[line] : "" } }
        }
        let widths = columns.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { line in
            let text = columns.enumerated().map { place, column in
                line[column] + String(repeating: " ", count: widths[place] - line[column].count + 2)
            }.joined()
            return String(text.reversed().drop { $0 == " " }.reversed())
        }
    }
}
