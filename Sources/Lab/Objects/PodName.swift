import Model

/// A pod as users name one: by name, or one of a deployment's, replica set's or Service's, as TYPE/NAME.
package struct PodName {
    private let text: String
    private let namespace: String
    private let client: any Client

    package init(_ text: String, namespace: String, _ client: any Client) {
        self.text = text
        self.namespace = namespace
        self.client = client
    }

    package func resolve() async throws -> ObjectKey {
        let sides = text.split(separator: "/", maxSplits: 1).map(String.init)
        guard sides.count == 2 else { return ObjectKey(namespace, text) }
        let kind = try ResourceArguments.kind(sides[0])
        if kind.resource == .pods { return ObjectKey(namespace, sides[1]) }
        let object = try await client.get(kind.resource, ObjectKey(namespace, sides[1]))
        let selector =
            kind.resource == .services
            ? LabelSelector(matching: object["spec"]["selector"].stringMap) : LabelSelector(object["spec"]["selector"])
        let pods = try await client.list(Pod.self, namespace: namespace, selector: selector).filter(\.isActive)
        guard let pod = pods.first(where: \.isReady) ?? pods.first else { throw UserError("error: \(text) has no running pod") }
        return pod.key
    }
}
