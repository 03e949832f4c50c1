import API
import Model

/// `kubectl apply` of documents: create what is not there, change what is, by the three-way merge.
package struct Applier {
    let client: any Client
    let defaultNamespace: String
    /// The release whose versions of the API the cluster serves.
    let version: KubernetesVersion

    package init(client: any Client, defaultNamespace: String, version: KubernetesVersion = .current) {
        self.client = client
        self.defaultNamespace = defaultNamespace
        self.version = version
    }

    /// All of an object's annotations together may have 256 KiB; others need some of it.
    private static let longestAnnotation = 250 * 1024

    package enum Outcome: String { case created, configured, unchanged }

    /// Applies one document; a refusal names its file, line and field.
    package func apply(_ manifest: Manifest) async throws -> (outcome: Outcome, kind: KindDefinition, key: ObjectKey) {
        let kind = try manifest.served(by: version), (wanted, key) = try placed(manifest, kind)
        do {
            return (try await apply(wanted, key, kind), kind, key)
        } catch let error as StatusError { throw Self.refusal(error, manifest) }
    }

    private static func refusal(_ error: StatusError, _ manifest: Manifest) -> any Error {
        guard !error.causes.isEmpty else {
            // A field that the kind does not have is told in the message alone.
            let field = error.message.firstMatch(of: /field "([^"]+)"/).map { String($0.1) } ?? ""
            return ManifestError(file: manifest.file, line: manifest.line(of: field), message: error.message)
        }
        let lines = error.causes.map { "\(manifest.file):\(manifest.line(of: $0.field)): \($0.field): \($0.message)" }
        return UserError(([error.message] + lines).joined(separator: "\n"))
    }

    /// The object in its namespace, and what names it. YAML has words that are no strings, `n` and `1` among them.
    private func placed(_ manifest: Manifest, _ kind: KindDefinition) throws -> (object: JSON, key: ObjectKey) {
        var object = manifest.json
        if kind.resource.namespaced, object["metadata"]["namespace"].isNull { object["metadata"]["namespace"] = .string(defaultNamespace) }
        func text(_ field: String) throws -> String {
            if let text = object["metadata"][field].string { return text }
            let path = "metadata.\(field)", value = object["metadata"][field]
            throw ManifestError(
                file: manifest.file, line: manifest.line(of: path),
                message: value.isNull ? "\(path): Required value" : "\(path): \(value.text()) is no string: write it in quotes")
        }
        return (object, ObjectKey(kind.resource.namespaced ? try text("namespace") : "", try text("name")))
    }

    /// What an apply would do, asked of the server, which stores nothing; and the object before and after.
    func compare(_ manifest: Manifest, _ server: HTTPClient) async throws -> (outcome: Outcome, before: JSON, after: JSON) {
        let kind = try manifest.served(by: version), (wanted, key) = try placed(manifest, kind)
        do {
            return try await compare(wanted, key, kind, server)
        } catch let error as StatusError where [.badRequest, .invalid].contains(error.reason) { throw Self.refusal(error, manifest) }
    }

    private static let asks = "?dryRun=All&fieldValidation=Strict"

    private func compare(_ wanted: JSON, _ key: ObjectKey, _ kind: KindDefinition, _ server: HTTPClient) async throws -> (
        outcome: Outcome, before: JSON, after: JSON
    ) {
        let namespace = kind.resource.namespaced ? key.namespace : nil
        guard let live = try await client.find(kind.resource, key) else {
            let path = kind.resource.path(namespace: namespace) + Self.asks
            return (.created, .null, try await server.json("POST", path, body: wanted))
        }
        var merged = ThreeWayMerge.merge(last: try Self.lastApplied(live, kind, key), wanted: wanted, live: live, kind.schema)
        merged["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        let path = kind.resource.path(namespace: namespace, name: key.name) + Self.asks
        let after = try await server.json("PUT", path, body: merged)
        return (ClusterPlan.changes(from: live, to: after).isEmpty ? .unchanged : .configured, live, after)
    }

    private func apply(_ wanted: JSON, _ key: ObjectKey, _ kind: KindDefinition) async throws -> Outcome {
        let lastApplied = wanted.text() + "\n"
        var annotated = wanted
        // An annotation has its limit; what is longer is applied without a memory of the last time.
        if lastApplied.utf8.count < Self.longestAnnotation {
            annotated["metadata"]["annotations"][ThreeWayMerge.lastApplied] = .string(lastApplied)
        }
        for _ in 0..<5 {
            guard let live = try await client.find(kind.resource, key) else {
                do { _ = try await client.create(kind.resource, annotated) } catch let error as StatusError
                    where error.reason == .alreadyExists
                { continue }
                return .created
            }
            let last = try Self.lastApplied(live, kind, key)
            var merged = ThreeWayMerge.merge(last: last, wanted: annotated, live: live, kind.schema)
            merged["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
            do {
                let stored = try await client.update(kind.resource, merged)
                return stored["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"] ? .unchanged : .configured
            } catch let error as StatusError where error.reason == .conflict { continue }
        }
        throw StatusError.conflict(kind.resource, key.name)
    }

    /// What the last apply of an object wanted; null when there was none.
    private static func lastApplied(_ live: JSON, _ kind: KindDefinition, _ key: ObjectKey) throws -> JSON {
        guard let text = live["metadata"]["annotations"][ThreeWayMerge.lastApplied].string else { return .null }
        do { return try JSON(parsing: text.trimmed) } catch {
            throw UserError(
                "\(kind.printedName)/\(key.name): the annotation \(ThreeWayMerge.lastApplied) is no JSON: \(error)",
                hint: "take it off: kubectl annotate \(kind.singular) \(key.name) \(ThreeWayMerge.lastApplied)-")
        }
    }
}
