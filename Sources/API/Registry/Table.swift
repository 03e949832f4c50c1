import Model

/// A meta.k8s.io/v1 Table: what `kubectl get` prints.
package enum Table {
    /// `includes` is what each row carries of its object: `Object`, `None`, or by default its metadata.
    package static func of(
        _ items: [JSON], _ kind: KindDefinition, revision: String, now: Timestamp, version: String = "v1", includes: String? = nil,
        metadata: JSON? = nil
    ) -> JSON {
        [
            "kind": "Table", "apiVersion": .string("meta.k8s.io/\(version)"),
            "metadata": metadata ?? ["resourceVersion": .string(revision)],
            "columnDefinitions": .array(
                kind.columns.map {
                    [
                        "name": .string($0.name), "type": .string($0.type),
                        "format": .string($0.name == "Name" ? "name" : ""),
                        "priority": .int($0.isWide ? 1 : 0), "description": "",
                    ]
                }),
            "rows": .array(
                items.map { item in
                    [
                        "cells": .array(kind.columns.map { $0.value(item, now) }),
                        "object": includes == "None" ? .null : includes == "Object" ? item : partial(item, version: version),
                    ]
                }),
        ]
    }

    /// A PartialObjectMetadata: who an object is, without what it asks for.
    package static func partial(_ object: JSON, version: String = "v1") -> JSON {
        ["kind": "PartialObjectMetadata", "apiVersion": .string("meta.k8s.io/\(version)"), "metadata": object["metadata"]]
    }

    static func check(includes: String?) throws {
        guard let includes, !["", "Metadata", "Object", "None"].contains(includes) else { return }
        throw StatusError.badRequest(
            "Unable to convert to Table as requested: includeObject: Invalid value: \(JSON.string(includes).text()): must be 'Metadata', 'Object', 'None', or empty"
        )
    }
}
