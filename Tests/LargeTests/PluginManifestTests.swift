import Foundation
import Model
import Testing

/// A network that comes by `kubectl apply`, with the projects' image names, mounts and arguments, and minik's look-alikes behind the names.
@Suite("[Serial] network plugins that are applied as manifests", .serialized, .printsClusters)
struct PluginManifestTests {
    private static func document(_ name: String, subnet: Int) -> String {
        """
        apiVersion: minik.dev/v1
        kind: Cluster
        metadata: {name: \(name)}
        spec:
          plugin: none
          nodeSubnet: 10.\(subnet).0.0/24
          nodes:
          - {name: master, role: control-plane, address: 10.\(subnet).0.11}
          - {name: worker, address: 10.\(subnet).0.12}
        """
    }

    /// A server on each node, somebody who may talk to the first, somebody who may not.
    private static let pods = """
        \(ClusterFiles.page("one", on: "worker"))
        \(ClusterFiles.page("friend", on: "master"))
        \(ClusterFiles.page("stranger", on: "worker"))
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: one}
        spec: {selector: {app: one}, ports: [{port: 80}]}
        ---
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: friends}
        spec: {podSelector: {matchLabels: {app: one}}, ingress: [{from: [{podSelector: {matchLabels: {app: friend}}}]}]}
        """

    private static let flannel = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: kube-flannel}
        ---
        apiVersion: v1
        kind: ServiceAccount
        metadata: {name: flannel, namespace: kube-flannel}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRole
        metadata: {name: flannel}
        rules:
        - {apiGroups: [""], resources: [pods], verbs: [get]}
        - {apiGroups: [""], resources: [nodes], verbs: [list, watch]}
        - {apiGroups: [""], resources: [nodes/status], verbs: [patch]}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRoleBinding
        metadata: {name: flannel}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: flannel}
        subjects: [{kind: ServiceAccount, name: flannel, namespace: kube-flannel}]
        ---
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: kube-flannel-cfg, namespace: kube-flannel}
        data:
          cni-conf.json: |
            {"name": "cbr0", "cniVersion": "0.3.1", "plugins": [
              {"type": "flannel", "delegate": {"hairpinMode": true, "isDefaultGateway": true}},
              {"type": "portmap", "capabilities": {"portMappings": true}}]}
          net-conf.json: |
            {"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}
        ---
        apiVersion: apps/v1
        kind: DaemonSet
        metadata: {name: kube-flannel-ds, namespace: kube-flannel}
        spec:
          selector: {matchLabels: {app: flannel}}
          template:
            metadata: {labels: {app: flannel}}
            spec:
              hostNetwork: true
              serviceAccountName: flannel
              terminationGracePeriodSeconds: 3
              tolerations: [{operator: Exists, effect: NoSchedule}]
              initContainers:
              - name: install-cni-plugin
                image: ghcr.io/flannel-io/flannel-cni-plugin:v1
                command: [cp, -f, /flannel, /opt/cni/bin/flannel]
                volumeMounts: [{name: cni-plugin, mountPath: /opt/cni/bin}]
              - name: install-cni
                image: ghcr.io/flannel-io/flannel:v1
                command: [cp, -f, /etc/kube-flannel/cni-conf.json, /etc/cni/net.d/10-flannel.conflist]
                volumeMounts: [{name: cni, mountPath: /etc/cni/net.d}, {name: flannel-cfg, mountPath: /etc/kube-flannel/}]
              containers:
              - name: kube-flannel
                image: ghcr.io/flannel-io/flannel:v1
                command: [/opt/bin/flanneld]
                args: [--ip-masq, --kube-subnet-mgr]
                securityContext: {privileged: false, capabilities: {add: [NET_ADMIN, NET_RAW]}}
                env:
                - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
                - {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
                volumeMounts: [{name: run, mountPath: /run/flannel}, {name: flannel-cfg, mountPath: /etc/kube-flannel/}]
              volumes:
              - {name: run, hostPath: {path: /run/flannel}}
              - {name: cni-plugin, hostPath: {path: /opt/cni/bin}}
              - {name: cni, hostPath: {path: /etc/cni/net.d}}
              - {name: flannel-cfg, configMap: {name: kube-flannel-cfg}}
        """

    /// Kubernetes' own client, to the test's cluster.
    private static func kubectl(_ cluster: TestCluster) throws -> (String) -> CommandResult {
        let config = try ClusterFiles.write(cluster.minik("kubeconfig").output)
        return { Shell.run("KUBECONFIG=\(config) .build/clients/kubectl-1.32 \($0)", seconds: 90) }
    }

    private static func apply(_ objects: String, _ kubectl: (String) -> CommandResult) throws {
        let file = try ClusterFiles.write(objects), applied = kubectl("apply -f \(file)")
        try #require(applied.isSuccess, "\(applied)")
    }

    /// What a pod gets of another, by its address or the name of its Service; nothing when it gets nothing.
    private static func ask(_ kubectl: (String) -> CommandResult, from pod: String, _ host: String) -> String {
        kubectl("exec \(pod) -- timeout 2 wget -qO- http://\(host)").output.trimmed
    }

    /// A cluster that waits for a network, then has this one, and pods that were there before it.
    private static func with(
        _ name: String, subnet: Int, _ manifest: String, _ body: (TestCluster, @escaping (String) -> CommandResult) throws -> Void
    ) throws {
        try #require(Shell.run("test -x /usr/lib/cni/host-local").isSuccess, "Debian's containernetworking-plugins is not installed")
        try TestCluster.with(try ClusterFiles.write(document(name, subnet: subnet)), name: name) { cluster in
            let kubectl = try kubectl(cluster)
            try apply(pods, kubectl)
            let before = kubectl("get nodes -o jsonpath='{.items[*].status.conditions[?(@.type==\"Ready\")].message}'").output
            #expect(before.contains("Network plugin returns error: cni plugin not initialized"), "\(before)")
            try apply(manifest, kubectl)
            let ready = kubectl("wait --for=condition=Ready nodes --all --timeout=60s")
            try #require(ready.isSuccess, "\(ready)")
            let running = kubectl("wait --for=condition=Ready pods --all --timeout=60s")
            try #require(running.isSuccess, "\(running)\n\(kubectl("describe pods -A"))")
            try body(cluster, kubectl)
        }
    }

    @Test("flannel's: nodes become ready, pods talk over flannel.1 as flanneld leased it, policies hold nobody; deleted, the network stays")
    func flannel() throws {
        try Self.with("mffl", subnet: 189, Self.flannel) { cluster, kubectl in
            let one = try #require(try cluster.pods("app=one").first?.ip).description
            #expect(one.hasPrefix("10.244.1."))
            for pod in ["friend", "stranger"] { #expect(Self.ask(kubectl, from: pod, one) == "one", "flannel enforces nothing") }
            #expect(Self.ask(kubectl, from: "friend", "one") == "one", "by its Service's name")
            let annotations = try Shell.json("\(Shell.minik) get node worker -c mffl -o json")["metadata"]["annotations"]
            #expect(annotations["flannel.alpha.coreos.com/public-ip"] == "10.189.0.12")
            func node(_ command: String) -> String { cluster.minik("node exec master -- \(command)").output }
            #expect(node("cat /run/flannel/subnet.env").contains("FLANNEL_SUBNET=10.244.0.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true"))
            let route = try JSON(parsing: node("ip -j route show 10.244.1.0/24"))[0]
            #expect(route["dev"] == "flannel.1" && route["gateway"] == "10.244.1.0")
            let mac = try JSON(parsing: annotations["flannel.alpha.coreos.com/backend-data"].string ?? "")["VtepMAC"].string
            let entries = try JSON(parsing: node("bridge -j fdb show dev flannel.1")).items
            #expect(entries.contains { $0["mac"].string == mac && $0["dst"] == "10.189.0.12" }, "\(entries)")
            #expect(node("nft list table ip flannel-ipv4").contains("snat to 10.189.0.11"))
            // What somebody takes away is there again, as long as the daemon runs.
            _ = node("ip route del 10.244.1.0/24")
            let back: Bool? = try? Shell.eventually(seconds: 20) { node("ip route").contains("10.244.1.0/24 via") ? true : nil }
            #expect(back == true)
            #expect(kubectl("delete daemonset -n kube-flannel kube-flannel-ds --cascade=foreground --timeout=30s").isSuccess)
            #expect(node("ls /etc/cni/net.d /opt/cni/bin /run/flannel").contains(/10-flannel.conflist[^$]*flannel[^$]*subnet.env/))
            #expect(Self.ask(kubectl, from: "friend", one) == "one", "configuration and links stay on the node")
            #expect(cluster.minik("run late --image=busybox --restart=Never -- sleep 1000").isSuccess)
            #expect(kubectl("wait --for=condition=Ready pod late --timeout=20s").isSuccess, "a new pod, too")
        }
    }
}
