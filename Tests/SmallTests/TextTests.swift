import Model
import Testing

private func hex(_ bytes: [UInt8]) -> String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

@Suite("SHA-256")
struct SHA256Vectors {
    @Test(
        "the digests are those of FIPS 180-4's examples",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
                "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
            ),
        ])
    func examples(_ text: String, _ digest: String) { #expect(hex(SHA256.digest(Array(text.utf8))) == digest) }

    @Test(
        "the padding is right on both sides of a block's end",
        arguments: [
            (55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"),
            (56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"),
            (63, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34"),
            (64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"),
        ])
    func padding(_ count: Int, _ digest: String) { #expect(hex(SHA256.digest([UInt8](repeating: 0x61, count: count))) == digest) }

    @Test("a message of many blocks is digested")
    func long() {
        let digest = SHA256.digest([UInt8](repeating: 0x61, count: 1_000_000))
        #expect(hex(digest) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }
}

@Suite("Short names out of long ones")
struct ShortHashes {
    @Test(
        "the prefixes are those of kube-proxy's own tests",
        arguments: [
            ("ns1/svc1/tcp/p80", "ULMVA6XW"), ("ns1/svc1/tcp/p80__10.180.0.1/80", "5OJB2KTY"), ("ns2/svc2/tcp/p80", "42NFTM6N"),
            ("ns2/svc2/tcp/p80__10.180.0.2/80", "SGOXE6O3"),
        ])
    func base32(_ text: String, _ prefix: String) { #expect(ShortHash.base32(text) == prefix) }

    @Test("the hexadecimal prefix is the digest's, with leading zeros")
    func hexadecimal() {
        #expect(ShortHash.hex("abc", digits: 11) == "ba7816bf8f0")
        #expect(ShortHash.hex("", digits: 64) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test(
        "a template hash spells FNV-1a in Kubernetes' safe alphabet",
        arguments: [("", "65bb57b6b5"), ("a", "7d6b446664"), ("foobar", "7658c79c64")])
    func podTemplate(_ text: String, _ hash: String) { #expect(ShortHash.podTemplate(text) == hash) }

    @Test("a generated suffix is five characters of the safe alphabet")
    func suffix() {
        let alphabet = Set("bcdfghjklmnpqrstvwxz2456789")
        let suffixes = (0..<50).map { _ in ShortHash.nameSuffix() }
        #expect(suffixes.filter { $0.count != 5 || !alphabet.isSuperset(of: $0) } == [])
        #expect(Set(suffixes).count > 1)
    }
}

@Suite("Base 64")
struct Base64Text {
    @Test(
        "RFC 4648's vectors go both ways",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
        ])
    func vectors(_ plain: String, _ encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(plain.utf8))
    }

    @Test("every byte at every place survives")
    func roundTrip() {
        for shift in 0..<4 {
            let bytes = (0..<(256 + shift)).map { UInt8(truncatingIfNeeded: $0 + shift * 85) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
        #expect(Base64.encode([0xFB, 0xFF, 0xBF]) == "+/+/")
    }

    @Test("line ends inside are passed over")
    func lines() { #expect(Base64.decode("Zm9v\r\nYmFy\n") == Array("foobar".utf8)) }

    @Test("other characters and bits that are too few are refused", arguments: ["Z", "Zm9vY", "Zm9-", "Zm 9v", "Zg==Zg==", "Z===", "é"])
    func refused(_ text: String) { #expect(Base64.decode(text) == nil) }

    @Test("padding that is missing or too much is refused, as Go's decoder does", arguments: ["Zg", "Zg=", "Zm8", "Zm9v=", "=", "=="])
    func padding(_ text: String) { #expect(Base64.decode(text) == nil) }
}

@Suite("Timestamps")
struct Timestamps {
    @Test(
        "an instant and its RFC 3339 text go both ways",
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"), (951_782_400, "2000-02-29T00:00:00Z"),
            (1_234_567_890, "2009-02-13T23:31:30Z"), (1_795_428_900, "2026-11-23T10:15:00Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ])
    func vectors(_ seconds: Int, _ text: String) {
        #expect(Timestamp(seconds: seconds).description == text)
        #expect(Timestamp(text) == Timestamp(seconds: seconds))
    }

    @Test("instants over five centuries survive being written and read")
    func roundTrip() {
        let step = 86400 * 13 + 4567  // thirteen days and an odd piece of one
        let wrong = stride(from: -6_000_000_000, to: 9_000_000_000, by: step).filter {
            Timestamp(Timestamp(seconds: $0).description) != Timestamp(seconds: $0)
        }
        #expect(wrong == [])
    }

    @Test("nanoseconds are written with nine digits and read with fewer")
    func nanoseconds() {
        let instant = Timestamp(seconds: 1_234_567_890, nanoseconds: 5_000_000)
        #expect(instant.precise == "2009-02-13T23:31:30.005000000Z")
        #expect(instant.description == "2009-02-13T23:31:30Z")
        #expect(Timestamp(instant.precise) == instant)
        #expect(Timestamp("2009-02-13T23:31:30.5Z") == Timestamp(seconds: 1_234_567_890, nanoseconds: 500_000_000))
    }

    @Test("earlier is less, down to the nanosecond")
    func order() {
        #expect(Timestamp(seconds: 1, nanoseconds: 999_999_999) < Timestamp(seconds: 2))
        #expect(Timestamp(seconds: 2) < Timestamp(seconds: 2, nanoseconds: 1))
    }

    @Test(
        "text that is no instant in UTC is refused",
        arguments: ["", "Z", "yesterday", "2026-11-23", "2026-11-23T10:15:00", "2026-11-23T10:15Z"])
    func refused(_ text: String) { #expect(Timestamp(text) == nil) }

    @Test(
        "fields out of range and other separators are refused",
        arguments: ["2026-13-01T00:00:00Z", "2026-01-32T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026/01/01 00.00.00Z"])
    func outOfRange(_ text: String) { #expect(Timestamp(text) == nil) }
}

@Suite("Ages as kubectl prints them")
struct HumanDurations {
    @Test(
        "each range has Kubernetes' precision",
        arguments: [
            (-2, "<invalid>"), (-1, "0s"), (0, "0s"), (1, "1s"), (70, "70s"), (119, "119s"),
            // Up to ten minutes, three hours, eight hours, two days:
            (120, "2m"), (190, "3m10s"), (599, "9m59s"), (600, "10m"), (4200, "70m"), (10_799, "179m"),
            (10_800, "3h"), (11_400, "3h10m"), (28_799, "7h59m"), (32_340, "8h"), (169_200, "47h"), (172_799, "47h"),
            // Up to eight days, two years, eight years, and beyond:
            (172_800, "2d"), (176_400, "2d1h"), (180_000, "2d2h"), (691_199, "7d23h"), (698_400, "8d"), (31_708_800, "367d"),
            (63_071_999, "729d"), (63_072_000, "2y"), (63_162_000, "2y1d"), (252_287_999, "7y364d"), (252_295_200, "8y"),
            (946_080_000, "30y"),
        ])
    func ranges(_ seconds: Int, _ text: String) { #expect(humanDuration(seconds: seconds) == text) }

    @Test(
        "where a text stops being base64 is counted as Go's decoder does",
        arguments: [
            ("", nil), ("YQ==", nil), ("a2V5", nil), ("a2\nV5", nil), ("YQ", 0), ("a2V5x", 4), ("not base64!", 3), ("Bad_Key", 3),
            ("YQ=", 3),
            ("YQ==YQ==", 4), ("=", 0),
        ] as [(String, Int?)])
    func corruption(_ text: String, _ place: Int?) { #expect(Base64.corruption(in: text) == place) }
}
