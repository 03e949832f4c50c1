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
        let body = schema.decode(try await RequestBody(request, threads).object(schema), &findings)
        if let first = findings.mistyped.first {
            throw StatusError.badRequest("\(kind) in version \"\(review.resource.version)\" cannot be handled as a \(kind): \(first)")
        }
        var asked = body
        if let namespace = place.namespace { asked["metadata"]["namespace"] = .string(namespace) }
        return .json(try await reviews.answer(asked, review.resource, user: user), code: 201)
    }
}
