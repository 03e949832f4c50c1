/// A token with which a machine that has no certificate yet joins a cluster: `ID.SECRET`, kept as a Secret of kube-system.
/// (kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens)
package struct BootstrapToken: Sendable, Hashable {
    package static let namespace = "kube-system", secretType = "bootstrap.kubernetes.io/token", prefix = "bootstrap-token-"
    package static let bootstrappers = "system:bootstrappers"
    private static let alphabet = Array("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
    private static let lengths = (id: 6, secret: 16)

    package let id: String
    package let secret: String
    /// RFC 3339; nil: for ever.
    package var expiration: String?
    package var description: String?
    package var usages: Set<String> = []
    package var groups: [String] = []

    /// nil for what is not of a token's form.
    package init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, Self.isID(parts[0]), Self.isMade(parts[1], Self.lengths.secret) else { return nil }
        (id, secret) = (String(parts[0]), String(parts[1]))
    }

    /// What a Secret of that type says; nil for any other, and for one that names another token than its own name does.
    package init?(secret object: JSON) {
        func text(_ field: String) -> String? {
            object["data"][field].string.flatMap { Base64.decode($0) }.map { String(decoding: $0, as: UTF8.self) }
        }
        guard object["type"].string == Self.secretType, let id = text("token-id"), let secret = text("token-secret"),
            object["metadata"]["name"].string == Self.prefix + id
        else { return nil }
        self.init("\(id).\(secret)")
        expiration = text("expiration")
        description = text("description")
        usages = Set(["authentication", "signing"].filter { text("usage-bootstrap-\($0)") == "true" })
        groups = text("auth-extra-groups")?.split(separator: ",").map(String.init) ?? []
    }

    package static func random() -> BootstrapToken {
        func letters(_ count: Int) -> String {
            var source = SystemRandomNumberGenerator()
            return String(decoding: (0..<count).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &source)] }, as: UTF8.self)
        }
        return BootstrapToken(id: letters(lengths.id), secret: letters(lengths.secret))
    }

    private init(id: String, secret: String) { (self.id, self.secret) = (id, secret) }

    package static func isID(_ text: some StringProtocol) -> Bool { isMade(text, lengths.id) }

    private static func isMade(_ text: some StringProtocol, _ length: Int) -> Bool {
        text.utf8.count == length && text.utf8.allSatisfy { alphabet.contains($0) }
    }

    package var text: String { "\(id).\(secret)" }
    package var name: String { Self.prefix + id }

    /// A time that nobody can read has passed.
    package func isExpired(_ now: Timestamp) -> Bool { expiration.map { Timestamp($0).map { $0 <= now } ?? true } ?? false }

    /// The Secret.
    package var object: JSON {
        var data: [(String, String)] = [("token-id", id), ("token-secret", secret)]
        if let description { data.append(("description", description)) }
        if let expiration { data.append(("expiration", expiration)) }
        for usage in usages.sorted() { data.append(("usage-bootstrap-\(usage)", "true")) }
        if !groups.isEmpty { data.append(("auth-extra-groups", groups.joined(separator: ","))) }
        return [
            "apiVersion": "v1", "kind": "Secret", "type": .string(Self.secretType),
            "metadata": ["name": .string(name), "namespace": .string(Self.namespace)],
            "data": JSON(Dictionary(uniqueKeysWithValues: data.map { ($0.0, Base64.encode(Array($0.1.utf8))) })),
        ]
    }
}
