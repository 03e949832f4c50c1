import Kubeadm
import Model
import Testing

@Suite("What a machine's files say to its kubelet, and static pods of their control plane")
struct KubeadmPartsTests {
    @Test("a kubelet goes by its flags, then by its configuration, and names what it does not go by")
    func kubelet() throws {
        let configuration = """
            apiVersion: kubelet.config.k8s.io/v1beta1
            kind: KubeletConfiguration
            clusterDNS: [10.1.0.10]
            clusterDomain: example.lab
            maxPods: 30
            podPidsLimit: 9
            staticPodPath: /etc/kubernetes/manifests

            """
        let plain = try KubeletOptions(configuration: configuration, environment: nil)
        #expect(plain.domain == "example.lab" && plain.nameServers.map(\.description) == ["10.1.0.10"])
        #expect(plain.registration.mostPods == 30 && plain.registration.labels.isEmpty && plain.unfollowed == ["podPidsLimit"])
        let words = [
            "--max-pods=40", "--node-labels=disk=ssd,node.kubernetes.io/pool=a",
            "--register-with-taints=dedicated=db:NoSchedule,gone:NoExecute",
            "--container-runtime=remote", "--node-ip=192.0.2.1", "--cluster-domain=other.lab",
        ]
        let told = try KubeletOptions(
            configuration: configuration, environment: "# a word\nKUBELET_KUBEADM_ARGS=\"\(words.joined(separator: " "))\"\n")
        #expect(told.registration.mostPods == 40 && told.domain == "other.lab")
        #expect(told.registration.labels == ["disk": "ssd", "node.kubernetes.io/pool": "a"])
        #expect(
            told.registration.taints == [
                ["key": "dedicated", "value": "db", "effect": "NoSchedule"], ["key": "gone", "effect": "NoExecute"],
            ])
        #expect(told.unfollowed == ["podPidsLimit", "--node-ip=192.0.2.1"])
        #expect(throws: KubeletOptions.Wrong.self) {
            try KubeletOptions(configuration: "", environment: "KUBELET_KUBEADM_ARGS=\"--node-labels=kubernetes.io/role=x\"")
        }
        #expect(throws: KubeletOptions.Wrong.self) {
            try KubeletOptions(configuration: "", environment: "KUBELET_KUBEADM_ARGS=\"--register-with-taints=a=b\"")
        }
    }

    private func files(_ controllers: String) throws -> ControlPlaneFiles? {
        func pod(_ words: [String]) -> String {
            "spec: {containers: [{image: r/\(words[0]):v1.20.2, command: [\(words.map { "\"\($0)\"" }.joined(separator: ", "))]}]}"
        }
        return try ControlPlaneFiles([
            "a.yaml": pod(["kube-apiserver", "--secure-port=6444", "--service-account-issuer=https://me"]),
            "c.yaml": pod(
                ["kube-controller-manager", "--node-cidr-mask-size=26"] + (controllers.isEmpty ? [] : ["--controllers=\(controllers)"])),
            "e.yaml": pod(["etcd", "--data-dir=/data"]),
        ])
    }

    @Test("a control plane is what its static pods' flags say, and none while its API server or its store is missing")
    func plane() throws {
        let found = try #require(try files(""))
        #expect(found.port == 6444 && found.issuer == "https://me" && found.data == "/data" && found.nodeMask == 26)
        #expect(found.version == KubernetesVersion("v1.20.2"))
        #expect(try ControlPlaneFiles(["e.yaml": "spec: {containers: [{command: [etcd]}]}"]) == nil)
    }

    @Test(
        "--controllers names those that run, those that do not, and with a star all the others that are not asked for",
        arguments: [
            ("", true, false), ("*", true, false), ("*,bootstrapsigner", true, true), ("*,-deployment", false, false),
            ("*,-deployment-controller,bootstrap-signer-controller", false, true), ("job", false, false), ("deployment", true, false),
        ])
    func controllers(text: String, deployments: Bool, signer: Bool) throws {
        let found = try #require(try files(text))
        #expect(found.runs(["deployment", "deployment-controller"]) == deployments)
        #expect(found.runs(["bootstrapsigner", "bootstrap-signer-controller"], isAsked: true) == signer)
    }
}
