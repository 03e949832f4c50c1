import Model

extension KindDefinition {
    static let customResourceDefinition = KindDefinition(
        .customResourceDefinitions, "customresourcedefinition", ["crd", "crds"], type: "crd:CustomResourceDefinition", [.status],
        hasGeneration: true,
        prepare: { object in
            let kind = object["spec"]["names"]["kind"].string ?? ""
            if !kind.isEmpty {
                if object["spec"]["names"]["singular"].isNull { object["spec"]["names"]["singular"] = .string(kind.lowercased()) }
                if object["spec"]["names"]["listKind"].isNull { object["spec"]["names"]["listKind"] = .string("\(kind)List") }
            }
            let stored = object["spec"]["versions"].items.first { $0["storage"].bool == true }?["name"] ?? .null
            if !stored.isNull, object["status"]["storedVersions"].items.isEmpty { object["status"]["storedVersions"] = [stored] }
            if object["spec"]["conversion"].isNull { object["spec"]["conversion"] = ["strategy": "None"] }
        },
        validate: DefinitionValidation.validate
    ).with {
        $0.warn = { definition in
            KindCatalog.isBuiltIn(definition)
                ? [
                    "\(definition["metadata"]["name"].string ?? ""): minik has this kind built in; the definition is kept and changes nothing"
                ] : []
        }
        $0.categories = ["api-extensions"]
        $0.hooks = definitionHooks
        // Its objects go with a definition, unless their kind stays without it.
        $0.deletion.finalizer = { KindCatalog.isBuiltIn($0) ? nil : "customresourcecleanup.apiextensions.k8s.io" }
    }

    /// The kinds that a CustomResourceDefinition adds: one for each version that is served.
    static func custom(_ definition: JSON) -> [KindDefinition] {
        let spec = definition["spec"], names = spec["names"]
        let storage = spec["versions"].items.first { $0["storage"].bool == true }?["name"].string ?? ""
        func resource(_ version: String) -> Resource {
            Resource(
                spec["group"].string ?? "", version, names["plural"].string ?? "", names["kind"].string ?? "",
                namespaced: spec["scope"].string == "Namespaced")
        }
        return spec["versions"].items.filter { $0["served"].bool == true }.map { version in
            let name = version["name"].string ?? ""
            var kind = custom(version, resource(name), names)
            if name != storage { kind.storage = .renamed(from: resource(name), to: resource(storage)) }
            return kind
        }
    }

    private static func custom(_ version: JSON, _ resource: Resource, _ names: JSON) -> KindDefinition {
        let schema = version["schema"]["openAPIV3Schema"], patterns = StructuralSchema.patterns(schema)
        let status = version["subresources"]["status"], scale = version["subresources"]["scale"]
        let extra = version["additionalPrinterColumns"].items.map(column)
        return KindDefinition(
            resource, names["singular"].string ?? resource.kind.lowercased(), names["shortNames"].items.compactMap(\.string),
            schema: StructuralSchema.schema(schema, resource),
            (status.isNull ? [] : [.status(.customStatus)]) + (scale.isNull ? [] : [.scale]),
            hasGeneration: true, columns: [.name] + (extra.isEmpty ? [.age] : extra),
            validate: { object, _, _ in SchemaValidation.causes(object, schema, patterns: patterns) }
        ).with { kind in
            kind.categories = names["categories"].items.compactMap(\.string)
            kind.isCustom = true
            kind.verbs = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]
            kind.allowsUnconditionalUpdate = false
            kind.customSchema = schema
            kind.hasRules = StructuralSchema.hasRules(schema)
            kind.warn = { object in
                object["metadata"]["finalizers"].items.compactMap(\.string).filter { !$0.contains("/") }.map {
                    "metadata.finalizers: \"\($0)\": prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers"
                }
            }
            if !scale.isNull { kind.scale = ScaleForm(scale) }
            kind.selectableFields = version["selectableFields"].items.compactMap {
                $0["jsonPath"].string.map { String($0.drop { $0 == "." }) }
            }
            if version["deprecated"].bool == true {
                kind.deprecation = version["deprecationWarning"].string ?? "\(resource.apiVersion) \(resource.kind) is deprecated"
            }
        }
    }

    /// A column of a table as a definition describes it.
    private static func column(_ column: JSON) -> Column {
        let path = column["jsonPath"].string ?? "", type = column["type"].string ?? "string"
        var result = Column(column["name"].string ?? "", wide: (column["priority"].int ?? 0) > 0, type: type) { object, now in
            let found = JSONPath(path).first(in: object)
            if type == "date" {
                return found.string.flatMap(Timestamp.init).map { humanDuration(seconds: now.seconds - $0.seconds) } ?? ""
            }
            return found.isNull ? "" : found.string ?? found.text()
        }
        result.omitsEmpty = true
        return result
    }
}

extension StorageForm {
    /// Versions of a custom kind differ in nothing but their name. (conversion strategy None)
    static func renamed(from served: Resource, to stored: Resource) -> StorageForm {
        func named(_ resource: Resource) -> @Sendable (JSON) -> JSON {
            { object in
                var object = object
                object["apiVersion"] = .string(resource.apiVersion)
                return object
            }
        }
        return StorageForm(resource: stored, store: named(stored), present: named(served))
    }
}
