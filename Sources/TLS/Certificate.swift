import COpenSSL

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

    /// Common name and organizations: to Kubernetes, a user and its groups.
    package var subject: (commonName: String, organizations: [String]) {
        guard let name = X509_get_subject_name(x509) else { return ("", []) }
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

    private static let tenYears = 10 * 365 * 86400

    package init(certificate: Certificate, key: PrivateKey) {
        self.certificate = certificate
        self.key = key
    }

    /// A new authority, its certificate signed by itself.
    package init(commonName: String) throws(TLSError) {
        key = try PrivateKey()
        certificate = try Self.make(
            subject: (commonName, []), key: key, issuer: nil, signer: key,
            extensions: [
                (NID_basic_constraints, "critical,CA:TRUE"), (NID_key_usage, "critical,digitalSignature,keyEncipherment,keyCertSign"),
                (NID_subject_key_identifier, "hash"), (NID_subject_alt_name, "DNS:\(commonName)"),
            ])
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
            subject: (commonName, organizations), key: key, issuer: certificate, signer: self.key,
            extensions: [
                (NID_basic_constraints, "critical,CA:FALSE"), (NID_key_usage, "critical,digitalSignature,keyEncipherment"),
                (NID_ext_key_usage, usage),
                (NID_authority_key_identifier, "keyid"),
            ] + more)
    }

    private static func make(
        subject: (commonName: String, organizations: [String]), key: PrivateKey, issuer: Certificate?, signer: PrivateKey,
        extensions: [(Int32, String)]
    ) throws(TLSError) -> Certificate {
        guard let x509 = X509_new() else { throw TLSError("make a certificate") }
        let certificate = Certificate(owned: x509)
        X509_set_version(x509, 2)
        ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), UInt64.random(in: 1...UInt64(Int64.max)))
        // A clock a little behind ours must not refuse what was signed just now.
        X509_gmtime_adj(X509_getm_notBefore(x509), -300)
        X509_gmtime_adj(X509_getm_notAfter(x509), tenYears)
        X509_set_pubkey(x509, key.key)
        let name = X509_get_subject_name(x509)
        for (field, text) in subject.organizations.map({ ("O", $0) }) + [("CN", subject.commonName)] {
            let bytes = Array(text.utf8)
            guard X509_NAME_add_entry_by_txt(name, field, MBSTRING_FLAG | 0, bytes, Int32(bytes.count), -1, 0) == 1 else {
                throw TLSError("name \(text)")
            }
        }
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
