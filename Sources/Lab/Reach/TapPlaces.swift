import Glibc
import Model
import Netlink
import Proxy
import Runtime

/// The network namespaces of a cluster that packets can be looked at in.
package struct TapPlaces {
    package struct One: Sendable {
        package var place: PacketStory.Place
        package let namespace: String
        /// The only device of it that is the cluster's; nil: all are.
        package let device: Int32?
    }

    let paths: ClusterPaths
    let snapshot: ClusterSnapshot

    package init(paths: ClusterPaths, snapshot: ClusterSnapshot) { (self.paths, self.snapshot) = (paths, snapshot) }

    /// `pods`, the nodes named, the nodes' LAN and the client outside, in this order; what is gone meanwhile is left out.
    package func read(pods: [Pod], nodes: [String], lan: Bool = true) throws -> [One] {
        var places: [One] = []
        for pod in pods where !pod.isHostNetwork {
            guard let one = try place("\(pod.key)", .pod, paths.podNetns(pod.key)) else { continue }
            places.append(one)
        }
        for node in nodes { if let one = try place(node, .node, paths.nodeNetns(node)) { places.append(one) } }
        if lan {
            let outside = try place("outside", .outside, paths.outside, only: paths.outside == paths.outsideNetns ? nil : paths.hostLink)
            places += [try place("the nodes' LAN", .lan, paths.lanNetns), outside].compactMap(\.self)
        }
        name(&places)
        return places
    }

    private func place(_ name: String, _ kind: PacketStory.Place.Kind, _ namespace: String, only device: String? = nil) throws -> One? {
        do {
            var socket = try NetlinkSocket(in: NetworkNamespace(path: namespace))
            let links = try device.map { name throws(NetlinkError) in try [socket.link(name)].compactMap(\.self) } ?? socket.links()
            if device != nil, links.isEmpty { return nil }
            let byIndex = Dictionary(links.map { ($0.index, $0) }, uniquingKeysWith: { $1 })
            return One(
                place: PacketStory.Place(name: name, kind: kind, links: byIndex), namespace: namespace,
                device: device == nil ? nil : links.first?.index)
        } catch let error as NetlinkError where error.errno == ENOENT {
            return nil
        }
    }

    /// Says at each node's link which pod is at its other end, and at each port of the LAN which node.
    private func name(_ places: inout [One]) {
        for one in places where one.place.kind == .pod || one.place.kind == .node || one.place.kind == .outside {
            let isPod = one.place.kind == .pod
            let home = isPod ? snapshot.pods.first { "\($0.key)" == one.place.name }?.nodeName : "the nodes' LAN"
            guard let other = places.firstIndex(where: { $0.place.name == home && $0.place.kind == (isPod ? .node : .lan) }) else {
                continue
            }
            for link in one.place.links.values where link.kind == "veth" && (isPod || link.name == "eth0" || one.place.kind == .outside) {
                if let peer = link.peer { places[other].place.neighbours[peer] = one.place.name }
            }
        }
    }
}
