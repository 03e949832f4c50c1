import COpenSSL

/// A request for a certificate (PKCS #10, RFC 2986): who asks, proven by its signature with the key that the certificate is to be for.
///
/// @unchecked Sendable: an X509_REQ does not change once it is signed or read.
package final class CertificateRequest: @unchecked Sendable {
    private let request: OpaquePointer

    package init(commonName: String, organizations: [String], key: PrivateKey) throws(TLSError) {
        guard let request = X509_REQ_new() else { throw TLSError("make a certificate request") }
        self.request = request
        X509_REQ_set_version(request, 0)
        X509_REQ_set_pubkey(request, key.key)
        try Self.write((commonName, organizations), to: X509_REQ_get_subject_name(request))
        guard X509_REQ_sign(request, key.key, EVP_sha256()) > 0 else { throw TLSError("sign a certificate request") }
    }

    /// One whose signature holds.
    package init(pem: String) throws(TLSError) {
        guard let request = PEM.read(pem, { PEM_read_bio_X509_REQ($0, nil, nil, nil) }) else {
            throw TLSError("read a certificate request")
        }
        self.request = request
        guard let key = X509_REQ_get0_pubkey(request), X509_REQ_verify(request, key) == 1 else {
            throw TLSError("verify the signature of a certificate request")
        }
    }

    deinit { X509_REQ_free(request) }

    package var pem: String { PEM.write { PEM_write_bio_X509_REQ($0, request) } }

    package var subject: (commonName: String, organizations: [String]) {
        X509_REQ_get_subject_name(request).map(Certificate.subject) ?? ("", [])
    }

    var key: OpaquePointer? { X509_REQ_get0_pubkey(request) }

    static func write(_ subject: (commonName: String, organizations: [String]), to name: OpaquePointer?) throws(TLSError) {
        for (field, text) in subject.organizations.map({ ("O", $0) }) + [("CN", subject.commonName)] {
            let bytes = Array(text.utf8)
            guard X509_NAME_add_entry_by_txt(name, field, MBSTRING_FLAG | 0, bytes, Int32(bytes.count), -1, 0) == 1 else {
                throw TLSError("name \(text)")
            }
        }
    }
}

/// What a certificate is good for, as OpenSSL spells it.
package struct CertificateUse: Sendable {
    package var key: [String]
    package var extended: [String]
    package init(key: [String] = ["digitalSignature", "keyEncipherment"], extended: [String]) {
        (self.key, self.extended) = (key, extended)
    }
}

extension CertificateAuthority {
    /// A member's certificate, which holds from when the authority's does.
    ///
    /// `isMarked`: it says of itself that it is no authority's.
    package func issue(
        commonName: String, organizations: [String] = [], for use: CertificateUse, names: [String] = [], addresses: [String] = [],
        key: PrivateKey, seconds: Int = CertificateAuthority.year, isMarked: Bool = true
    ) throws(TLSError) -> Certificate {
        try issue((commonName, organizations), key.key, use, names, addresses, .asIssuer(seconds: seconds), isMarked)
    }

    /// What `request` asks for, for so many seconds.
    package func sign(_ request: CertificateRequest, for use: CertificateUse, seconds: Int) throws(TLSError) -> Certificate {
        guard let key = request.key else { throw TLSError("read the key of a certificate request") }
        return try issue(request.subject, key, use, [], [], .from(age: Self.tolerance, seconds: seconds), true)
    }

    private func issue(
        _ subject: (commonName: String, organizations: [String]), _ key: OpaquePointer, _ use: CertificateUse, _ names: [String],
        _ addresses: [String], _ validity: Validity, _ isMarked: Bool
    ) throws(TLSError) -> Certificate {
        let alternatives = (names.map { "DNS:\($0)" } + addresses.map { "IP:\($0)" }).joined(separator: ",")
        return try Self.make(
            subject: subject, key: key, issuer: certificate, signer: self.key, validity: validity,
            extensions: (isMarked ? [(NID_basic_constraints, "critical,CA:FALSE")] : []) + [
                (NID_key_usage, (["critical"] + use.key).joined(separator: ",")),
                (NID_ext_key_usage, use.extended.joined(separator: ",")), (NID_authority_key_identifier, "keyid"),
            ] + (alternatives.isEmpty ? [] : [(NID_subject_alt_name, alternatives)]))
    }
}
