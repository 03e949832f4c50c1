extension Client {
    /// Tells what happened to an object, as `kubectl describe` and `kubectl get events` show it. The same thing happening
    /// again raises the count of the first event. Events are best effort: a failure to record one is nobody's failure.
    package func recordEvent(
        about object: some Object, type: String = "Normal", reason: String, message: String, component: String, node: String? = nil,
        fieldPath: String? = nil
    ) async {
        await recordEvent(
            about: object.json, Swift.type(of: object).resource, type: type, reason: reason, message: message, component: component,
            node: node,
            fieldPath: fieldPath)
    }

    /// The same about an object of kind `resource`.
    package func recordEvent(
        about json: JSON, _ resource: Resource, type: String = "Normal", reason: String, message: String, component: String,
        node: String? = nil,
        fieldPath: String? = nil
    ) async {
        let object = AnyObjectView(json)
        let kind = type == "Normal" || type == "Warning" ? type : "Normal"
        let namespace = object.namespace.isEmpty ? "default" : object.namespace
        let identity = [resource.kind, object.key.description, object.uid, kind, reason, message, component].joined(separator: "\u{1}")
        let moment = Timestamp.now(), now = JSON.string(moment.description)
        let (name, isNew) = EventNames.shared.name(of: identity, about: object.name, at: moment)
        if !isNew, await countAgain(ObjectKey(namespace, name), now) { return }
        let event: JSON = [
            "apiVersion": "v1", "kind": "Event", "metadata": ["name": .string(name), "namespace": .string(namespace)],
            "involvedObject": [
                "kind": .string(resource.kind), "namespace": JSON(object.namespace.isEmpty ? nil : object.namespace),
                "name": .string(object.name), "uid": .string(object.uid), "apiVersion": .string(resource.apiVersion),
                "resourceVersion": .string(object.resourceVersion), "fieldPath": JSON(fieldPath),
            ],
            "reason": .string(reason), "message": .string(message), "type": .string(kind), "count": 1,
            "firstTimestamp": now, "lastTimestamp": now,
            "source": ["component": .string(component), "host": JSON(node)],
            "reportingComponent": .string(component), "reportingInstance": .string(node ?? ""),
        ]
        do { _ = try await create(.events, event) } catch let error as StatusError where error.reason == .alreadyExists {
            _ = await countAgain(ObjectKey(namespace, name), now)
        } catch {}
    }

    /// Whether there is such an event, which has happened once more now.
    private func countAgain(_ key: ObjectKey, _ now: JSON) async -> Bool {
        guard let old = try? await get(.events, key) else { return false }
        _ = try? await patch(.events, key, ["count": .int((old["count"].int ?? 1) + 1), "lastTimestamp": now])
        return true
    }
}

/// The metadata of an object whatever its kind.
private struct AnyObjectView: Object {
    static let resource = Resource("", "", "", "")
    var json: JSON
    init(_ json: JSON) { self.json = json }
}
