import Model

extension Router {
    func openAPI(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard request.method == "GET" else { throw Router.methodNotAllowed }
        switch request.path.dropFirst().first {
        case "v2" where request.path.count == 2 && !request.rawPath.hasSuffix("/"):
            let document = OpenAPI.v2(api.catalog)
            // kubectl before 1.27 reads nothing but protobuf here.
            if request.accept.contains("proto-openapi") {
                return .bytes(GnosticEncoder.document(document), contentType: "application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
            }
            return .json(document)
        case "v3" where request.path.count == 2:
            var paths = JSONObject()
            for (group, version) in OpenAPI.groupVersions(api.catalog) {
                let place = group.isEmpty ? "api/\(version)" : "apis/\(group)/\(version)"
                paths[place] = ["serverRelativeURL": .string("/openapi/v3/\(place)?hash=\(OpenAPI.hash(api.catalog, group, version))")]
            }
            return .json(["paths": .object(paths)])
        case "v3":
            let place = Array(request.path.dropFirst(2))
            let (group, version) =
                place.count == 2 && place[0] == "api"
                ? ("", place[1]) : place.count == 3 && place[0] == "apis" ? (place[1], place[2]) : ("", "")
            guard let document = OpenAPI.v3(api.catalog, group, version) else {
                return .bytes([], contentType: "application/json", code: 404)
            }
            return .json(document)
        default: return .noPage
        }
    }
}

/// OpenAPI documents, made from the tables of the API's types. (spec.openapis.org; the x-kubernetes extensions of kube-openapi)
enum OpenAPI {
    static func groupVersions(_ catalog: KindCatalog) -> [(group: String, version: String)] {
        var result: [(group: String, version: String)] = []
        for kind in catalog.kinds where !result.contains(where: { $0.group == kind.resource.group && $0.version == kind.resource.version })
        {
            result.append((kind.resource.group, kind.resource.version))
        }
        return result
    }

    /// Changes with what the document says.
    static func hash(_ catalog: KindCatalog, _ group: String, _ version: String) -> String {
        let custom = catalog.customKinds.filter { $0.resource.group == group && $0.resource.version == version }.map {
            $0.customSchema.text() + $0.resource.plural
        }
        return ShortHash.hex("1.36/\(group)/\(version)/\(custom.joined())", digits: 32)
    }

    static func v3(_ catalog: KindCatalog, _ group: String, _ version: String) -> JSON? {
        let kinds = catalog.kinds.filter { $0.resource.group == group && $0.resource.version == version }
        guard !kinds.isEmpty else { return nil }
        var schemas = Schemas(prefix: "#/components/schemas/", isV3: true)
        for kind in kinds { schemas.add(kind) }
        if version == "v1", let reviews = Optional(Reviews.kinds.filter { $0.resource.group == group }) {
            for review in reviews { schemas.add(review.resource, SchemaTable.type(review.type)) }
        }
        return [
            "openapi": "3.0.0", "info": ["title": "Kubernetes", "version": .string("\(Version.kubernetesText)+minik")],
            "paths": paths(kinds, isV3: true),
            "components": ["schemas": .object(schemas.definitions)],
        ]
    }

    static func v2(_ catalog: KindCatalog) -> JSON {
        var schemas = Schemas(prefix: "#/definitions/", isV3: false)
        for kind in catalog.kinds { schemas.add(kind) }
        return [
            "swagger": "2.0", "info": ["title": "Kubernetes", "version": .string("\(Version.kubernetesText)+minik")],
            "paths": paths(catalog.kinds, isV3: false),
            "definitions": .object(schemas.definitions),
        ]
    }

    private static func paths(_ kinds: [KindDefinition], isV3: Bool) -> JSON {
        var paths = JSONObject()
        func parameter(_ name: String, _ place: String = "query", _ type: String = "string") -> JSON {
            isV3
                ? [
                    "name": .string(name), "in": .string(place), "required": place == "path" ? true : .null,
                    "schema": ["type": .string(type), "uniqueItems": true],
                ]
                : [
                    "name": .string(name), "in": .string(place), "required": place == "path" ? true : .null, "type": .string(type),
                    "uniqueItems": true,
                ]
        }
        for kind in kinds {
            let resource = kind.resource
            let groupKind: JSON = ["group": .string(resource.group), "version": .string(resource.version), "kind": .string(resource.kind)]
            func operation(_ action: String, _ parameters: [JSON]) -> JSON {
                [
                    "x-kubernetes-action": .string(action), "x-kubernetes-group-version-kind": groupKind,
                    "parameters": parameters.isEmpty ? .null : .array(parameters),
                    "responses": ["200": ["description": "OK"]],
                ]
            }
            let writing = [parameter("dryRun"), parameter("fieldManager"), parameter("fieldValidation")]
            let listing = ["continue", "fieldSelector", "labelSelector", "limit", "resourceVersion", "watch"].map { parameter($0) }
            let place = resource.path(namespace: resource.namespaced ? "{namespace}" : nil)
            var home: [JSON] = resource.namespaced ? [parameter("namespace", "path")] : []
            paths[place] = [
                "get": operation("list", listing), "post": operation("post", writing), "delete": operation("deletecollection", listing),
                "parameters": .array(home),
            ]
            home.insert(parameter("name", "path"), at: 0)
            paths["\(place)/{name}"] = [
                "get": operation("get", []), "put": operation("put", writing),
                "patch": operation("patch", writing + [parameter("force", "query", "boolean")]),
                "delete": operation(
                    "delete", [parameter("dryRun"), parameter("gracePeriodSeconds", "query", "integer"), parameter("propagationPolicy")]),
                "parameters": .array(home),
            ]
            if resource.namespaced { paths[resource.path(namespace: nil)] = ["get": operation("list", listing)] }
            for sub in kind.subresources where sub.verbs.contains("patch") && sub.name != "proxy" {
                paths["\(place)/{name}/\(sub.name)"] = [
                    "get": operation("get", []), "patch": operation("patch", writing), "put": operation("put", writing),
                    "parameters": .array(home),
                ]
            }
        }
        return .object(paths)
    }

    /// The named types that kinds use, each once.
    private struct Schemas {
        let prefix: String
        let isV3: Bool
        var definitions = JSONObject()

        mutating func add(_ kind: KindDefinition) {
            guard case .object(let type) = kind.schema else { return }
            add(kind.resource, type, kind.explanation.isEmpty ? Self.sentence(kind) : kind.explanation)
            guard kind.isCustom else { return }
            // A custom kind is told as its own schema tells it.
            var own = definitions[type.name] ?? .emptyObject
            var schema = kind.customSchema
            for (name, property) in own["properties"].object ?? JSONObject() where ["apiVersion", "kind", "metadata"].contains(name) {
                schema["properties"][name] = property
            }
            schema["x-kubernetes-group-version-kind"] = own["x-kubernetes-group-version-kind"]
            own = schema
            definitions[type.name] = own
        }

        private static func sentence(_ kind: KindDefinition) -> String {
            Explanations.kinds[kind.resource.kind] ?? "\(kind.resource.kind) of \(kind.resource.apiVersion)."
        }

        mutating func add(_ resource: Resource, _ type: ObjectSchema, _ description: String = "") {
            let name = type.name.isEmpty ? "minik.\(resource.version).\(resource.kind)" : type.name
            var schema = object(type)
            if !description.isEmpty { schema["description"] = .string(description) }
            schema["x-kubernetes-group-version-kind"] = [
                ["group": .string(resource.group), "version": .string(resource.version), "kind": .string(resource.kind)]
            ]
            if schema["properties"]["apiVersion"].isNull {
                schema["properties"]["apiVersion"] = ["type": "string"]
                schema["properties"]["kind"] = ["type": "string"]
            }
            definitions[name] = schema
        }

        private mutating func object(_ type: ObjectSchema) -> JSON {
            var properties = JSONObject()
            var required: [JSON] = []
            let isOfSchemas = type.shortName == "JSONSchemaProps"
            for field in type.fields {
                var shape = isOfSchemas ? untyped(field.schema) : shape(field.schema)
                if !field.defaultValue.isNull, shape["$ref"].isNull { shape["default"] = field.defaultValue }
                if field.isAtomic, shape["$ref"].isNull { shape["x-kubernetes-map-type"] = "atomic" }
                if let words = Explanations.field(type, field.name), shape["$ref"].isNull { shape["description"] = .string(words) }
                if isV3, let reference = Optional(shape), !reference["$ref"].isNull {
                    shape = ["allOf": [reference], "default": field.isRequired ? .emptyObject : .null]
                    if let words = Explanations.field(type, field.name) { shape["description"] = .string(words) }
                }
                if case .list(_, let list) = field.schema {
                    if let key = list.mergeKey {
                        shape["x-kubernetes-patch-merge-key"] = .string(key)
                        shape["x-kubernetes-patch-strategy"] = field.retainsKeys ? "merge,retainKeys" : "merge"
                    } else if list.mergesValues {
                        shape["x-kubernetes-patch-strategy"] = "merge"
                    }
                    if !list.mapKeys.isEmpty {
                        shape["x-kubernetes-list-type"] = "map"
                        shape["x-kubernetes-list-map-keys"] = .array(list.mapKeys.map(JSON.string))
                    } else {
                        shape["x-kubernetes-list-type"] = list.isSet ? "set" : "atomic"
                    }
                } else if field.retainsKeys {
                    shape["x-kubernetes-patch-strategy"] = "retainKeys"
                }
                properties[field.name] = shape
                if field.isRequired { required.append(.string(field.name)) }
            }
            return ["type": "object", "properties": .object(properties), "required": required.isEmpty ? .null : .array(required)]
        }

        /// A default, an example and the values of an enumeration are JSON of any type. (apiextensions.k8s.io, JSON)
        private mutating func untyped(_ schema: Schema) -> JSON {
            switch schema {
            case .any: ["x-kubernetes-preserve-unknown-fields": true]
            case .list(.any, _): ["type": "array", "items": ["x-kubernetes-preserve-unknown-fields": true]]
            default: shape(schema)
            }
        }

        private mutating func shape(_ schema: Schema) -> JSON {
            switch schema {
            case .string(let choices):
                return ["type": "string", "enum": choices.isEmpty ? .null : .array(choices.sorted().map(JSON.string))]
            case .int: return ["type": "integer", "format": "int32"]
            case .int64: return ["type": "integer", "format": "int64"]
            case .bool: return ["type": "boolean"]
            case .number: return ["type": "number", "format": "double"]
            case .time: return ["type": "string", "format": "date-time"]
            case .bytes: return ["type": "string", "format": "byte"]
            case .intOrString:
                return isV3
                    ? ["oneOf": [["type": "integer"], ["type": "string"]], "format": "int-or-string"]
                    : ["type": "string", "format": "int-or-string"]
            case .quantity: return isV3 ? ["oneOf": [["type": "string"], ["type": "number"]]] : ["type": "string"]
            case .any: return ["type": "object", "x-kubernetes-preserve-unknown-fields": true]
            case .map(let element): return ["type": "object", "additionalProperties": shape(element)]
            case .list(let element, _): return ["type": "array", "items": shape(element)]
            case .jsonSchema(let form):
                // What else may stand in a schema's place, no document tells.
                return form == .whole ? shape(.object(Schema.schemaMembers)) : [:]
            case .object(let type):
                if type.name.isEmpty { return object(type) }
                if definitions[type.name] == nil {
                    definitions[type.name] = .emptyObject  // so that a type within itself ends
                    var schema = object(type)
                    if let words = Explanations.kinds[type.shortName] { schema["description"] = .string(words) }
                    definitions[type.name] = schema
                }
                return ["$ref": .string(prefix + type.name)]
            }
        }
    }
}
