import COpenSSL

/// A client's TLS over a connected socket that blocks; the socket stays the caller's, and its timeouts hold.
package struct TLSClientConnection: ~Copyable {
    private let ssl: OpaquePointer

    /// Shakes hands; throws OpenSSL's reason when the other side does not speak TLS, or not in time.
    package init(_ context: TLSContext, descriptor: Int32) throws(TLSError) {
        guard let ssl = SSL_new(context.context) else { throw TLSError("begin a TLS connection") }
        ERR_clear_error()
        guard SSL_set_fd(ssl, descriptor) == 1, SSL_connect(ssl) == 1 else {
            let error = TLSError("TLS handshake")
            SSL_free(ssl)
            throw error
        }
        self.ssl = ssl
    }

    deinit { SSL_free(ssl) }

    /// True when all of it is on its way.
    package func send(_ bytes: [UInt8]) -> Bool { SSL_write(ssl, bytes, Int32(bytes.count)) == bytes.count }

    /// Reads what there is, waiting for some: its size; 0 at the end, negative when it did not come.
    package func receive(_ buffer: inout [UInt8]) -> Int {
        let count = SSL_read(ssl, &buffer, Int32(buffer.count))
        if count > 0 { return Int(count) }
        return SSL_get_error(ssl, count) == SSL_ERROR_ZERO_RETURN ? 0 : -1
    }
}
