/// Short words for `kubectl explain`. The full reference is kubernetes.io/docs/reference/kubernetes-api.
enum Explanations {
    static let kinds: [String: String] = [
        "Pod": "Pod is a collection of containers that share a network and are scheduled onto one node.",
        "PodSpec": "PodSpec is a description of a pod.", "Container": "A single application container that runs within a pod.",
        "Service": "Service is a named port range of one address, answered by the pods that its selector chooses.",
        "Namespace": "Namespace provides a scope for names.",
        "Node": "Node is a worker of the cluster; here, a set of namespaces of this machine.",
        "Deployment": "Deployment enables declarative updates for pods and ReplicaSets.",
        "ReplicaSet": "ReplicaSet ensures that a number of pod replicas are running at any time.",
        "DaemonSet": "DaemonSet keeps one pod on every node that its template fits.",
        "StatefulSet": "StatefulSet keeps pods with stable names, started and ended in order.",
        "Job": "Job runs pods until enough of them have succeeded.", "CronJob": "CronJob makes Jobs at the times of its schedule.",
        "NetworkPolicy": "NetworkPolicy describes what network traffic is allowed for a set of pods.",
        "ClusterNetworkPolicy": "ClusterNetworkPolicy is the administrator's word on traffic, before or after NetworkPolicies.",
        "ConfigMap": "ConfigMap holds configuration data for pods to consume.",
        "Secret": "Secret holds data of a certain type, encoded in base 64.",
        "ServiceAccount": "ServiceAccount is an identity for processes that run in pods.",
        "EndpointSlice": "EndpointSlice is a part of the endpoints that implement a Service.",
        "Endpoints": "Endpoints is the older form of a Service's EndpointSlices.",
        "Ingress": "Ingress is a set of rules for traffic from outside. minik stores it and runs no controller that would serve it.",
        "PodDisruptionBudget": "PodDisruptionBudget limits how many pods an eviction may take at once.",
        "ObjectMeta": "ObjectMeta is metadata that all stored objects have.",
    ]

    private static let fields: [String: String] = [
        "apiVersion": "The versioned schema of this representation of an object.", "kind": "The REST resource this object represents.",
        "metadata": "Standard object's metadata.", "spec": "What is wished for.", "status": "What is observed. Populated by the system.",
        "containers": "List of containers belonging to the pod.", "replicas": "The number of desired pods.",
        "selector": "Chooses the pods that this object is about.", "template": "Describes the pods that will be created.",
        "image": "Container image name: what is on the machine (minik image ls) is used, and others are pulled.",
        "labels": "Map of string keys and values that organize objects.",
        "name": "The name; unique where names must be.", "ports": "The ports that are exposed.",
        "podSelector": "Chooses pods by their labels.",
        "namespaceSelector": "Chooses namespaces by their labels.", "ingress": "What may come in.", "egress": "What may go out.",
    ]

    static func field(_ type: ObjectSchema, _ name: String) -> String? { fields[name] }
}
