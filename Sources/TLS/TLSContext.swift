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

    /// A client's side that takes whatever certificate the server has: for pods, whose certificates nobody here can judge. It is the same
    /// for everybody, and made once.
    package static func trustingAnyone() throws(TLSError) -> TLSContext { try anyone.get() }
    private static let anyone = Result { () throws(TLSError) in try TLSContext(trustingAnyone: ()) }

    private init(trustingAnyone: Void) throws(TLSError) {
        guard let context = SSL_CTX_new(TLS_client_method()) else { throw TLSError("make a TLS context") }
        self.context = context
        isClient = true
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
    }

    deinit { SSL_CTX_free(context) }
}
