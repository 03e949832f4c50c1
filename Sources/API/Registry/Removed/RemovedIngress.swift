import Model

/// Ingresses before networking.k8s.io/v1: a backend is a name and a port, and a path need not say how it is meant.
/// (kubernetes.io/docs/reference/using-api/deprecation-guide, "Ingress")
enum RemovedIngress {
    static let all: [RemovedVersion] = [
        RemovedVersion("networking.k8s.io/v1beta1", of: .ingress, 19, 22, schema: schema, form: form),
        RemovedVersion("extensions/v1beta1", of: .ingress, 14, 22, schema: schema, form: form),
        RemovedVersion("networking.k8s.io/v1beta1", of: .ingressClass, 19, 22),
        RemovedVersion("extensions/v1beta1", of: .networkPolicy, 9, 16, firstWithout: 18),
    ]

    private static func schema(_: Schema) -> Schema { KindDefinition.withTypeMeta(.object(SchemaTable.type("oldnetworking:Ingress"))) }

    private static let form = StorageForm.converted(
        to: .ingresses,
        store: { object in
            var object = object
            object["spec"] = exchanged(object["spec"], from: "backend", to: "defaultBackend", stored)
            return object
        },
        present: { object in
            var object = object
            object["spec"] = exchanged(object["spec"], from: "defaultBackend", to: "backend", shown)
            return object
        })

    /// A spec with its default backend under another name, and each backend as `convert` has it.
    private static func exchanged(_ spec: JSON, from: String, to: String, _ convert: (JSON) -> JSON) -> JSON {
        guard spec.object != nil else { return spec }
        var spec = spec
        let backend = spec[from]
        spec[from] = .null
        if !backend.isNull { spec[to] = convert(backend) }
        guard let rules = spec["rules"].array else { return spec }
        spec["rules"] = .array(
            rules.map { rule in
                guard let paths = rule["http"]["paths"].array else { return rule }
                var rule = rule
                rule["http"]["paths"] = .array(
                    paths.map { path in
                        var path = path
                        path["backend"] = convert(path["backend"])
                        return path
                    })
                return rule
            })
        return spec
    }

    private static func stored(_ backend: JSON) -> JSON {
        guard let name = backend["serviceName"].string, !name.isEmpty else {
            return backend["resource"].isNull ? .emptyObject : ["resource": backend["resource"]]
        }
        let port = backend["servicePort"]
        return ["service": ["name": .string(name), "port": port.string == nil ? ["number": port] : ["name": port]]]
    }

    private static func shown(_ backend: JSON) -> JSON {
        let service = backend["service"]
        if service.isNull { return backend }
        let port = service["port"]
        return ["serviceName": service["name"], "servicePort": port["name"].isNull ? port["number"] : port["name"]]
    }
}
