import Model
import Runtime

/// What Felix keeps right of the pods' links on its node: the plugin has made them.
package enum CalicoPodLinks {
    /// Of each pod of the node that has a link there, what belongs to it beside the link itself.
    package static func items(_ pods: [Pod], on node: String, links: Set<String>) -> [NetworkItem] {
        pods.filter { $0.nodeName == node && !$0.isHostNetwork && !$0.isFinished }.flatMap { pod -> [NetworkItem] in
            let name = CalicoLayout.linkName(pod.namespace, pod.name)
            guard links.contains(name), let address = pod.ip(.ipv4) else { return [] }
            return CalicoLayout.port(name, addresses: [address], mtu: 0).filter { if case .link = $0 { false } else { true } }
        }
    }
}
