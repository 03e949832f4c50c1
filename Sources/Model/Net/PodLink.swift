/// What the frames of a pod are known by: the port of the node's bridge that they come in by, and the addresses they come from.
package struct PodLink: Hashable, Sendable {
    /// The host side of the pod's veth.
    package let name: String
    /// Of eth0 in the pod.
    package let hardwareAddress: MACAddress
    package let address: IPAddress

    package init(name: String, hardwareAddress: MACAddress, address: IPAddress) {
        self.name = name
        self.hardwareAddress = hardwareAddress
        self.address = address
    }
}
