// The answers that the API gives in one wording wherever they come from.
extension StatusError {
    package static func notFound(_ resource: Resource, _ name: String) -> StatusError {
        StatusError(
            404, .notFound, "\(resource) \"\(name)\" not found", details: details(resource, name))
    }

    package static func details(_ resource: Resource, _ name: String) -> JSON {
        [
            "name": name.isEmpty ? JSON.null : .string(name), "group": resource.group.isEmpty ? JSON.null : .string(resource.group),
            "kind": .string(resource.plural),
        ]
    }
    package static func alreadyExists(_ resource: Resource, _ name: String) -> StatusError {
        StatusError(409, .alreadyExists, "\(resource) \"\(name)\" already exists", details: details(resource, name))
    }
    /// The server's choice of a name failed, not the client's.
    package static func nameTaken(_ resource: Resource, _ name: String) -> StatusError {
        var details = details(resource, name)
        details["retryAfterSeconds"] = 1
        return StatusError(
            409, .alreadyExists,
            "\(resource) \"\(name)\" already exists, the server was not able to generate a unique name for the object", details: details)
    }
    package static func badRequest(_ message: String) -> StatusError { StatusError(400, .badRequest, message) }
    package static let expired = StatusError(410, .expired, "The resourceVersion for the provided watch is too old.")
    package static func expired(_ asked: Int, _ oldest: Int) -> StatusError {
        StatusError(410, .expired, "too old resource version: \(asked) (\(oldest))")
    }
    package static let expiredContinue = StatusError(
        410, .expired,
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results inconsistent with the previous portion of the results"
    )
    /// A revision that is yet to come.
    package static func tooLarge(_ asked: Int, _ now: Int) -> StatusError {
        StatusError(
            504, .timeout, "Timeout: Too large resource version: \(asked), current: \(now)",
            causes: [Cause(reason: "ResourceVersionTooLarge", message: "Too large resource version", field: "")],
            details: ["retryAfterSeconds": 1])
    }
    package static func forbidden(_ message: String) -> StatusError { StatusError(403, .forbidden, message) }
    /// Admission's no: `pods "x" is forbidden: ...`
    package static func forbidden(_ resource: Resource, _ name: String, _ why: String) -> StatusError {
        StatusError(403, .forbidden, "\(resource) \"\(name)\" is forbidden: \(why)", details: details(resource, name))
    }
    package static let noSuchPath = StatusError(
        404, .notFound, "the server could not find the requested resource", details: .emptyObject)
    package static let otherNamespace = badRequest("the namespace of the provided object does not match the namespace sent on the request")
    package static func nameless(_ name: String) -> StatusError {
        badRequest("the name of the object (\(name) based on URL) was undeterminable: name must be provided")
    }

    /// 422, as `kubectl` prints it: `The Service "x" is invalid: spec.ports[0].nodePort: Invalid value: ...`
    package static func invalid(_ resource: Resource, _ name: String, _ causes: [Cause]) -> StatusError {
        var seen: Set<String> = []
        let texts = causes.map { "\($0.field): \($0.message)" }.filter { seen.insert($0).inserted }
        let list = texts.count == 1 ? texts[0] : "[" + texts.joined(separator: ", ") + "]"
        let kind = resource.group.isEmpty ? resource.kind : "\(resource.kind).\(resource.group)"
        return StatusError(
            422, .invalid, "\(kind) \"\(name)\" is invalid: \(list)", causes: causes,
            details: [
                "name": name.isEmpty ? JSON.null : .string(name), "group": resource.group.isEmpty ? JSON.null : .string(resource.group),
                "kind": resource.kind.isEmpty ? JSON.null : .string(resource.kind),
            ])
    }
}
