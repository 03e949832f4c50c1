import COpenSSL

/// A failed step of cryptography: what was being done, and OpenSSL's own words.
package struct TLSError: Error, CustomStringConvertible {
    package let description: String

    /// Why a client's handshake failed: what is wrong with the certificate, where that is it.
    init(handshakeOf ssl: OpaquePointer) {
        let verdict = SSL_get_verify_result(ssl)
        guard verdict != Int(X509_V_OK), let words = X509_verify_cert_error_string(verdict) else {
            self.init("TLS handshake")
            return
        }
        ERR_clear_error()
        self.init(words: "the server's certificate does not hold: \(String(cString: words))")
    }

    private init(words: String) { description = words }

    init(_ doing: String) {
        let code = ERR_get_error()
        var text = [CChar](repeating: 0, count: 256)
        ERR_error_string_n(code, &text, text.count)
        ERR_clear_error()
        let words = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        description = code == 0 ? doing : "\(doing): \(words)"
    }
}

/// A key: ECDSA on the curve P-256, or RSA.
///
/// @unchecked Sendable: an EVP_PKEY does not change once it is made, and OpenSSL counts its references atomically.
package final class PrivateKey: @unchecked Sendable {
    let key: OpaquePointer

    package init() throws(TLSError) {
        guard let key = minik_new_p256_key() else { throw TLSError("make a key") }
        self.key = key
    }

    package init(rsaBits: Int) throws(TLSError) {
        guard let key = minik_new_rsa_key(UInt32(rsaBits)) else { throw TLSError("make a key") }
        self.key = key
    }

    package init(pem: String) throws(TLSError) {
        guard let key = PEM.read(pem, { PEM_read_bio_PrivateKey($0, nil, nil, nil) }) else { throw TLSError("read a private key") }
        self.key = key
    }

    deinit { EVP_PKEY_free(key) }

    /// PKCS #8.
    package var pem: String { PEM.write { PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) } }

    /// PKCS #1 of an RSA key, SEC 1 of another: what Go's tools write.
    package var traditionalPEM: String { PEM.write { PEM_write_bio_PrivateKey_traditional($0, key, nil, nil, 0, nil, nil) } }
    package var publicPEM: String { PEM.write { PEM_write_bio_PUBKEY($0, key) } }

    package var isRSA: Bool { EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA }

    /// The signature of `message`, as JSON Web Signatures write it (RFC 7518): of an RSA key RS256, else ES256, which is 64 bytes.
    package func sign(_ message: [UInt8]) throws(TLSError) -> [UInt8] {
        guard let context = EVP_MD_CTX_new() else { throw TLSError("sign") }
        defer { EVP_MD_CTX_free(context) }
        var der = [UInt8](repeating: 0, count: max(128, Int(EVP_PKEY_get_size(key))))
        var length = der.count
        if isRSA {
            guard EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key) == 1,
                EVP_DigestSign(context, &der, &length, message, message.count) == 1
            else { throw TLSError("sign") }
            return Array(der[..<length])
        }
        var raw = [UInt8](repeating: 0, count: 64)
        guard EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key) == 1,
            EVP_DigestSign(context, &der, &length, message, message.count) == 1,
            minik_signature_to_raw(der, length, &raw) == 1
        else { throw TLSError("sign") }
        return raw
    }

    package func verifies(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        guard isRSA || signature.count == 64, let context = EVP_MD_CTX_new() else { return false }
        defer {
            EVP_MD_CTX_free(context)
            ERR_clear_error()
        }
        if isRSA {
            guard EVP_DigestVerifyInit(context, nil, EVP_sha256(), nil, key) == 1 else { return false }
            return EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
        }
        var der = [UInt8](repeating: 0, count: 128)
        let length = Int(minik_signature_to_der(signature, &der))
        guard length > 0, EVP_DigestVerifyInit(context, nil, EVP_sha256(), nil, key) == 1 else { return false }
        return EVP_DigestVerify(context, der, length, message, message.count) == 1
    }

    /// Modulus and exponent of an RSA key's public half.
    package var publicNumbers: (modulus: [UInt8], exponent: [UInt8]) {
        func bytes(_ name: String) -> [UInt8] {
            var number: OpaquePointer?
            guard EVP_PKEY_get_bn_param(key, name, &number) == 1, let number else { return [] }
            defer { BN_free(number) }
            var bytes = [UInt8](repeating: 0, count: Int(BN_num_bits(number) + 7) / 8)
            BN_bn2bin(number, &bytes)
            return bytes
        }
        return (bytes("n"), bytes("e"))
    }

    /// The point of an ECDSA key's public half, x and y, 32 bytes each.
    package var publicPoint: (x: [UInt8], y: [UInt8]) {
        var bytes: UnsafeMutablePointer<UInt8>?
        let length = EVP_PKEY_get1_encoded_public_key(key, &bytes)
        guard let bytes, length == 65 else { return ([], []) }
        defer { CRYPTO_free(bytes, "", 0) }
        let all = Array(UnsafeBufferPointer(start: bytes, count: length))
        return (Array(all[1..<33]), Array(all[33...]))
    }
}

/// PEM text over OpenSSL's memory BIOs.
enum PEM {
    static func read<T>(_ text: String, _ read: (OpaquePointer) -> T?) -> T? {
        // The BIO reads the bytes where they are: they have to stay there as long as it does.
        Array(text.utf8).withUnsafeBytes { bytes in
            guard let bio = BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)) else { return nil }
            defer { BIO_free(bio) }
            return read(bio)
        }
    }

    static func write(_ write: (OpaquePointer) -> Int32) -> String {
        guard let bio = BIO_new(BIO_s_mem()) else { return "" }
        defer { BIO_free(bio) }
        _ = write(bio)
        var out: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = BIO_read(bio, &buffer, Int32(buffer.count)), count > 0 { out += buffer[..<Int(count)] }
        return String(decoding: out, as: UTF8.self)
    }
}
