import Model

/// The plugin `calico-ipam`: an address of Calico's pools, which the node's calico-node gives.
/// (projectcalico/calico cni-plugin/pkg/ipamplugin)
package struct CalicoIPAM: Sendable {
    package static let name = "calico-ipam"
    private let environment: [String: String]
    private let input: String
    private let door: CalicoDoor

    package init(_ environment: [String: String], input: String, door: CalicoDoor = CalicoDoor()) {
        self.environment = environment
        self.input = input
        self.door = door
    }

    /// What it prints, and its exit code.
    package func run() -> (output: String, code: Int32) {
        CNIProgram.printed(input) { try answer(try CNICall(environment, input: input)) }
    }

    private func answer(_ call: CNICall) throws(CNIRefusal) -> JSON {
        // By the container: another one of the same pod's name may be on its way already.
        let handle = "\(call.network).\(call.containerID)"
        switch call.command {
        case .version: return call.knownVersions
        case .add:
            let pod = CalicoWorkload(call) ?? CalicoWorkload(namespace: "", name: call.containerID, uid: "")
            let addresses = try door.ask(.assign(handle: handle, pod)).addresses
            return [
                "cniVersion": .string(call.version.description),
                "ips": .array(
                    addresses.map {
                        [
                            "version": call.version < .withoutFamilies ? "4" : .null,
                            "address": .string(IPNetwork($0, $0.family.bits).description),
                        ]
                    }),
            ]
        case .delete: _ = try door.ask(.free(handle: handle), isPatient: false)
        case .status:
            guard try door.ask(.health, isPatient: false).isReady else {
                throw CNIRefusal(CNIRefusal.Code.notAvailable, "calico-node is not ready")
            }
        // What nobody's container has is calico-kube-controllers' to find.
        case .check, .collect: break
        }
        return .null
    }
}
