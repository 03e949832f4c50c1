import Model
import Store

/// Lists and watches.
extension Router {
    /// What a request's label and field selectors choose.
    struct Selection: Sendable {
        let labels: LabelSelector?
        let fields: [(path: [String], value: String, isNegated: Bool)]

        init(_ request: HTTPRequest, _ target: Target) throws {
            do { labels = try request["labelSelector"].flatMap { $0.isEmpty ? nil : try LabelSelector(parsing: $0) } } catch {
                throw StatusError.badRequest("\(error)")
            }
            let supported = ["metadata.name", "metadata.namespace"] + target.kind.selectableFields
            var fields: [(path: [String], value: String, isNegated: Bool)] = []
            for (name, value, isNegated) in try FieldTerms.read(request["fieldSelector"] ?? "") {
                guard supported.contains(name) else { throw Self.unsupported(name, target.kind) }
                let path = target.kind.fieldAliases[name] ?? name
                fields.append((path.split(separator: ".").map(String.init), value, isNegated))
            }
            if let name = target.name { fields.append((["metadata", "name"], name, false)) }
            self.fields = fields
        }

        /// Kinds that have more than the two of everybody say it in other words.
        private static func unsupported(_ name: String, _ kind: KindDefinition) -> StatusError {
            if kind.resource == .jobs { return .badRequest("field label \"\(name)\" not supported for Job") }
            return .badRequest(
                kind.selectableFields.isEmpty
                    ? "\"\(name)\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                    : "field label not supported: \(name)")
        }

        private static let counts: Set<String> = ["replicas", "succeeded"]

        var isEverything: Bool { labels == nil && fields.isEmpty }
        /// The one name that can be meant.
        var name: String? { fields.first { $0.path == ["metadata", "name"] && !$0.isNegated }?.value }

        func takes(_ object: JSON) -> Bool {
            if let labels, !labels.requirements.isEmpty, !labels.matches(object["metadata"]["labels"].stringMap) { return false }
            return fields.allSatisfy { path, value, isNegated in
                let found = path.reduce(object) { $0[$1] }
                // A number or flag that is not set is Go's zero.
                let unset = ["true", "false"].contains(value) ? "false" : Self.counts.contains(path.last ?? "") ? "0" : ""
                let text = found.string ?? (found.isNull ? unset : found.text())
                return (text == value) != isNegated
            }
        }
    }

    /// Where a list stopped, for the next chunk of it.
    private struct Continuation {
        let revision: Int
        let after: String

        init(revision: Int, after: String) {
            self.revision = revision
            self.after = after
        }

        init(_ token: String) throws {
            guard let bytes = Base64.decodeURL(token) else {
                let place = token.utf8.enumerated().first { !Self.isDigit($0.element) }?.offset ?? token.utf8.count / 4 * 4
                throw Self.refusal("illegal base64 data at input byte \(place)")
            }
            let json: JSON
            do { json = try JSON(parsing: bytes) } catch { throw Self.refusal("\(error)") }
            let version = json["v"].string ?? ""
            guard version == Self.version else { throw Self.refusal("server does not recognize this encoded version \(version)") }
            guard let revision = json["rv"].int, revision > 0 else {
                throw Self.refusal("incorrect encoded start resourceVersion (version \(version))")
            }
            guard let after = json["start"].string, !after.isEmpty else {
                throw Self.refusal("encoded start key empty (version \(version))")
            }
            (self.revision, self.after) = (revision, after)
        }

        private static let version = "meta.k8s.io/v1"

        private static func refusal(_ why: String) -> StatusError {
            .badRequest("invalid continue token: continue key is not valid: \(why)")
        }

        /// Of base64 for URLs. (RFC 4648, section 5)
        private static func isDigit(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x2D || byte == 0x5F
        }

        var token: String {
            Base64.encodeURL((["v": .string(Self.version), "rv": .int(revision), "start": .string(after)] as JSON).bytes())
        }
    }

    /// The objects that a request chooses, the revision they stand at, and where to go on.
    func select(_ target: Target, _ request: HTTPRequest) async throws -> (items: [JSON], revision: Int, token: String?, remaining: Int?) {
        let selection = try Selection(request, target)
        let parameters = try ListParameters(request), limit = parameters.limit, wanted = parameters.version
        var items: [JSON]
        var revision: Int
        let continuation = try request["continue"].flatMap { $0.isEmpty ? nil : try Continuation($0) }
        if continuation != nil, let version = request["resourceVersion"], !["", "0"].contains(version) {
            throw StatusError.badRequest("specifying resource version is not allowed when using continue")
        }
        if let continuation {
            revision = continuation.revision
            items = try await api.store.list(target.stored, namespace: target.namespace, at: revision)
        } else if parameters.isExact, let wanted {
            revision = wanted
            items = try await api.store.list(target.stored, namespace: target.namespace, at: wanted)
        } else if let name = selection.name, target.namespace != nil || !target.resource.namespaced {
            // By name it is one look-up.
            revision = await api.store.revision
            items =
                try await api.store.get(target.stored, ObjectKey(target.resource.namespaced ? target.namespace ?? "" : "", name)).map {
                    [$0]
                }
                ?? []
        } else {
            (items, revision) = try await api.store.list(target.stored, namespace: target.namespace)
        }
        if let wanted, wanted > revision { throw StatusError.tooLarge(wanted, revision) }
        if target.kind.storage != nil { items = items.map(target.present) }
        if !selection.isEverything {
            items = try items.filter { item in
                try Task.checkCancellation()
                return selection.takes(item)
            }
        }
        func place(_ item: JSON) -> String { "\(item["metadata"]["namespace"].string ?? "")/\(item["metadata"]["name"].string ?? "")" }
        if let continuation {
            let from = ObjectKey(place: continuation.after)
            items = Array(items.drop { ObjectKey(place: place($0)) <= from })
        }
        guard limit > 0, items.count > limit else { return (items, revision, nil, nil) }
        let chunk = Array(items.prefix(limit))
        let token = Continuation(revision: revision, after: chunk.last.map(place) ?? "").token
        return (chunk, revision, token, selection.isEverything ? items.count - limit : nil)
    }

    func list(_ target: Target, _ request: HTTPRequest) async throws -> HTTPResponse {
        let representation = try Representation(request.accept)
        try representation.check(isList: true, target.kind)
        let (items, revision, token, remaining) = try await select(target, request)
        let metadata: JSON = [
            "resourceVersion": .string(String(revision)), "continue": JSON(token), "remainingItemCount": JSON(remaining),
        ]
        switch representation {
        case .table(let version):
            try Table.check(includes: request["includeObject"])
            var table = Table.of(
                items, target.kind, revision: String(revision), now: now(), version: version, includes: request["includeObject"])
            table["metadata"] = metadata
            return .json(table)
        case .metadata(let version, _):
            return .json([
                "kind": "PartialObjectMetadataList", "apiVersion": .string("meta.k8s.io/\(version)"), "metadata": metadata,
                "items": .array(items.map { Table.partial($0, version: version) }),
            ])
        case .json, .protobuf:
            let list = target.list(items, metadata)
            if case .protobuf = representation, !target.kind.isCustom, case .object(let type) = target.kind.schema {
                return .bytes(ProtobufEncoder.list(list, of: type), contentType: Representation.protobufType)
            }
            return .json(list)
        }
    }
}

extension ObjectKey {
    /// From `namespace/name`.
    fileprivate init(place: String) {
        let sides = place.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        self.init(sides.first ?? "", sides.count > 1 ? sides[1] : "")
    }
}
