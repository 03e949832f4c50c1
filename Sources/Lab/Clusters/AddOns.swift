import Model
import Runtime

/// What the cluster itself has for its users, as kubeadm's add-ons are: its DNS, and a class for Gateways.
package struct AddOns {
    private let cluster: Cluster
    private let paths: ClusterPaths

    package init(_ cluster: Cluster, _ paths: ClusterPaths) {
        self.cluster = cluster
        self.paths = paths
    }

    /// In the order in which they are made.
    private var objects: [(Resource, JSON)] { [(.services, service), (.deployments, deployment), (.gatewayClasses, gatewayClass)] }

    private var gatewayClass: JSON {
        [
            "apiVersion": .string(Resource.gatewayClasses.apiVersion), "kind": "GatewayClass",
            "metadata": ["name": .string(GatewayClass.ownName)],
            "spec": [
                "controllerName": .string(GatewayClass.ownController), "description": "TCP and UDP, by the nodes' own nftables",
            ],
        ]
    }

    /// Makes what is not there; what is there is its owner's to change. Returns what was made, as kubectl names it.
    @discardableResult
    package func ensure(_ client: any Client) async throws -> [String] {
        var made: [String] = []
        for (resource, object) in objects {
            do {
                _ = try await client.create(resource, object)
                made.append(Self.name(resource, object))
            } catch let error as StatusError where error.reason == .alreadyExists {}
        }
        return made
    }

    /// What is not there.
    package func missing(_ client: any Client) async throws -> [String] {
        var missing: [String] = []
        for (resource, object) in objects {
            do { _ = try await client.get(resource, object.metadata.key) } catch let error as StatusError where error.reason == .notFound {
                missing.append(Self.name(resource, object))
            }
        }
        return missing
    }

    private static func name(_ resource: Resource, _ object: JSON) -> String { "\(resource.plural)/\(object.metadata.key.name)" }

    private static let labels: JSON = ["k8s-app": "kube-dns"]

    /// The cluster's DNS stands behind the tenth address of its Services.
    private var service: JSON {
        [
            "apiVersion": "v1", "kind": "Service",
            "metadata": [
                "name": "kube-dns", "namespace": "kube-system",
                "labels": ["k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"],
            ],
            "spec": [
                "clusterIP": .string(cluster.dnsServiceIP.description), "selector": Self.labels,
                "clusterIPs": isDual ? .array(cluster.networks.map { .string($0.dnsService.description) }) : .null,
                "ipFamilyPolicy": isDual ? "PreferDualStack" : .null,
                "ports": [["name": "dns", "protocol": "UDP", "port": 53], ["name": "dns-tcp", "protocol": "TCP", "port": 53]],
            ],
        ]
    }

    private var isDual: Bool { cluster.families.count > 1 }

    /// Where there is IPv6, the server listens to that, too.
    private var arguments: [JSON] {
        ["/etc/minik-dns/records.json"] + (cluster.families.contains(.ipv6) ? ["53", .string("\(IPAddress.unspecified(.ipv6))")] : [])
    }

    private var deployment: JSON {
        [
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": ["name": "coredns", "namespace": "kube-system", "labels": Self.labels],
            "spec": [
                "replicas": 1, "selector": ["matchLabels": Self.labels],
                "template": [
                    "metadata": ["labels": Self.labels],
                    "spec": [
                        "tolerations": [
                            ["key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"]
                        ],
                        "dnsPolicy": "Default",
                        "containers": [
                            [
                                "name": "coredns", "image": .string(Image.dns), "args": .array(arguments),
                                "imagePullPolicy": "IfNotPresent",
                                "ports": [
                                    ["name": "dns", "containerPort": 53, "protocol": "UDP"],
                                    ["name": "dns-tcp", "containerPort": 53, "protocol": "TCP"],
                                ],
                                "volumeMounts": [["name": "records", "mountPath": "/etc/minik-dns", "readOnly": true]],
                                "securityContext": [
                                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                                    "capabilities": ["drop": ["ALL"], "add": ["NET_BIND_SERVICE"]],
                                ],
                            ]
                        ],
                        "volumes": [["name": "records", "hostPath": ["path": .string(paths.dnsRecords)]]],
                    ],
                ],
            ],
        ]
    }
}
