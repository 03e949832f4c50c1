import Model

/// A meta.k8s.io/v1 Table: what `kubectl get` prints.
package enum Table {
    package static func of(_ items: [JSON], _ kind: KindDefinition, revision: String, now: Timestamp) -> JSON {
        [
            "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": ["resourceVersion": .string(revision)],
            "columnDefinitions": .array(
                kind.columns.map {
                    [
                        "name": .string($0.name), "type": "string", "format": .string($0.name == "Name" ? "name" : ""), "priority": .int($0.isWide ? 1 : 0),
                        "description": "",
                    ]
                }),
            "rows": .array(
                items.map { item in
                    [
                        "cells": .array(kind.columns.map { .string($0.cell(item, now)) }),
                        "object": ["kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]],
                    ]
                }),
        ]
    }
}
