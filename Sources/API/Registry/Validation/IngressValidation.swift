import Model

/// Ingresses and their classes. (k8s.io/kubernetes/pkg/apis/networking/validation)
enum IngressValidation {
    private typealias Cause = StatusError.Cause

    static let ingress: KindDefinition.Validation = { object, _, _ in
        let spec = object["spec"]
        var causes: [Cause] = []
        if spec["rules"].items.isEmpty, spec["defaultBackend"].isNull {
            causes.append(.invalid("spec", spec, "either `defaultBackend` or `rules` must be specified"))
        }
        if !spec["defaultBackend"].isNull { causes += backend(spec["defaultBackend"], "spec.defaultBackend") }
        for (index, rule) in spec["rules"].items.enumerated() {
            let here = "spec.rules[\(index)]"
            causes += host(rule["host"].string ?? "", "\(here).host")
            guard !rule["http"].isNull else { continue }
            if rule["http"]["paths"].items.isEmpty { causes.append(.required("\(here).http.paths")) }
            for (number, path) in rule["http"]["paths"].items.enumerated() {
                causes += IngressValidation.path(path, "\(here).http.paths[\(number)]")
            }
        }
        for (index, tls) in spec["tls"].items.enumerated() {
            for (number, name) in tls["hosts"].items.enumerated() {
                let text = name.string ?? "", here = "spec.tls[\(index)].hosts[\(number)]"
                causes += text.hasPrefix("*") ? wildcard(text, here) : Names.each(here, text, Names.subdomainComplaints(text))
            }
            if let secret = tls["secretName"].string, !secret.isEmpty {
                causes += Names.each("spec.tls[\(index)].secretName", secret, Names.subdomainComplaints(secret))
            }
        }
        if let name = spec["ingressClassName"].string {
            causes += Names.each("spec.ingressClassName", name, Names.subdomainComplaints(name))
        }
        return causes
    }

    private static func host(_ text: String, _ here: String) -> [Cause] {
        if text.isEmpty { return [] }
        if IPAddress(text) != nil { return [.invalid(here, .string(text), "must be a DNS name, not an IP address")] }
        return text.contains("*") ? wildcard(text, here) : Names.each(here, text, Names.subdomainComplaints(text))
    }

    private static func wildcard(_ text: String, _ here: String) -> [Cause] {
        if text.hasPrefix("*."), Names.isSubdomain(String(text.dropFirst(2))) { return [] }
        return [
            .invalid(
                here, .string(text),
                "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            )
        ]
    }

    private static func path(_ path: JSON, _ here: String) -> [Cause] {
        var causes: [Cause] = []
        let text = path["path"].string ?? "", type = path["pathType"].string ?? ""
        switch type {
        case "": causes.append(.required("\(here).pathType", "pathType must be specified"))
        case "Exact", "Prefix":
            if !text.hasPrefix("/") { causes.append(.invalid("\(here).path", .string(text), "must be an absolute path")) }
            for part in ["//", "/./", "/../", "%2f", "%2F"] where text.contains(part) {
                causes.append(.invalid("\(here).path", .string(text), "must not contain '\(part)'"))
            }
            for end in ["/..", "/."] where text.hasSuffix(end) {
                causes.append(.invalid("\(here).path", .string(text), "cannot end with '\(end)'"))
            }
        case "ImplementationSpecific":
            if !text.isEmpty, !text.hasPrefix("/") {
                causes.append(.invalid("\(here).path", .string(text), "must be an absolute path"))
            }
        default:
            causes.append(
                .notSupported("\(here).pathType", .string(type), "\"Exact\", \"ImplementationSpecific\", \"Prefix\""))
        }
        return causes + backend(path["backend"], "\(here).backend")
    }

    private static func backend(_ backend: JSON, _ here: String) -> [Cause] {
        let service = backend["service"], resource = backend["resource"]
        if !service.isNull, !resource.isNull { return [.invalid(here, "", "cannot set both resource and service backends")] }
        if !resource.isNull {
            return ["kind", "name"].filter { (resource[$0].string ?? "").isEmpty }.map { .required("\(here).resource.\($0)") }
        }
        if service.isNull { return [.invalid(here, "", "resource or service backend is required")] }
        var causes: [Cause] = []
        let name = service["name"].string ?? "", port = service["port"]
        causes +=
            name.isEmpty
            ? [.required("\(here).service.name")] : Names.each("\(here).service.name", name, Names.dns1035Complaints(name))
        let text = port["name"].string ?? "", number = port["number"].int ?? 0
        if !text.isEmpty, number != 0 {
            causes.append(.invalid(here, "", "cannot set both port name & port number"))
        } else if !text.isEmpty {
            causes += Names.each("\(here).service.port.name", text, Names.portNameComplaints(text))
        } else if number == 0 {
            causes.append(.required(here, "port name or number is required"))
        } else if !(1...65535).contains(number) {
            causes.append(.invalid("\(here).service.port.number", .int(number), "must be between 1 and 65535, inclusive"))
        }
        return causes
    }

    // MARK: IngressClass

    static let ingressClass: KindDefinition.Validation = { object, old, _ in
        let controller = object["spec"]["controller"].string ?? "", parameters = object["spec"]["parameters"]
        var causes: [Cause] = []
        if controller.isEmpty { causes.append(.required("spec.controller")) }
        if let old, old["spec"]["controller"] != object["spec"]["controller"] {
            causes.append(.invalid("spec.controller", .string(controller), "field is immutable"))
        }
        return parameters.isNull ? causes : causes + reference(parameters, "spec.parameters")
    }

    private static func reference(_ parameters: JSON, _ path: String) -> [Cause] {
        var causes: [Cause] = []
        if let group = parameters["apiGroup"].string {
            causes += Names.each("\(path).apiGroup", group, Names.subdomainComplaints(group))
        }
        for field in ["kind", "name"] {
            let text = parameters[field].string ?? ""
            causes +=
                text.isEmpty ? [.required("\(path).\(field)")] : Names.each("\(path).\(field)", text, Names.pathSegmentComplaints(text))
        }
        let namespace = parameters["namespace"].string
        switch parameters["scope"].string ?? "" {
        case "Namespace":
            guard let namespace, !namespace.isEmpty else {
                return causes + [.required("\(path).namespace", "`parameters.scope` is set to 'Namespace'")]
            }
            causes += Names.each("\(path).namespace", namespace, Names.labelComplaints(namespace))
        case "Cluster":
            if namespace != nil { causes.append(.forbidden("\(path).namespace", "`parameters.scope` is set to 'Cluster'")) }
        default:
            causes.append(
                .notSupported("\(path).scope", .string(parameters["scope"].string ?? ""), "\"Cluster\", \"Namespace\""))
        }
        return causes
    }
}
