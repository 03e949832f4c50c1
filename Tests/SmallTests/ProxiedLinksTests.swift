import API
import Testing

@Suite("Pages seen through the proxy subresource")
struct ProxiedLinksTests {
    private static let prefix = "/api/v1/namespaces/default/pods/web:80/proxy"
    private let links = ProxiedLinks(prefix: prefix, host: "10.244.1.2:80")

    private func page(_ text: String) -> String { String(decoding: links.rewrite(page: Array(text.utf8)), as: UTF8.self) }

    @Test(
        "what leads to the server's root leads there through the proxy",
        arguments: [
            ("/a?b=c#d", prefix + "/a?b=c#d"), ("http://10.244.1.2:80/a", prefix + "/a"), ("//10.244.1.2:80/a", prefix + "/a"),
            ("http://10.244.1.2:80", prefix + "/"),
            ("a/b", "a/b"), ("#top", "#top"), ("", ""), ("http://elsewhere/a", "http://elsewhere/a"), ("//elsewhere/a", "//elsewhere/a"),
            (prefix + "/a", prefix + "/a"), ("mailto:a@b", "mailto:a@b"),
        ])
    func urls(_ url: String, _ expected: String) { #expect(links.rewrite(url: url) == expected) }

    @Test("links stand in tags, in either kind of quotes; text, comments and other attributes stay")
    func pages() {
        #expect(page(#"<a href="/x">/x</a>"#) == #"<a href="\#(Self.prefix)/x">/x</a>"#)
        #expect(page("<IMG alt='/no' SRC = '/y'>") == "<IMG alt='/no' SRC = '\(Self.prefix)/y'>")
        for text in [#"<!-- <a href="/x"> "#, "a < b and /c > d", #"<a title="/x">"#, "", "<a href=\"/x\"", "\u{0}<\u{1}>"] {
            #expect(page(text) == text)
        }
        #expect(page(#"<a x="b href='/y' href="/z>"#) == #"<a x="b href='/y' href="/z>"#, "a value goes to its closing quote")
        #expect(page(#"<a x='b href="/y">"#) == #"<a x='b href="\#(Self.prefix)/y">"#, "a quote that is not closed opens nothing")
        let bytes: [UInt8] = [0x3C, 0x70, 0x3E, 0xFF, 0xFE, 0x3C, 0x2F, 0x70, 0x3E]
        #expect(links.rewrite(page: bytes) == bytes, "what is no UTF-8 stays to the byte")
    }

    @Test("a tag of many letters is read through a few times, not once a letter")
    func long() {
        for text in [
            "<a " + String(repeating: "x", count: 400_000) + ">", "<a " + String(repeating: "x=\"", count: 100_001) + ">",
            "<a" + String(repeating: " x =", count: 100_000) + ">",
        ] {
            #expect(page(text) == text)
        }
    }
}
