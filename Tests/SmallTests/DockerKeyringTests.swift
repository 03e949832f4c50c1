import Model
import Runtime
import Testing

@Suite("what registries are told: docker's configuration, and secrets of its form")
struct DockerKeyringTests {
    private static func entry(_ user: String) -> JSON { ["auth": .string(Base64.encode(Array("\(user):p:w".utf8)))] }

    private func users(_ image: String, _ configurations: [JSON]) throws -> [String] {
        DockerKeyring(configurations).lookup(try #require(ImageReference(image))).map(\.user)
    }

    @Test(
        "an entry is for its host, its port and what lies below its path",
        arguments: [
            ("registry.example", "registry.example/a/b", true), ("registry.example", "registry.example:5000/a", false),
            ("registry.example:5000", "registry.example:5000/a", true), ("https://registry.example/v1/", "registry.example/a", true),
            ("https://registry.example/v2/", "registry.example/a", true), ("registry.example/a", "registry.example/a/b", true),
            ("registry.example/a", "registry.example/b/a", false), ("*.example", "registry.example/a", true),
            ("*.example", "a.registry.example/a", false), ("reg*.ex?mple", "registry.example/a", true),
            ("https://index.docker.io/v1/", "nginx", true), ("docker.io", "nginx", true),
            ("https://index.docker.io/v1/", "quay.io/a", false),
            ("docker.io/team", "nginx", false), ("example", "registry.example/a", false),
        ])
    func places(_ place: String, _ image: String, _ isMeant: Bool) throws {
        #expect(try users(image, [[place: Self.entry("u")]]) == (isMeant ? ["u"] : []))
    }

    @Test("the padding of auth may be missing, as docker takes it", arguments: ["u:p", "u:pw", "u:pwd", "u:pwd1"])
    func padding(_ pair: String) throws {
        let reference = try #require(ImageReference("r.example/a"))
        for auth in [Base64.encode(Array(pair.utf8)), Base64.encode(Array(pair.utf8)).replacing("=", with: "")] {
            let found = DockerKeyring([["r.example": ["auth": .string(auth)]]]).lookup(reference)
            #expect(found.map { "\($0.user):\($0.password)" } == [pair], "\(auth)")
        }
    }

    @Test("what is more exact is tried first, and all that match in turn")
    func order() throws {
        let first: JSON = ["r.example": Self.entry("host"), "r.example/a/b": Self.entry("exact"), "r.example/a": Self.entry("team")]
        let second: JSON = ["r.example": Self.entry("other")]
        #expect(try users("r.example/a/b", [first, second]) == ["exact", "team", "host", "other"])
    }

    @Test("a credential is a user and a password, both in one, or a token; the password may hold colons")
    func forms() throws {
        let reference = try #require(ImageReference("r.example/a"))
        let both = try #require(DockerKeyring([["r.example": Self.entry("u")]]).lookup(reference).first)
        #expect(both == RegistryCredential(user: "u", password: "p:w"))
        let plain: JSON = ["r.example": ["username": "v", "password": "q"], "s.example": ["email": "x"], "t.example": ["auth": "%%"]]
        #expect(try users("r.example/a", [plain]) == ["v"])
        #expect(try users("s.example/a", [plain]) == [] && users("t.example/a", [plain]) == [])
        #expect(both.file(for: "r.example")["auths"]["r.example"]["auth"].string == Base64.encode(Array("u:p:w".utf8)))
    }
}
