import API
import Model

/// The objects that `minik delete` is to remove.
package struct Deletion {
    package typealias Target = (kind: KindDefinition, key: ObjectKey)

    private let client: any Client
    private let namespace: String

    package init(client: any Client, namespace: String) {
        self.client = client
        self.namespace = namespace
    }

    /// The objects that files hold. A kind that the server does not know has none.
    package func targets(in manifests: [Manifest]) -> [Target] {
        manifests.compactMap { manifest in
            guard let kind = Registry.kind(apiVersion: manifest.apiVersion, kind: manifest.kind) else { return nil }
            let namespace = manifest.json["metadata"]["namespace"].string ?? namespace
            return (kind, ObjectKey(kind.resource.namespaced ? namespace : "", manifest.json["metadata"]["name"].string ?? ""))
        }
    }

    /// The objects that are named; where only a type is, those that `selector` chooses, or all.
    package func targets(_ arguments: ResourceArguments, selector: String?, all: Bool) async throws -> [Target] {
        var targets: [Target] = []
        for item in arguments.items {
            let namespace = item.kind.resource.namespaced ? namespace : ""
            if let name = item.name {
                targets.append((item.kind, ObjectKey(namespace, name)))
                continue
            }
            guard all || selector != nil else { throw UserError("error: resource(s) were provided, but no name was specified") }
            let chosen = try selector.map { try LabelSelector(parsing: $0) }
            let found = try await client.list(
                item.kind.resource, namespace: item.kind.resource.namespaced ? namespace : nil, selector: chosen)
            targets += found.items.map { (item.kind, ObjectKey(namespace, $0["metadata"]["name"].string ?? "")) }
        }
        return targets
    }

    /// Deletes them, and waits until they are gone where `waits` says so. `done` hears of each that is under way. One that cannot be
    /// deleted holds none of the others up: the failures come back.
    package func run(
        _ targets: [Target], gracePeriod: Int?, ignoresNotFound: Bool, waits: Bool, done: (Target) -> Void
    ) async throws -> [any Error] {
        var failures: [any Error] = [], underWay: [(target: Target, uid: String?)] = []
        for target in targets {
            do {
                // Whoever manages it may have made another one of this name before the waiting begins.
                let uid = waits ? try await client.find(target.kind.resource, target.key)?.metadata.uid : nil
                try await client.delete(target.kind.resource, target.key, gracePeriod: gracePeriod, uid: nil)
                underWay.append((target, uid))
                done(target)
            } catch let error as StatusError where error.reason == .notFound && ignoresNotFound {} catch { failures.append(error) }
        }
        if waits { for (target, uid) in underWay { try await Self.awaitGone(client, target.kind.resource, target.key, uid: uid) } }
        return failures
    }

    /// Waits until there is no such object, or another of its name.
    package static func awaitGone(_ client: any Client, _ resource: Resource, _ key: ObjectKey, uid: String? = nil) async throws {
        let namespace = resource.namespaced ? key.namespace : nil
        while true {
            let events = try await client.watch(resource, namespace: namespace, from: nil)
            // The watch is open: what is gone now was, or will be, told.
            guard let found = try await client.find(resource, key), uid == nil || found.metadata.uid == uid else { return }
            do {
                for try await event in events where event.kind == .deleted && event.object["metadata"]["name"].string == key.name { return }
            } catch let error as StatusError where error.reason == .expired {}
            // A watch that ends says nothing of the object.
        }
    }
}
