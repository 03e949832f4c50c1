import API
import Model

/// Waits until what was applied works: deployments available, pods ready or done, Services with a backend where they have one.
package struct Readiness {
    let client: any Client

    package init(client: any Client) { self.client = client }

    package struct TimedOut: Error, CustomStringConvertible {
        package let waiting: [String]
        package var description: String {
            "gave up waiting for: \(waiting.joined(separator: ", "))\n  see: minik get pods -A; minik get events -A"
        }
    }

    /// `progress` hears what is still waited for, whenever that changes.
    package func wait(for objects: [(KindDefinition, ObjectKey)], timeout: Duration, progress: @escaping @Sendable ([String]) -> Void)
        async throws
    {
        let wanted = objects.filter { [.deployments, .replicaSets, .pods].contains($0.0.resource) }.map { ($0.0.resource, $0.1) }
        guard !wanted.isEmpty else { return }
        let state = Pending(wanted.map { "\($0.0.plural)/\($0.1.name)" })
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (resource, key) in wanted {
                group.addTask {
                    try await awaitReady(resource, key)
                    progress(await state.done("\(resource.plural)/\(key.name)"))
                }
            }
            group.addTask {
                try await Task.sleep(for: timeout)
                throw TimedOut(waiting: await state.waiting)
            }
            for _ in wanted { _ = try await group.next() }
            group.cancelAll()
        }
    }

    private func awaitReady(_ resource: Resource, _ key: ObjectKey) async throws {
        while !Task.isCancelled {
            do {
                for try await event in try await client.watch(resource, namespace: key.namespace, from: nil)
                where event.kind != .deleted && event.object["metadata"]["name"].string == key.name && Self.isReady(event.object, resource)
                {
                    return
                }
            } catch let error as StatusError where error.reason == .expired {}
            // A watch that ends says nothing of the object.
        }
    }

    private actor Pending {
        private(set) var waiting: [String]
        init(_ waiting: [String]) { self.waiting = waiting }
        func done(_ name: String) -> [String] {
            waiting.removeAll { $0 == name }
            return waiting
        }
    }

    /// Ready now, and not a state of before the last change.
    static func isReady(_ object: JSON, _ resource: Resource) -> Bool {
        if resource == .pods {
            let pod = Pod(object)
            return pod.isReady || pod.phase == "Succeeded"
        }
        let wanted = object["spec"]["replicas"].int ?? 1
        let status = object["status"]
        guard status["observedGeneration"].int ?? 0 >= object["metadata"]["generation"].int ?? 0 else { return false }
        if resource == .replicaSets { return status["readyReplicas"].int ?? 0 >= wanted }
        return status["availableReplicas"].int ?? 0 >= wanted && status["updatedReplicas"].int ?? 0 >= wanted
            && status["replicas"].int ?? 0 == wanted
    }
}
