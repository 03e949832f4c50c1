import COpenSSL

/// One side of TLS, for any number of connections.
///
/// @unchecked Sendable: an SSL_CTX is not changed after `init`; OpenSSL lets many threads make connections of one.
package final class TLSContext: @unchecked Sendable {
    let context: OpaquePointer
    let isClient: Bool

    /// A server's side: its certificate, and the authority that its clients' certificates must be from.
    package init(certificate: Certificate, key: PrivateKey, clientAuthority: Certificate) throws(TLSError) {
        guard let context = SSL_CTX_new(TLS_server_method()) else { throw TLSError("make a TLS context") }
        self.context = context
        isClient = false
        minik_configure_server(context)
        guard SSL_CTX_use_certificate(context, certificate.x509) == 1, SSL_CTX_use_PrivateKey(context, key.key) == 1,
            X509_STORE_add_cert(SSL_CTX_get_cert_store(context), clientAuthority.x509) == 1,
            SSL_CTX_add_client_CA(context, clientAuthority.x509) == 1
        else {
            let error = TLSError("load the server's certificate")
            throw error
        }
    }

    /// A client's side: whose certificates it takes (PEM, one or more; nil: those that the machine itself trusts), and its own.
    package init(authorities: String?, identity: (certificate: Certificate, key: PrivateKey)?) throws(TLSError) {
        context = try Self.client(identity)
        isClient = true
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        let isLoaded: Bool
        if let authorities {
            let certificates = try Certificate.all(pem: authorities)
            isLoaded = certificates.allSatisfy { X509_STORE_add_cert(SSL_CTX_get_cert_store(context), $0.x509) == 1 }
        } else {
            isLoaded = SSL_CTX_set_default_verify_paths(context) == 1
        }
        guard isLoaded else { throw TLSError("load the authorities' certificates") }
    }

    /// A client's side that takes whatever certificate the server has, and shows its own.
    package init(trustingAnyone identity: (certificate: Certificate, key: PrivateKey)?) throws(TLSError) {
        context = try Self.client(identity)
        isClient = true
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
    }

    private static func client(_ identity: (certificate: Certificate, key: PrivateKey)?) throws(TLSError) -> OpaquePointer {
        guard let context = SSL_CTX_new(TLS_client_method()) else { throw TLSError("make a TLS context") }
        guard let identity else { return context }
        guard SSL_CTX_use_certificate(context, identity.certificate.x509) == 1,
            SSL_CTX_use_PrivateKey(context, identity.key.key) == 1, SSL_CTX_check_private_key(context) == 1
        else {
            let error = TLSError("load the client's certificate and key")
            SSL_CTX_free(context)
            throw error
        }
        return context
    }

    /// A client's side that takes whatever certificate the server has: for pods, whose certificates nobody here can judge. It is the same
    /// for everybody, and made once.
    package static func trustingAnyone() throws(TLSError) -> TLSContext { try anyone.get() }
    private static let anyone = Result { () throws(TLSError) in try TLSContext(trustingAnyone: nil) }

    deinit { SSL_CTX_free(context) }
}
