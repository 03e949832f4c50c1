import Model

/// The CustomResourceDefinitions of the Gateway API's kinds that minik serves, written as a cluster's administrator would have to apply
/// them, with upstream's limits. (kubernetes-sigs/gateway-api, config/crd/standard)
enum GatewaySchema {
    static let definitions: [JSON] = [
        definition(
            "GatewayClass", "gatewayclasses", "gc", isNamespaced: false, versions: ["v1", "v1beta1"],
            columns: [
                column("Controller", ".spec.controllerName"), column("Accepted", conditionPath("Accepted")), age,
                column("Description", ".spec.description", priority: 1),
            ], object(["spec": classSpec, "status": status(["Accepted"], [:])], required: ["spec"])),
        definition(
            "Gateway", "gateways", "gtw", versions: ["v1", "v1beta1"],
            columns: [
                column("Class", ".spec.gatewayClassName"), column("Address", ".status.addresses[*].value"),
                column("Programmed", conditionPath("Programmed")), age,
            ], object(["spec": gatewaySpec, "status": status(["Accepted", "Programmed"], gatewayStatus)], required: ["spec"])),
        definition("TCPRoute", "tcproutes", nil, versions: ["v1", "v1alpha2"], columns: [age], route),
        definition("UDPRoute", "udproutes", nil, versions: ["v1", "v1alpha2"], columns: [age], route),
        definition(
            "ReferenceGrant", "referencegrants", "refgrant", versions: ["v1", "v1beta1"], columns: [age], hasStatus: false,
            object(["spec": grantSpec], required: ["spec"])),
    ]

    private static func definition(
        _ kind: String, _ plural: String, _ short: String?, isNamespaced: Bool = true, versions: [String], columns: [JSON],
        hasStatus: Bool = true, _ root: JSON
    ) -> JSON {
        [
            "metadata": ["name": .string("\(plural).\(Resource.gatewayGroup)")],
            "spec": [
                "group": .string(Resource.gatewayGroup), "scope": isNamespaced ? "Namespaced" : "Cluster",
                "names": [
                    "kind": .string(kind), "listKind": .string("\(kind)List"), "plural": .string(plural),
                    "singular": .string(kind.lowercased()), "shortNames": short.map { [.string($0)] } ?? .null,
                    "categories": ["gateway-api"],
                ],
                "versions": .array(
                    versions.map { version in
                        [
                            "name": .string(version), "served": true, "storage": .bool(version == versions[0]),
                            "subresources": hasStatus ? ["status": .emptyObject] : .emptyObject,
                            "additionalPrinterColumns": .array(columns), "schema": ["openAPIV3Schema": root],
                        ]
                    }),
            ],
        ]
    }

    private static let age: JSON = ["name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"]
    private static func column(_ name: String, _ path: String, priority: Int = 0) -> JSON {
        ["name": .string(name), "type": "string", "jsonPath": .string(path), "priority": .int(priority)]
    }
    private static func conditionPath(_ type: String) -> String { ".status.conditions[?(@.type==\"\(type)\")].status" }

    // MARK: Words of OpenAPI

    private static let subdomain = #"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"#

    private static func text(_ longest: Int, shortest: Int = 1, pattern: String? = nil, oneOf values: [JSON] = []) -> JSON {
        var schema: JSON = ["type": "string", "maxLength": .int(longest)]
        if shortest > 0 { schema["minLength"] = .int(shortest) }
        if let pattern { schema["pattern"] = .string(pattern) }
        if !values.isEmpty { schema["enum"] = .array(values) }
        return schema
    }

    private static func with(default value: JSON, _ schema: JSON) -> JSON {
        var schema = schema
        schema["default"] = value
        return schema
    }

    private static func number(_ bounds: ClosedRange<Int>, format: String = "int32") -> JSON {
        ["type": "integer", "format": .string(format), "minimum": .int(bounds.lowerBound), "maximum": .int(bounds.upperBound)]
    }

    private static func object(_ properties: JSON, required: [JSON] = []) -> JSON {
        required.isEmpty
            ? ["type": "object", "properties": properties] : ["type": "object", "properties": properties, "required": .array(required)]
    }

    private static func list(_ items: JSON, _ count: ClosedRange<Int>, keys: [JSON] = []) -> JSON {
        var schema: JSON = ["type": "array", "items": items, "maxItems": .int(count.upperBound)]
        if count.lowerBound > 0 { schema["minItems"] = .int(count.lowerBound) }
        schema["x-kubernetes-list-type"] = keys.isEmpty ? "atomic" : "map"
        if !keys.isEmpty { schema["x-kubernetes-list-map-keys"] = .array(keys) }
        return schema
    }

    private static let group = text(253, shortest: 0, pattern: "^$|^\(subdomain)$")
    private static let kind = text(63, pattern: "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$")
    private static let name = text(253)
    private static let namespace = text(63, pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    private static let section = text(253, pattern: "^\(subdomain)$")
    private static let port = number(1...65535)
    private static let hostname = text(253, pattern: #"^(\*\.)?"# + subdomain + "$")

    // MARK: Classes and Gateways

    private static let classSpec = object(
        [
            "controllerName": text(253, pattern: "^\(subdomain)" + #"\/[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+$"#),
            "description": text(64, shortest: 0),
            "parametersRef": object(
                ["group": group, "kind": kind, "name": name, "namespace": namespace], required: ["group", "kind", "name"]),
        ], required: ["controllerName"])

    private static let words: JSON = ["type": "object", "additionalProperties": text(4096, shortest: 0), "maxProperties": 8]

    private static let gatewaySpec = object(
        [
            "gatewayClassName": name, "listeners": list(listener, 1...64, keys: ["name"]),
            "addresses": list(object(["type": addressType, "value": text(253, shortest: 0)]), 0...16),
            "infrastructure": object([
                "labels": words, "annotations": words,
                "parametersRef": object(["group": group, "kind": kind, "name": name], required: ["group", "kind", "name"]),
            ]),
            "allowedListeners": free, "tls": free, "defaultScope": text(64),
        ], required: ["gatewayClassName", "listeners"])

    /// What takes a proxy, and what minik says in the status that it does not do.
    private static let free: JSON = ["type": "object", "x-kubernetes-preserve-unknown-fields": true]
    private static let addressType = with(default: "IPAddress", text(253))

    private static let listener = object(
        [
            "name": section, "port": port, "hostname": hostname, "tls": free,
            "protocol": text(
                255,
                pattern:
                    #"^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$|[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9]+$"#
            ),
            "allowedRoutes": with(
                default: ["namespaces": ["from": "Same"]],
                object([
                    "namespaces": with(
                        default: ["from": "Same"],
                        object([
                            "from": with(default: "Same", text(8, oneOf: ["All", "Selector", "Same", "None"])), "selector": selector,
                        ])),
                    "kinds": list(routeKind, 0...8),
                ])),
        ], required: ["name", "port", "protocol"])

    private static let routeKind = object(
        ["group": with(default: .string(Resource.gatewayGroup), group), "kind": kind], required: ["kind"])

    private static let selector: JSON = [
        "type": "object", "x-kubernetes-map-type": "atomic",
        "properties": [
            "matchLabels": ["type": "object", "additionalProperties": ["type": "string"]],
            "matchExpressions": [
                "type": "array", "x-kubernetes-list-type": "atomic",
                "items": object(
                    ["key": ["type": "string"], "operator": ["type": "string"], "values": ["type": "array", "items": ["type": "string"]]],
                    required: ["key", "operator"]),
            ],
        ],
    ]

    // MARK: Routes and grants

    private static let parentFields: JSON = [
        "group": with(default: .string(Resource.gatewayGroup), group), "kind": with(default: "Gateway", kind), "namespace": namespace,
        "name": name, "sectionName": section, "port": port,
    ]
    private static let parentRef = object(parentFields, required: ["name"])

    private static let backendRef = object(
        [
            "group": with(default: "", group), "kind": with(default: "Service", kind), "name": name, "namespace": namespace, "port": port,
            "weight": with(default: 1, number(0...1_000_000)),
        ], required: ["name"])

    private static let route = object(
        [
            "spec": object(
                [
                    "parentRefs": list(parentRef, 0...32), "useDefaultGateways": text(64),
                    "rules": list(
                        object(["name": section, "backendRefs": list(backendRef, 1...16)], required: ["backendRefs"]), 1...1),
                ], required: ["rules"]),
            "status": object(
                [
                    "parents": list(
                        object(
                            ["parentRef": parentRef, "controllerName": text(253), "conditions": list(condition, 1...8, keys: ["type"])],
                            required: ["conditions", "controllerName", "parentRef"]), 0...32)
                ], required: ["parents"]),
        ], required: ["spec"])

    private static let grantSpec = object(
        [
            "from": list(
                object(["group": group, "kind": kind, "namespace": namespace], required: ["group", "kind", "namespace"]), 1...16),
            "to": list(object(["group": group, "kind": kind, "name": name], required: ["group", "kind"]), 1...16),
        ], required: ["from", "to"])

    // MARK: What is reported

    private static let gatewayStatus: JSON = [
        "addresses": list(object(["type": addressType, "value": name], required: ["value"]), 0...16),
        "listeners": list(
            object(
                [
                    "name": section, "supportedKinds": list(routeKind, 0...8), "attachedRoutes": number(0...Int(Int32.max)),
                    "conditions": list(condition, 0...8, keys: ["type"]),
                ], required: ["attachedRoutes", "conditions", "name"]), 0...64, keys: ["name"]),
        "attachedListenerSets": number(0...Int(Int32.max)),
    ]

    /// Until a controller has looked, its conditions are unknown.
    private static func status(_ pending: [String], _ others: JSON) -> JSON {
        let unknown = JSON.array(
            pending.map {
                [
                    "type": .string($0), "status": "Unknown", "reason": "Pending", "message": "Waiting for controller",
                    "lastTransitionTime": "1970-01-01T00:00:00Z",
                ]
            })
        var properties = others
        properties["conditions"] = with(default: unknown, list(condition, 0...8, keys: ["type"]))
        properties["supportedFeatures"] = list(object(["name": ["type": "string"]], required: ["name"]), 0...64, keys: ["name"])
        return with(default: ["conditions": unknown], object(properties))
    }

    private static let condition = object(
        [
            "type": text(316, shortest: 0), "status": text(7, oneOf: ["True", "False", "Unknown"]), "reason": text(1024),
            "message": text(32768, shortest: 0), "lastTransitionTime": ["type": "string", "format": "date-time"],
            "observedGeneration": number(0...Int.max, format: "int64"),
        ], required: ["lastTransitionTime", "message", "reason", "status", "type"])
}
