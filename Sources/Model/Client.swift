/// What happened to an object.
package struct WatchEvent: Sendable {
    package enum Kind: String, Sendable { case added = "ADDED", modified = "MODIFIED", deleted = "DELETED", bookmark = "BOOKMARK" }
    package let kind: Kind
    package let object: JSON
    /// What a modified object was before, where the source of the event knows: a watch across the network does not.
    package let previous: JSON?
    /// What kind of object it is, where the source of the event knows.
    package let resource: Resource?

    package init(_ kind: Kind, _ object: JSON, previous: JSON? = nil, resource: Resource? = nil) {
        self.resource = resource
        self.kind = kind
        self.object = object
        self.previous = previous
    }
}

/// The cluster's state as its clients see it. Controllers and agents know nothing else of it, so that they work the same
/// in the daemon's process and across a network. Every call may throw a `StatusError`.
package protocol Client: Sendable {
    func get(_ resource: Resource, _ key: ObjectKey) async throws -> JSON
    /// The objects of one namespace, or of all when it is nil, and the revision they stand at.
    func list(_ resource: Resource, namespace: String?, selector: LabelSelector?) async throws -> (items: [JSON], revision: Int)
    /// Events after `revision`; with nil, first an ADDED event for every object there is.
    func watch(_ resource: Resource, namespace: String?, from revision: Int?) async throws -> AsyncThrowingStream<WatchEvent, any Error>
    func create(_ resource: Resource, _ object: JSON) async throws -> JSON
    /// Replaces an object. With a resourceVersion in `object`, only if nobody changed it since (409 Conflict).
    func update(_ resource: Resource, _ object: JSON) async throws -> JSON
    /// Replaces an object's status and nothing else.
    func updateStatus(_ resource: Resource, _ object: JSON) async throws -> JSON
    /// Merges `patch` into the object (RFC 7386).
    func patch(_ resource: Resource, _ key: ObjectKey, _ patch: JSON) async throws -> JSON
    /// Marks for deletion, or deletes when nobody has to wind anything up. `gracePeriod` 0 deletes at once.
    func delete(_ resource: Resource, _ key: ObjectKey, gracePeriod: Int?, uid: String?) async throws
    /// A token that a pod's processes may show as their service account's; valid for `seconds`.
    func serviceAccountToken(for pod: Pod, audiences: [String], seconds: Int) async throws -> String
}

extension Client {
    package func serviceAccountToken(for pod: Pod, audiences: [String], seconds: Int) async throws -> String {
        throw StatusError(501, "NotImplemented", "this client gets no tokens")
    }
}

extension Client {
    package func get<T: Object>(_ type: T.Type, _ key: ObjectKey) async throws -> T {
        T(try await get(T.resource, key))
    }

    /// The object, or nil if there is none.
    package func find<T: Object>(_ type: T.Type, _ key: ObjectKey) async throws -> T? {
        do { return T(try await get(T.resource, key)) } catch let error as StatusError where error.reason == "NotFound" { return nil }
    }

    package func list<T: Object>(_ type: T.Type, namespace: String? = nil, selector: LabelSelector? = nil) async throws -> [T] {
        try await list(T.resource, namespace: namespace, selector: selector).items.map { T($0) }
    }

    package func delete(_ resource: Resource, _ key: ObjectKey) async throws {
        try await delete(resource, key, gracePeriod: nil, uid: nil)
    }

    /// Reads an object's status, changes it and writes it back, again after a conflict; throws the conflict when others write all the while.
    /// Writes nothing when nothing changed; does nothing when the object is gone.
    package func mutateStatus<T: Object>(_ type: T.Type, _ key: ObjectKey, _ change: @Sendable (inout T) -> Void) async throws {
        for _ in 0..<8 {
            guard let old = try await find(type, key) else { return }
            var new = old
            change(&new)
            if new.json["status"] == old.json["status"] { return }
            do {
                _ = try await updateStatus(T.resource, new.json)
                return
            } catch let error as StatusError where error.reason == "Conflict" { continue } catch let error as StatusError
                where error.reason == "NotFound"
            { return }
        }
        throw StatusError.conflict(T.resource, key.name)
    }
}

/// An answer that is no success: a metav1.Status with its HTTP code.
package struct StatusError: Error, CustomStringConvertible, Sendable {
    package struct Cause: Sendable, Hashable {
        package let reason: String
        package let message: String
        package let field: String

        package init(reason: String, message: String, field: String) {
            self.reason = reason
            self.message = message
            self.field = field
        }
    }

    package let code: Int
    package let reason: String
    package let message: String
    package var causes: [Cause] = []
    package var details: JSON = .null

    package init(_ code: Int, _ reason: String, _ message: String, causes: [Cause] = [], details: JSON = .null) {
        self.code = code
        self.reason = reason
        self.message = message
        self.causes = causes
        self.details = details
    }

    package init(status: JSON) {
        code = status["code"].int ?? 500
        reason = status["reason"].string ?? "InternalError"
        message = status["message"].string ?? "unknown error"
        details = status["details"]
        causes = details["causes"].items.map {
            Cause(reason: $0["reason"].string ?? "", message: $0["message"].string ?? "", field: $0["field"].string ?? "")
        }
    }

    package var description: String { message }

    package static func notFound(_ resource: Resource, _ name: String) -> StatusError {
        StatusError(
            404, "NotFound", "\(resource) \"\(name)\" not found", details: details(resource, name))
    }
    private static func details(_ resource: Resource, _ name: String) -> JSON {
        ["name": .string(name), "group": resource.group.isEmpty ? JSON.null : .string(resource.group), "kind": .string(resource.plural)]
    }
    package static func alreadyExists(_ resource: Resource, _ name: String) -> StatusError {
        StatusError(409, "AlreadyExists", "\(resource) \"\(name)\" already exists", details: details(resource, name))
    }
    package static func conflict(_ resource: Resource, _ name: String) -> StatusError {
        StatusError(
            409, "Conflict",
            "Operation cannot be fulfilled on \(resource) \"\(name)\": the object has been modified; please apply your changes to the latest version and try again",
            details: details(resource, name))
    }
    package static func badRequest(_ message: String) -> StatusError { StatusError(400, "BadRequest", message) }
    package static let expired = StatusError(410, "Expired", "The resourceVersion for the provided watch is too old.")
    package static func expired(_ asked: Int, _ oldest: Int) -> StatusError { StatusError(410, "Expired", "too old resource version: \(asked) (\(oldest))") }
    package static let expiredContinue = StatusError(
        410, "Expired",
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results inconsistent with the previous portion of the results"
    )
    /// A revision that is yet to come.
    package static func tooLarge(_ asked: Int, _ now: Int) -> StatusError {
        StatusError(
            504, "Timeout", "Too large resource version: \(asked), current: \(now)",
            causes: [Cause(reason: "ResourceVersionTooLarge", message: "Too large resource version", field: "")])
    }
    package static func forbidden(_ message: String) -> StatusError { StatusError(403, "Forbidden", message) }
    package static let noSuchPath = StatusError(404, "NotFound", "the server could not find the requested resource")

    /// 422, as `kubectl` prints it: `The Service "x" is invalid: spec.ports[0].nodePort: Invalid value: ...`
    package static func invalid(_ resource: Resource, _ name: String, _ causes: [Cause]) -> StatusError {
        let texts = causes.map { "\($0.field): \($0.message)" }
        let list = texts.count == 1 ? texts[0] : "[" + texts.joined(separator: ", ") + "]"
        let kind = resource.group.isEmpty ? resource.kind : "\(resource.kind).\(resource.group)"
        return StatusError(
            422, "Invalid", "\(kind) \"\(name)\" is invalid: \(list)", causes: causes,
            details: ["name": .string(name), "group": resource.group.isEmpty ? JSON.null : .string(resource.group), "kind": .string(resource.kind)])
    }

    package var status: JSON {
        var details = details
        if !causes.isEmpty {
            details["causes"] = .array(
                causes.map { ["reason": .string($0.reason), "message": .string($0.message), "field": .string($0.field)] })
        }
        return [
            "kind": "Status", "apiVersion": "v1", "metadata": .emptyObject, "status": "Failure",
            "message": .string(message), "reason": .string(reason), "details": details, "code": .int(code),
        ]
    }
}

/// Follows something of the API for as long as it is wanted: again from the start whenever a watch has ended, or has fallen
/// too far behind (410 Expired). Any other error ends it.
package func untilCancelled(isolation: isolated (any Actor)? = #isolation, _ follow: () async throws -> Void) async throws {
    while !Task.isCancelled {
        do { try await follow() } catch let error as StatusError {
            if error.reason != "Expired" { throw error }
        }
    }
}
