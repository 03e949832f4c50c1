import API
import Glibc
import Host
import Lab
import Model
import TLS
import Testing

@Suite("A client of an API server")
struct APIEndpointTests {
    @Test("is who its certificate says, and believes a server whose authority it knows")
    func certificate() async throws {
        try await Served.run { server in
            let (key, user) = (try PrivateKey(), "system:node:k8s-node1")
            let certificate = try server.authority.issueClient(user: user, groups: ["system:nodes"], key: key)
            let answer = try await server.ask(identity: .init(certificate: certificate.pem, key: key.pem))
            #expect(answer["user"].string == user)
            #expect(answer["groups"].items.compactMap(\.string) == ["system:nodes", "system:authenticated"])
            #expect(answer["host"].string == "127.0.0.1:\(server.port)")
        }
    }

    @Test("shows its token, read again for each request, and keeps the path that the server stands behind")
    func token() async throws {
        try await Served.run { server in
            let file = "/tmp/minik-test-\(UInt64.random(in: 0...UInt64.max))"
            defer { unlink(file) }
            try Files.write("one\n", to: file)
            let token: @Sendable () throws -> String = { String(decoding: try Files.read(file), as: UTF8.self).trimmed }
            #expect(try await server.ask(prefix: "/k8s/clusters/a", token: token)["authorization"].string == "Bearer one")
            try Files.write("two\n", to: file)
            let second = try await server.ask(prefix: "/k8s/clusters/a", token: token)
            #expect(second["authorization"].string == "Bearer two")
            #expect(second["path"].string == "/k8s/clusters/a/version")
        }
    }

    @Test("refuses a server of another authority, and one of another name, and says why")
    func strangers() async throws {
        try await Served.run { server in
            let other = try CertificateAuthority(commonName: "other")
            await expectRefusal("self-signed certificate in certificate chain", "unable to get local issuer certificate") {
                try await server.ask(trust: .authorities(other.certificate.pem))
            }
            await expectRefusal("hostname mismatch") { try await server.ask(serverName: "kubernetes.example") }
            await expectRefusal("IP address mismatch") { try await server.ask(serverName: "10.96.0.1") }
            #expect(try await server.ask(trust: .anyone)["path"].string == "/version")
        }
    }

    @Test("says that nobody answers, and where")
    func nobody() async throws {
        let endpoint = try APIEndpoint(.init(host: "127.0.0.1", port: 1), trust: .anyone)
        let error = await #expect(throws: HTTPClient.Unreachable.self) { try await HTTPClient(endpoint).json("GET", "/version") }
        #expect(error.map { "\($0)" } == "the API server does not answer at https://127.0.0.1:1: Connection refused")
    }

    @Test(
        "reads a server's address out of a URL",
        arguments: [
            ("https://192.168.200.128:6443", "192.168.200.128", 6443, ""), ("https://[fd00::1]:6443/", "fd00::1", 6443, ""),
            ("https://example", "example", 443, ""), ("https://a.example/k8s/clusters/c", "a.example", 443, "/k8s/clusters/c"),
        ])
    func url(text: String, host: String, port: Int, prefix: String) throws {
        let read = try APIEndpoint.authority(of: text)
        #expect(read.authority == .init(host: host, port: port))
        #expect(read.prefix == prefix)
    }

    @Test(
        "refuses what is no server",
        arguments: ["", "http://a:80", "https://", "https://a:b", "https://a:0", "https://u@a", "https://[::1"])
    func noURL(text: String) { #expect(throws: (any Error).self) { try APIEndpoint.authority(of: text) } }

    private func expectRefusal(_ words: String..., body: () async throws -> JSON) async {
        do {
            let answer = try await body()
            Issue.record("answered \(answer)")
        } catch {
            #expect(words.contains { "\(error)".contains($0) }, "\(error)")
        }
    }
}

@Suite("A kubeconfig file")
struct KubeconfigReadingTests {
    @Test("leads to the server of its current context, with files that lie beside it")
    func context() async throws {
        try await Served.run { server in
            try await withFolder { folder in
                try Files.write(server.authority.certificate.pem, to: "\(folder)/ca.crt")
                try Files.write("secret\n", to: "\(folder)/token")
                try Files.write(
                    """
                    apiVersion: v1
                    kind: Config
                    current-context: b
                    contexts:
                    - {name: a, context: {cluster: nowhere, user: u}}
                    - {name: b, context: {cluster: here, user: u}}
                    clusters:
                    - {name: here, cluster: {server: "https://127.0.0.1:\(server.port)", certificate-authority: ca.crt}}
                    users:
                    - {name: u, user: {tokenFile: token}}
                    """, to: "\(folder)/config")
                let answer = try await HTTPClient(APIEndpoint(kubeconfig: "\(folder)/config")).json("GET", "/version")
                #expect(answer["authorization"].string == "Bearer secret")
            }
        }
    }

    @Test(
        "says what is wrong with it",
        arguments: [
            ("kind: Pod", "is no kubeconfig"), ("kind: Config", "has no current-context"),
            ("{kind: Config, current-context: a}", "has no entry \"a\" among its contexts"),
            (
                "{kind: Config, current-context: a, contexts: [{name: a, context: {cluster: c}}], clusters: [{name: c, cluster: {server: 'http://a'}}]}",
                "cluster \"c\": the server \"http://a\" is no https:// address"
            ),
            (
                "{kind: Config, current-context: a, contexts: [{name: a, context: {cluster: c, user: u}}], clusters: [{name: c, cluster: {server: 'https://a'}}], users: [{name: u, user: {exec: {command: aws}}}]}",
                "come by `exec`"
            ),
            (
                "{kind: Config, current-context: a, contexts: [{name: a, context: {cluster: c}}], clusters: [{name: c, cluster: {server: 'https://a', certificate-authority: none.crt}}]}",
                "cannot read certificate-authority"
            ),
        ])
    func wrong(text: String, words: String) async throws {
        try await withFolder { folder in
            try Files.write(text, to: "\(folder)/config")
            let error = #expect(throws: (any Error).self) { try APIEndpoint(kubeconfig: "\(folder)/config") }
            #expect(error.map { "\($0)".contains(words) } == true, "\(error.map { "\($0)" } ?? "")")
        }
    }

    private func withFolder(_ body: (String) async throws -> Void) async throws {
        let folder = "/tmp/minik-test-\(UInt64.random(in: 0...UInt64.max))"
        try Files.makeDirectory(folder)
        defer { Files.removeTree(folder) }
        try await body(folder)
    }
}

/// A server on the loopback that answers with what it heard of whoever asks.
private struct Served {
    let authority: CertificateAuthority
    let port: Int

    static func run(_ body: @escaping @Sendable (Served) async throws -> Void) async throws {
        let (authority, key) = (try CertificateAuthority(commonName: "kubernetes"), try PrivateKey())
        let certificate = try authority.issueServer(commonName: "kube-apiserver", names: ["localhost"], addresses: ["127.0.0.1"], key: key)
        let context = try TLSContext(certificate: certificate, key: key, clientAuthority: authority.certificate)
        let (ready, isReady) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await HTTPServer(Echo()).run(on: .tcp(host: "127.0.0.1", port: 0, context)) { port in
                    if let port { isReady.yield(port) }
                }
            }
            let port = try #require(await ready.first { _ in true })
            defer { group.cancelAll() }
            try await body(Served(authority: authority, port: port))
        }
    }

    func ask(
        prefix: String = "", trust: APIEndpoint.Trust? = nil, serverName: String? = nil, identity: APIEndpoint.Identity? = nil,
        token: (@Sendable () throws -> String)? = nil
    ) async throws -> JSON {
        let endpoint = try APIEndpoint(
            .init(host: "127.0.0.1", port: port), prefix: prefix, trust: trust ?? .authorities(authority.certificate.pem),
            serverName: serverName, identity: identity, token: token)
        return try await HTTPClient(endpoint).json("GET", "/version")
    }
}

private struct Echo: Responder {
    let threads = RequestThreads()

    func admit(_ request: HTTPRequest) async throws -> UserInfo { request.peer ?? UserInfo(name: "nobody", groups: []) }

    func respond(_ request: HTTPRequest, as user: UserInfo) async -> HTTPResponse {
        func header(_ name: String) -> JSON { JSON(request.headers.first { $0.name.lowercased() == name }?.value) }
        return .json([
            "user": .string(user.name), "groups": .array(user.groups.map { .string($0) }), "path": .string(request.rawPath),
            "authorization": header("authorization"), "host": header("host"),
        ])
    }
}
