import Model

/// Where objects of a kind say how many they are to be and how many they are, and which those are: what a Scale shows and changes.
struct ScaleForm: Sendable {
    private var spec = JSONPath(".spec.replicas"), status = JSONPath(".status.replicas")
    /// The selector as a query has it; nil: there is none.
    private var selector: @Sendable (JSON) -> String? = { Self.text(LabelSelector($0["spec"]["selector"])) }

    init() {}

    /// As a CustomResourceDefinition says. (`subresources.scale`)
    init(_ scale: JSON) {
        spec = JSONPath(scale["specReplicasPath"].string ?? "")
        status = JSONPath(scale["statusReplicasPath"].string ?? "")
        let path = scale["labelSelectorPath"].string.map { JSONPath($0) }
        selector = { object in path?.first(in: object).string }
    }

    static let replicationController = {
        var form = ScaleForm()
        form.selector = { text(LabelSelector(matching: $0["spec"]["selector"].stringMap)) }
        return form
    }()

    private static func text(_ selector: LabelSelector) -> String { selector.requirements.map(\.description).joined(separator: ",") }

    func scale(of object: JSON) -> JSON {
        let metadata = object["metadata"], replicas = status.first(in: object), wanted = spec.first(in: object)
        return [
            "kind": "Scale", "apiVersion": "autoscaling/v1",
            "metadata": [
                "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
                "creationTimestamp": metadata["creationTimestamp"],
            ],
            "spec": ["replicas": wanted == 0 ? .null : wanted],
            "status": ["replicas": replicas.isNull ? 0 : replicas, "selector": JSON(selector(object))],
        ]
    }

    /// The merge patch that makes an object ask for so many.
    func change(to replicas: Int) -> JSON {
        let path = spec.members ?? ["spec", "replicas"]
        return path.reversed().reduce(JSON.int(replicas)) { inner, name in .object(JSONObject(uniqueKeys: [name], values: [inner])) }
    }
}
