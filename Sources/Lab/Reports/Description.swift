import API
import Model

/// What `kubectl describe` says of an object, in its layout.
package struct Description {
    let client: any Client
    let now: Timestamp

    package init(client: any Client, now: Timestamp) {
        self.client = client
        self.now = now
    }

    package func lines(_ object: JSON, _ kind: KindDefinition) async throws -> [String] {
        let metadata = object["metadata"]
        var lines = [field("Name", metadata["name"].string ?? "")]
        if kind.resource.namespaced { lines.append(field("Namespace", metadata["namespace"].string ?? "")) }
        switch kind.resource {
        case .pods: lines += pod(Pod(object))
        case .services: lines += try await service(Service(object))
        case .networkPolicies: lines += policy(NetworkPolicy(object))
        case .deployments: lines += try await deployment(Deployment(object))
        case .nodes: lines += try await node(Node(object))
        default:
            lines += map("Labels", metadata["labels"]) + map("Annotations", metadata["annotations"])
            for (key, value) in object.object ?? JSONObject() where !["apiVersion", "kind", "metadata"].contains(key) {
                lines.append("\(key.prefix(1).uppercased())\(key.dropFirst()):")
                lines += YAMLText.of(value).split(separator: "\n").map { "  \($0)" }
            }
        }
        return lines + (try await events(metadata))
    }

    private func field(_ name: String, _ value: String, width: Int = 18) -> String {
        "\(name):" + String(repeating: " ", count: max(1, width - name.count - 1)) + value
    }

    private func map(_ name: String, _ json: JSON, width: Int = 18) -> [String] {
        let pairs = json.stringMap.filter { $0.key != ThreeWayMerge.lastApplied }.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let pad = String(repeating: " ", count: width)
        guard let first = pairs.first else { return [field(name, "<none>", width: width)] }
        return [field(name, first, width: width)] + pairs.dropFirst().map { pad + $0 }
    }

    private func pod(_ pod: Pod) -> [String] {
        var lines = [
            field("Priority", "0"), field("Service Account", pod.spec["serviceAccountName"].string ?? "default"),
            field("Node", pod.nodeName.map { "\($0)/\(pod.status["hostIP"].string ?? "")" } ?? "<none>"),
            field("Start Time", pod.status["startTime"].string ?? "<none>"),
        ]
        lines += map("Labels", pod.json["metadata"]["labels"]) + map("Annotations", pod.json["metadata"]["annotations"])
        lines += [field("Status", pod.isBeingDeleted ? "Terminating" : pod.phase), field("IP", pod.status["podIP"].string ?? "")]
        lines.append("IPs:")
        lines += pod.status["podIPs"].items.map { "  " + field("IP", $0["ip"].string ?? "", width: 6) }
        if let owner = pod.controllerOwner { lines.append(field("Controlled By", "\(owner.kind)/\(owner.name)", width: 16)) }
        for (title, containers, statuses) in [
            ("Init Containers", pod.initContainers, pod.status["initContainerStatuses"]),
            ("Containers", pod.containers, pod.status["containerStatuses"]),
        ] where !containers.isEmpty {
            lines.append("\(title):")
            for container in containers {
                lines += self.container(container, statuses.items.first { $0["name"].string == container.name } ?? .null)
            }
        }
        lines.append("Conditions:")
        lines +=
            TextTable(
                header: ["  Type", "Status"],
                rows: pod.status["conditions"].items.map { ["  \($0["type"].string ?? "")", $0["status"].string ?? ""] }
            ).lines
        return lines + [
            field("QoS Class", pod.status["qosClass"].string ?? "BestEffort", width: 29),
            map("Node-Selectors", pod.spec["nodeSelector"], width: 29).joined(separator: "\n"),
        ]
    }

    private func container(_ container: Container, _ status: JSON) -> [String] {
        func inner(_ name: String, _ value: String) -> String { "    " + field(name, value, width: 16) }
        var lines = [
            "  \(container.name):", inner("Container ID", status["containerID"].string ?? ""), inner("Image", container.image),
            inner("Image ID", status["imageID"].string ?? ""),
            inner(
                "Port",
                container.ports.isEmpty
                    ? "<none>"
                    : container.ports.map { "\($0["containerPort"].int ?? 0)/\($0["protocol"].string ?? "TCP")" }.joined(separator: ", ")),
        ]
        if !container.command.isEmpty { lines += ["    Command:"] + container.command.map { "      \($0)" } }
        if !container.args.isEmpty { lines += ["    Args:"] + container.args.map { "      \($0)" } }
        lines += state("State", status["state"])
        if !(status["lastState"].object?.isEmpty ?? true) { lines += state("Last State", status["lastState"]) }
        lines += [
            inner("Ready", status["ready"].bool == true ? "True" : "False"), inner("Restart Count", "\(status["restartCount"].int ?? 0)"),
        ]
        return lines
    }

    private func state(_ name: String, _ state: JSON) -> [String] {
        guard let (kind, detail) = state.object.flatMap({ $0.first { _ in true } }) else {
            return ["    " + field(name, "Waiting", width: 16)]
        }
        var lines = ["    " + field(name, kind.prefix(1).uppercased() + kind.dropFirst(), width: 16)]
        for (label, key) in [
            ("Reason", "reason"), ("Message", "message"), ("Exit Code", "exitCode"), ("Started", "startedAt"), ("Finished", "finishedAt"),
        ]
        where !detail[key].isNull {
            lines.append("      " + field(label, detail[key].string ?? detail[key].text(), width: 14))
        }
        return lines
    }

    private func service(_ service: Service) async throws -> [String] {
        var lines =
            map("Labels", service.json["metadata"]["labels"], width: 26)
            + map("Annotations", service.json["metadata"]["annotations"], width: 26)
        func line(_ name: String, _ value: String) -> String { field(name, value, width: 26) }
        let selector = service.spec["selector"].stringMap.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
        lines += [
            line("Selector", selector.isEmpty ? "<none>" : selector), line("Type", service.type),
            line("IP", service.spec["clusterIP"].string ?? ""),
        ]
        if service.clusterIPs.count > 1 {
            lines += [
                line("IP Families", service.families.map(\.rawValue).joined(separator: ",")),
                line("IPs", service.clusterIPs.map(\.description).joined(separator: ",")),
            ]
        }
        let slices = try await client.list(
            EndpointSlice.self, namespace: service.namespace,
            selector: LabelSelector(matching: [EndpointSlice.serviceNameLabel: service.name]))
        for port in service.ports {
            let name = port.name.isEmpty ? "<unset>" : port.name
            lines += [
                line("Port", "\(name)  \(port.port)/\(port.proto.rawValue)"),
                line("TargetPort", "\(port.targetPort.string ?? port.targetPort.text())/\(port.proto.rawValue)"),
            ]
            if let nodePort = port.nodePort { lines.append(line("NodePort", "\(name)  \(nodePort)/\(port.proto.rawValue)")) }
            let endpoints = slices.flatMap { slice in
                let numbers = slice.ports.filter { ($0["name"].string ?? "") == port.name }.compactMap { $0["port"].int }
                return slice.endpoints.filter { $0["conditions"]["ready"].bool ?? true }.flatMap { endpoint in
                    endpoint["addresses"].items.compactMap(\.string).flatMap { address in numbers.map { "\(address):\($0)" } }
                }
            }
            lines.append(line("Endpoints", endpoints.joined(separator: ",")))
        }
        return lines + [
            line("Session Affinity", service.spec["sessionAffinity"].string ?? "None"),
            line("Internal Traffic Policy", service.spec["internalTrafficPolicy"].string ?? "Cluster"),
        ] + (service.spec["externalTrafficPolicy"].string.map { [line("External Traffic Policy", $0)] } ?? [])
    }

    private func policy(_ policy: NetworkPolicy) -> [String] {
        var lines = [field("Created on", policy.creationTimestamp?.description ?? "", width: 14)]
        lines +=
            map("Labels", policy.json["metadata"]["labels"], width: 14)
            + map("Annotations", policy.json["metadata"]["annotations"], width: 14)
        lines.append("Spec:")
        func labels(_ json: JSON) -> String {
            let parts = LabelSelector(json).requirements.map {
                $0.values.count == 1 ? "\($0.key)=\($0.values[0])" : "\($0.key) \($0.op.rawValue) \($0.values.joined(separator: ","))"
            }
            return parts.isEmpty ? "<none>" : parts.joined(separator: ",")
        }
        let selector = labels(policy.spec["podSelector"])
        lines.append(
            "  PodSelector:     \(selector == "<none>" ? "<none> (Allowing the specific traffic to all pods in this namespace)" : selector)"
        )
        for (direction, title, peerField, peerTitle) in [
            (NetworkPolicy.Direction.ingress, "ingress", "from", "From"), (.egress, "egress", "to", "To"),
        ] {
            guard policy.directions.contains(direction) else {
                lines.append("  Not affecting \(title) traffic")
                continue
            }
            lines.append("  Allowing \(title) traffic:")
            let rules = policy.spec[title].items
            if rules.isEmpty { lines.append("    <none> (Selected pods are isolated for \(title) connectivity)") }
            for (index, rule) in rules.enumerated() {
                if index > 0 { lines.append("    ----------") }
                let ports = rule["ports"].items
                if ports.isEmpty { lines.append("    To Port: <any> (traffic allowed to all ports)") }
                for port in ports {
                    lines.append(
                        "    To Port: \(port["port"].string ?? port["port"].int.map(String.init) ?? "<any>")\(port["endPort"].int.map { "-\($0)" } ?? "")/\(port["protocol"].string ?? "TCP")"
                    )
                }
                let peers = rule[peerField].items
                if peers.isEmpty {
                    lines.append("    \(peerTitle): <any> (traffic not restricted by \(direction == .ingress ? "source" : "destination"))")
                }
                for peer in peers {
                    lines.append("    \(peerTitle):")
                    if let cidr = peer["ipBlock"]["cidr"].string {
                        lines += [
                            "      IPBlock:", "        CIDR: \(cidr)",
                            "        Except: \(peer["ipBlock"]["except"].items.compactMap(\.string).joined(separator: ", "))",
                        ]
                    }
                    if !peer["namespaceSelector"].isNull { lines.append("      NamespaceSelector: \(labels(peer["namespaceSelector"]))") }
                    if !peer["podSelector"].isNull { lines.append("      PodSelector: \(labels(peer["podSelector"]))") }
                }
            }
        }
        lines.append("  Policy Types: \(policy.spec["policyTypes"].items.compactMap(\.string).joined(separator: ", "))")
        return lines
    }

    private func deployment(_ deployment: Deployment) async throws -> [String] {
        func line(_ name: String, _ value: String) -> String { field(name, value, width: 24) }
        let status = deployment.status
        func count(_ name: String) -> Int { status[name].int ?? 0 }
        let selector = deployment.selector.requirements.map { "\($0.key)=\($0.values.joined(separator: ","))" }.joined(separator: ",")
        var lines = [line("CreationTimestamp", deployment.creationTimestamp?.description ?? "")]
        lines +=
            map("Labels", deployment.json["metadata"]["labels"], width: 24)
            + map("Annotations", deployment.json["metadata"]["annotations"], width: 24)
        lines += [
            line("Selector", selector),
            line(
                "Replicas",
                "\(deployment.replicas) desired | \(count("updatedReplicas")) updated | \(count("replicas")) total | \(count("availableReplicas")) available | \(count("unavailableReplicas")) unavailable"
            ),
            line("StrategyType", deployment.spec["strategy"]["type"].string ?? ""), "Conditions:",
        ]
        lines +=
            TextTable(
                header: ["  Type", "Status", "Reason"],
                rows: status["conditions"].items.map {
                    ["  \($0["type"].string ?? "")", $0["status"].string ?? "", $0["reason"].string ?? ""]
                }
            ).lines
        let sets = try await client.list(ReplicaSet.self, namespace: deployment.namespace, selector: deployment.selector)
            .filter { $0.controllerOwner?.uid == deployment.uid && $0.replicas > 0 }
        return lines + [
            line(
                "ReplicaSets",
                sets.map { "\($0.name) (\($0.status["replicas"].int ?? 0)/\($0.replicas) replicas created)" }.joined(separator: ", "))
        ]
    }

    private func node(_ node: Node) async throws -> [String] {
        var lines =
            map("Labels", node.json["metadata"]["labels"], width: 20) + map("Annotations", node.json["metadata"]["annotations"], width: 20)
        let taints = node.taints.map {
            "\($0["key"].string ?? "")\($0["value"].string.map { "=\($0)" } ?? ""):\($0["effect"].string ?? "")"
        }
        lines += [
            field("Taints", taints.isEmpty ? "<none>" : taints.joined(separator: ", "), width: 20),
            field("Unschedulable", "\(node.isUnschedulable)", width: 20), "Addresses:",
        ]
        lines += node.status["addresses"].items.map { "  \($0["type"].string ?? ""):  \($0["address"].string ?? "")" }
        lines.append(field("PodCIDR", node.podCIDR?.description ?? "", width: 20))
        let podCIDRs = node.spec["podCIDRs"].items.compactMap(\.string)
        if podCIDRs.count > 1 { lines.append(field("PodCIDRs", podCIDRs.joined(separator: ","), width: 20)) }
        let pods = try await client.list(Pod.self).filter { $0.nodeName == node.name && !$0.isFinished }
        lines.append("Non-terminated Pods:  (\(pods.count) in total)")
        lines += TextTable(header: ["  Namespace", "Name"], rows: pods.map { ["  \($0.namespace)", $0.name] }).lines
        return lines
    }

    private func events(_ metadata: JSON) async throws -> [String] {
        let all = try await client.list(.events, namespace: metadata["namespace"].string ?? "default", selector: nil).items
        let mine = all.filter { $0["involvedObject"]["uid"] == metadata["uid"] }
            .sorted {
                (Int($0["metadata"]["resourceVersion"].string ?? "") ?? 0) < (Int($1["metadata"]["resourceVersion"].string ?? "") ?? 0)
            }
        guard !mine.isEmpty else { return ["Events:  <none>"] }
        let rows = mine.map { event -> [String] in
            let age =
                event["lastTimestamp"].string.flatMap(Timestamp.init).map { humanDuration(seconds: now.seconds - $0.seconds) }
                ?? "<unknown>"
            let count = event["count"].int ?? 1
            return [
                "  \(event["type"].string ?? "")", event["reason"].string ?? "", count > 1 ? "\(age) (x\(count))" : age,
                event["source"]["component"].string ?? "", event["message"].string ?? "",
            ]
        }
        return ["Events:"] + TextTable(header: ["  Type", "Reason", "Age", "From", "Message"], rows: rows).lines
    }
}
