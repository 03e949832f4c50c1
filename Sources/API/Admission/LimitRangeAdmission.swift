import Model

/// What a LimitRange makes of a pod: its defaults, then its bounds for each container and for all of them together.
/// (kubernetes.io/docs/concepts/policy/limit-range; k8s.io/kubernetes/plugin/pkg/admission/limitranger)
enum LimitRangeAdmission {
    /// Gives containers the requests and limits that they do not name.
    static func complete(_ pod: inout JSON, _ limit: JSON) {
        guard limit["type"].string == "Container" else { return }
        for list in ["initContainers", "containers"] {
            guard var containers = pod["spec"][list].array else { continue }
            for index in containers.indices { complete(container: &containers[index], limit) }
            pod["spec"][list] = .array(containers)
        }
    }

    private static func complete(container: inout JSON, _ limit: JSON) {
        for (source, half) in [("defaultRequest", "requests"), ("default", "limits")] {
            for (resource, value) in limit[source].stringMap where container["resources"][half][resource].isNull {
                // A limit that is given serves as the request as well.
                let own = half == "requests" ? container["resources"]["limits"][resource].string : nil
                container["resources"][half][resource] = .string(own ?? value)
            }
        }
    }

    /// What of a completed pod is out of bounds, in the order in which the bounds stand.
    static func complaints(_ pod: JSON, _ limit: JSON) -> [String] {
        switch limit["type"].string {
        case "Container":
            ["initContainers", "containers"].flatMap { pod["spec"][$0].items }.flatMap { container in
                let resources = container["resources"]
                return Bounds(limit, requests: amounts(resources["requests"]), limits: amounts(resources["limits"])).complaints
            }
        case "Pod": Bounds(limit, requests: total("requests", pod), limits: total("limits", pod)).complaints
        default: []
        }
    }

    private static func amounts(_ half: JSON) -> [String: Quantity] { half.stringMap.compactMapValues { Quantity($0) } }

    /// What containers take side by side, or one that initialises them alone, whichever is more.
    private static func total(_ half: String, _ pod: JSON) -> [String: Quantity] {
        let together = pod["spec"]["containers"].items.reduce(into: [String: Quantity]()) { sum, container in
            sum.merge(amounts(container["resources"][half])) { $0 + $1 }
        }
        return pod["spec"]["initContainers"].items.reduce(into: together) { most, container in
            most.merge(amounts(container["resources"][half])) { max($0, $1) }
        }
    }

    private struct Bounds {
        let limit: JSON
        let kind: String
        let requests: [String: Quantity]
        let limits: [String: Quantity]

        init(_ limit: JSON, requests: [String: Quantity], limits: [String: Quantity]) {
            self.limit = limit
            self.requests = requests
            self.limits = limits
            kind = limit["type"].string ?? ""
        }

        var complaints: [String] {
            edges("min").compactMap(minimum) + edges("max").compactMap(maximum) + edges("maxLimitRequestRatio").compactMap(ratio)
        }

        private func edges(_ bound: String) -> [(String, Quantity)] {
            limit[bound].stringMap.sorted { $0.key < $1.key }.compactMap { name, text in Quantity(text).map { (name, $0) } }
        }

        private func minimum(_ name: String, _ edge: Quantity) -> String? {
            let words = "minimum \(name) usage per \(kind) is \(edge)"
            guard let request = requests[name] else { return "\(words).  No request is specified" }
            if request < edge { return "\(words), but request is \(request)" }
            if let limit = limits[name], limit < edge { return "\(words), but limit is \(limit)" }
            return nil
        }

        private func maximum(_ name: String, _ edge: Quantity) -> String? {
            let words = "maximum \(name) usage per \(kind) is \(edge)"
            guard let limit = limits[name] else { return "\(words).  No limit is specified" }
            if limit > edge { return "\(words), but limit is \(limit)" }
            if let request = requests[name], request > edge { return "\(words), but request is \(request)" }
            return nil
        }

        private func ratio(_ name: String, _ edge: Quantity) -> String? {
            let words = "\(name) max limit to request ratio per \(kind) is \(edge)", none = Quantity(0)
            guard let request = requests[name], request > none else { return "\(words), but no request is specified or request is 0" }
            guard let limit = limits[name], limit > none else { return "\(words), but no limit is specified or limit is 0" }
            let actual = Double(limit.nano) / Double(request.nano)
            guard actual > Double(edge.nano) / 1e9 else { return nil }
            return "\(words), but provided ratio is \(QuotaValidation.fixed(actual))"
        }
    }
}
