import API
import Kubeadm
import Model
import Runtime
import TLS

/// The keys of a control plane as its static pods name them: files of the node's, which kubeadm, or a person, has put there.
struct NodePKI: Credentials {
    let caCertificate: String
    let issuer: String
    let authority: CertificateAuthority
    private let server: (certificate: Certificate, key: PrivateKey)
    private let signer: PrivateKey
    private let keyID: String

    struct Missing: Error, CustomStringConvertible {
        let file: String
        var description: String { "kube-apiserver: open \(file): no such file or directory" }
    }

    /// `domain`: of the cluster's names.
    init(_ files: ControlPlaneFiles, on root: NodeRoot, domain: String) throws {
        func text(_ path: String) throws -> String {
            guard let text = root.text(path) else { throw Missing(file: path) }
            return text
        }
        caCertificate = try text(files.clientAuthority)
        issuer = files.issuer ?? "https://kubernetes.default.svc.\(domain)"
        authority = CertificateAuthority(
            certificate: try Certificate(pem: try text(files.signingCertificate)), key: try PrivateKey(pem: try text(files.signingKey)))
        server = (try Certificate(pem: try text(files.servingCertificate)), try PrivateKey(pem: try text(files.servingKey)))
        signer = try PrivateKey(pem: try text(files.accountKey))
        keyID = ShortHash.hex(signer.publicPEM, digits: 32)
    }

    func serverContext() throws -> TLSContext {
        try TLSContext(certificate: server.certificate, key: server.key, clientAuthority: try Certificate(pem: caCertificate))
    }

    // MARK: Tokens (RFC 7515, RFC 7519)

    private var algorithm: String { signer.isRSA ? "RS256" : "ES256" }

    func sign(_ claims: JSON) throws -> String {
        let header: JSON = ["alg": .string(algorithm), "kid": .string(keyID)]
        let signed = "\(Base64.encodeURL(header.bytes())).\(Base64.encodeURL(claims.bytes()))"
        return "\(signed).\(Base64.encodeURL(try signer.sign(Array(signed.utf8))))"
    }

    func verify(_ token: String) -> JSON? {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Base64.decodeURL(String(parts[0])).flatMap({ try? JSON(parsing: $0) }),
            header["alg"].string == algorithm, let signature = Base64.decodeURL(String(parts[2])),
            signer.verifies(signature, of: Array("\(parts[0]).\(parts[1])".utf8)), let claims = Base64.decodeURL(String(parts[1]))
        else { return nil }
        return try? JSON(parsing: claims)
    }

    var keySet: JSON {
        var key: JSON = ["use": "sig", "kid": .string(keyID), "alg": .string(algorithm)]
        if signer.isRSA {
            let (modulus, exponent) = signer.publicNumbers
            (key["kty"], key["n"], key["e"]) = ("RSA", .string(Base64.encodeURL(modulus)), .string(Base64.encodeURL(exponent)))
        } else {
            let (x, y) = signer.publicPoint
            (key["kty"], key["crv"]) = ("EC", "P-256")
            (key["x"], key["y"]) = (.string(Base64.encodeURL(x)), .string(Base64.encodeURL(y)))
        }
        return ["keys": [key]]
    }
}
