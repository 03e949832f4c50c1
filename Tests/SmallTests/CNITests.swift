import Model
import Runtime
import Synchronization
import Testing

/// Plugins that note how they were called and answer what the test says.
private final class ScriptedPlugins: Sendable {
    struct Call: Sendable, Equatable {
        let type: String
        let command: String
        let input: JSON
        let environment: [String: String]
    }

    private let state = Mutex<(calls: [Call], answers: [String: CNIChain.Answer])>(([], [:]))

    var calls: [Call] { state.withLock { $0.calls } }

    /// `key`: "bridge ADD"
    func answer(_ key: String, _ output: String, code: Int32 = 0, complaints: String = "") {
        state.withLock { $0.answers[key] = CNIChain.Answer(code: code, output: output, complaints: complaints) }
    }

    func chain(_ network: CNINetwork, missing: String? = nil) -> CNIChain {
        CNIChain(network) { [self] type, environment, input in
            if type == missing { return nil }
            let variables = Dictionary(
                environment.map { entry in
                    let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                    return (parts[0], parts[1])
                }, uniquingKeysWith: { $1 })
            let command = variables["CNI_COMMAND"] ?? ""
            let json = try JSON(parsing: input)
            return state.withLock { state in
                state.calls.append(Call(type: type, command: command, input: json, environment: variables))
                return state.answers["\(type) \(command)"] ?? CNIChain.Answer(code: 0, output: "{\"by\":\"\(type)\"}", complaints: "")
            }
        }
    }
}

@Suite("CNI, as a container runtime speaks it")
struct CNITests {
    private static let list = """
        {"cniVersion": "1.0.0", "name": "lab", "plugins": [
          {"type": "bridge", "bridge": "cnio0", "ipam": {"type": "host-local"}},
          {"type": "portmap", "capabilities": {"portMappings": true}},
          {"type": "bandwidth", "capabilities": {"bandwidth": true, "io": false}}]}
        """
    private static let pod = Pod([
        "metadata": [
            "name": "web", "namespace": "shop", "uid": "u-1",
            "annotations": ["kubernetes.io/ingress-bandwidth": "10M", "kubernetes.io/egress-bandwidth": "1k"],
        ],
        "spec": ["containers": [["name": "c", "ports": [["containerPort": 80, "hostPort": 8080]]]]],
    ])
    private static let attachment = CNIAttachment(
        pod, namespace: "/proc/7/ns/net", resolver: "search shop.svc.cluster.local\nnameserver 10.1.0.10\noptions ndots:5\n")

    @Test("the first file by name is the node's network; other files are none")
    func first() throws {
        let files = ["20-b.conf": "{\"name\": \"b\", \"type\": \"ptp\"}", "10-a.conflist": Self.list, "00-readme.txt": "hello"]
        let network = try #require(try CNINetwork.first(in: files))
        #expect(network.name == "lab" && network.plugins.count == 3 && network.version == CNIVersion("1.0.0"))
        #expect(try CNINetwork.first(in: ["00-readme.txt": "hello"]) == nil)
    }

    @Test("a single plugin's file is a list of one, and without a version means 0.1.0")
    func single() throws {
        let network = try CNINetwork("{\"name\": \"b\", \"type\": \"ptp\"}", file: "20-b.conf")
        #expect(network.plugins.count == 1 && network.version == CNIVersion("0.1.0"))
    }

    @Test(
        "a file that is no network says which file and why",
        arguments: [
            ("{", "it is no JSON"), ("[]", "no JSON object"), ("{\"plugins\": []}", "it has no \"name\""),
            ("{\"name\": \"a b\", \"plugins\": [{\"type\": \"x\"}]}", "must start with a letter or digit"),
            ("{\"name\": \"a\", \"plugins\": []}", "lists none"), ("{\"name\": \"a\", \"plugins\": [{}]}", "plugin 0 has no \"type\""),
            ("{\"name\": \"a\", \"plugins\": [{\"type\": \"../sh\"}]}", "no path"),
            ("{\"name\": \"a\", \"cniVersion\": \"2.0.0\", \"plugins\": [{\"type\": \"x\"}]}", "2.0.0 is none of 0.1.0"),
        ])
    func malformed(_ text: String, _ reason: String) {
        do {
            _ = try CNINetwork(text, file: "/etc/cni/net.d/10-x.conflist")
            Issue.record("\(text) was taken")
        } catch {
            #expect("\(error)".contains("/etc/cni/net.d/10-x.conflist") && "\(error)".contains(reason), "\(error)")
        }
    }

    @Test("of several versions the newest that both know is spoken")
    func versions() throws {
        let text =
            "{\"name\": \"a\", \"cniVersion\": \"0.4.0\", \"cniVersions\": [\"1.1.0\", \"7.0.0\", \"0.3.1\"], \"plugins\": [{\"type\": \"x\"}]}"
        #expect(try CNINetwork(text, file: "f").version == CNIVersion("1.1.0"))
    }

    @Test("ADD: each plugin in order, with the answer of the one before it and only what it says it can")
    func add() async throws {
        let plugins = ScriptedPlugins(), chain = plugins.chain(try CNINetwork(Self.list, file: "f"))
        plugins.answer("bandwidth ADD", "{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.22.0.5/24\"},{\"address\":\"fd00::5/64\"}]}")
        let result = try await chain.add(Self.attachment)
        #expect(result.addresses.map(\.description) == ["10.22.0.5", "fd00::5"])
        let calls = plugins.calls
        #expect(calls.map { "\($0.type) \($0.command)" } == ["bridge ADD", "portmap ADD", "bandwidth ADD"])
        #expect(calls[0].input["name"] == "lab" && calls[0].input["cniVersion"] == "1.0.0" && calls[0].input["bridge"] == "cnio0")
        #expect(calls[0].input["prevResult"] == .null && calls[1].input["prevResult"]["by"] == "bridge")
        #expect(calls[2].input["prevResult"]["by"] == "portmap")
        #expect(calls[0].input["runtimeConfig"] == .null && calls.allSatisfy { $0.input["capabilities"] == .null })
        #expect(
            calls[1].input["runtimeConfig"]
                == ["portMappings": [["hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": ""]]])
        #expect(calls[2].input["runtimeConfig"]["bandwidth"]["ingressRate"] == 10_000_000)
        #expect(calls[2].input["runtimeConfig"]["bandwidth"]["egressRate"] == 1000)
        let told = calls[0].environment
        #expect(told["CNI_NETNS"] == "/proc/7/ns/net" && told["CNI_IFNAME"] == "eth0" && told["CNI_CONTAINERID"]?.count == 64)
        #expect(told["CNI_ARGS"]?.hasPrefix("IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;") == true)
        #expect(told["CNI_PATH"] == "/opt/cni/bin:/usr/lib/cni")
    }

    @Test("DEL: the last plugin first, with what ADD answered, and past one that fails")
    func delete() async throws {
        let plugins = ScriptedPlugins(), chain = plugins.chain(try CNINetwork(Self.list, file: "f"))
        plugins.answer("portmap DEL", "{\"code\": 7, \"msg\": \"no such chain\", \"details\": \"CNI-1\"}", code: 1)
        await #expect(throws: CNIError.self) { try await chain.delete(Self.attachment, previous: ["kept": true]) }
        #expect(plugins.calls.map(\.type) == ["bandwidth", "portmap", "bridge"])
        #expect(plugins.calls.allSatisfy { $0.command == "DEL" && $0.input["prevResult"] == ["kept": true] })
    }

    @Test("a failure has libcni's words: the plugin's own, what it complained of, or that it said nothing")
    func failures() async throws {
        func words(_ output: String, _ complaints: String) async throws -> String {
            let plugins = ScriptedPlugins()
            plugins.answer("bridge ADD", output, code: 1, complaints: complaints)
            do { _ = try await plugins.chain(try CNINetwork(Self.list, file: "f")).add(Self.attachment) } catch { return "\(error)" }
            return ""
        }
        #expect(
            try await words("{\"code\": 7, \"msg\": \"exhausted\", \"details\": \"10.22.0.0/24\"}", "")
                == "plugin type=\"bridge\" name=\"lab\" failed (add): exhausted; 10.22.0.0/24")
        #expect(try await words("", "panic\n") == "plugin type=\"bridge\" name=\"lab\" failed (add): netplugin failed: \"panic\"")
        #expect(
            try await words("", "")
                == "plugin type=\"bridge\" name=\"lab\" failed (add): netplugin failed with no error message: exit status 1")
    }

    @Test("a plugin that is not there is named with the folders that were looked in")
    func missing() async throws {
        let chain = ScriptedPlugins().chain(try CNINetwork(Self.list, file: "f"), missing: "portmap")
        do {
            _ = try await chain.add(Self.attachment)
            Issue.record("a missing plugin connected a pod")
        } catch {
            #expect(
                "\(error)" == "plugin type=\"portmap\" name=\"lab\" failed (add): "
                    + "failed to find plugin \"portmap\" in path [/opt/cni/bin /usr/lib/cni]")
        }
    }

    @Test("CHECK, STATUS and GC go to plugins of a version that has them, unless the network says not to")
    func newer() async throws {
        func calls(_ version: String, _ more: String = "") async throws -> [String] {
            let plugins = ScriptedPlugins()
            let text = "{\"cniVersion\": \"\(version)\", \"name\": \"a\"\(more), \"plugins\": [{\"type\": \"x\"}]}"
            let chain = plugins.chain(try CNINetwork(text, file: "f"))
            try await chain.check(Self.attachment, previous: ["r": 1])
            try await chain.status()
            try await chain.collect([Self.attachment])
            return plugins.calls.map(\.command)
        }
        #expect(try await calls("0.3.1") == [])
        #expect(try await calls("0.4.0") == ["CHECK"])
        #expect(try await calls("1.1.0") == ["CHECK", "STATUS", "GC"])
        #expect(try await calls("1.1.0", ", \"disableCheck\": true, \"disableGC\": \"true\"") == ["STATUS"])
    }

    @Test("GC names the attachments that there are")
    func collected() async throws {
        let plugins = ScriptedPlugins()
        let network = try CNINetwork("{\"cniVersion\": \"1.1.0\", \"name\": \"a\", \"plugins\": [{\"type\": \"x\"}]}", file: "f")
        try await plugins.chain(network).collect([Self.attachment])
        let input = try #require(plugins.calls.first?.input)
        #expect(
            input["cni.dev/valid-attachments"] == [["containerID": .string(Self.attachment.containerID), "ifname": "eth0"]])
    }

    @Test("what is kept of an attachment is enough to take it back")
    func record() throws {
        let network = try CNINetwork(Self.list, file: "f")
        let record = Self.attachment.record(network, CNIResult(["ips": [["address": "10.22.0.5/24"]]]))
        let again = try #require(CNIAttachment(record: try JSON(parsing: record.text()), namespace: ""))
        #expect(again.containerID == Self.attachment.containerID && again.namespace.isEmpty && again.pod == "shop/web")
        #expect(again.capabilities == Self.attachment.capabilities)
        #expect(CNIAttachment(record: ["kind": "other"]) == nil)
    }

    private static func asking(_ annotation: String) -> Pod {
        Pod(["metadata": ["name": "web", "uid": "u-1", "annotations": [CNIRequest.annotation: .string(annotation)]]])
    }

    @Test("addresses and a MAC that a pod asks for go to the plugins that can give them")
    func request() async throws {
        let text = """
            {"cniVersion": "1.0.0", "name": "lab", "plugins": [
              {"type": "bridge", "capabilities": {"ips": true, "mac": true}}, {"type": "portmap", "capabilities": {"portMappings": true}}]}
            """
        let pod = Self.asking("[{\"name\": \"lab\", \"ips\": [\"10.22.0.77\", \"fd00::5/64\"], \"mac\": \"02:00:00:00:00:4D\"}]")
        let told = CNIAttachment(pod, namespace: "/proc/7/ns/net", resolver: "", asking: try CNIRequest(pod, of: "lab"))
        let plugins = ScriptedPlugins()
        _ = try await plugins.chain(try CNINetwork(text, file: "f")).add(told)
        #expect(plugins.calls[0].input["runtimeConfig"] == ["ips": ["10.22.0.77", "fd00::5/64"], "mac": "02:00:00:00:00:4d"])
        #expect(plugins.calls[1].input["runtimeConfig"] == .null)
    }

    @Test("a pod that only names its node's network asks for nothing", arguments: ["lab", "kube-system/lab", "[{\"name\":\"lab\"}]", " "])
    func namesNetwork(_ annotation: String) throws {
        #expect(try CNIRequest(Self.asking(annotation), of: "lab") == CNIRequest())
    }

    @Test(
        "what a pod cannot ask for is refused with the annotation's name and the reason",
        arguments: [
            ("other", "it names network \"other\", and the node's is \"lab\""), ("[{]", "it is no JSON"),
            ("{\"name\": \"lab\"}", "no list of networks"), ("[]", "it lists 0 networks"), ("[{}]", "has no \"name\""),
            ("[{\"name\": \"lab\", \"ips\": [\"10.22.0\"]}]", "\"ips\" holds \"10.22.0\", which is no address"),
            ("[{\"name\": \"lab\", \"mac\": \"01:00:00:00:00:01\"}]", "no address of one device"),
        ])
    func refusedRequest(_ annotation: String, _ reason: String) {
        #expect { try CNIRequest(Self.asking(annotation), of: "lab") } throws: {
            "\($0)".hasPrefix("annotation v1.multus-cni.io/default-network: ") && "\($0)".contains(reason)
        }
    }
}
