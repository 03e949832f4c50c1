import Model

/// What somebody says to a registry to be let in.
package struct RegistryCredential: Sendable, Hashable {
    package let user: String
    package let password: String
    /// What a registry gave in the place of a password.
    package let identityToken: String

    package init(user: String, password: String, identityToken: String = "") {
        self.user = user
        self.password = password
        self.identityToken = identityToken
    }

    /// An entry of docker's configuration: user and password, or both as `auth`. nil when it is neither.
    init?(_ json: JSON) {
        var user = json["username"].string ?? "", password = json["password"].string ?? ""
        let token = json["identitytoken"].string ?? ""
        if let auth = json["auth"].string, !auth.isEmpty {
            // Some leave the padding out, and some write NULs behind the password.
            let signs = String(auth.trimmed.prefix { $0 != "=" })
            let whole = signs + String(repeating: "=", count: (4 - signs.utf8.count % 4) % 4)
            let text = Base64.decode(whole).map { String(decoding: $0, as: UTF8.self) } ?? ""
            guard let colon = text.firstIndex(of: ":") else { return nil }
            user = String(text[..<colon])
            password = String(text[text.index(after: colon)...].prefix { $0 != "\0" })
        }
        guard !user.isEmpty || !token.isEmpty else { return nil }
        self.init(user: user, password: password, identityToken: token)
    }

    /// docker's configuration with this alone in it.
    package func file(for registry: String) -> JSON {
        var entry: JSON = ["auth": .string(Base64.encode(Array("\(user):\(password)".utf8)))]
        if !identityToken.isEmpty { entry["identitytoken"] = .string(identityToken) }
        return ["auths": [registry: entry]]
    }
}
