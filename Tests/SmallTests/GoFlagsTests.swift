import Agents
import Model
import Testing

@Suite("Options and logs of programs that stand in for Go's")
struct GoFlagsTests {
    private static let forms: [String: GoFlags.Form] = ["ip-masq": .toggle, "iface": .list, "public-ip": .text]

    @Test("one or two hyphens, a value behind = or after, a switch alone, a list in order; what stands after the options is left")
    func forms() throws {
        var flags = try GoFlags(
            Self.forms, arguments: ["--ip-masq", "-iface=eth1", "--iface", "eth0", "--public-ip=10.0.0.1", "word", "--not-read"])
        try flags.take(from: ["F_PUBLIC_IP": "10.0.0.2", "F_IP_MASQ": "false"], prefix: "F")
        #expect(flags.isOn("ip-masq") && flags.list("iface") == ["eth1", "eth0"] && flags.text("public-ip") == "10.0.0.1")
        #expect(try GoFlags(Self.forms, arguments: ["-ip-masq=false"]).isOn("ip-masq", otherwise: true) == false)
    }

    @Test("the environment says what no option says; a variable that is empty says nothing")
    func environment() throws {
        var flags = try GoFlags(Self.forms, arguments: [])
        try flags.take(from: ["F_IP_MASQ": "true", "F_IFACE": "", "F_PUBLIC_IP": "10.0.0.2"], prefix: "F")
        #expect(flags.isOn("ip-masq") && !flags.has("iface") && flags.text("public-ip") == "10.0.0.2")
    }

    @Test(
        "what cannot be meant is refused in Go's words",
        arguments: [
            (["--ip-mask"], "flag provided but not defined: -ip-mask"), (["--iface"], "flag needs an argument: -iface"),
            (["--ip-masq=perhaps"], "invalid boolean value \"perhaps\" for -ip-masq: parse error"),
            (["---iface"], "bad flag syntax: ---iface"),
        ])
    func misuse(_ arguments: [String], _ words: String) throws {
        let error = try #require(throws: GoFlags.Misuse.self) { try GoFlags(Self.forms, arguments: arguments) }
        #expect(error.description == words)
    }

    @Test("a program is known by the last part of the path that it is called by")
    func names() {
        #expect(NamedPrograms.program("/opt/bin/flanneld") == Flanneld.self && NamedPrograms.program("flanneld") == Flanneld.self)
        #expect(NamedPrograms.program("/usr/bin/minik") == nil && NamedPrograms.program("/flanneld/x") == nil)
        #expect(Set(NamedPrograms.all.map { $0.name }).count == NamedPrograms.all.count)
    }
}
