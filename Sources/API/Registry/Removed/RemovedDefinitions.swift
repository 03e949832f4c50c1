import Model

/// CustomResourceDefinitions before apiextensions.k8s.io/v1: one schema, one list of columns and one set of subresources may stand for
/// all versions, a schema may be missing, and fields that none names are kept.
/// (kubernetes.io/docs/reference/using-api/deprecation-guide, "CustomResourceDefinition")
enum RemovedDefinitions {
    static let all: [RemovedVersion] = [
        RemovedVersion(
            "apiextensions.k8s.io/v1beta1", of: .customResourceDefinition, 16, 22,
            schema: { _ in KindDefinition.withTypeMeta(.object(SchemaTable.type("oldcrd:CustomResourceDefinition"))) },
            form: .converted(to: .customResourceDefinitions, store: store, present: present))
    ]

    private static let shared = ["validation", "subresources", "additionalPrinterColumns"]
    private static let keepsUnknown = "x-kubernetes-preserve-unknown-fields"

    private static func store(_ object: JSON) -> JSON {
        guard object["spec"].object != nil else { return object }
        var object = object, spec = object["spec"]
        // Unless it is told otherwise, this version drops nothing.
        let keeps = spec["preserveUnknownFields"].bool ?? true
        let named = spec["versions"].items
        let versions = named.isEmpty ? [["name": spec["version"], "served": true, "storage": true]] : named
        let common = spec
        for field in shared + ["version"] { spec[field] = .null }
        spec["versions"] = .array(
            versions.map { version in
                var version = version
                let schema = version["schema"].isNull ? common["validation"] : version["schema"]
                version["schema"] = ["openAPIV3Schema": structural(schema["openAPIV3Schema"], keeps)]
                if version["subresources"].isNull { version["subresources"] = common["subresources"] }
                let own = version["additionalPrinterColumns"], columns = own.isNull ? common["additionalPrinterColumns"] : own
                version["additionalPrinterColumns"] = renamed(columns, from: "JSONPath", to: "jsonPath")
                return version
            })
        spec["preserveUnknownFields"] = keeps ? true : .null
        let client = spec["conversion"]["webhookClientConfig"], reviews = spec["conversion"]["conversionReviewVersions"]
        if spec["conversion"].object != nil {
            for field in ["webhookClientConfig", "conversionReviewVersions"] { spec["conversion"][field] = .null }
            if !client.isNull { spec["conversion"]["webhook"] = ["clientConfig": client, "conversionReviewVersions": reviews] }
        }
        object["spec"] = spec
        return object
    }

    /// A schema that says of every object in it that fields without a name stay; one that is missing, or that says too little, takes all.
    private static func structural(_ schema: JSON, _ keeps: Bool) -> JSON {
        let open: JSON = ["type": "object", .init(stringLiteral: keepsUnknown): true]
        guard !schema.isNull else { return open }
        var schema = schema
        if schema["type"].isNull { schema["type"] = "object" }
        guard StructuralValidation.causes(schema, "").isEmpty else { return open }
        return keeps ? opened(schema) : schema
    }

    private static func opened(_ schema: JSON) -> JSON {
        guard schema.object != nil else { return schema }
        var schema = schema
        if schema["type"] == "object" { schema[keepsUnknown] = true }
        for (name, property) in schema["properties"].object ?? JSONObject() { schema["properties"][name] = opened(property) }
        for name in ["items", "additionalProperties"] where schema[name].object != nil { schema[name] = opened(schema[name]) }
        return schema
    }

    private static func closed(_ schema: JSON) -> JSON {
        guard schema.object != nil else { return schema }
        var schema = schema
        schema[keepsUnknown] = .null
        for (name, property) in schema["properties"].object ?? JSONObject() { schema["properties"][name] = closed(property) }
        for name in ["items", "additionalProperties"] where schema[name].object != nil { schema[name] = closed(schema[name]) }
        return schema
    }

    private static func present(_ object: JSON) -> JSON {
        var object = object, spec = object["spec"]
        let keeps = spec["preserveUnknownFields"].bool ?? false
        var versions = spec["versions"].items.map { version in
            var version = version
            var schema = version["schema"]["openAPIV3Schema"]
            if keeps { schema = closed(schema) }
            version["schema"] = schema == ["type": "object"] || schema.isNull ? .null : ["openAPIV3Schema": schema]
            version["additionalPrinterColumns"] = renamed(version["additionalPrinterColumns"], from: "jsonPath", to: "JSONPath")
            return version
        }
        // What all versions have in common stands once.
        for (common, own) in zip(shared, ["schema", "subresources", "additionalPrinterColumns"]) {
            guard let first = versions.first?[own], versions.allSatisfy({ $0[own] == first }) else { continue }
            spec[common] = first
            for index in versions.indices { versions[index][own] = .null }
        }
        spec["version"] = versions.first?["name"] ?? .null
        spec["versions"] = .array(versions)
        spec["preserveUnknownFields"] = .bool(keeps)
        let webhook = spec["conversion"]["webhook"]
        if !webhook.isNull {
            spec["conversion"]["webhook"] = .null
            for (from, to) in [("clientConfig", "webhookClientConfig"), ("conversionReviewVersions", "conversionReviewVersions")] {
                spec["conversion"][to] = webhook[from]
            }
        }
        object["spec"] = spec
        return object
    }

    private static func renamed(_ columns: JSON, from: String, to: String) -> JSON {
        guard let list = columns.array else { return columns }
        return .array(
            list.map { column in
                var column = column
                column[to] = column[from]
                column[from] = .null
                return column
            })
    }
}
