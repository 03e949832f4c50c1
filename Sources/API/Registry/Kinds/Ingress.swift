import Model

/// Stored and shown; nothing serves them: what would, a Gateway or Ingress controller, runs nowhere in a cluster of minik.
extension KindDefinition {
    static let ingress = KindDefinition(
        .ingresses, "ingress", ["ing"], type: "networking:Ingress", [.status], hasGeneration: true,
        columns: [
            .name, Column("Class") { object, _ in object["spec"]["ingressClassName"].string ?? "<none>" },
            Column("Hosts") { object, _ in
                let hosts = object["spec"]["rules"].items.compactMap { $0["host"].string }.filter { !$0.isEmpty }
                return hosts.isEmpty ? "*" : Column.shortened(hosts)
            },
            Column("Address") { object, _ in
                object["status"]["loadBalancer"]["ingress"].items.compactMap { $0["ip"].string ?? $0["hostname"].string }.joined(
                    separator: ",")
            },
            Column("Ports") { object, _ in object["spec"]["tls"].items.isEmpty ? "80" : "80, 443" }, .age,
        ],
        validate: IngressValidation.ingress
    ).with {
        $0.validateStatus = StatusValidation.ingress
        $0.warn = { object in
            object["metadata"]["resourceVersion"].isNull ? ["minik stores Ingresses and runs no controller that would serve them"] : []
        }
    }

    static let ingressClass = KindDefinition(
        .ingressClasses, "ingressclass", type: "networking:IngressClass", hasGeneration: true,
        columns: [
            .name, Column("Controller") { object, _ in object["spec"]["controller"].string ?? "" },
            Column("Parameters") { object, _ in
                let parameters = object["spec"]["parameters"]
                guard let kind = parameters["kind"].string else { return "<none>" }
                return "\(kind)\(parameters["apiGroup"].string.map { ".\($0)" } ?? "")/\(parameters["name"].string ?? "")"
            },
            .age,
        ],
        validate: IngressValidation.ingressClass)
}
