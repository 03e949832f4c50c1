import Model
import Proxy

/// What there is to be seen at one moment, for all who look.
package struct MapMoment: Sendable {
    /// The picture's, which becomes another when anything but a counter or a flow does.
    package let version: Int
    /// The picture as it is told: map, layout, reach, the list of changes.
    package let picture: JSON
    /// Counters by machine and link: bytes in and out, packets in and out, dropped.
    package let counters: [String: [UInt64]]
    package let flows: [MapFlow]

    init(version: Int, picture: JSON, map: ClusterMap, flows: [MapFlow]) {
        (self.version, self.picture, self.flows) = (version, picture, flows)
        var counters: [String: [UInt64]] = [:]
        for machine in map.machines {
            for device in machine.devices {
                let (received, sent) = (device.statistics.received, device.statistics.sent)
                counters["\(machine.name) \(device.name)"] = [
                    received.bytes, sent.bytes, received.packets, sent.packets, received.dropped + sent.dropped,
                ]
            }
        }
        self.counters = counters
    }

    static func picture(_ map: ClusterMap, _ reach: MapReach, _ history: MapHistory, version: Int) -> JSON {
        var picture = map.json
        picture["version"] = .int(version)
        picture["layout"] = MapLayout(map).json
        picture["reach"] = reach.json
        picture["changes"] = .array(history.changes.map(\.json))
        return picture
    }

    /// What of it is new to somebody who has seen `seen`; null when nothing is.
    package func news(after seen: MapMoment?) -> JSON {
        var news = JSON.emptyObject
        let changed = counters.filter { seen?.counters[$0.key] != $0.value }
        if !changed.isEmpty {
            var list = JSON.emptyObject
            for (link, values) in changed.sorted(by: { $0.key < $1.key }) { list[link] = .array(values.map { .int(Int(clamping: $0)) }) }
            news["counters"] = list
        }
        if !flows.isEmpty { news["flows"] = .array(flows.map(\.json)) }
        return changed.isEmpty && flows.isEmpty ? .null : news
    }
}

extension MapHistory.Change {
    /// For the slider: what it did is told when it is asked for.
    var json: JSON {
        [
            "number": .int(number), "time": JSON(time?.description), "title": .string(title),
            "opened": .int(differences.count { $0.after == "." }), "closed": .int(differences.count { $0.after != "." }),
        ]
    }

    /// The matrix as it was then, and what had become of it.
    var whole: JSON {
        var whole = json
        whole["reach"] = reach.json
        whole["differences"] = .array(
            differences.map {
                [
                    "from": .string($0.from), "to": .string($0.to), "probe": .string($0.probe), "before": .string(String($0.before)),
                    "after": .string(String($0.after)),
                ]
            })
        return whole
    }
}
