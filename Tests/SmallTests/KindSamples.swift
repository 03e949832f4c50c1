import API
import Model

/// For every kind an object that the API takes, as small as can be.
enum KindSamples {
    private static let template: JSON = ["metadata": ["labels": ["app": "a"]], "spec": pod]
    private static let pod: JSON = ["containers": [["name": "c", "image": "i"]]]
    private static let selector: JSON = ["matchLabels": ["app": "a"]]
    private static let workload: JSON = ["spec": ["selector": selector, "template": template]]
    private static let job: JSON = ["spec": ["containers": [["name": "c", "image": "i"]], "restartPolicy": "Never"]]

    private static let route: JSON = ["spec": ["rules": [["backendRefs": [["name": "a", "port": 80]]]]]]

    private static let webhooks: JSON = [
        "webhooks": [
            [
                "name": "a.example.com", "clientConfig": ["url": "https://a.example.com"], "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            ]
        ]
    ]

    private static let bodies: [String: JSON] = [
        "pods": ["spec": pod],
        "services": ["spec": ["ports": [["port": 80]]]],
        "events": ["involvedObject": ["kind": "Pod", "name": "a", "namespace": "default"]],
        "events.events.k8s.io": [
            "regarding": ["kind": "Pod", "name": "a", "namespace": "default"], "eventTime": "2026-11-23T10:00:00.000001Z", "action": "a",
            "reason": "r",
            "reportingController": "example.com/c", "reportingInstance": "i", "type": "Normal",
        ],
        "resourcequotas": ["spec": ["hard": ["count/widgets.example.com": "1"]]],
        "limitranges": ["spec": ["limits": [["type": "Container", "max": ["cpu": "9"]]]]],
        "replicationcontrollers": ["spec": ["selector": ["app": "a"], "template": template]],
        "podtemplates": ["template": template],
        "deployments.apps": workload, "replicasets.apps": workload, "daemonsets.apps": workload,
        "statefulsets.apps": ["spec": ["serviceName": "a", "selector": selector, "template": template]],
        "controllerrevisions.apps": ["revision": 1, "data": ["a": 1]],
        "jobs.batch": ["spec": ["template": job]],
        "cronjobs.batch": ["spec": ["schedule": "* * * * *", "jobTemplate": ["spec": ["template": job]]]],
        "endpointslices.discovery.k8s.io": ["addressType": "IPv4", "endpoints": [["addresses": ["10.0.0.9"]]]],
        "networkpolicies.networking.k8s.io": ["spec": ["podSelector": [:]]],
        "ingresses.networking.k8s.io": ["spec": ["defaultBackend": ["service": ["name": "a", "port": ["number": 80]]]]],
        "ingressclasses.networking.k8s.io": ["spec": ["controller": "example.com/c"]],
        "poddisruptionbudgets.policy": ["spec": ["selector": selector, "minAvailable": 1]],
        "leases.coordination.k8s.io": ["spec": ["holderIdentity": "a", "leaseDurationSeconds": 9]],
        "persistentvolumes": [
            "spec": ["capacity": ["storage": "1Gi"], "accessModes": ["ReadWriteOnce"], "hostPath": ["path": "/data"]]
        ],
        "persistentvolumeclaims": ["spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]]],
        "storageclasses.storage.k8s.io": ["provisioner": "example.com/disk"],
        "csidrivers.storage.k8s.io": ["spec": [:]],
        "csinodes.storage.k8s.io": ["spec": ["drivers": [["name": "disk.example.com", "nodeID": "a"]]]],
        "csistoragecapacities.storage.k8s.io": ["storageClassName": "standard", "capacity": "1Gi"],
        "volumeattachments.storage.k8s.io": [
            "spec": ["attacher": "disk.example.com", "nodeName": "node1", "source": ["persistentVolumeName": "a"]]
        ],
        "volumeattributesclasses.storage.k8s.io": ["driverName": "disk.example.com", "parameters": ["iops": "9"]],
        "certificatesigningrequests.certificates.k8s.io": [
            "spec": [
                "request": .string(certificateRequest), "signerName": "example.com/signer", "usages": ["client auth"],
            ]
        ],
        "runtimeclasses.node.k8s.io": ["handler": "runc"],
        "priorityclasses.scheduling.k8s.io": ["value": 5],
        "servicecidrs.networking.k8s.io": ["spec": ["cidrs": ["10.99.0.0/16"]]],
        "ipaddresses.networking.k8s.io": ["spec": ["parentRef": ["resource": "services", "name": "a", "namespace": "default"]]],
        "rolebindings.rbac.authorization.k8s.io": ["roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "a"]],
        "clusterrolebindings.rbac.authorization.k8s.io": [
            "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "a"]
        ],
        "customresourcedefinitions.apiextensions.k8s.io": ["spec": definition("widgets")["spec"]],
        "clusternetworkpolicies.policy.networking.k8s.io": [
            "spec": ["tier": "Admin", "priority": 1, "subject": ["namespaces": [:]]]
        ],
        "gatewayclasses.gateway.networking.k8s.io": ["spec": ["controllerName": "example.com/c"]],
        "gateways.gateway.networking.k8s.io": [
            "spec": ["gatewayClassName": "a", "listeners": [["name": "a", "port": 80, "protocol": "TCP"]]]
        ],
        "tcproutes.gateway.networking.k8s.io": route, "udproutes.gateway.networking.k8s.io": route,
        "referencegrants.gateway.networking.k8s.io": [
            "spec": [
                "from": [["group": "gateway.networking.k8s.io", "kind": "TCPRoute", "namespace": "a"]],
                "to": [["group": "", "kind": "Service"]],
            ]
        ],
        "validatingwebhookconfigurations.admissionregistration.k8s.io": webhooks,
        "mutatingwebhookconfigurations.admissionregistration.k8s.io": webhooks,
        "gadgets.example.com": ["spec": ["size": 1]],
    ]

    /// A definition of a kind with a status and a scale.
    static func definition(_ plural: String) -> JSON {
        let kind = plural.prefix(1).uppercased() + plural.dropFirst().dropLast()
        let schema: JSON = [
            "type": "object",
            "properties": [
                "spec": [
                    "type": "object",
                    "properties": ["size": ["type": "integer", "minimum": 0], "replicas": ["type": "integer", "minimum": 0]],
                ],
                "status": ["type": "object", "properties": ["replicas": ["type": "integer", "minimum": 0]]],
            ],
        ]
        return [
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": ["name": .string("\(plural).example.com")],
            "spec": [
                "group": "example.com", "scope": "Namespaced", "names": ["plural": .string(plural), "kind": .string(kind)],
                "versions": [
                    [
                        "name": "v1", "served": true, "storage": true, "schema": ["openAPIV3Schema": schema],
                        "subresources": [
                            "status": [:], "scale": ["specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"],
                        ],
                    ]
                ],
            ],
        ]
    }

    static func object(_ kind: KindDefinition, _ name: String) -> JSON {
        let resource = kind.resource
        var object: JSON = [
            "apiVersion": .string(resource.apiVersion), "kind": .string(resource.kind), "metadata": ["name": .string(name)],
        ]
        for (member, value) in bodies[resource.description]?.object ?? JSONObject() { object[member] = value }
        if resource.namespaced { object["metadata"]["namespace"] = "default" }
        return object
    }

    /// A name that the kind takes.
    static func name(_ kind: KindDefinition, _ number: Int) -> String {
        switch kind.resource {
        case _ where kind.storage != nil: "b\(number)"  // it is kept among those of another name
        case .ipAddresses: "10.99.0.\(number)"
        case .customResourceDefinitions: "widgets.example.com"
        default: "a\(number)"
        }
    }
}

/// PKCS #10, of CN=sample.
private let certificateRequest = [
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlJQ1ZqQ0NBVDRDQVFBd0VURVBNQTBHQTFVRUF3d0djMkZ0Y0d4bE1JSUJJak",
    "FOQmdrcWhraUc5dzBCQVFFRgpBQU9DQVE4QU1JSUJDZ0tDQVFFQTJyOTJKRmxZN1d4eHpzeGF1dlpZT0NLK21KT2JwaWx4ZkZ2R0NDRVB3MExE",
    "CnBNZjdEM1ljZm1hcGdwWUMyTFlkWFV5UGJFUmlOL1g3eTNkN0d3Wk1XV1FFb0oyVEEvelFyaGgwTUJ4alc4dUUKaWtJbzcrUTJuVjFrZEpVM2",
    "ZINWtGOGQ2ZEFkeDdhVmM3Zm9PR283UmxVYVBYNndWU3FDbWpYeFZYNEg4SDAvagp5dVpaYzk5N3QxQmM1SEtxRVRQaTlYQVFuYk9ieDdXekdn",
    "T3J6amFZbS9LSGVOdkdBK1BQdi82UzFOYUcwN2ZjCmpoZzlIREFBdzdCVzZGdzQwWHE4SG9XMFFRWVR0NWloRGFNS2RubjJ2bHJSZ0pxME5sRX",
    "YvK2k5Wkhidm1XN24KdmIzcGxQNGc1Z3dLV3BpYlpmOVBNcXl2bWpTUm9vbSs1RGlmRVFXVXVRSURBUUFCb0FBd0RRWUpLb1pJaHZjTgpBUUVM",
    "QlFBRGdnRUJBSktybnVUdGVFT3M2cEkzbXBHMjE4SXdTVHZXNkF3RXRLNDNkN2RocUZoTC9DWW5qem1qCnlBeVNWRi9CeUlocjN5ajZ4TERKdk",
    "dWdUNsR2phcjVsUWJRZml1MTdNSDhMa3JxVEEybTJ1RmwvSjhUdGM3NGQKLzJzNGN4L2tJaGpySzRhRXNFbTRMUTZIQUFpa25oV0ZuNDREVldG",
    "eDIxeE43RERheWtPTjJFK2ZaSGoxVmNkNQpuZmtFemlZcllFWWF6bTJBQkhRajRYRUgrcFZJNTBwTGw5UVdiaG1VQ1pWTWhhSUVPSk93ajUyN1",
    "c5RkVNdTZBCmduWE9VRktHWGdXYXlwK0w2ZnlKOHdUU211ZDN1OW1kZytta2JDK1BTNjBMTzE1N0JlaUZndUVJQjQ0LzhqZjIKdWF0OWUyUTZ1",
    "RmJpS1ZOOEplbXZ5bDgrNDQ0S2hwNFpYMVE9Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=",
].joined()
