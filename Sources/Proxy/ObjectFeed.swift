import Model

/// Follows all objects of one kind: lists, watches, and lists again when the watch ends, telling also of those that went meanwhile.
struct ObjectFeed {
    let resource: Resource
    let client: any Client
    let clock: any Clock<Duration>
    let report: @Sendable (String) -> Void

    private static let shortest = Duration.milliseconds(200), longest = Duration.seconds(15)

    /// Runs until cancelled. `told` gets an object's key and the object, nil when it is gone; `listed` is called after each list.
    func run(_ told: (ObjectKey, JSON?) async -> Void, listed: () async -> Void) async throws {
        var known: Set<ObjectKey> = [], wait = Self.shortest
        while true {
            try Task.checkCancellation()
            do {
                let (items, revision) = try await client.list(resource, namespace: nil, selector: nil)
                var now: Set<ObjectKey> = []
                for item in items {
                    let key = Self.key(item)
                    now.insert(key)
                    await told(key, item)
                }
                for key in known.subtracting(now) { await told(key, nil) }
                known = now
                await listed()
                for try await event in try await client.watch(resource, namespace: nil, from: revision) where event.kind != .bookmark {
                    wait = Self.shortest
                    let key = Self.key(event.object)
                    if event.kind == .deleted { known.remove(key) } else { known.insert(key) }
                    await told(key, event.kind == .deleted ? nil : event.object)
                }
            } catch let error as StatusError where error.code == 410 {
                // Too far behind: what is missed is found in the next list.
            } catch  where !Task.isCancelled {
                report("following \(resource): \(error); again in \(wait)")
            }
            try await clock.sleep(for: wait)
            wait = min(wait * 2, Self.longest)
        }
    }

    private static func key(_ object: JSON) -> ObjectKey {
        ObjectKey(object["metadata"]["namespace"].string ?? "", object["metadata"]["name"].string ?? "")
    }
}
