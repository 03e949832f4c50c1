import Model

/// The CustomResourceDefinition of ClusterNetworkPolicy, written as a cluster's administrator would have to apply it.
enum ClusterNetworkPolicySchema {
    static let definition: JSON = [
        "metadata": ["name": "clusternetworkpolicies.policy.networking.k8s.io"],
        "spec": [
            "group": "policy.networking.k8s.io", "scope": "Cluster",
            "names": [
                "kind": "ClusterNetworkPolicy", "listKind": "ClusterNetworkPolicyList", "plural": "clusternetworkpolicies",
                "singular": "clusternetworkpolicy", "shortNames": ["cnp"],
            ],
            "versions": [version("v1beta1", isStorage: false), version("v1alpha2", isStorage: true)],
        ],
    ]

    private static func version(_ name: String, isStorage: Bool) -> JSON {
        [
            "name": .string(name), "served": true, "storage": .bool(isStorage), "subresources": ["status": .emptyObject],
            "additionalPrinterColumns": [
                ["name": "Tier", "type": "string", "jsonPath": ".spec.tier"],
                ["name": "Priority", "type": "string", "jsonPath": ".spec.priority"],
                ["name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"],
            ],
            "schema": ["openAPIV3Schema": root],
        ]
    }

    private static let root = object(
        "ClusterNetworkPolicy is the administrator's word on traffic, before or after NetworkPolicies.",
        ["metadata": ["type": "object"], "spec": spec, "status": status], required: ["metadata", "spec"])

    // MARK: Words of OpenAPI

    private static let string: JSON = ["type": "string"]

    private static func string(_ text: String, longest: Int? = nil, oneOf values: [JSON] = [], pattern: String? = nil) -> JSON {
        var schema: JSON = ["type": "string", "description": .string(text)]
        if let longest { schema["maxLength"] = .int(longest) }
        if !values.isEmpty { schema["enum"] = .array(values) }
        if let pattern { schema["pattern"] = .string(pattern) }
        return schema
    }

    private static func number(_ text: String, _ bounds: ClosedRange<Int>) -> JSON {
        [
            "type": "integer", "format": "int32", "description": .string(text), "minimum": .int(bounds.lowerBound),
            "maximum": .int(bounds.upperBound),
        ]
    }

    private static func object(_ text: String, _ properties: JSON, required: [JSON] = [], members: ClosedRange<Int>? = nil) -> JSON {
        var schema: JSON = ["type": "object", "description": .string(text), "properties": properties]
        if !required.isEmpty { schema["required"] = .array(required) }
        if let members {
            schema["minProperties"] = .int(members.lowerBound)
            if members.upperBound < .max { schema["maxProperties"] = .int(members.upperBound) }
        }
        return schema
    }

    private static func list(_ text: String, _ items: JSON, _ count: ClosedRange<Int>, type: String? = nil) -> JSON {
        var schema: JSON = ["type": "array", "description": .string(text), "items": items, "maxItems": .int(count.upperBound)]
        if count.lowerBound > 0 { schema["minItems"] = .int(count.lowerBound) }
        if let type { schema["x-kubernetes-list-type"] = .string(type) }
        return schema
    }

    // MARK: What a policy says

    private static let most = 25

    private static let spec = object(
        "What the policy is about, and its rules.",
        [
            "tier": string(
                "Admin: before the namespaces' own policies; Baseline: after them, for pods that none of them isolates.",
                oneOf: ["Admin", "Baseline"]),
            "priority": number("Within its tier lower ones come first.", 0...1000),
            "subject": object(
                "The pods that the policy is about. Exactly one field must be set.",
                ["namespaces": selector("All pods of namespaces."), "pods": pods],
                members: 1...1),
            "ingress": list(
                "Rules for what comes to the pods. The first that matches decides.", rule("from", ingressPeer, "sources"), 0...most),
            "egress": list(
                "Rules for what the pods send. The first that matches decides.", rule("to", egressPeer, "destinations"), 0...most),
        ], required: ["priority", "subject", "tier"])

    private static func rule(_ peers: String, _ peer: JSON, _ noun: String) -> JSON {
        var properties: JSON = [
            "name": string("What the rule is called where it is told of.", longest: 100),
            "action": string(
                "Accept and Deny decide for good; Pass leaves the packet to the next tier.", oneOf: ["Accept", "Deny", "Pass"]),
            "protocols": list("Protocols and ports that the rule is about; without it, all of them.", protocols, 1...most),
        ]
        properties[peers] = list("The \(noun) that the rule is about.", peer, 1...most)
        return object("One rule.", properties, required: ["action", .string(peers)])
    }

    private static let podPeers: JSON = ["namespaces": selector("All pods of namespaces."), "pods": pods]

    private static let ingressPeer = object("Exactly one field must be set.", podPeers, members: 1...1)

    private static let egressPeer: JSON = {
        var peers = podPeers
        peers["nodes"] = selector("Nodes, by their labels; pods of the host's network are their node.")
        peers["networks"] = list("Networks in CIDR notation.", string("10.0.0.0/8, fd00::/8", longest: 43), 1...most, type: "set")
        let name = #"^(\*\.)?([a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.)+[a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.?$"#
        peers["domainNames"] = list(
            "Not followed by minik, and refused.", string("kubernetes.io, *.kubernetes.io", pattern: name), 1...most, type: "set")
        return object("Exactly one field must be set.", peers, members: 1...1)
    }()

    private static let pods = object(
        "Pods by their namespace's labels and their own.",
        ["namespaceSelector": selector("Without it, every namespace."), "podSelector": selector("Empty: every pod.")],
        required: ["podSelector"])

    private static let protocols = object(
        "Exactly one field must be set.",
        [
            "tcp": transport("TCP"), "udp": transport("UDP"), "sctp": transport("SCTP"),
            "destinationNamedPort": string("A port's name, which the destination pod's containers give a number and a protocol."),
        ], members: 1...1)

    private static func transport(_ name: String) -> JSON {
        object("\(name), and where it goes.", ["destinationPort": destinationPort], members: 1...Int.max)
    }

    private static let destinationPort = object(
        "A number or a range of them.",
        [
            "number": number("One port.", 1...65535),
            "range": object(
                "From one port to another.", ["start": number("The first.", 1...65535), "end": number("The last.", 1...65535)],
                required: ["end", "start"]),
        ], members: 1...1)

    private static func selector(_ text: String) -> JSON {
        var schema = object(
            text,
            [
                "matchLabels": ["type": "object", "additionalProperties": string],
                "matchExpressions": [
                    "type": "array", "x-kubernetes-list-type": "atomic",
                    "items": object(
                        "key operator values",
                        [
                            "key": string, "operator": string,
                            "values": ["type": "array", "items": string, "x-kubernetes-list-type": "atomic"],
                        ],
                        required: ["key", "operator"]),
                ],
            ])
        schema["x-kubernetes-map-type"] = "atomic"
        return schema
    }

    // MARK: What is reported of it

    private static let status = object(
        "What is reported of the policy.",
        [
            "conditions": [
                "type": "array", "items": condition, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
            ]
        ], required: ["conditions"])

    private static let condition = object(
        "One aspect of the policy's state.",
        [
            "type": string("What it is about.", longest: 316), "status": string("Whether it holds.", oneOf: ["True", "False", "Unknown"]),
            "reason": string("Why, in a word.", longest: 1024), "message": string("Why, in a sentence.", longest: 32768),
            "lastTransitionTime": ["type": "string", "format": "date-time"],
            "observedGeneration": ["type": "integer", "format": "int64", "minimum": 0],
        ], required: ["lastTransitionTime", "message", "reason", "status", "type"])
}
