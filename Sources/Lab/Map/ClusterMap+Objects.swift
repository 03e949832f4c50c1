import Model
import Netlink
import Proxy

extension ClusterMap {
    /// Puts together what the API knows and what the kernel has.
    package init(_ snapshot: ClusterSnapshot, _ sight: MapSight) {
        let cluster = snapshot.cluster
        self.init(cluster: cluster.name, plugin: cluster.plugin.rawValue, isEnforced: snapshot.isEnforced)
        let shown = snapshot.pods.filter { !$0.isFinished }.sorted { $0.key < $1.key }
        let sayings = Self.sayings(snapshot)
        pods = shown.map { Self.pod($0, sayings) }
        machines = cluster.nodes.map { node in
            let object = snapshot.nodes.first { $0.name == node.name }
            return Machine(
                name: node.name, kind: .node, isControlPlane: node.isControlPlane, isReady: object?.isReady ?? false,
                addresses: node.addresses.map(\.description), podNetworks: node.podCIDRs.map(\.description))
        }
        machines.append(
            Machine(name: "LAN", kind: .lan, addresses: cluster.networks.map(\.nodes.description)))
        machines.append(
            Machine(name: "outside", kind: .outside, addresses: cluster.networks.map(\.host.description)))
        look(at: sight)
        let keys = Dictionary(shown.flatMap { pod in pod.isHostNetwork ? [] : pod.ips.map { ($0, pod.key) } }, uniquingKeysWith: { $1 })
        let slices = Dictionary(grouping: snapshot.slices, by: \.serviceKey)
        services = snapshot.services.sorted { $0.key < $1.key }.map { Self.service($0, slices[$0.key] ?? [], keys) }
        policies = sayings.map { saying in
            let pods = shown.filter { !$0.isHostNetwork && saying.concerns($0) }.map(\.key)
            return Policy(name: saying.name, kind: saying.kind, directions: saying.directions, pods: pods)
        }
    }

    /// Takes the links as the kernel has them now.
    package mutating func look(at sight: MapSight) {
        let homes = Dictionary(pods.map { ($0.key, $0.node) }, uniquingKeysWith: { $1 })
        var ends: [String: [Int32: ObjectKey]] = [:]
        for (key, end) in sight.attachments { if let node = homes[key] { ends[node, default: [:]][end] = key } }
        for index in machines.indices {
            let machine = machines[index]
            machines[index].trouble = machine.kind == .node ? sight.troubles[machine.name] : nil
            let place = sight.place(of: machine) ?? MapSight.Place(links: [])
            let names = Dictionary(place.links.map { ($0.index, $0.name) }, uniquingKeysWith: { $1 })
            machines[index].devices = place.links.filter { $0.name != "lo" }.map { link in
                Device(
                    name: link.name, kind: link.kind, mtu: link.mtu, isUp: link.isUp, hardwareAddress: link.address?.description,
                    master: link.master.flatMap { names[$0] }, addresses: place.addresses[link.index] ?? [],
                    leadsTo: sight.neighbour(of: link, machine, pods: ends[machine.name] ?? [:]), vni: link.vni,
                    statistics: link.statistics ?? LinkStatistics())
            }
        }
        let devices = machines.flatMap(\.devices)
        let ports = Dictionary(devices.compactMap { device in device.leadsTo.map { ($0, device.name) } }, uniquingKeysWith: { $1 })
        for index in pods.indices { pods[index].device = ports["\(pods[index].key)"] }
    }

    private static func pod(_ pod: Model.Pod, _ sayings: [Saying]) -> Pod {
        var labels = pod.labels
        // What tells the pods of one controller apart, and no policy of a person's names.
        for label in ["statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index", "batch.kubernetes.io/job-completion-index"] {
            labels[label] = nil
        }
        let owner = pod.controllerOwner.map { "\($0.kind) \($0.name)" }
        let marks = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return Pod(
            key: pod.key, node: pod.nodeName ?? "", addresses: pod.ips.map(\.description), owner: owner,
            phase: pod.isBeingDeleted ? "Terminating" : pod.phase, isReady: pod.isReady, isHostNetwork: pod.isHostNetwork,
            labels: pod.labels, ports: pod.declaredProbes.map(\.description), isolated: isolation(of: pod, sayings),
            kin: ([pod.namespace, owner ?? "\(pod.key)"] + marks).joined(separator: "\u{1F}"))
    }

    /// What a policy says of whom: its selectors, read once.
    private struct Saying {
        let name: String
        let kind: String
        let directions: [NetworkPolicy.Direction]
        let pods: LabelSelector
        /// Of these namespaces.
        let namespaces: Set<String>
        let isEnforced: Bool

        func concerns(_ pod: Model.Pod) -> Bool { namespaces.contains(pod.namespace) && pods.matches(pod.labels) }
    }

    /// In the order of their names, those of namespaces first.
    private static func sayings(_ snapshot: ClusterSnapshot) -> [Saying] {
        snapshot.policies.sorted { $0.key < $1.key }.map { policy in
            Saying(
                name: "\(policy.key)", kind: "NetworkPolicy",
                directions: NetworkPolicy.Direction.allCases.filter(policy.directions.contains),
                pods: policy.podSelector, namespaces: [policy.namespace], isEnforced: snapshot.isEnforced)
        }
            + snapshot.clusterPolicies.sorted { $0.name < $1.name }.map { policy in
                let subject = policy.subject
                return Saying(
                    name: policy.name, kind: "ClusterNetworkPolicy",
                    directions: NetworkPolicy.Direction.allCases.filter { !policy.rules($0).isEmpty }, pods: subject.pods,
                    namespaces: Set(snapshot.namespaces.filter { subject.namespaces.matches($0.labels) }.map(\.name)),
                    isEnforced: snapshot.isEnforced)
            }
    }

    /// Which policies have a say in what comes to a pod and what it sends.
    private static func isolation(of pod: Model.Pod, _ sayings: [Saying]) -> [NetworkPolicy.Direction: [String]] {
        if pod.isHostNetwork { return [:] }
        var found: [NetworkPolicy.Direction: [String]] = [:]
        for saying in sayings where saying.isEnforced && saying.concerns(pod) {
            for direction in saying.directions {
                found[direction, default: []].append(saying.kind == "NetworkPolicy" ? saying.name : "\(saying.kind) \(saying.name)")
            }
        }
        return found
    }

    private static func service(_ service: Model.Service, _ slices: [EndpointSlice], _ keys: [IPAddress: ObjectKey]) -> Service {
        let ports = service.ports.map { port in
            "\(port.port)\(port.nodePort.map { ":\($0)" } ?? "")/\(port.proto.rawValue)"
        }
        let endpoints = slices.sorted { $0.name < $1.name }.flatMap { slice -> [Endpoint] in
            // A port of two protocols is one number.
            let ports = slice.ports.compactMap { $0["port"].int }.reduce(into: [Int]()) { if !$0.contains($1) { $0.append($1) } }
            return slice.endpoints.flatMap { endpoint in
                endpoint["addresses"].items.compactMap(\.string).map { address in
                    Endpoint(
                        address: address, ports: ports, pod: IPAddress(address).flatMap { keys[$0] },
                        isReady: endpoint["conditions"]["ready"].bool ?? true)
                }
            }
        }
        return Service(
            key: service.key, type: service.isHeadless ? "Headless" : service.type,
            addresses: service.spec["externalName"].string.map { [$0] } ?? service.clusterIPs.map(\.description),
            outsideAddresses: (service.balancerAddresses + service.externalIPs).map(\.description), ports: ports,
            nodePorts: Set(service.ports.compactMap(\.nodePort)),
            endpoints: endpoints)
    }
}
