import Model
import Netlink

extension ClusterMap {
    package var json: JSON {
        [
            "apiVersion": "minik.dev/v1", "kind": "ClusterMap", "cluster": .string(cluster), "plugin": .string(plugin),
            "enforced": .bool(isEnforced), "machines": .array(machines.map(\.json)), "pods": .array(pods.map(\.json)),
            "services": .array(services.map(\.json)), "policies": .array(policies.map(\.json)),
        ]
    }
}

private func list(_ texts: [String]) -> JSON { .array(texts.map(JSON.string)) }
private func count(_ number: UInt64) -> JSON { .int(Int(clamping: number)) }

extension LinkStatistics {
    fileprivate var json: JSON {
        func way(_ way: Way) -> JSON {
            ["packets": count(way.packets), "bytes": count(way.bytes), "errors": count(way.errors), "dropped": count(way.dropped)]
        }
        return ["rx": way(received), "tx": way(sent)]
    }
}

extension ClusterMap.Machine {
    var json: JSON {
        [
            "name": .string(name), "kind": .string(kind.rawValue), "controlPlane": .bool(isControlPlane), "ready": .bool(isReady),
            "status": .string(status), "addresses": list(addresses), "podCIDRs": list(podNetworks), "links": .array(devices.map(\.json)),
        ]
    }
}

extension ClusterMap.Device {
    var json: JSON {
        [
            "name": .string(name), "kind": JSON(kind), "mtu": .int(mtu), "up": .bool(isUp), "mac": JSON(hardwareAddress),
            "master": JSON(master), "addresses": list(addresses), "leadsTo": JSON(leadsTo), "vni": JSON(vni), "statistics": statistics.json,
        ]
    }
}

extension ClusterMap.Pod {
    var json: JSON {
        [
            "id": .string("\(key)"), "namespace": .string(key.namespace), "name": .string(key.name), "node": .string(node),
            "addresses": list(addresses), "owner": JSON(owner), "phase": .string(phase), "ready": .bool(isReady),
            "hostNetwork": .bool(isHostNetwork), "labels": JSON(labels), "ports": list(ports), "link": JSON(device),
            "isolated": ["ingress": list(isolated[.ingress] ?? []), "egress": list(isolated[.egress] ?? [])],
        ]
    }
}

extension ClusterMap.Service {
    var json: JSON {
        [
            "id": .string("\(key)"), "namespace": .string(key.namespace), "name": .string(key.name), "type": .string(type),
            "addresses": list(addresses), "outsideAddresses": list(outsideAddresses), "ports": list(ports),
            "endpoints": .array(
                endpoints.map {
                    [
                        "address": .string($0.address), "ports": .array($0.ports.map(JSON.int)), "pod": JSON($0.pod.map { "\($0)" }),
                        "ready": .bool($0.isReady),
                    ]
                }),
        ]
    }
}

extension ClusterMap.Policy {
    var json: JSON {
        [
            "name": .string(name), "kind": .string(kind), "directions": list(directions.map(\.rawValue)),
            "pods": list(pods.map { "\($0)" }),
        ]
    }
}
