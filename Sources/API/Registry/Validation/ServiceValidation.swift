import Model

/// What the names and ports of a Service are to look like; its ways in from outside are `ServiceExternalRules`'.
/// (k8s.io/kubernetes/pkg/apis/core/validation, ValidateService)
enum ServiceValidation {
    private typealias Cause = StatusError.Cause

    static func validate(_ spec: JSON) -> [StatusError.Cause] { Names.labels(spec["selector"], "spec.selector") + ports(spec["ports"]) }

    private static func ports(_ ports: JSON) -> [Cause] {
        var causes: [Cause] = []
        var nodePorts: Set<String> = []
        for (index, port) in ports.items.enumerated() {
            let path = "spec.ports[\(index)]", name = port["name"].string ?? "", proto = port["protocol"].string ?? "TCP"
            if !name.isEmpty { causes += Names.each("\(path).name", name, Names.labelComplaints(name)) }
            if let target = port["targetPort"].string, !target.isEmpty {
                causes += Names.each("\(path).targetPort", target, Names.portNameComplaints(target))
            }
            if let application = port["appProtocol"].string {
                causes += Names.each("\(path).appProtocol", application, Names.qualifiedNameComplaints(application))
            }
            if let node = port["nodePort"].int, node != 0, !nodePorts.insert("\(node)/\(proto)").inserted {
                causes.append(.duplicate("\(path).nodePort", .int(node)))
            }
        }
        return causes
    }
}
