/// A kind of object as the API's paths name it.
package struct Resource: Hashable, Sendable, CustomStringConvertible {
    package let group: String
    package let version: String
    package let plural: String
    package let kind: String
    package let namespaced: Bool

    package init(_ group: String, _ version: String, _ plural: String, _ kind: String, namespaced: Bool = true) {
        self.group = group
        self.version = version
        self.plural = plural
        self.kind = kind
        self.namespaced = namespaced
    }

    package var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }
    /// `deployments.apps`, as error messages name it.
    package var description: String { group.isEmpty ? plural : "\(plural).\(group)" }

    /// `/api/v1/namespaces/default/pods/httpd`
    package func path(namespace: String?, name: String? = nil, subresource: String? = nil) -> String {
        var path = group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
        if namespaced, let namespace { path += "/namespaces/\(namespace)" }
        path += "/\(plural)"
        if let name { path += "/\(name)" }
        if let subresource { path += "/\(subresource)" }
        return path
    }
}

extension Resource {
    package static let namespaces = Resource("", "v1", "namespaces", "Namespace", namespaced: false)
    package static let nodes = Resource("", "v1", "nodes", "Node", namespaced: false)
    package static let pods = Resource("", "v1", "pods", "Pod")
    package static let services = Resource("", "v1", "services", "Service")
    package static let endpoints = Resource("", "v1", "endpoints", "Endpoints")
    package static let configMaps = Resource("", "v1", "configmaps", "ConfigMap")
    package static let secrets = Resource("", "v1", "secrets", "Secret")
    package static let serviceAccounts = Resource("", "v1", "serviceaccounts", "ServiceAccount")
    package static let events = Resource("", "v1", "events", "Event")
    package static let deployments = Resource("apps", "v1", "deployments", "Deployment")
    package static let replicaSets = Resource("apps", "v1", "replicasets", "ReplicaSet")
    package static let daemonSets = Resource("apps", "v1", "daemonsets", "DaemonSet")
    package static let statefulSets = Resource("apps", "v1", "statefulsets", "StatefulSet")
    package static let controllerRevisions = Resource("apps", "v1", "controllerrevisions", "ControllerRevision")
    package static let replicationControllers = Resource("", "v1", "replicationcontrollers", "ReplicationController")
    package static let podTemplates = Resource("", "v1", "podtemplates", "PodTemplate")
    package static let resourceQuotas = Resource("", "v1", "resourcequotas", "ResourceQuota")
    package static let limitRanges = Resource("", "v1", "limitranges", "LimitRange")
    package static let jobs = Resource("batch", "v1", "jobs", "Job")
    package static let cronJobs = Resource("batch", "v1", "cronjobs", "CronJob")
    package static let ingresses = Resource("networking.k8s.io", "v1", "ingresses", "Ingress")
    package static let ingressClasses = Resource("networking.k8s.io", "v1", "ingressclasses", "IngressClass", namespaced: false)
    package static let podDisruptionBudgets = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
    package static let runtimeClasses = Resource("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", namespaced: false)
    package static let priorityClasses = Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced: false)
    package static let persistentVolumes = Resource("", "v1", "persistentvolumes", "PersistentVolume", namespaced: false)
    package static let persistentVolumeClaims = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
    package static let storageClasses = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced: false)
    package static let csiDrivers = Resource("storage.k8s.io", "v1", "csidrivers", "CSIDriver", namespaced: false)
    package static let csiNodes = Resource("storage.k8s.io", "v1", "csinodes", "CSINode", namespaced: false)
    package static let csiStorageCapacities = Resource("storage.k8s.io", "v1", "csistoragecapacities", "CSIStorageCapacity")
    package static let volumeAttachments = Resource("storage.k8s.io", "v1", "volumeattachments", "VolumeAttachment", namespaced: false)
    package static let volumeAttributesClasses = Resource(
        "storage.k8s.io", "v1", "volumeattributesclasses", "VolumeAttributesClass", namespaced: false)
    package static let serviceCIDRs = Resource("networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR", namespaced: false)
    package static let ipAddresses = Resource("networking.k8s.io", "v1", "ipaddresses", "IPAddress", namespaced: false)
    package static let leases = Resource("coordination.k8s.io", "v1", "leases", "Lease")
    package static let groupEvents = Resource("events.k8s.io", "v1", "events", "Event")
    package static let certificateRequests = Resource(
        "certificates.k8s.io", "v1", "certificatesigningrequests", "CertificateSigningRequest", namespaced: false)
    package static let roles = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")
    package static let roleBindings = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
    package static let clusterRoles = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced: false)
    package static let clusterRoleBindings = Resource(
        "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced: false)
    package static let customResourceDefinitions = Resource(
        "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced: false)
    package static let endpointSlices = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
    package static let clusterNetworkPolicies = Resource(
        "policy.networking.k8s.io", "v1alpha2", "clusternetworkpolicies", "ClusterNetworkPolicy", namespaced: false)
    package static let networkPolicies = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
    package static let gatewayGroup = "gateway.networking.k8s.io"
    package static let gatewayClasses = Resource(gatewayGroup, "v1", "gatewayclasses", "GatewayClass", namespaced: false)
    package static let gateways = Resource(gatewayGroup, "v1", "gateways", "Gateway")
    package static let tcpRoutes = Resource(gatewayGroup, "v1", "tcproutes", "TCPRoute")
    package static let udpRoutes = Resource(gatewayGroup, "v1", "udproutes", "UDPRoute")
    package static let referenceGrants = Resource(gatewayGroup, "v1", "referencegrants", "ReferenceGrant")
}
