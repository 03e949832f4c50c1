import Foundation
import Model
import Testing

@Suite("[Serial] a Gateway of class minik", .serialized, .printsClusters)
struct GatewayTests {
    /// Two versions that say who they are, and the cluster's names by UDP.
    private static let file = """
        apiVersion: minik.dev/v1
        kind: Cluster
        metadata: {name: gated}
        spec:
          nodeSubnet: 192.168.234.0/24
          loadBalancerPool: 192.168.234.240/29
          nodes:
          - {name: master, role: control-plane, address: 192.168.234.10}
          - {name: worker1, address: 192.168.234.11}
        \(["v1", "v2"].map(version).joined())
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {name: gw}
        spec:
          gatewayClassName: minik
          listeners:
          - {name: web, protocol: TCP, port: 80}
          - {name: names, protocol: UDP, port: 5300}
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: TCPRoute
        metadata: {name: web}
        spec:
          parentRefs: [{name: gw, sectionName: web}]
          rules: [{backendRefs: [{name: v1, port: 80, weight: 9}, {name: v2, port: 80, weight: 1}]}]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: UDPRoute
        metadata: {name: names}
        spec:
          parentRefs: [{name: gw, sectionName: names}]
          rules: [{backendRefs: [{name: kube-dns, namespace: kube-system, port: 53}]}]
        ---
        apiVersion: gateway.networking.k8s.io/v1beta1
        kind: ReferenceGrant
        metadata: {name: names, namespace: kube-system}
        spec:
          from: [{group: gateway.networking.k8s.io, kind: UDPRoute, namespace: default}]
          to: [{group: "", kind: Service, name: kube-dns}]
        """

    private static func version(_ name: String) -> String {
        """

        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: \(name), labels: {app: \(name)}}
        spec:
          nodeName: worker1
          containers:
          - name: who
            image: busybox
            command:
            - sh
            - -c
            - mkdir /www; echo \(name) > /www/index.html; exec httpd -f -p 8080 -h /www
            readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: \(name)}
        spec:
          selector: {app: \(name)}
          ports: [{port: 80, targetPort: 8080}]
        """
    }

    /// kubectl, as the cluster's user.
    private static func kubectl(_ arguments: String) -> CommandResult {
        Shell.run("KUBECONFIG=$(mktemp) && export KUBECONFIG && \(Shell.minik) kubeconfig gated > $KUBECONFIG && kubectl \(arguments)")
    }

    /// Who answers as many new connections of this machine, `refused` of those that nobody does.
    private static func heard(_ address: String, _ count: Int) -> [String: Int] {
        let lines = Shell.run("for i in $(seq \(count)); do curl -s -m 2 http://\(address)/ || echo refused; done").output
        return lines.split(separator: "\n").reduce(into: [:]) { $0[String($1), default: 0] += 1 }
    }

    @Test("leads TCP by weight and UDP, refuses by weight what nobody serves, and gives its address back")
    func life() throws {
        try TestCluster.with(try ClusterFiles.write(Self.file), name: "gated") { cluster in
            #expect(Self.kubectl("wait --for=condition=Programmed --timeout=30s gateway/gw").isSuccess)
            let address = Self.kubectl("get gateway gw -o jsonpath={.status.addresses[0].value}").output
            #expect(address == "192.168.234.240")
            let shown = Self.kubectl("get gatewayclass,gateway,tcproute,udproute")
            for word in ["minik.dev/gateway-controller", "True", address, "web", "names"] {
                #expect(shown.output.contains(word), "\(shown)")
            }
            let old = Self.kubectl("get tcproutes.v1alpha2.gateway.networking.k8s.io web -o jsonpath={.apiVersion}")
            #expect(old.output == "gateway.networking.k8s.io/v1alpha2", "\(old)")
            _ = try Shell.eventually(seconds: 30) { Self.heard(address, 40).keys.sorted() == ["v1", "v2"] ? true : nil }
            // Of 400 that are thrown with 0.1 come 40, give or take 6: five times that is beyond doubt.
            let heard = Self.heard(address, 400), few = heard["v2"] ?? 0
            #expect((10...70).contains(few) && (heard["v1"] ?? 0) == 400 - few, "\(heard)")
            try why(cluster, address)
            try udp(address)
            try refusal(address)
            try end(address)
        }
    }

    private func why(_ cluster: TestCluster, _ address: String) throws {
        let why = cluster.minik("why host gateway/gw:80")
        #expect(why.isSuccess && why.output.contains("Gateway default/gw") && why.output.contains("the kernel agrees"), "\(why)")
    }

    private func udp(_ address: String) throws {
        let names = try Shell.eventually(seconds: 20) {
            let names = Shell.run("dig +short +time=1 +tries=1 -p 5300 @\(address) v2.default.svc.cluster.local").output
            return names.hasPrefix("10.") ? names : nil
        }
        #expect(names.hasPrefix(Self.kubectl("get service v2 -o jsonpath={.spec.clusterIP}").output), "\(names)")
    }

    /// A backend that is not there has its part of the connections refused, at once.
    private func refusal(_ address: String) throws {
        let refs = #"[{"name":"v1","port":80,"weight":1},{"name":"absent","port":80,"weight":1}]"#
        #expect(Self.kubectl(#"patch tcproute web --type=merge -p '{"spec":{"rules":[{"backendRefs":\#(refs)}]}}'"#).isSuccess)
        _ = try Shell.eventually(seconds: 10) { Self.heard(address, 20).keys.sorted() == ["refused", "v1"] ? true : nil }
        for place in ["", "nsenter --net=/run/netns/gated_master "] {
            let lines = Shell.run("for i in $(seq 100); do \(place)curl -s -m 2 http://\(address)/ || echo $?; done").output
            let refused = lines.split(separator: "\n").filter { $0 == "7" }.count
            #expect((25...75).contains(refused), "\(lines)")
            #expect(lines.split(separator: "\n").filter { $0 == "v1" }.count == 100 - refused, "\(lines)")
        }
        let reason = Self.kubectl(#"get tcproute web -o jsonpath={.status.parents[0].conditions[1].reason}"#)
        #expect(reason.output == "BackendNotFound", "\(reason)")
    }

    private func end(_ address: String) throws {
        #expect(Self.kubectl("delete gateway gw --timeout=20s").isSuccess)
        _ = try Shell.eventually(seconds: 20) { Self.kubectl("get service gw-minik").isSuccess ? nil : true }
        let links = try ["master", "worker1"].map { try Shell.json("nsenter --net=/run/netns/gated_\($0) ip -j addr show dev eth0") }
        #expect(!links.flatMap { $0[0]["addr_info"].items }.contains { $0["local"].string == address })
        #expect(Self.heard(address, 1) == ["refused": 1])
        #expect(Self.kubectl("get tcproute web -o jsonpath={.status.parents}").output == "[]")
    }
}
