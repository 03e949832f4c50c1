import Model
import Netlink

/// What the network of a node and of its pods consists of under a plugin that minik itself is: a veth for each pod, and what leads to it.
package protocol PodLayout: Sendable {
    /// The files that the plugin leaves on the node, by path, and what it writes of itself into the Node.
    var files: [String: String] { get }
    var annotations: [String: String] { get }
    /// The node's own network, in the order in which it can be made.
    var node: [NetworkItem] { get }
    /// The bridge that the pods' links are plugged into; nil where each has a route of its own.
    var bridge: String? { get }
    var podMTU: Int { get }
    /// The MAC of the node's end of each link; nil: any.
    var portAddress: MACAddress? { get }
    /// The node's end of a pod's veth.
    func linkName(_ pod: Pod) -> String
    /// The MAC of a pod's eth0: derived, so that a link that is made again is known by the same.
    func hardwareAddress(_ pod: Pod) -> MACAddress
    /// On the node, the link itself first.
    func port(of pod: Pod, addresses: [IPAddress]) -> [NetworkItem]
    /// Inside the pod.
    func pod(_ pod: Pod, addresses: [IPAddress]) -> [NetworkItem]
}
