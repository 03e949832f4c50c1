import Model

/// The questions of authorization.k8s.io and authentication.k8s.io: what is asked is answered, and nothing is stored.
struct ReviewsAPI: PathResponder {
    let reviews: Reviews
    let threads: RequestThreads

    func respond(_ request: HTTPRequest, _ user: UserInfo) async throws -> HTTPResponse? {
        guard let place = Target.Place(request.path), place.name == nil,
            let review = Reviews.kinds.first(where: {
                ($0.resource.group, $0.resource.version, $0.resource.plural) == (place.group, place.version, place.plural)
            })
        else { return nil }
        guard request.method == "POST" else { throw Router.methodNotAllowed }
        try Representation.check(request.accept)
        _ = try Representation(request.accept, transforms: false)  // an answer is no object that could be shown as a row
        let schema = Reviews.schema(review.type), kind = review.resource.kind
        var findings = SchemaFindings()
        let (sent, repeats) = try await RequestBody(request, threads).objectAndRepeats(schema)
        let body = schema.decode(sent, &findings)
        let who = "\(kind) in version \"\(review.resource.version)\" cannot be handled as a \(kind)"
        if let first = findings.mistyped.first { throw StatusError.badRequest("\(who): \(first)") }
        let unknown = findings.unknown.map { "unknown field \"\($0)\"" } + repeats, validation = request["fieldValidation"] ?? "Warn"
        if validation == "Strict", !unknown.isEmpty {
            throw StatusError.badRequest("\(who): strict decoding error: \(unknown.joined(separator: ", "))")
        }
        var asked = body
        if let namespace = place.namespace {
            if let own = asked["metadata"]["namespace"].string, !own.isEmpty, own != namespace { throw StatusError.otherNamespace }
            asked["metadata"]["namespace"] = .string(namespace)
        }
        let answer = HTTPResponse.json(try await reviews.answer(asked, review.resource, user: user), code: 201)
        return answer.warning(validation == "Ignore" ? [] : unknown)
    }
}
