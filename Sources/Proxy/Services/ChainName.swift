import Model

extension ServiceTable {
    /// A hash, then readable text, as kube-proxy names its chains: `service-ULMVA6XW-ns1/svc1/tcp/p80`. The kernel allows
    /// 127 bytes.
    package static func chainName(_ kind: String, _ text: String) -> String {
        // Only what nft reads as a name, so that people can type it; objects' names and addresses are ASCII.
        let readable = text.utf8.lazy.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-")...UInt8(ascii: "9"),
                UInt8(ascii: "_"):
                byte
            default: UInt8(ascii: "_")
            }
        }
        let name = Array("\(kind)-\(ShortHash.base32(text))-".utf8) + readable
        return String(decoding: name.prefix(127), as: UTF8.self)
    }
}
