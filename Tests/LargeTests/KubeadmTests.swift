import Foundation
import Model
import Testing

/// The tutorial's chapter 1.5 as it is typed: machines, kubeadm init, join, and what goes wrong on the way.
@Suite("[Serial] kubeadm makes a cluster of machines", .serialized, .printsClusters)
struct KubeadmClusterTests {
    private static let name = "kubeadm"
    private static let initialize = """
        kubeadm init --apiserver-advertise-address=192.168.200.128 --image-repository registry.aliyuncs.com/google_containers \
        --kubernetes-version v1.18.0 --service-cidr=10.1.0.0/16 --pod-network-cidr=10.244.0.0/16
        """
    private static let kubectl = "env KUBECONFIG=/etc/kubernetes/admin.conf \(Shell.root)/.build/clients/kubectl-1.20"

    private func on(_ node: String, _ command: String, seconds: Int = 60) -> CommandResult {
        Shell.minik("node exec -c \(Self.name) \(node) -- \(command)", seconds: seconds)
    }

    private func kubectl(_ command: String) -> CommandResult { on("k8s-master", "\(Self.kubectl) \(command)") }

    /// The lines of a table, without its head, in words.
    private func rows(_ command: String) throws -> [[String]] {
        let result = kubectl("\(command) --no-headers")
        try #require(result.isSuccess, "\(result)")
        return result.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    }

    @Test("init, two joins that verify, a network, a reset that leaves it, and another cluster after it")
    func tutorial() throws {
        try TestCluster.with("labs/kubeadm.yaml", name: Self.name) { _ in
            #expect(Shell.minik("status \(Self.name)").output.contains("no control plane runs on any"))
            let join = try initialized()
            try refused(join)
            try joined(join)
            try certificates()
            try connected()
            try cutOff()
            tokens()
            try parts()
            try reset()
        }
    }

    /// The command that it tells others to join by.
    private func initialized() throws -> String {
        let made = on("k8s-master", Self.initialize)
        try #require(made.isSuccess, "\(made)")
        for line in [
            "[init] Using Kubernetes version: v1.18.0", "[certs] Generating \"etcd/ca\" certificate and key",
            "[control-plane] Creating static Pod manifest for \"kube-apiserver\"",
            "[mark-control-plane] Marking the node k8s-master as control-plane by adding the taints [node-role.kubernetes.io/master:NoSchedule]",
            "[addons] Applied essential addon: kube-proxy", "Your Kubernetes control-plane has initialized successfully!",
        ] { #expect(made.output.contains("\n\(line)") || made.output.hasPrefix(line), "\(line)") }
        let lines = made.output.split(separator: "\n").suffix(2)
        #expect(lines.first?.hasPrefix("kubeadm join 192.168.200.128:6443 --token ") == true && lines.first?.hasSuffix(" \\") == true)
        #expect(lines.last?.hasPrefix("    --discovery-token-ca-cert-hash sha256:") == true && lines.last?.hasSuffix(" ") == true)
        #expect(try rows("get nodes").map { $0.prefix(3) } == [["k8s-master", "NotReady", "master"]])
        let again = on("k8s-master", Self.initialize)
        #expect(again.status == 1 && again.errors.contains("[ERROR Port-6443]: Port 6443 is in use"), "\(again)")
        return lines.joined(separator: " ").replacing("\\", with: "")
    }

    private func refused(_ join: String) throws {
        let hash = on("k8s-node1", join.replacing("sha256:", with: "sha256:0").trimmed.dropLast().description)
        #expect(hash.status == 1 && hash.errors.contains("is invalid: none of the public keys \"sha256:"), "\(hash)")
        let words = join.split(separator: " ").map(String.init)
        let token = try #require(words.firstIndex(of: "--token").map { words[$0 + 1] })
        let secret = on("k8s-node1", join.replacing(token, with: "\(token.prefix(7))aaaaaaaaaaaaaaaa"))
        #expect(secret.status == 1 && secret.errors.contains("failed to verify JWS signature of received cluster info object"), "\(secret)")
        // The tutorial's own text joins an address that is nobody's; five minutes are its default.
        let nobody = on("k8s-node1", "sh -c 'cat > /root/join.yaml; kubeadm join --config /root/join.yaml' < \(try Self.nobody())")
        #expect(nobody.errors.contains("dial tcp 192.168.200.160:6443: connect: no route to host"), "\(nobody)")
        let dash = on("k8s-node1", "kubeadm join 192.168.200.128:6443 \u{2013}token \(token)")
        #expect(dash.status == 1 && dash.errors.contains("begins with the long dash"), "\(dash)")
        #expect(on("k8s-node1", "ls /etc/kubernetes/kubelet.conf").status != 0, "nothing half-made is left")
    }

    private static func nobody() throws -> String {
        try ClusterFiles.write(
            """
            apiVersion: kubeadm.k8s.io/v1beta2
            kind: JoinConfiguration
            discovery:
              timeout: 1s
              bootstrapToken: {apiServerEndpoint: "192.168.200.160:6443", token: abcdef.0123456789abcdef, unsafeSkipCAVerification: true}
            """)
    }

    private func joined(_ join: String) throws {
        let program = try ClusterFiles.write(Self.standing(join))
        defer { try? FileManager.default.removeItem(atPath: program) }
        for (node, command) in [("k8s-node1", join), ("k8s-node2", "python3 - < \(program)")] {
            let result = on(node, command)
            #expect(result.isSuccess && result.output.contains("This node has joined the cluster:"), "\(result)")
            #expect(command == join || result.output.contains("200 200"), "a connection stands while kube-proxy begins: \(result)")
        }
        #expect(try rows("get nodes").map(\.first) == ["k8s-master", "k8s-node1", "k8s-node2"])
        #expect(try rows("get csr").allSatisfy { $0.last == "Approved,Issued" })
        let again = on("k8s-node1", join)
        #expect(again.status == 1 && again.errors.contains("[ERROR FileAvailable--etc-kubernetes-kubelet.conf]"), "\(again)")
        let ranges = kubectl("get nodes -o jsonpath='{.items[*].spec.podCIDR}'").output
        #expect(ranges.contains("10.244.0.0/24 10.244.1.0/24 10.244.2.0/24"))
        let own = on("k8s-node1", "\(Shell.root)/.build/clients/kubectl-1.20 --kubeconfig /etc/kubernetes/kubelet.conf get nodes")
        #expect(own.isSuccess, "a node may look at nodes: \(own)")
        let others = on("k8s-node1", "\(Shell.root)/.build/clients/kubectl-1.20 --kubeconfig /etc/kubernetes/kubelet.conf get secrets -A")
        #expect(others.errors.contains("forbidden"), "\(others)")
    }

    /// Joins between two requests on one connection, and waits with the second for the table of the node's kube-proxy.
    private static func standing(_ join: String) -> String {
        """
        import http.client, ssl, subprocess, time
        api = http.client.HTTPSConnection("192.168.200.128", 6443, timeout=20, context=ssl._create_unverified_context())
        def ask():
            api.request("GET", "/version")
            answer = api.getresponse()
            answer.read()
            return answer.status
        first = ask()
        subprocess.run("\(join)", shell=True, check=True)
        for _ in range(200):
            if "kube-proxy" in subprocess.run(["nft", "list", "tables"], capture_output=True, text=True).stdout: break
            time.sleep(0.1)
        api.auto_open = 0
        print(first, ask())
        """
    }

    /// OpenSSL's word on what lies in /etc/kubernetes/pki.
    private func certificates() throws {
        let pki = "/etc/kubernetes/pki"
        #expect(on("k8s-master", "openssl verify -CAfile \(pki)/ca.crt \(pki)/apiserver.crt").output.contains("OK"))
        #expect(on("k8s-master", "openssl verify -CAfile \(pki)/etcd/ca.crt \(pki)/etcd/server.crt").output.contains("OK"))
        let text = on("k8s-master", "openssl x509 -in \(pki)/apiserver.crt -noout -ext subjectAltName").output
        #expect(
            text.contains(
                "DNS:k8s-master, DNS:kubernetes, DNS:kubernetes.default, DNS:kubernetes.default.svc, DNS:kubernetes.default.svc.cluster.local, IP Address:10.1.0.1, IP Address:192.168.200.128"
            ))
        #expect(on("k8s-master", "kubeadm certs check-expiration").output.contains("apiserver-etcd-client"))
        #expect(on("k8s-master", "stat -c %a \(pki)/ca.key \(pki)/ca.crt /etc/kubernetes/admin.conf").output == "600\n644\n600\n")
    }

    /// A bridge on each node, and routes between them: any network will do.
    private func connected() throws {
        for (index, node) in ["k8s-master", "k8s-node1", "k8s-node2"].enumerated() {
            let list = """
                {"cniVersion": "0.4.0", "name": "lab", "plugins": [{"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
                 "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.\(index).0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
                """
            let file = try ClusterFiles.write(list)
            defer { try? FileManager.default.removeItem(atPath: file) }
            let routes = (0..<3).filter { $0 != index }.map { "ip route add 10.244.\($0).0/24 via 192.168.200.\(128 + $0)" }
            let put = on(
                node, "sh -c 'mkdir -p /etc/cni/net.d; cat > /etc/cni/net.d/10-lab.conflist; \(routes.joined(separator: "; "))' < \(file)")
            try #require(put.isSuccess, "\(put)")
        }
        _ = try Shell.eventually(seconds: 30) { try rows("get nodes").allSatisfy { $0[1] == "Ready" } ? true : nil }
        _ = try Shell.eventually(seconds: 60) {
            try rows("get pods -n kube-system -l k8s-app=kube-dns").allSatisfy { $0[1] == "1/1" && $0[2] == "Running" } ? true : nil
        }
        // A Service by its name, from a pod on one of the workers.
        let page = try ClusterFiles.write(ClusterFiles.page("web", on: "k8s-node1") + "\n" + ClusterFiles.page("client", on: "k8s-node2"))
        let applied = on("k8s-master", "\(Self.kubectl) apply -f - < \(page)")
        #expect(applied.isSuccess, "\(applied)")
        #expect(kubectl("wait --for=condition=Ready pod/web pod/client --timeout=30s").isSuccess)
        #expect(kubectl("expose pod web --port 80").isSuccess)
        _ = try Shell.eventually(seconds: 15) {
            kubectl("exec client -- timeout 3 wget -qO- http://web.default.svc.cluster.local").isSuccess ? true : nil
        }
    }

    /// A node whose link is cut has no API: neither its kubelet nor what runs on it.
    private func cutOff() throws {
        #expect(Shell.minik("link partition -c \(Self.name) k8s-node2").isSuccess)
        let renewed = "get lease -n kube-node-lease k8s-node2 -o jsonpath='{.spec.renewTime}'"
        let own = "\(Shell.root)/.build/clients/kubectl-1.20 --request-timeout=2s --kubeconfig /etc/kubernetes/kubelet.conf get nodes"
        #expect(!on("k8s-node2", own).isSuccess)
        let logs = kubectl("logs client")
        #expect(logs.errors.contains("no route to host"), "\(logs)")
        let before = kubectl(renewed).output
        Thread.sleep(forTimeInterval: 12)
        #expect(!before.isEmpty && kubectl(renewed).output == before, "its kubelet does not renew its lease")
        #expect(Shell.minik("link heal -c \(Self.name) k8s-node2").isSuccess)
        _ = try Shell.eventually(seconds: 20) { kubectl(renewed).output != before ? true : nil }
        let stopped = Shell.minik("node stop -c \(Self.name) k8s-node2")
        #expect(stopped.status != 0 && stopped.errors.contains("machine of kubeadm's"), "\(stopped)")
    }

    private func tokens() {
        let made = on("k8s-master", "kubeadm token create --print-join-command").output
        #expect(made.hasPrefix("kubeadm join 192.168.200.128:6443 --token ") && made.hasSuffix(" \n"))
        #expect(made.contains("     --discovery-token-ca-cert-hash sha256:"))
        let list = on("k8s-master", "kubeadm token list").output.split(separator: "\n")
        #expect(list.count == 3 && list.first?.hasPrefix("TOKEN") == true)
        let id = String(made.split(separator: " ").first { BootstrapToken(String($0)) != nil }?.prefix(6) ?? "")
        #expect(on("k8s-master", "kubeadm token delete \(id)").output == "bootstrap token \"\(id)\" deleted\n")
    }

    /// Each component is at work while its static pod runs.
    private func parts() throws {
        #expect(on("k8s-master", "mv /etc/kubernetes/manifests/kube-apiserver.yaml /root/").isSuccess)
        _ = try Shell.eventually(seconds: 20) {
            let result = kubectl("get nodes")
            return result.errors.contains("192.168.200.128:6443 was refused") ? true : nil
        }
        #expect(on("k8s-master", "mv /root/kube-apiserver.yaml /etc/kubernetes/manifests/").isSuccess)
        _ = try Shell.eventually(seconds: 20) { kubectl("get nodes").isSuccess ? true : nil }
    }

    /// What reset has left bites: pods get addresses of the old range, and none of the new one while its bridge has the old.
    private func oldBridge() throws {
        _ = try Shell.eventually(seconds: 20) {
            try rows("get pods -n kube-system -l k8s-app=kube-dns -o wide").allSatisfy { $0[5].hasPrefix("10.244.0.") } ? true : nil
        }
        let list = """
            {"cniVersion": "0.4.0", "name": "lab", "plugins": [{"type": "bridge", "bridge": "cni0", "isGateway": true,
             "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.100.0.0/24"}]]}}]}
            """
        let file = try ClusterFiles.write(list)
        defer { try? FileManager.default.removeItem(atPath: file) }
        #expect(on("k8s-master", "sh -c 'cat > /etc/cni/net.d/10-lab.conflist' < \(file)").isSuccess)
        #expect(kubectl("delete pods -n kube-system -l k8s-app=kube-dns --wait=false").isSuccess)
        _ = try Shell.eventually(seconds: 20) {
            kubectl("get events -A").output.contains("\"cni0\" already has an IP address different from 10.100.0.1/24") ? true : nil
        }
        #expect(on("k8s-master", "ip link delete cni0").isSuccess)
        _ = try Shell.eventually(seconds: 30) {
            try rows("get pods -n kube-system -l k8s-app=kube-dns").allSatisfy { $0[2] == "Running" } ? true : nil
        }
    }

    private func reset() throws {
        #expect(
            on("k8s-master", "mkdir -p /root/.kube").isSuccess
                && on("k8s-master", "cp /etc/kubernetes/admin.conf /root/.kube/config").isSuccess)
        for node in ["k8s-master", "k8s-node1", "k8s-node2"] {
            let result = on(node, "kubeadm reset -f")
            #expect(result.isSuccess && result.output.contains("[reset] Stopping the kubelet service"), "\(result)")
        }
        #expect(on("k8s-node1", "ls /etc/cni/net.d").output == "10-lab.conflist\n")
        #expect(on("k8s-node1", "ip -br link show cni0").isSuccess)
        #expect(on("k8s-master", "ls /etc/kubernetes/pki /var/lib/etcd /var/lib/kubelet").output.contains(".crt") == false)
        let made = on("k8s-master", "kubeadm init --kubernetes-version v1.36.0 --pod-network-cidr 10.100.0.0/24")
        #expect(made.isSuccess && made.output.contains("\n\t--discovery-token-ca-cert-hash sha256:"), "\(made)")
        #expect(try rows("get nodes").map { $0[2] } == ["control-plane"])
        let old = on("k8s-master", "\(Shell.root)/.build/clients/kubectl-1.20 --kubeconfig /root/.kube/config get nodes")
        #expect(old.errors.contains("x509: certificate signed by unknown authority"), "\(old)")
        try oldBridge()
        // The range is one node's; a second finds none, and says so.
        let line = on("k8s-master", "kubeadm token create --print-join-command").output.trimmed
        let joined = on("k8s-node1", line)
        #expect(joined.isSuccess, "\(joined)")
        _ = try Shell.eventually(seconds: 10) {
            kubectl("get events -A").output.contains("Node k8s-node1 status is now: CIDRNotAvailable") ? true : nil
        }
    }
}
