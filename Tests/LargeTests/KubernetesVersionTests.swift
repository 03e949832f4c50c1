import Foundation
import Model
import Testing

/// Kubernetes' own client against a cluster that serves an earlier release's versions of the API.
@Suite("[Serial] a cluster of an earlier Kubernetes", .serialized, .printsClusters)
struct KubernetesVersionTests {
    /// What a network of 2019 is described by: definitions, roles and a policy of versions that are gone.
    private static let manifest = """
        apiVersion: apiextensions.k8s.io/v1beta1
        kind: CustomResourceDefinition
        metadata: {name: felixsettings.net.example.com}
        spec:
          scope: Cluster
          group: net.example.com
          version: v1
          names: {kind: FelixSettings, plural: felixsettings, singular: felixsetting}
        ---
        apiVersion: rbac.authorization.k8s.io/v1beta1
        kind: ClusterRole
        metadata: {name: net-node}
        rules:
        - {apiGroups: [""], resources: [nodes, pods], verbs: [get, list, watch]}
        ---
        apiVersion: rbac.authorization.k8s.io/v1beta1
        kind: ClusterRoleBinding
        metadata: {name: net-node}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: net-node}
        subjects:
        - {kind: ServiceAccount, name: net-node, namespace: kube-system}
        ---
        apiVersion: policy/v1beta1
        kind: PodSecurityPolicy
        metadata: {name: net}
        spec:
          privileged: true
          volumes: [configMap, hostPath]
          hostNetwork: true
          seLinux: {rule: RunAsAny}
          runAsUser: {rule: RunAsAny}
          fsGroup: {rule: RunAsAny}
          supplementalGroups: {rule: RunAsAny}
        ---
        apiVersion: extensions/v1beta1
        kind: Ingress
        metadata: {name: web}
        spec:
          backend: {serviceName: web, servicePort: 80}
        """

    /// Kubernetes' own client, to the test's cluster.
    private static func kubectl(_ cluster: TestCluster) throws -> String {
        let config = try ClusterFiles.write(cluster.minik("kubeconfig").output)
        return "KUBECONFIG=\(config) .build/clients/kubectl-1.32"
    }

    @Test("a manifest of removed versions applies with warnings to a cluster of 1.18, again, changed, and goes")
    func applies() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("older", subnet: 188, more: "  kubernetesVersion: v1.18.0"))
        try TestCluster.with(file, name: "older") { cluster in
            let kubectl = try Self.kubectl(cluster)
            #expect(Shell.run("\(kubectl) get nodes --no-headers").output.contains("v1.18.0"))
            let manifest = try ClusterFiles.write(Self.manifest)
            let applied = Shell.run("\(kubectl) apply -f \(manifest)")
            try #require(applied.isSuccess, "\(applied)")
            #expect(applied.output.split(separator: "\n").count { $0.hasSuffix(" created") } == 5, "\(applied)")
            #expect(
                applied.errors.contains(
                    "Warning: apiextensions.k8s.io/v1beta1 CustomResourceDefinition is deprecated in v1.16+, unavailable in v1.22+; "
                        + "use apiextensions.k8s.io/v1 CustomResourceDefinition"), "\(applied)")
            let again = Shell.run("\(kubectl) apply -f \(manifest)")
            #expect(again.output.split(separator: "\n").count { $0.hasSuffix(" unchanged") } == 5, "\(again)")
            let changed = try ClusterFiles.write(Self.manifest.replacingOccurrences(of: "servicePort: 80", with: "servicePort: 81"))
            #expect(Shell.run("\(kubectl) apply -f \(changed)").output.contains("ingress.extensions/web configured"))
            let port = "jsonpath={.spec.defaultBackend.service.port.number}"
            #expect(Shell.run("\(kubectl) get ingresses.v1.networking.k8s.io web -o \(port)").output == "81")
            let object = try ClusterFiles.write(
                "apiVersion: net.example.com/v1\nkind: FelixSettings\nmetadata: {name: default}\nspec: {logSeverity: Info}\n")
            #expect(Shell.run("\(kubectl) apply -f \(object)").isSuccess)
            #expect(Shell.run("\(kubectl) get felixsettings default -o jsonpath={.spec.logSeverity}").output == "Info")
            let may = Shell.run("\(kubectl) auth can-i list nodes --as system:serviceaccount:kube-system:net-node")
            #expect(may.output.contains("yes"), "\(may)")
            #expect(Shell.run("\(kubectl) delete -f \(manifest)").isSuccess)
            #expect(Shell.run("\(kubectl) get crd felixsettings.net.example.com").errors.contains("NotFound"))
        }
    }

    @Test("the current release refuses it in kubectl's words; minik says which release takes it")
    func refuses() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("newer", subnet: 189))
        try TestCluster.with(file, name: "newer") { cluster in
            let manifest = try ClusterFiles.write(Self.manifest)
            let applied = Shell.run("\(try Self.kubectl(cluster)) apply -f \(manifest)")
            #expect(!applied.isSuccess)
            #expect(applied.errors.contains("no matches for kind \"PodSecurityPolicy\" in version \"policy/v1beta1\""), "\(applied)")
            let own = Shell.run("\(Shell.minik) apply -c \(cluster.name) -f \(manifest)")
            #expect(!own.isSuccess)
            #expect(own.errors.contains("kubernetesVersion: v1.21 in the Cluster document takes it"), "\(own)")
        }
    }
}
