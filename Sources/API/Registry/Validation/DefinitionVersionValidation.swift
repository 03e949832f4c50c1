import Model

/// What a definition says of one version: its schema, its columns, its subresources, what can be selected by.
enum DefinitionVersionValidation {
    private typealias Cause = StatusError.Cause
    private static let longestWarning = 256, mostSelectable = 8
    private static let columnTypes = ["boolean", "date", "integer", "number", "string"]
    private static let columnFormats = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"]
    private static let rootFields = [
        "Description", "Type", "Format", "Title", "Maximum", "ExclusiveMaximum", "Minimum", "ExclusiveMinimum", "MaxLength", "MinLength",
        "Pattern", "MaxItems", "MinItems", "UniqueItems", "MultipleOf", "Required", "Items", "Properties", "ExternalDocs", "Example",
        "XPreserveUnknownFields", "XValidations",
    ]

    static func causes(_ version: JSON, _ path: String) -> [StatusError.Cause] {
        let schema = version["schema"]["openAPIV3Schema"], here = "\(path).schema.openAPIV3Schema"
        var causes = schema.isNull ? [.required(here)] : StructuralValidation.causes(schema, here)
        if !version["subresources"]["status"].isNull, !schema.isNull { causes += rootOfReported(schema, here) }
        causes += warning(version, "\(path).deprecationWarning")
        if !version["subresources"]["scale"].isNull { causes += scale(version["subresources"]["scale"], "\(path).subresources.scale") }
        for (index, column) in version["additionalPrinterColumns"].items.enumerated() {
            causes += Self.column(column, "\(path).additionalPrinterColumns[\(index)]")
        }
        return causes + selectable(version["selectableFields"], schema, "\(path).selectableFields")
    }

    /// Where the status is written apart, the schema's root says no more than which members there are.
    private static func rootOfReported(_ schema: JSON, _ path: String) -> [Cause] {
        var causes: [Cause] = []
        if let type = schema["type"].string, type != "object" {
            let why = "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled"
            causes.append(.invalid("\(path).type", schema["type"], why))
        }
        let known = Set(rootFields.map { $0.lowercased() }).union(["x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations"])
        if (schema.object?.keys ?? []).contains(where: { !known.contains($0.lowercased()) }) {
            let list = "[\(rootFields.joined(separator: " "))]"
            causes.append(
                .invalid(path, schema, "only \(list) fields are allowed at the root of the schema if the status subresource is enabled"))
        }
        return causes
    }

    private static func warning(_ version: JSON, _ path: String) -> [Cause] {
        guard let text = version["deprecationWarning"].string else { return [] }
        var causes: [Cause] = []
        if version["deprecated"].bool != true { causes.append(.invalid(path, .string(text), "can only be set for deprecated versions")) }
        if text.isEmpty { causes.append(.invalid(path, "", "must not be an empty string")) }
        if text.utf8.count > longestWarning {
            causes.append(.invalid(path, .string(text), "must be <= \(longestWarning) characters long"))
        }
        if let place = text.unicodeScalars.firstIndex(where: { $0.value < 0x20 || $0.value == 0x7F }) {
            let index = text.utf8.distance(from: text.utf8.startIndex, to: place)
            let why = "must only contain printable UTF-8 characters; non-printable character found at index \(index)"
            causes.append(.invalid(path, .string(text), why))
        }
        return causes
    }

    /// A way into an object, by dots.
    private static func simplePath(_ text: String, _ path: String) -> [Cause] {
        text.hasPrefix(".") ? [] : [.invalid(path, .string(text), "must be a simple json path starting with .")]
    }

    private static func scale(_ scale: JSON, _ path: String) -> [Cause] {
        var causes: [Cause] = []
        let roots = [
            ("specReplicasPath", [".spec"], true), ("statusReplicasPath", [".status"], true),
            ("labelSelectorPath", [".spec", ".status"], false),
        ]
        for (name, roots, isNeeded) in roots {
            let text = scale[name].string ?? "", field = "\(path).\(name)"
            if text.isEmpty {
                if isNeeded { causes.append(.required(field)) }
            } else if !text.hasPrefix(".") {
                causes += simplePath(text, field)
            } else if !roots.contains(where: { text.hasPrefix("\($0).") }) {
                let under = roots.count == 1 ? roots[0] : "either .spec or .status"
                causes.append(.invalid(field, .string(text), "should be a json path under \(under)"))
            }
        }
        return causes
    }

    private static func column(_ column: JSON, _ path: String) -> [Cause] {
        var causes: [Cause] = []
        if column["name"].string ?? "" == "" { causes.append(.required("\(path).name")) }
        let type = column["type"].string ?? "", types = "must be one of \(columnTypes.joined(separator: ","))"
        if type.isEmpty {
            causes.append(.required("\(path).type", types))
        } else if !columnTypes.contains(type) {
            causes.append(.invalid("\(path).type", .string(type), types))
        }
        if let format = column["format"].string, !format.isEmpty, !columnFormats.contains(format) {
            let why = "must be one of \(columnFormats.joined(separator: ","))"
            causes.append(.invalid("\(path).format", .string(format), why))
        }
        let way = column["jsonPath"].string ?? ""
        return causes + (way.isEmpty ? [.required("\(path).JSONPath")] : simplePath(way, "\(path).JSONPath"))
    }

    private static func selectable(_ fields: JSON, _ schema: JSON, _ path: String) -> [Cause] {
        guard !fields.items.isEmpty else { return [] }
        if schema.isNull { return [.invalid(path, "", "may only be set when `version.schema.openAPIV3Schema` is not included")] }
        var causes: [Cause] = [], seen: Set<String> = []
        if fields.items.count > mostSelectable { causes.append(.tooMany(path, fields.items.count, mostSelectable)) }
        for (index, item) in fields.items.prefix(mostSelectable).enumerated() {
            let text = item["jsonPath"].string ?? "", field = "\(path)[\(index)].jsonPath"
            if text.isEmpty {
                causes.append(.required(field))
                continue
            }
            if !seen.insert(text).inserted { causes.append(.duplicate(field, .string(text))) }
            guard let found = SchemaPath(text)?.leads(into: schema) else {
                causes.append(.invalid(field, .string(text), "is an invalid path: does not refer to a valid field"))
                continue
            }
            if SchemaPath(text)?.names.first == "metadata" {
                causes.append(.invalid(field, .string(text), "must not point to fields in metadata"))
            }
            if !["string", "boolean", "integer"].contains(found["type"].string) {
                let why =
                    "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."
                causes.append(.invalid(field, .string(text), why))
            }
        }
        return causes
    }
}
