import COpenSSL
import Glibc

/// An X.509 certificate (RFC 5280).
///
/// @unchecked Sendable: an X509 does not change once it is signed, and OpenSSL counts its references atomically.
package final class Certificate: @unchecked Sendable {
    let x509: OpaquePointer

    init(owned x509: OpaquePointer) { self.x509 = x509 }

    package convenience init(pem: String) throws(TLSError) {
        guard let x509 = PEM.read(pem, { PEM_read_bio_X509($0, nil, nil, nil) }) else { throw TLSError("read a certificate") }
        self.init(owned: x509)
    }

    /// All certificates of a PEM text, which holds one or more.
    package static func all(pem: String) throws(TLSError) -> [Certificate] {
        let found = PEM.read(pem) { bio in
            var found: [Certificate] = []
            while let x509 = PEM_read_bio_X509(bio, nil, nil, nil) { found.append(Certificate(owned: x509)) }
            return found
        }
        guard let found, !found.isEmpty else { throw TLSError("read a certificate") }
        // The last look met the end of the text.
        ERR_clear_error()
        return found
    }

    deinit { X509_free(x509) }

    package var pem: String { PEM.write { PEM_write_bio_X509($0, x509) } }

    /// Seconds since 1970.
    package var notAfter: Int { minik_seconds(X509_get0_notAfter(x509)) }
    package var notBefore: Int { minik_seconds(X509_get0_notBefore(x509)) }

    /// SHA-256 of the subject's public key as the certificate holds it (SubjectPublicKeyInfo, RFC 5280), by which people pin it.
    package var publicKeyDigest: [UInt8] {
        var der: UnsafeMutablePointer<UInt8>?
        let length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509), &der)
        guard let der, length > 0 else { return [] }
        defer { CRYPTO_free(der, "", 0) }
        return Digest.sha256(Array(UnsafeBufferPointer(start: der, count: Int(length))))
    }

    /// Whether `authority` signed it; dates aside.
    package func isSigned(by authority: Certificate) -> Bool {
        defer { ERR_clear_error() }
        guard let key = X509_get0_pubkey(authority.x509) else { return false }
        return X509_check_issued(authority.x509, x509) == X509_V_OK && X509_verify(x509, key) == 1
    }

    /// Whether `key` is its subject's.
    package func belongs(to key: PrivateKey) -> Bool {
        defer { ERR_clear_error() }
        return X509_check_private_key(x509, key.key) == 1
    }

    /// The other names and the addresses that it is for.
    package var alternatives: (names: [String], addresses: [String]) {
        var names: [String] = [], addresses: [String] = []
        guard let text = minik_alternatives(x509) else { return ([], []) }
        defer { free(text) }
        for entry in String(cString: text).split(separator: "\n") {
            if entry.hasPrefix("DNS:") { names.append(String(entry.dropFirst(4))) }
            if entry.hasPrefix("IP:") { addresses.append(String(entry.dropFirst(3))) }
        }
        return (names, addresses)
    }

    /// Common name and organizations: to Kubernetes, a user and its groups.
    package var subject: (commonName: String, organizations: [String]) {
        X509_get_subject_name(x509).map(Self.subject) ?? ("", [])
    }

    static func subject(_ name: OpaquePointer) -> (commonName: String, organizations: [String]) {
        func values(_ nid: Int32) -> [String] {
            var result: [String] = []
            var index: Int32 = -1
            while true {
                index = X509_NAME_get_index_by_NID(name, nid, index)
                guard index >= 0, let data = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)) else { return result }
                result.append(
                    String(
                        decoding: UnsafeBufferPointer(start: ASN1_STRING_get0_data(data), count: Int(ASN1_STRING_length(data))),
                        as: UTF8.self))
            }
        }
        return (values(NID_commonName).first ?? "", values(NID_organizationName))
    }
}

/// Signs certificates for the members of one cluster.
package struct CertificateAuthority: Sendable {
    package let certificate: Certificate
    package let key: PrivateKey

    package static let year = 365 * 86400
    private static let tenYears = 10 * year
    /// A clock a little behind ours must not refuse what was signed just now.
    package static let tolerance = 300

    package init(certificate: Certificate, key: PrivateKey) {
        self.certificate = certificate
        self.key = key
    }

    /// A new authority, its certificate signed by itself.
    package init(commonName: String) throws(TLSError) {
        try self.init(commonName: commonName, key: try PrivateKey(), names: [commonName])
    }

    /// `names`: alternatives to the common name. `age`: how many seconds ago it began to hold.
    package init(commonName: String, key: PrivateKey, names: [String], age: Int = Self.tolerance) throws(TLSError) {
        self.key = key
        certificate = try Self.make(
            subject: (commonName, []), key: key.key, issuer: nil, signer: key, validity: .from(age: age, seconds: Self.tenYears),
            extensions: [
                (NID_basic_constraints, "critical,CA:TRUE"), (NID_key_usage, "critical,digitalSignature,keyEncipherment,keyCertSign"),
                (NID_subject_key_identifier, "hash"),
            ] + names.map { (NID_subject_alt_name, "DNS:\($0)") })
    }

    /// A server's certificate for host names and IP addresses.
    package func issueServer(commonName: String, names: [String], addresses: [String], key: PrivateKey) throws(TLSError) -> Certificate {
        let alternatives = (names.map { "DNS:\($0)" } + addresses.map { "IP:\($0)" }).joined(separator: ",")
        return try issue(commonName, [], "serverAuth", key, [(NID_subject_alt_name, alternatives)])
    }

    /// A client's certificate: a user and its groups.
    package func issueClient(user: String, groups: [String], key: PrivateKey) throws(TLSError) -> Certificate {
        try issue(user, groups, "clientAuth", key, [])
    }

    private func issue(_ commonName: String, _ organizations: [String], _ usage: String, _ key: PrivateKey, _ more: [(Int32, String)])
        throws(TLSError) -> Certificate
    {
        try Self.make(
            subject: (commonName, organizations), key: key.key, issuer: certificate, signer: self.key,
            validity: .from(age: Self.tolerance, seconds: Self.tenYears),
            extensions: [
                (NID_basic_constraints, "critical,CA:FALSE"), (NID_key_usage, "critical,digitalSignature,keyEncipherment"),
                (NID_ext_key_usage, usage),
                (NID_authority_key_identifier, "keyid"),
            ] + more)
    }

    /// From when on and for how long a certificate holds.
    enum Validity {
        case from(age: Int, seconds: Int)
        /// From when its issuer's does, until so many seconds from now.
        case asIssuer(seconds: Int)
    }

    static func make(
        subject: (commonName: String, organizations: [String]), key: OpaquePointer, issuer: Certificate?, signer: PrivateKey,
        validity: Validity, extensions: [(Int32, String)]
    ) throws(TLSError) -> Certificate {
        guard let x509 = X509_new() else { throw TLSError("make a certificate") }
        let certificate = Certificate(owned: x509)
        X509_set_version(x509, 2)
        ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), UInt64.random(in: 1...UInt64(Int64.max)))
        switch validity {
        case .from(let age, let seconds):
            X509_gmtime_adj(X509_getm_notBefore(x509), -age)
            X509_gmtime_adj(X509_getm_notAfter(x509), seconds)
        case .asIssuer(let seconds):
            X509_set1_notBefore(x509, X509_get0_notBefore(issuer?.x509 ?? x509))
            X509_gmtime_adj(X509_getm_notAfter(x509), seconds)
        }
        X509_set_pubkey(x509, key)
        let name = X509_get_subject_name(x509)
        try CertificateRequest.write(subject, to: name)
        X509_set_issuer_name(x509, issuer.map { X509_get_subject_name($0.x509) } ?? name)
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, issuer?.x509 ?? x509, x509, nil, nil, 0)
        for (nid, value) in extensions {
            guard let made = X509V3_EXT_conf_nid(nil, &context, nid, value) else {
                throw TLSError("add the extension \(value) to a certificate")
            }
            X509_add_ext(x509, made, -1)
            X509_EXTENSION_free(made)
        }
        guard X509_sign(x509, signer.key, EVP_sha256()) > 0 else { throw TLSError("sign a certificate") }
        return certificate
    }
}
