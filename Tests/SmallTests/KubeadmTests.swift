import Host
import Model
import TLS
import Testing

/// kubeadm's words where nothing is done yet, held against what 1.20.2 and 1.36.2 said when they were run.
@Suite("kubeadm speaks as the release that is asked for", .timeLimit(.minutes(5)))
struct KubeadmTests {
    private func run(_ line: String) async -> KubeadmCall { await KubeadmCall(line) }

    private static let trace = KubeadmCall.trace

    @Test(
        "what is no command, no flag or no value is told in pflag's words, and ends with 1",
        arguments: [
            ("foo", "unknown command \"foo\" for \"kubeadm\""), ("--foo", "unknown flag: --foo"), ("init --foo", "unknown flag: --foo"),
            ("init --pod-network-cidr", "flag needs an argument: --pod-network-cidr"),
            ("token create --ttl abc", "invalid argument \"abc\" for \"--ttl\" flag: time: invalid duration \"abc\""),
            ("init extra", "unknown command \"extra\" for \"kubeadm init\""), ("join a b", "accepts at most 1 arg(s), received 2"),
            ("token create abc", "the bootstrap token \"abc\" was not of the form \"\\\\A([a-z0-9]{6})\\\\.([a-z0-9]{16})\\\\z\""),
            ("config migrate", "the --old-config flag is mandatory"), ("version -o xml", "invalid output format: xml"),
            ("init --config /nosuch --pod-network-cidr 10.0.0.0/16", "can not mix '--config' with arguments [pod-network-cidr]"),
            ("token list extra", "unknown command \"extra\" for \"kubeadm token list\""),
            ("certs nosuch", "unknown command \"nosuch\" for \"kubeadm certs\""),
            ("init phase certs", "minik's kubeadm runs all phases; leave some out with --skip-phases"),
            ("upgrade plan", "minik's kubeadm has no \"upgrade\": reset, and init with another --kubernetes-version"),
        ])
    func refusals(line: String, words: String) async {
        let outcome = await run(line)
        #expect(outcome.code == 1)
        #expect(outcome.errors == "error: \(words)\n\(Self.trace)")
        #expect(outcome.out.isEmpty)
    }

    @Test("a dash that a word processor made long is named")
    func longDash() async {
        let outcome = await run("join 192.168.200.128:6443 \u{2013}token abc \u{2013}discovery-token-ca-cert-hash x")
        #expect(outcome.code == 1)
        #expect(outcome.errors.hasPrefix("error: accepts at most 1 arg(s), received 5\n"))
        #expect(outcome.errors.contains("\"\u{2013}token\" begins with the long dash"))
    }

    @Test(
        "the images of a release, in kubeadm's order",
        arguments: [
            (
                "--kubernetes-version v1.20.2 --image-repository r",
                [
                    "r/kube-apiserver:v1.20.2", "r/kube-controller-manager:v1.20.2", "r/kube-scheduler:v1.20.2", "r/kube-proxy:v1.20.2",
                    "r/pause:3.2", "r/etcd:3.4.13-0", "r/coredns:1.7.0",
                ]
            ),
            (
                "--kubernetes-version v1.36.2",
                [
                    "registry.k8s.io/kube-apiserver:v1.36.2", "registry.k8s.io/kube-controller-manager:v1.36.2",
                    "registry.k8s.io/kube-scheduler:v1.36.2", "registry.k8s.io/kube-proxy:v1.36.2",
                    "registry.k8s.io/coredns/coredns:v1.14.2", "registry.k8s.io/pause:3.10.2", "registry.k8s.io/etcd:3.6.8-0",
                ]
            ),
            (
                "--kubernetes-version v1.36.2 --image-repository r",
                [
                    "r/kube-apiserver:v1.36.2", "r/kube-controller-manager:v1.36.2", "r/kube-scheduler:v1.36.2", "r/kube-proxy:v1.36.2",
                    "r/coredns:v1.14.2", "r/pause:3.10.2", "r/etcd:3.6.8-0",
                ]
            ),
        ])
    func images(flags: String, images: [String]) async {
        let outcome = await run("config images list \(flags)")
        #expect(outcome.out.split(separator: "\n").map(String.init) == images, "\(outcome.errors)")
    }

    @Test(
        "bad settings: 3 and no more before 1.24, 1 and `error: ` since",
        arguments: [
            (
                "--pod-network-cidr 10.244.0.0/33", "podSubnet: Invalid value: \"10.244.0.0/33\": couldn't parse subnet",
                "networking.podSubnet: Invalid value: \"10.244.0.0/33\": couldn't parse subnet"
            ),
            (
                "--service-cidr 10.0.0.0/30", "serviceSubnet: Invalid value: \"10.0.0.0/30\": subnet is too small",
                "networking.serviceSubnet: Invalid value: \"10.0.0.0/30\": subnet with 4 address(es) is too small, the minimum is 10"
            ),
            (
                "--pod-network-cidr 10.0.0.0/30",
                "[podSubnet: Invalid value: \"10.0.0.0/30\": subnet is too small, podSubnet: Invalid value: \"10.0.0.0/30\": pod subnet size is smaller than the node subnet size]",
                "[networking.podSubnet: Invalid value: \"10.0.0.0/30\": subnet with 4 address(es) is too small, the minimum is 14, networking.podSubnet: Invalid value: \"10.0.0.0/30\": the size of pod subnet with mask 30 is smaller than the size of node subnet with mask 24]"
            ),
            (
                "--apiserver-bind-port 99999", "localAPIEndpoint.bindPort: Invalid value: 99999: port number is not valid",
                "localAPIEndpoint.bindPort: Invalid value: 99999: port number is not valid"
            ),
            (
                "--cert-dir relative", "certificatesDir: Invalid value: \"relative\": path is not absolute",
                "certificatesDir: Invalid value: \"relative\": path is not absolute"
            ),
        ])
    func validation(flags: String, old: String, new: String) async {
        for (version, code, words) in [("v1.20.2", 3, old), ("v1.36.0", 1, "error: \(new)")] as [(String, Int32, String)] {
            let outcome = await run("init --kubernetes-version \(version) \(flags)")
            #expect(outcome.code == code)
            #expect(outcome.errors == "\(words)\n\(Self.trace)")
        }
    }

    @Test("documents of older versions are read with a word, unknown fields and kinds that stand twice are refused")
    func documents() async throws {
        let folder = "/tmp/minik-kubeadm-\(UID.random())"
        defer { Files.removeTree(folder) }
        try Files.makeDirectory(folder)
        func validate(_ text: String) async throws -> KubeadmCall {
            try Files.write(text, to: "\(folder)/f.yaml")
            return await run("config validate --config \(folder)/f.yaml")
        }
        let good = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nnetworking: {podSubnet: 10.244.0.0/16}\n"
        #expect(try await validate(good).out == "ok")
        #expect(try await validate("").out == "ok")
        let older = try await validate(good.replacing("v1beta4", with: "v1beta3"))
        #expect(
            older.out == "ok" && older.errors.contains("your configuration file uses a deprecated API spec: \"kubeadm.k8s.io/v1beta3\""))
        let oldest = try await validate(good.replacing("v1beta4", with: "v1beta2"))
        #expect(
            oldest.errors.contains(
                "uses an old API spec: \"kubeadm.k8s.io/v1beta2\" (kind: \"ClusterConfiguration\"). Please use kubeadm v1.22"))
        let misspelt = try await validate(good.replacing("podSubnet", with: "podSubnett"))
        #expect(misspelt.errors.contains("strict decoding error: unknown field \"networking.podSubnett\"") && misspelt.code == 1)
        let twice = try await validate(good + "---\n" + good)
        #expect(twice.errors.contains("kind \"ClusterConfiguration\" is specified twice in YAML file"))
        #expect(
            await run("config validate --config /nosuch").errors.contains(
                "unable to read config from \"/nosuch\" : open /nosuch: no such file or directory"))
    }

    @Test("a certificate key is 64 hexadecimal digits, a generated token a token")
    func generated() async {
        let key = await run("certs certificate-key").out
        #expect(key.count == 64 && key.allSatisfy(\.isHexDigit))
        #expect(BootstrapToken(await run("token generate").out) != nil)
    }
}
