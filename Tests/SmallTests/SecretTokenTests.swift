import API
import Controllers
import Model
import Store
import Testing

/// Signs with a word that everybody knows.
private struct PlainCredentials: Credentials {
    let caCertificate = "the authority's"
    let keySet: JSON = .emptyObject

    func sign(_ claims: JSON) throws -> String { "signed.\(Base64.encode(claims.bytes()))" }

    func verify(_ token: String) -> JSON? {
        guard token.hasPrefix("signed."), let bytes = Base64.decode(String(token.dropFirst(7))) else { return nil }
        return try? JSON(parsing: String(decoding: bytes, as: UTF8.self))
    }
}

@Suite("Secrets that hold a service account's token", .timeLimit(.minutes(5)))
struct SecretTokenTests {
    private static let credentials = PlainCredentials()

    private static func secret(_ name: String, of account: String?) -> JSON {
        [
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
            "metadata": [
                "name": .string(name), "namespace": "default",
                "annotations": account.map { ["kubernetes.io/service-account.name": .string($0)] } ?? .null,
            ],
        ]
    }

    private static let account: JSON = [
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": ["name": "robot", "namespace": "default"],
    ]

    private func api() async throws -> APIServer {
        let api = APIServer(store: try ObjectStore(), cluster: Cluster(), credentials: Self.credentials, now: { Fixture.time })
        _ = try await api.create(.namespaces, Fixture.namespace("default"))
        return api
    }

    private func withTokens(_ api: APIServer, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let tokens = TokenReconciler(
                authority: Self.credentials.caCertificate, sign: { try SecretToken.sign(for: $0, in: $1, by: Self.credentials) })
            let controller = Controller(tokens, client: api, report: { Issue.record("\($0)") })
            group.addTask { try await controller.run() }
            defer { group.cancelAll() }
            try await body()
        }
    }

    private func filled(_ name: String, _ api: APIServer) async throws -> JSON {
        try await eventually("\(name) has a token") { try await !api.get(.secrets, Fixture.key(name))["data"]["token"].isNull }
        return try await api.get(.secrets, Fixture.key(name))
    }

    /// What the API says of who brings a token.
    private func user(_ token: String, _ api: APIServer) async throws -> JSON {
        let body: JSON = ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": ["token": .string(token)]]
        let request = HTTPRequest(
            method: "POST", target: "/apis/authentication.k8s.io/v1/tokenreviews", contentType: "application/json", body: body.bytes())
        guard case .json(let answer, 201) = await Router(api: api, nodes: ScriptedNodes(), now: { Fixture.time }).respond(request) else {
            return .null
        }
        return answer["status"]
    }

    @Test("are filled in: a token that speaks for the account, the authority's certificate, the namespace; again when something is taken")
    func filling() async throws {
        let api = try await api()
        try await withTokens(api) {
            let uid = try await api.create(.serviceAccounts, Self.account).metadata.uid
            _ = try await api.create(.secrets, Self.secret("s", of: "robot"))
            let secret = try await filled("s", api)
            func text(_ field: String) -> String? {
                secret["data"][field].string.flatMap(Base64.decode).map { String(decoding: $0, as: UTF8.self) }
            }
            #expect(text("ca.crt") == "the authority's" && text("namespace") == "default")
            #expect(secret["metadata"]["annotations"]["kubernetes.io/service-account.uid"].string == uid)
            let token = try #require(text("token")), status = try await user(token, api)
            #expect(status["authenticated"] == true && status["user"]["username"] == "system:serviceaccount:default:robot")
            #expect(status["user"]["uid"].string == uid)
            #expect(status["user"]["groups"].items.contains("system:serviceaccounts:default"))

            _ = try await api.patch(.secrets, Fixture.key("s"), ["data": ["ca.crt": .null, "token": "YW5vdGhlcg=="]])
            try await eventually("the certificate is back") {
                try await api.get(.secrets, Fixture.key("s"))["data"]["ca.crt"] == secret["data"]["ca.crt"]
            }
            #expect(try await user(token, api)["authenticated"] != true, "a token is worth nothing once its Secret holds another")
        }
    }

    @Test("go with their account, and their token with either; one of an account that never was goes, too")
    func endings() async throws {
        let api = try await api()
        _ = try await api.create(.serviceAccounts, Self.account)
        _ = try await api.create(.secrets, Self.secret("s", of: "robot"))
        _ = try await api.create(.secrets, Self.secret("lost", of: "nobody"))
        var other = Self.secret("mine", of: "nobody")
        other["type"] = "Opaque"
        _ = try await api.create(.secrets, other)
        try await withTokens(api) {
            let token = try #require(try await filled("s", api)["data"]["token"].string.flatMap(Base64.decode))
            let text = String(decoding: token, as: UTF8.self)
            try await api.delete(.serviceAccounts, Fixture.key("robot"))
            #expect(try await user(text, api)["authenticated"] != true)
            try await eventually("both are gone") { try await api.list(.secrets, namespace: nil, selector: nil).items.count == 1 }
            #expect(try await api.find(.secrets, Fixture.key("mine")) != nil)
            // Another account of that name is another account.
            _ = try await api.create(.serviceAccounts, Self.account)
            #expect(try await user(text, api)["authenticated"] != true)
        }
    }

    @Test("say whose token they hold", arguments: [nil, ""])
    func nameless(_ account: String?) async throws {
        let api = try await api()
        do {
            _ = try await api.create(.secrets, Self.secret("s", of: account))
            Issue.record("it was taken")
        } catch let error as StatusError {
            #expect(
                error.message == "Secret \"s\" is invalid: metadata.annotations[kubernetes.io/service-account.name]: Required value")
        }
    }
}
