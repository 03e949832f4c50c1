import API
import Host
import Model
import Runtime
import TLS

/// The cluster's certificate authority, the server's certificate, the administrator's, and the key of service accounts' tokens:
/// made once, kept in files that only root reads.
struct ClusterPKI: Credentials {
    let caCertificate: String
    let authority: CertificateAuthority
    private let server: (certificate: Certificate, key: PrivateKey)
    private let signer: PrivateKey
    private let keyID: String

    static let administrator = "kubernetes-admin"

    init(cluster: Cluster, directory: String) throws {
        try Files.makeDirectory(directory, mode: 0o700)
        func load(_ name: String) -> String? { Files.text("\(directory)/\(name)") }
        func keep(_ text: String, _ name: String) throws { try Files.write(text, to: "\(directory)/\(name)", mode: 0o600) }
        if let certificate = load("ca.crt"), let key = load("ca.key"), let serverCertificate = load("apiserver.crt"),
            let serverKey = load("apiserver.key"),
            let tokens = load("sa.key"), load("admin.crt") != nil
        {
            authority = CertificateAuthority(certificate: try Certificate(pem: certificate), key: try PrivateKey(pem: key))
            server = (try Certificate(pem: serverCertificate), try PrivateKey(pem: serverKey))
            signer = try PrivateKey(pem: tokens)
        } else {
            authority = try CertificateAuthority(commonName: "kubernetes")
            let serverKey = try PrivateKey(), admin = try PrivateKey()
            let home = cluster.controlPlane
            let names = [
                "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.\(cluster.dnsDomain)", "localhost",
                home.name,
            ]
            let addresses = ["127.0.0.1"] + (cluster.networks.map(\.kubernetesService) + home.addresses).map(\.description)
            server = (
                try authority.issueServer(commonName: "kube-apiserver", names: names, addresses: addresses, key: serverKey), serverKey
            )
            signer = try PrivateKey()
            try keep(authority.key.pem, "ca.key")
            try keep(server.certificate.pem, "apiserver.crt")
            try keep(serverKey.pem, "apiserver.key")
            try keep(signer.pem, "sa.key")
            try keep(try authority.issueClient(user: Self.administrator, groups: [UserInfo.masters], key: admin).pem, "admin.crt")
            try keep(admin.pem, "admin.key")
            try keep(authority.certificate.pem, "ca.crt")
        }
        caCertificate = authority.certificate.pem
        let (x, y) = signer.publicPoint
        keyID = ShortHash.hex(Base64.encodeURL(x + y), digits: 32)
    }

    func serverContext() throws -> TLSContext {
        try TLSContext(certificate: server.certificate, key: server.key, clientAuthority: authority.certificate)
    }

    // MARK: Tokens (RFC 7515, RFC 7519)

    func sign(_ claims: JSON) throws -> String {
        let header: JSON = ["alg": "ES256", "kid": .string(keyID)]
        let signed = "\(Base64.encodeURL(header.bytes())).\(Base64.encodeURL(claims.bytes()))"
        return "\(signed).\(Base64.encodeURL(try signer.sign(Array(signed.utf8))))"
    }

    func verify(_ token: String) -> JSON? {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Base64.decodeURL(String(parts[0])).flatMap({ try? JSON(parsing: $0) }),
            header["alg"].string == "ES256",
            let signature = Base64.decodeURL(String(parts[2])), signer.verifies(signature, of: Array("\(parts[0]).\(parts[1])".utf8)),
            let claims = Base64.decodeURL(String(parts[1]))
        else { return nil }
        return try? JSON(parsing: claims)
    }

    var keySet: JSON {
        let (x, y) = signer.publicPoint
        return [
            "keys": [
                [
                    "use": "sig", "kty": "EC", "kid": .string(keyID), "crv": "P-256", "alg": "ES256", "x": .string(Base64.encodeURL(x)),
                    "y": .string(Base64.encodeURL(y)),
                ]
            ]
        ]
    }
}
