import Model
import Runtime
import Testing

@Suite("Calico's plugin on a node, and what it asks the calico-node there")
struct CalicoPluginTests {
    private static let pod = CalicoWorkload(namespace: "default", name: "web", uid: "u1")

    private static func environment(_ command: String, arguments: String = "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_UID=u1")
        -> [String: String]
    {
        [
            "CNI_COMMAND": command, "CNI_CONTAINERID": "c1", "CNI_NETNS": "/run/netns/none-of-these", "CNI_IFNAME": "eth0",
            "CNI_PATH": "/bin",
            "CNI_ARGS": arguments,
        ]
    }

    private static func configuration(_ more: JSON = [:]) -> JSON {
        var json: JSON = [
            "cniVersion": "0.3.1", "name": "k8s-pod-network", "type": "calico", "policy": ["type": "k8s"],
            "ipam": ["type": "host-local", "subnet": "usePodCidr"],
        ]
        for (key, value) in more.object ?? JSONObject() { json[key] = value }
        return json
    }

    @Test("questions and answers read as they were written; what is none is not answered")
    func messages() throws {
        let address = try #require(IPAddress("10.244.1.5"))
        for question in [
            CalicoQuestion.ranges, .health, .admit(Self.pod, [address]), .release(Self.pod), .assign(handle: "net.c1", Self.pod),
            .free(handle: "net.c1"),
        ] { #expect(CalicoQuestion(try JSON(parsing: question.json.bytes())) == question) }
        for json in [[:], ["ask": "admit", "addresses": []], ["ask": "free"], ["ask": "all"]] as [JSON] {
            #expect(CalicoQuestion(json) == nil)
        }
        var answer = CalicoAnswer()
        answer.addresses = [address]
        answer.isReady = true
        #expect(CalicoAnswer(answer.json) == answer)
    }

    @Test("usePodCidr means the node's range, which calico-node knows; the MTU is the file's unless the network has one")
    func ranges() throws {
        let range = try #require(IPNetwork("10.244.1.0/24"))
        func link(_ json: JSON) throws -> (link: CNILinkConfiguration, asked: [CalicoQuestion]) {
            var asked: [CalicoQuestion] = []
            let link = try CNILinkConfiguration(
                try CNICall(Self.environment("ADD"), input: json.text()), text: { $0 == CalicoDoor.mtu ? "1480\n" : nil },
                ask: { question in
                    asked.append(question)
                    var answer = CalicoAnswer()
                    answer.ranges = [range]
                    return answer
                })
            return (link, asked)
        }
        let (plain, asked) = try link(Self.configuration(["mtu": 0]))
        #expect(asked == [.ranges] && plain.workload == Self.pod && plain.mtu == 1480)
        #expect(plain.ipam["ranges"] == [[["subnet": "10.244.1.0/24"]]] && plain.ipam["subnet"].isNull)
        #expect(try link(Self.configuration(["mtu": 1400])).link.mtu == 1400)
        let other = try link(Self.configuration(["ipam": ["type": "calico-ipam"]]))
        #expect(other.asked.isEmpty, "its addresses are calico-ipam's affair")
        #expect(
            try link(Self.configuration(["policy": [:], "ipam": ["type": "host-local", "subnet": "10.9.0.0/24"]])).link.workload == nil)
    }

    @Test("calico-ipam frees what nobody answers for only when somebody does, and says so in Calico's words")
    func silent() throws {
        let door = CalicoDoor(path: "/none/of/these.sock", nodeName: "/none/of/these")
        let answer = CalicoIPAM(Self.environment("DEL"), input: Self.configuration().text(), door: door).run()
        let json = try JSON(parsing: answer.output)
        #expect(answer.code == 1 && json["code"] == 50)
        #expect(json["msg"].string?.contains("check that the calico/node container is running") == true, "\(json)")
        let versions = CalicoIPAM(["CNI_COMMAND": "VERSION"], input: "{\"cniVersion\": \"0.3.1\"}", door: door).run()
        #expect(versions.code == 0 && versions.output.contains("supportedVersions"))
    }
}
