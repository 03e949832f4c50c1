/// SHA-256 (FIPS 180-4). Names of nftables chains carry its first bits, as kube-proxy's do; nothing secret depends on it.
package enum SHA256 {
    private static let k: [UInt32] = [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
        0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
        0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
        0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
        0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
        0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
        0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
    ]

    package static func digest(_ message: [UInt8]) -> [UInt8] {
        var h: [UInt32] = [
            0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
        ]
        var bytes = message + [0x80]
        bytes.append(contentsOf: repeatElement(0, count: (120 - bytes.count % 64) % 64))
        for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8((message.count * 8) >> shift & 255)) }
        var w = [UInt32](repeating: 0, count: 64)
        func rotate(_ x: UInt32, _ n: UInt32) -> UInt32 { x >> n | x << (32 - n) }
        for block in stride(from: 0, to: bytes.count, by: 64) {
            for i in 0..<16 {
                w[i] = (0..<4).reduce(0) { $0 << 8 | UInt32(bytes[block + i * 4 + $1]) }
            }
            for i in 16..<64 {
                let s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3
                let s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10
                w[i] = w[i - 16] &+ s0 &+ w[i - 7] &+ s1
            }
            var v = (h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7])
            for i in 0..<64 {
                let s1 = rotate(v.4, 6) ^ rotate(v.4, 11) ^ rotate(v.4, 25)
                let t1 = v.7 &+ s1 &+ (v.4 & v.5 ^ ~v.4 & v.6) &+ k[i] &+ w[i]
                let s0 = rotate(v.0, 2) ^ rotate(v.0, 13) ^ rotate(v.0, 22)
                let t2 = s0 &+ (v.0 & v.1 ^ v.0 & v.2 ^ v.1 & v.2)
                v = (t1 &+ t2, v.0, v.1, v.2, v.3 &+ t1, v.4, v.5, v.6)
            }
            for (i, word) in [v.0, v.1, v.2, v.3, v.4, v.5, v.6, v.7].enumerated() { h[i] = h[i] &+ word }
        }
        return h.flatMap { [UInt8($0 >> 24), UInt8($0 >> 16 & 255), UInt8($0 >> 8 & 255), UInt8($0 & 255)] }
    }
}

/// Short, stable names out of long ones.
package enum ShortHash {
    private static let base32Alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

    /// The first eight characters of the base-32 SHA-256, as kube-proxy prefixes its chain names.
    package static func base32(_ text: String) -> String {
        let digest = SHA256.digest(Array(text.utf8))
        let bits = digest.prefix(5).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return String(decoding: (0..<8).map { base32Alphabet[Int(bits >> UInt64(35 - 5 * $0) & 31)] }, as: UTF8.self)
    }

    /// The first four bytes of the SHA-256.
    package static func number(_ text: String) -> UInt32 { SHA256.digest(Array(text.utf8)).prefix(4).reduce(0) { $0 << 8 | UInt32($1) } }

    /// The first `digits` hexadecimal digits of the SHA-256.
    package static func hex(_ text: String, digits: Int) -> String {
        String(SHA256.digest(Array(text.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined().prefix(digits))
    }

    /// FNV-1a of `text`, spelt with Kubernetes' safe alphabet (rand.SafeEncodeString): the shape of a
    /// pod-template-hash.
    package static func podTemplate(_ text: String) -> String {
        let sum = text.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        return safeEncode(String(sum))
    }

    static let safeAlphabet = Array("bcdfghjklmnpqrstvwxz2456789")

    static func safeEncode(_ text: String) -> String {
        String(text.utf8.map { safeAlphabet[Int($0) % safeAlphabet.count] })
    }

    /// Five random characters of the safe alphabet: what `generateName` appends.
    package static func nameSuffix() -> String {
        String((0..<5).map { _ in safeAlphabet[Int.random(in: 0..<safeAlphabet.count)] })
    }
}
