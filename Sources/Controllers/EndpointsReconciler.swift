import Model

/// Writes the EndpointSlices, and the older Endpoints, of Services that select pods.
package struct EndpointsReconciler: Reconciler {
    /// As upstream's default, --max-endpoints-per-slice.
    private static let endpointsPerSlice = 100

    private static let managedBy = "endpointslice.kubernetes.io/managed-by"
    private static let manager = "endpointslice-controller.k8s.io", mirrorManager = "endpointslicemirroring-controller.k8s.io"
    private static let managers: Set<String> = [manager, mirrorManager]

    let written = OwnWrites()
    private let hinted = HintedServices()

    package init() {}

    package var sources: [Source] {
        [
            .own(.services),
            Source(.endpoints) { [written] change, _ in written.contain(.endpoints, change) ? [] : [change.key] },
            Source(.endpointSlices) { [written] change, _ in
                if written.contain(.endpointSlices, change) { return [] }
                // One that is relabelled is missed where it was.
                let slices = change.old == nil ? [] : [change.old, change.new].compactMap { $0.map { EndpointSlice($0) } }
                return slices.filter { Self.managers.contains($0.labels[Self.managedBy] ?? "") }.map(\.serviceKey)
            },
            Source(.nodes) { change, informers in
                let old = change.old.map { ZoneShares.Part(Node($0)) }, new = change.new.map { ZoneShares.Part(Node($0)) }
                if old == new { return [] }
                let all = informers.list(Service.self)
                return (old?.zone == new?.zone ? all.filter { ZoneHints.areWanted(by: $0) } : all).map(\.key)
            },
            Source(.pods) { change, informers in
                let pods = [change.old, change.new].compactMap { $0.map { Pod($0) } }
                if pods.count == 2, Self.servesAlike(pods[0], pods[1]) { return [] }
                // A pod whose labels changed concerns the Services it leaves, too.
                return Set(pods.map(\.labels)).flatMap { informers.services(in: change.key.namespace, selecting: $0) }.map(\.key)
            },
        ]
    }

    /// Whether no endpoint tells two states of a pod apart.
    private static func servesAlike(_ a: Pod, _ b: Pod) -> Bool {
        a.json["metadata"]["labels"] == b.json["metadata"]["labels"] && a.ips == b.ips && a.isReady == b.isReady
            && a.isFinished == b.isFinished
            && a.isBeingDeleted == b.isBeingDeleted && a.spec == b.spec
    }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        let owned = LabelSelector(matching: [EndpointSlice.serviceNameLabel: key.name])
        let slices = try await client.list(EndpointSlice.self, namespace: key.namespace, selector: owned)
        let old = slices.filter { $0.labels[Self.managedBy] == Self.manager }
        let mirrored = slices.filter { $0.labels[Self.managedBy] == Self.mirrorManager }
        let service = try await client.find(Service.self, key)
        guard let service, let selector = service.selector, service.type != "ExternalName" else {
            for slice in old { try await client.delete(.endpointSlices, slice.key) }
            hinted.forget(key)
            return try await mirror(service, key, mirrored, client)
        }
        // What somebody wrote for it counts no more, since it selects pods.
        for slice in mirrored { try await client.delete(.endpointSlices, slice.key) }
        let pods = try await client.list(Pod.self, namespace: key.namespace, selector: selector).filter { !$0.isFinished }
        let nodes = try await client.list(Node.self)
        let zones = Dictionary(nodes.map { ($0.name, $0.zone) }, uniquingKeysWith: { $1 }).compactMapValues(\.self)
        let families = service.families.map { (family: $0, groups: Self.groups(of: pods, service, $0)) }
        var wanted: [String: JSON] = [:], events: [HintedServices.Event] = []
        for (family, groups) in families {
            var slices = self.slices(service, family, groups, zones, old)
            events += hinted.hint(&slices, of: service, family, beside: old, ZoneShares(nodes))
            wanted.merge(slices) { first, _ in first }
        }
        for slice in old where wanted[slice.name] == nil { try await client.delete(.endpointSlices, slice.key) }
        let trigger = LastChangeTrigger(service, pods)
        for (name, var slice) in wanted {
            trigger.mark(&slice, after: old.map(\.json))
            if let current = old.first(where: { $0.name == name }) {
                if current.json["endpoints"] == slice["endpoints"], current.json["ports"] == slice["ports"],
                    current.json["metadata"]["labels"] == slice["metadata"]["labels"]
                {
                    continue
                }
                var updated = current.json
                updated["metadata"]["labels"] = slice["metadata"]["labels"]
                updated["endpoints"] = slice["endpoints"]
                updated["ports"] = slice["ports"]
                updated["metadata"]["annotations"] = slice["metadata"]["annotations"]
                written.note(.endpointSlices, try await client.update(.endpointSlices, updated))
            } else {
                written.note(.endpointSlices, try await client.create(.endpointSlices, slice))
            }
        }
        for event in events {
            await client.recordEvent(
                about: service, type: event.type, reason: event.reason, message: event.message, component: "endpoint-slice-controller")
        }
        // They have one family, the Service's first.
        if let first = families.first { try await writeEndpoints(service, first.family, first.groups, trigger, client) }
    }

    /// The pods that have an address of a family, in its order: one group for each, for pods may resolve a named port to different numbers.
    private static func groups(of pods: [Pod], _ service: Service, _ family: IPFamily) -> [JSON: [Pod]] {
        let reached = pods.compactMap { pod in pod.ip(family).map { (pod: pod, ip: $0) } }.sorted { $0.ip < $1.ip }.map(\.pod)
        return Dictionary(grouping: reached) { ports(of: service, for: $0) }
    }

    /// A family's slices as they are to be, by name.
    private func slices(
        _ service: Service, _ family: IPFamily, _ groups: [JSON: [Pod]], _ zones: [String: String], _ old: [EndpointSlice]
    ) -> [String: JSON] {
        let held = old.filter { $0.json["addressType"].string == family.rawValue }.sorted { $0.name < $1.name }, labels = labels(service)
        let relabelled = Set(held.filter { $0.labels != labels }.map(\.name))
        var wanted: [String: JSON] = [:], new: [(ports: JSON, endpoints: [JSON])] = []
        for (ports, members) in groups where !ports.items.isEmpty || service.isHeadless {
            let standing = held.filter { $0.json["ports"] == ports }
            let packing = SlicePacking(
                members.map { endpoint($0, service, family, zones) },
                into: standing.map { SlicePacking.Slice(name: $0.name, endpoints: $0.json["endpoints"].items) },
                most: Self.endpointsPerSlice, isRelabelled: relabelled.contains)
            for kept in packing.kept { wanted[kept.name] = slice(kept.name, service, family, ports, kept.endpoints) }
            new += packing.new.map { (ports, $0) }
        }
        // A Service that no pod serves has a slice all the same, which says so.
        if wanted.isEmpty, new.isEmpty { new = [(.null, [])] }
        // One that would go is written anew before another is made.
        var free = held.map(\.name).filter { wanted[$0] == nil }, taken = Set(old.map(\.name)).union(wanted.keys)
        for (ports, endpoints) in new {
            let name = free.popLast() ?? Self.freeName(service.key, family, ports, &taken)
            wanted[name] = slice(name, service, family, ports, endpoints)
        }
        return wanted
    }

    /// A slice is named by what it holds at first: who makes it a second time, not having heard of the first, is refused.
    private static func freeName(_ service: ObjectKey, _ family: IPFamily, _ ports: JSON, _ taken: inout Set<String>) -> String {
        var number = 0
        while true {
            let name = name(service, family, "\(ports.text())/\(number)")
            if taken.insert(name).inserted { return name }
            number += 1
        }
    }

    private static func name(_ service: ObjectKey, _ family: IPFamily, _ content: String) -> String {
        "\(service.name)-\(ShortHash.podTemplate(family == .ipv4 ? content : "\(family.rawValue)/\(content)").prefix(5))"
    }

    /// Endpoints that somebody wrote for a Service without a selector, as slices: all that a node's proxy reads.
    /// (kubernetes.io/docs/concepts/services-networking/endpoint-slices, "EndpointSlice mirroring")
    private func mirror(_ service: Service?, _ key: ObjectKey, _ old: [EndpointSlice], _ client: any Client) async throws {
        let endpoints = try await client.find(.endpoints, key)
        let skips = endpoints?["metadata"]["labels"]["endpointslice.kubernetes.io/skip-mirror"].string == "true"
        // The Endpoints of a Service that selects pods are our own, an ExternalName's too.
        let isMirrored = service.map { $0.selector == nil } ?? false
        let subsets = skips || !isMirrored ? [] : endpoints?["subsets"].items ?? []
        var kept: Set<String> = []
        for subset in subsets {
            for family in IPFamily.allCases {
                guard let wanted = Self.mirrored(subset, family, key, endpoints?["metadata"] ?? .null) else { continue }
                kept.insert(wanted.metadata.name)
                try await put(wanted, old, client)
            }
        }
        for slice in old where !kept.contains(slice.name) { try await client.delete(.endpointSlices, slice.key) }
    }

    private func put(_ wanted: JSON, _ old: [EndpointSlice], _ client: any Client) async throws {
        guard let current = old.first(where: { $0.name == wanted.metadata.name }) else {
            return written.note(.endpointSlices, try await client.create(.endpointSlices, wanted))
        }
        if current.json["endpoints"] == wanted["endpoints"], current.json["ports"] == wanted["ports"] { return }
        var updated = current.json
        (updated["endpoints"], updated["ports"]) = (wanted["endpoints"], wanted["ports"])
        written.note(.endpointSlices, try await client.update(.endpointSlices, updated))
    }

    /// What a subset has of a family, as a slice; nil: nothing.
    private static func mirrored(_ subset: JSON, _ family: IPFamily, _ key: ObjectKey, _ endpoints: JSON) -> JSON? {
        func mirrors(_ list: String, isReady: Bool) -> [JSON] {
            subset[list].items.filter { IPAddress($0["ip"].string ?? "")?.family == family }.map { address in
                [
                    "addresses": [address["ip"]], "conditions": ["ready": .bool(isReady)], "hostname": address["hostname"],
                    "nodeName": address["nodeName"], "targetRef": address["targetRef"],
                ]
            }
        }
        let found = mirrors("addresses", isReady: true) + mirrors("notReadyAddresses", isReady: false)
        if found.isEmpty { return nil }
        var labels = endpoints["labels"].stringMap
        labels[EndpointSlice.serviceNameLabel] = key.name
        labels[managedBy] = mirrorManager
        return [
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": [
                "name": .string(name(key, family, "mirror/\(subset["ports"].text())")), "generateName": .string("\(key.name)-"),
                "namespace": .string(key.namespace), "labels": JSON(labels),
                "ownerReferences": [
                    [
                        "apiVersion": "v1", "kind": "Endpoints", "name": .string(key.name), "uid": endpoints["uid"], "controller": true,
                        "blockOwnerDeletion": true,
                    ]
                ],
            ],
            "addressType": .string(family.rawValue), "endpoints": .array(found), "ports": subset["ports"],
        ]
    }

    /// The ports of `service` as `pod` serves them.
    private static func ports(of service: Service, for pod: Pod) -> JSON {
        .array(
            service.ports.compactMap { port in
                let number =
                    port.targetPort.int
                    ?? port.targetPort.string.flatMap { name in
                        pod.containers.lazy.compactMap { $0.port(named: name, protocol: port.proto.rawValue) }.first
                    }
                return number.map {
                    [
                        "name": .string(port.name), "port": .int($0), "protocol": .string(port.proto.rawValue),
                        "appProtocol": JSON(port.appProtocol),
                    ]
                }
            })
    }

    /// Whom an endpoint is meant for first, as spec.trafficDistribution wants it. (k8s.io/endpointslice/trafficdist)
    private static func hints(_ service: Service, _ pod: Pod, zone: String?, isReady: Bool) -> JSON {
        let wish = service.spec["trafficDistribution"].string ?? ""
        guard isReady, !ZoneHints.areWanted(by: service), ["PreferClose", "PreferSameZone", "PreferSameNode"].contains(wish) else {
            return .null
        }
        let node = wish == "PreferSameNode" ? pod.nodeName : nil
        if zone == nil, node == nil { return .null }
        return [
            "forZones": zone.map { [["name": .string($0)]] } ?? .null, "forNodes": node.map { [["name": .string($0)]] } ?? .null,
        ]
    }

    private func labels(_ service: Service) -> [String: String] {
        var labels = service.labels
        labels[EndpointSlice.serviceNameLabel] = service.name
        labels[Self.managedBy] = Self.manager
        if service.isHeadless { labels["service.kubernetes.io/headless"] = "" }
        return labels
    }

    private func slice(_ name: String, _ service: Service, _ family: IPFamily, _ ports: JSON, _ endpoints: [JSON]) -> JSON {
        [
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": [
                "name": .string(name), "generateName": .string("\(service.name)-"), "namespace": .string(service.namespace),
                "labels": JSON(labels(service)), "ownerReferences": [service.ownerReference],
            ],
            "addressType": .string(family.rawValue), "endpoints": endpoints.isEmpty ? .null : .array(endpoints), "ports": ports,
        ]
    }

    /// `zones`: of the nodes that say theirs.
    private func endpoint(_ pod: Pod, _ service: Service, _ family: IPFamily, _ zones: [String: String]) -> JSON {
        let zone = pod.nodeName.flatMap { zones[$0] }
        let isReady = pod.isReady && !pod.isBeingDeleted || service.publishNotReadyAddresses
        return [
            "addresses": [.string(pod.ip(family)?.description ?? "")],
            "conditions": ["ready": .bool(isReady), "serving": .bool(pod.isReady), "terminating": .bool(pod.isBeingDeleted)],
            "hostname": pod.spec["subdomain"].string == service.name ? pod.spec["hostname"] : .null,
            "nodeName": JSON(pod.nodeName), "zone": JSON(zone),
            "hints": Self.hints(service, pod, zone: zone, isReady: isReady),
            "targetRef": [
                "kind": "Pod", "namespace": .string(pod.namespace), "name": .string(pod.name), "uid": .string(pod.uid),
            ],
        ]
    }
}
