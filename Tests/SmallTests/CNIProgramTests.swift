import Model
import Runtime
import Synchronization
import Testing

/// An IPAM plugin of the newest version that a test says, and what it was asked.
private final class ScriptedIPAM: Sendable {
    private let newest: String
    private let state = Mutex<[(command: String, input: JSON)]>([])

    init(newest: String = "1.1.0") { self.newest = newest }

    var asked: [(command: String, input: JSON)] { state.withLock { $0 } }

    func call(_ configuration: JSON, _ environment: [String: String]) throws -> (link: CNILinkConfiguration, result: JSON) {
        let call = try CNICall(environment, input: configuration.text())
        let link = try CNILinkConfiguration(call) { _ in nil }
        let delegate = CNIDelegate(link.ipam, of: call) { [self] _, environment, input in
            let command = environment.first { $0.hasPrefix("CNI_COMMAND=") }.map { String($0.dropFirst("CNI_COMMAND=".count)) } ?? ""
            let json = try JSON(parsing: input), asked = CNIVersion(json["cniVersion"].string ?? "")
            state.withLock { $0.append((command, json)) }
            let versions = ["0.3.1", "1.0.0", "1.1.0"].filter { CNIVersion($0).map { $0 <= CNIVersion(newest) ?? .first } == true }
            if command == "VERSION" {
                let known: JSON = ["supportedVersions": .array(versions.map(JSON.string))]
                return CNIChain.Answer(code: 0, output: known.text(), complaints: "")
            }
            guard let asked, versions.contains(asked.description) else {
                return CNIChain.Answer(code: 1, output: "{\"code\": 1, \"msg\": \"incompatible CNI versions\"}", complaints: "")
            }
            return CNIChain.Answer(code: 0, output: "{\"ips\": [{\"address\": \"10.22.0.5/24\"}]}", complaints: "")
        }
        return (link, try delegate.run(call.command, link.delegated))
    }
}

@Suite("minik-cni, as a plugin that runtimes call")
struct CNIProgramTests {
    /// A program is looked for in a folder that exists everywhere.
    private static func environment(_ command: String, _ more: [String: String] = [:]) -> [String: String] {
        [
            "CNI_COMMAND": command, "CNI_CONTAINERID": "c1", "CNI_NETNS": "/run/netns/none-of-these", "CNI_IFNAME": "eth0",
            "CNI_PATH": "/bin",
        ].merging(more) { $1 }
    }

    private static func configuration(_ version: String, _ more: JSON = [:]) -> JSON {
        var json: JSON = [
            "cniVersion": .string(version), "name": "lab", "type": "minik-cni", "links": "flannel",
            "ipam": ["type": "sh", "subnet": "10.22.0.0/24"],
        ]
        for (key, value) in more.object ?? JSONObject() { json[key] = value }
        return json
    }

    private static func refusal(_ configuration: String, _ environment: [String: String]) throws -> (code: Int, text: String) {
        let answer = CNIProgram(environment, input: configuration) { _, _, _ in CNIChain.Answer(code: 0, output: "{}", complaints: "") }
            .run()
        #expect(answer.code == 1)
        let json = try JSON(parsing: answer.output)
        return (json["code"].int ?? 0, "\(json["msg"].string ?? "") \(json["details"].string ?? "")")
    }

    @Test("VERSION tells the versions, whether or not it is asked in one")
    func version() throws {
        for input in ["", "{\"cniVersion\": \"1.0.0\"}"] {
            let answer = CNIProgram(["CNI_COMMAND": "VERSION"], input: input).run(), json = try JSON(parsing: answer.output)
            #expect(answer.code == 0 && json["cniVersion"] == (input.isEmpty ? "1.1.0" : "1.0.0"))
            #expect(json["supportedVersions"] == ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
        }
    }

    @Test(
        "what it cannot do is refused with the specification's code",
        arguments: [
            ("ADD", "{}", 1, "config is \"0.1.0\""), ("ADD", "{\"cniVersion\": \"9.0.0\"}", 1, "config is \"9.0.0\""),
            ("JUMP", "{}", 4, "unknown CNI_COMMAND: JUMP"), ("ADD", "{", 6, "no JSON"), ("ADD", "[]", 6, "no JSON object"),
            ("CHECK", "{\"cniVersion\": \"0.3.1\", \"name\": \"a\"}", 1, "config version does not allow CHECK"),
            ("GC", "{\"cniVersion\": \"1.0.0\", \"name\": \"a\"}", 1, "GC came with 1.1.0"),
            ("ADD", "{\"cniVersion\": \"1.0.0\", \"name\": \"a b\"}", 7, "\"name\""),
            ("ADD", "{\"cniVersion\": \"1.0.0\", \"name\": \"a\", \"type\": \"minik-cni\"}", 7, "\"links\" is missing: flannel or calico"),
            ("ADD", "{\"cniVersion\": \"1.0.0\", \"name\": \"a\", \"links\": \"weave\"}", 7, "\"links\" is \"weave\""),
            ("ADD", "{\"cniVersion\": \"1.0.0\", \"name\": \"a\", \"type\": \"flannel\", \"delegate\": {\"ipam\": {}}}", 7, "'ipam'"),
            (
                "ADD", "{\"cniVersion\": \"1.0.0\", \"name\": \"a\", \"type\": \"flannel\", \"delegate\": {\"type\": \"ipvlan\"}}", 2,
                "ipvlan"
            ),
            ("ADD", "{\"cniVersion\": \"1.0.0\", \"name\": \"a\", \"type\": \"flannel\", \"delegate\": {\"ipMasq\": true}}", 2, "'ipMasq'"),
            (
                "ADD", "{\"cniVersion\": \"1.0.0\", \"name\": \"a\", \"type\": \"flannel\", \"subnetFile\": \"/no/subnet.env\"}", 50,
                "open /no/subnet.env: no such file"
            ),
            ("CHECK", "{\"cniVersion\": \"1.0.0\", \"name\": \"a\", \"type\": \"calico\"}", 7, "required prevResult missing"),
        ])
    func refusals(_ command: String, _ input: String, _ code: Int, _ words: String) throws {
        let said = try Self.refusal(input, Self.environment(command))
        #expect(said.code == code && said.text.contains(words), "\(said)")
    }

    @Test(
        "a list of valid attachments that is no such list collects nothing, and is refused",
        arguments: ["\"x\"", "{}", "null", "[{\"containerID\": 7}]", "[\"c1\"]", "[{\"containerID\": \"c1\"}]", "[{\"ifname\": \"eth0\"}]"])
    func attachments(_ list: String) throws {
        let json = "{\"cniVersion\": \"1.1.0\", \"name\": \"a\", \"type\": \"calico\", \"cni.dev/valid-attachments\": \(list)}"
        let said = try Self.refusal(json, Self.environment("GC"))
        #expect(said.code == 7 && said.text.contains("\"cni.dev/valid-attachments\" "), "\(said)")
    }

    @Test(
        "a field of another type is refused by its name",
        arguments: [
            ("\"mtu\": \"x\"", 6, "\"mtu\" is \"x\""), ("\"hairpinMode\": \"yes\"", 6, "\"hairpinMode\""),
            ("\"delegate\": 5", 6, "\"delegate\" is 5"), ("\"delegate\": {\"mtu\": \"1\"}", 6, "\"delegate.mtu\""),
            ("\"vlan\": 3", 2, "'vlan'"), ("\"delegate\": {\"vlan\": 3}", 2, "'vlan'"), ("\"ipam\": \"x\"", 6, "\"ipam\" is \"x\""),
            ("\"ipam\": {\"type\": 5}", 6, "\"ipam.type\""), ("\"runtimeConfig\": {\"mac\": 5}", 6, "\"runtimeConfig.mac\""),
            ("\"mtu\": 1400.5", 6, "\"mtu\""), ("\"runtimeConfig\": {\"mac\": \"00:00:00:00:00:00\"}", 7, "00:00:00:00:00:00"),
        ])
    func types(_ field: String, _ code: Int, _ words: String) throws {
        let said = try Self.refusal(
            "{\"cniVersion\": \"1.0.0\", \"name\": \"a\", \"type\": \"flannel\", \(field)}", Self.environment("ADD"))
        #expect(said.code == code && said.text.contains(words), "\(said)")
        #expect(try Self.refusal("{\"cniVersion\": 1, \"name\": \"a\"}", Self.environment("ADD")).code == 6)
    }

    @Test("a link's mark fits into an alias, whatever the container is called, and is the same whoever makes it")
    func marks() throws {
        let long = String(repeating: "c", count: 300)
        let call = try CNICall(Self.environment("ADD", ["CNI_CONTAINERID": long]), input: Self.configuration("1.0.0").text())
        let mark = CNILink.Mark(call)
        #expect(mark.text.utf8.count < 256 && CNILink.Mark(mark.text) == mark && mark.isSameNetwork(as: call))
        #expect(mark == CNILink.Mark(network: "lab", container: long, interface: "eth0"))
        #expect(mark != CNILink.Mark(network: "lab", container: long + "c", interface: "eth0"))
    }

    @Test("a missing or malformed variable is named; a namespace that is not there is an unknown container")
    func variables() throws {
        let text = Self.configuration("1.0.0").text()
        #expect(try Self.refusal(text, ["CNI_COMMAND": "ADD"]).text.contains("[CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing"))
        #expect(try Self.refusal(text, Self.environment("ADD", ["CNI_CONTAINERID": "../x"])).code == 4)
        #expect(try Self.refusal(text, Self.environment("ADD", ["CNI_IFNAME": "a/b"])).code == 4)
        #expect(try Self.refusal(text, Self.environment("ADD", ["CNI_IFNAME": "sixteen-letters-x"])).code == 4)
        #expect(try Self.refusal(text, Self.environment("ADD")).code == 3)
        #expect(try Self.refusal(text, Self.environment("ADD", ["CNI_NETNS": "/proc/self/ns/net"])).code == 8)
    }

    @Test("an IPAM plugin of an older version is spoken to in that one, with all that the configuration says")
    func older() throws {
        let ipam = ScriptedIPAM(newest: "1.0.0")
        let result = try ipam.call(Self.configuration("1.1.0"), Self.environment("ADD")).result
        #expect(result["ips"][0]["address"] == "10.22.0.5/24")
        #expect(ipam.asked.map(\.command) == ["ADD", "VERSION", "ADD"])
        #expect(ipam.asked[2].input["cniVersion"] == "1.0.0" && ipam.asked[2].input["name"] == "lab")
        #expect(ipam.asked[2].input["ipam"]["subnet"] == "10.22.0.0/24")
    }

    @Test("an IPAM plugin that is not there is named with the folders")
    func missing() throws {
        var configuration = Self.configuration("1.0.0")
        configuration["ipam"]["type"] = "no-such-ipam"
        #expect { try ScriptedIPAM().call(configuration, Self.environment("DEL")) } throws: {
            "\($0)".hasPrefix("failed to find plugin \"no-such-ipam\" in path [/bin]")
        }
    }

    private static let subnetFile = """
        FLANNEL_NETWORK=10.244.0.0/16
        FLANNEL_SUBNET=10.244.1.1/24
        FLANNEL_MTU=1450
        FLANNEL_IPMASQ=true
        """

    private static func link(_ command: String, _ json: JSON, _ file: String? = subnetFile) throws -> CNILinkConfiguration {
        try CNILinkConfiguration(try CNICall(environment(command), input: json.text())) { _ in file }
    }

    @Test("flannel's own configuration means the node's range of subnet.env, a route to all nodes' and its MTU")
    func flannel() throws {
        let json: JSON = [
            "cniVersion": "0.3.1", "name": "cbr0", "type": "flannel", "delegate": ["hairpinMode": true, "isDefaultGateway": true],
        ]
        let link = try Self.link("ADD", json)
        #expect(link.kind == .flannel && link.bridge == "cni0" && link.mtu == 1450 && link.isHairpin && link.isDefaultGateway)
        #expect(
            link.ipam == ["type": "host-local", "ranges": [[["subnet": "10.244.1.0/24"]]], "routes": [["dst": "10.244.0.0/16"]]])
        #expect { try Self.link("ADD", json, "FLANNEL_SUBNET=10.244.1.1/24\n") } throws: {
            "\($0)".contains("/run/flannel/subnet.env is missing FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK, FLANNEL_MTU")
        }
    }

    @Test("Canal's range is subnet.env's, too; and a container is taken away though the file has gone")
    func range() throws {
        var json: JSON = ["cniVersion": "1.0.0", "name": "k8s-pod-network", "type": "calico", "mtu": 1400]
        json["ipam"] = ["type": "host-local", "subnet": "usePodCidr"]
        let link = try Self.link("ADD", json)
        #expect(link.kind == .calico && link.mtu == 1400 && link.ipam["ranges"] == [[["subnet": "10.244.1.0/24"]]])
        json["prevResult"] = ["ips": [["address": "10.244.7.3/24"]]]
        #expect(try Self.link("DEL", json, nil).ipam["ranges"] == [[["subnet": "10.244.7.0/24"]]])
        json["prevResult"] = .null
        #expect(try !Self.link("DEL", json, nil).ipam["ranges"].items.isEmpty, "host-local frees by the container, and wants a range")
    }

    @Test("the node's end of Calico's link has the pod's digits, and a result tells the version's fields")
    func results() throws {
        let more = ["CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=web;K8S_POD_NAME=default"]
        func result(_ version: String) throws -> JSON {
            let call = try CNICall(Self.environment("ADD", more), input: Self.configuration(version, ["links": "calico"]).text())
            let link = try CNILink(call, try CNILinkConfiguration(call), ["ips": [["address": "10.22.0.5/24", "gateway": "10.22.0.1"]]])
            return link.json(call, dns: .null, bridge: nil, port: nil)
        }
        let old = try result("0.3.1"), new = try result("1.1.0")
        // printf web.default | sha1sum
        #expect(new["interfaces"][0]["name"] == "cali7df5b89e885" && new["interfaces"][0]["mtu"] == 1500)
        #expect(new["interfaces"][1]["name"] == "eth0" && new["interfaces"][1]["sandbox"] == "/run/netns/none-of-these")
        #expect(new["ips"] == [["interface": 1, "address": "10.22.0.5/32", "gateway": "169.254.1.1"]])
        #expect(old["ips"][0]["version"] == "4" && old["cniVersion"] == "0.3.1" && old["interfaces"][0]["mtu"] == .null)
        #expect(new["routes"] == [["dst": "0.0.0.0/0", "gw": "169.254.1.1"]])
    }
}
