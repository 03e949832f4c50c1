import Glibc
import Model

/// What a pod's containers may be told of the pod. (kubernetes.io/docs/concepts/workloads/pods/downward-api)
struct DownwardAPI {
    let pod: Pod
    /// One of each family, the primary first.
    let addresses: [IPAddress]
    let hostAddresses: [IPAddress]
    let node: String
    /// When this node's agent first saw the pod.
    let seen: Timestamp

    /// The pod's annotations, and where the agent has the pod from.
    private var annotations: [String: String] {
        let source = StaticPod.isMirror(pod, of: node) ? "file" : "api"
        return pod.annotations.merging(["kubernetes.io/config.seen": seen.precise, StaticPod.sourceAnnotation: source]) { $1 }
    }

    func field(_ path: String) -> String? {
        switch path {
        case "metadata.name": return pod.name
        case "metadata.namespace": return pod.namespace
        case "metadata.uid": return pod.uid
        case "spec.nodeName": return node
        case "spec.serviceAccountName": return pod.spec["serviceAccountName"].string
        case "status.podIP": return addresses.first?.description
        case "status.podIPs": return addresses.isEmpty ? nil : addresses.map(\.description).joined(separator: ",")
        case "status.hostIP": return hostAddresses.first?.description
        case "status.hostIPs": return hostAddresses.map(\.description).joined(separator: ",")
        default:
            for (prefix, map) in [("metadata.labels['", pod.labels), ("metadata.annotations['", annotations)] where path.hasPrefix(prefix) {
                return map[String(path.dropFirst(prefix.count).dropLast(2))] ?? ""
            }
            return nil
        }
    }

    /// A container's request or limit, in units of the divisor, rounded up; without one, what the node has.
    func resource(_ reference: JSON, of container: Container) -> String? {
        let owner = reference["containerName"].string.flatMap { name in pod.allContainers.first { $0.name == name } } ?? container
        let parts = (reference["resource"].string ?? "").split(separator: ".", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return nil }
        let resources = owner.json["resources"]
        let given = resources[parts[0]][parts[1]].string ?? (parts[0] == "requests" ? resources["limits"][parts[1]].string : nil)
        let whole: Quantity =
            switch parts[1] {
            case "cpu": Quantity(Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
            case "memory": Quantity(Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE))))
            default: Quantity(0)
            }
        let amount = given.flatMap { Quantity($0) } ?? (parts[0] == "limits" ? whole : Quantity(0))
        let written = Quantity(reference["divisor"].string ?? "0") ?? Quantity(0)
        let divisor = written.nano == 0 ? Quantity(1) : written
        return "\((amount.nano + divisor.nano - 1) / divisor.nano)"
    }

    /// A file of a volume: a field, all labels or annotations, or a container's resource.
    func file(_ item: JSON) -> String {
        if !item["resourceFieldRef"].isNull {
            let name = item["resourceFieldRef"]["containerName"].string
            return pod.allContainers.first { $0.name == name }.flatMap { resource(item["resourceFieldRef"], of: $0) } ?? ""
        }
        let path = item["fieldRef"]["fieldPath"].string ?? ""
        let map = path == "metadata.labels" ? pod.labels : path == "metadata.annotations" ? annotations : nil
        return map.map { $0.sorted { $0.key < $1.key }.map { "\($0.key)=\(JSON.string($0.value).text())" }.joined(separator: "\n") }
            ?? field(path) ?? ""
    }
}
