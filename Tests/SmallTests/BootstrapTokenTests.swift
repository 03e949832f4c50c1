import API
import Controllers
import Model
import Store
import TLS
import Testing

@Suite("bootstrap tokens: who comes with one, what they sign, when they go", .timeLimit(.minutes(5)))
struct BootstrapTokenTests {
    private static let group = "system:bootstrappers:kubeadm:default-node-token"

    private static func token(
        _ text: String = "abcdef.0123456789abcdef", usages: Set<String> = ["authentication", "signing"], life: Int? = 60
    )
        throws -> BootstrapToken
    {
        var token = try #require(BootstrapToken(text))
        (token.usages, token.groups) = (usages, [group])
        token.expiration = life.map { Timestamp(seconds: Fixture.time.seconds + $0).description }
        return token
    }

    private func api(_ tokens: [BootstrapToken]) async throws -> APIServer {
        let api = APIServer(store: try ObjectStore(), cluster: Cluster(), now: { Fixture.time })
        for name in ["kube-system", "kube-public"] { _ = try await api.create(.namespaces, Fixture.namespace(name)) }
        for token in tokens { _ = try await api.create(.secrets, token.object) }
        return api
    }

    @Test(
        "a token is six and sixteen small letters and digits",
        arguments: [
            ("abcdef.0123456789abcdef", true), ("abcdef.0123456789ABCDEF", false), ("abcde.0123456789abcdef", false), ("abc", false),
            ("abcdef.0123456789abcdef.x", false),
        ])
    func form(text: String, isToken: Bool) {
        #expect((BootstrapToken(text) != nil) == isToken)
        #expect(BootstrapToken(BootstrapToken.random().text) != nil)
    }

    @Test("a Secret tells what the token was, and one under another's name is none")
    func secret() throws {
        let token = try Self.token()
        #expect(BootstrapToken(secret: token.object) == token)
        var other = token.object
        other["metadata"]["name"] = "bootstrap-token-zzzzzz"
        #expect(BootstrapToken(secret: other) == nil)
    }

    @Test("who comes with a token is one of its groups, unless it has expired, is for signing only, or its secret is wrong")
    func authentication() async throws {
        let good = try Self.token(), old = try Self.token("oldold.0123456789abcdef", life: -1)
        let signing = try Self.token("signin.0123456789abcdef", usages: ["signing"])
        let api = try await api([good, old, signing])
        let router = Router(api: api, nodes: ScriptedNodes(), admitsBootstrapTokens: true, now: { Fixture.time })
        func name(_ router: Router, _ text: String) async throws -> String {
            let request = HTTPRequest(
                method: "POST", target: "/apis/authentication.k8s.io/v1/selfsubjectreviews",
                headers: [("Authorization", "Bearer \(text)")], peer: nil)
            do { return try await router.admit(request).name } catch let error as StatusError { return error.message }
        }
        let admitted = try await name(router, good.text)
        #expect(admitted.contains("system:bootstrap:abcdef"))
        for text in [old.text, signing.text, "abcdef.fedcba9876543210", "nobody.0123456789abcdef"] {
            #expect(try await name(router, text) == "Unauthorized")
        }
        let closed = Router(api: api, nodes: ScriptedNodes(), now: { Fixture.time })
        #expect(try await name(closed, good.text) == "Unauthorized")
    }

    @Test("cluster-info bears a signature of each token that signs, as RFC 7515 has it, and loses that of one that goes")
    func signatures() async throws {
        let token = try Self.token(), silent = try Self.token("silent.0123456789abcdef", usages: ["authentication"])
        let api = try await api([token, silent])
        let info: JSON = [
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "cluster-info", "namespace": "kube-public"],
            "data": ["kubeconfig": "hello"],
        ]
        _ = try await api.create(.configMaps, info)
        let signer = BootstrapSigner(now: { Fixture.time }) { Digest.authentication(of: $0, key: $1) }
        try await signer.reconcile(BootstrapSigner.key, api)
        let data = try await api.get(.configMaps, BootstrapSigner.key)["data"]
        // printf '{"alg":"HS256","kid":"abcdef"}' | base64; hello: aGVsbG8; openssl dgst -sha256 -hmac 0123456789abcdef
        #expect(
            data["jws-kubeconfig-abcdef"].string == "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZiJ9..MxsnbCjBaYzcbNIFa06F-wuF9LX26rhMlrL4zA1511s")
        #expect(data["jws-kubeconfig-silent"].isNull)
        try await api.delete(.secrets, ObjectKey("kube-system", token.name))
        try await signer.reconcile(BootstrapSigner.key, api)
        #expect(try await api.get(.configMaps, BootstrapSigner.key)["data"] == ["kubeconfig": "hello"])
    }

    @Test("a token goes when its time is over, and is looked at again just then")
    func cleaning() async throws {
        let lasting = try Self.token("lastin.0123456789abcdef", life: nil), short = try Self.token(life: 60)
        let api = try await api([lasting, short])
        let early = TokenCleaner { Fixture.time }, late = TokenCleaner { Timestamp(seconds: Fixture.time.seconds + 60) }
        for token in [lasting, short] {
            let key = ObjectKey("kube-system", token.name)
            try await early.reconcile(key, api)
            #expect(try await api.find(.secrets, key) != nil)
            #expect(try await early.nextVisit(key, api) == (token == short ? .seconds(60) : nil))
            try await late.reconcile(key, api)
            #expect(try await (api.find(.secrets, key) == nil) == (token == short))
        }
    }
}
