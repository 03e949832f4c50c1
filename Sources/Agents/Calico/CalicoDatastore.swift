import Lab
import Model
import YAML

/// What a first calico-node makes in the API, for all of them. (projectcalico/calico node/pkg/lifecycle/startup)
struct CalicoDatastore {
    let settings: CalicoSettings
    let client: any Client
    let log: ProgramLog

    private static let standardRange = IPNetwork(IPAddress(ipv4: 0xC0A8_0000), 16)

    /// Waits until the API answers and knows Calico's kinds: a manifest's pods may be there before all of it is.
    func prepare() async throws {
        var told = ""
        while true {
            do {
                try await make()
                return
            } catch let failure as ProgramFailure { throw failure } catch {
                if told != "\(error)" { log.warn("the datastore is not ready: \(error); trying again until it is") }
                told = "\(error)"
                try await Task.sleep(for: .milliseconds(500))
            }
        }
    }

    private func make() async throws {
        try await ensure(
            .calicoInformation, "default",
            [
                "clusterGUID": .string(UID.random().replacing("-", with: "")), "clusterType": .string(settings.clusterType),
                "calicoVersion": .string("minik \(Version.minik)"), "datastoreReady": true,
            ])
        try await ensure(.calicoFelix, "default", ["logSeverityScreen": "Info"])
        guard settings.makesPool, try await client.list(.calicoPools, namespace: nil, selector: nil).items.isEmpty else { return }
        let pool = CalicoPool.standard(settings, try await range())
        try await ensure(.calicoPools, CalicoPool.standardName, pool["spec"])
    }

    /// As it is said; else kubeadm's; else Calico's own.
    private func range() async throws -> IPNetwork {
        if let range = settings.poolRange { return range }
        do {
            let config = try await client.get(ConfigMap.self, ObjectKey("kube-system", "kubeadm-config"))
            let text = config.json["data"]["ClusterConfiguration"].string ?? ""
            let document = try YAMLReader.documents(text, file: "ConfigMap kube-system/kubeadm-config", keepsLines: false).first?.json
            let ranges = (document?["networking"]["podSubnet"].string ?? "").split(separator: ",").compactMap { IPNetwork($0, .ipv4) }
            if let range = ranges.first {
                log.tell("kubeadm's podSubnet is the pool's range: \(range)")
                return range
            }
        } catch let error as StatusError where [403, 404].contains(error.code) {}
        log.tell("neither CALICO_IPV4POOL_CIDR nor kubeadm says a range: the pool is \(Self.standardRange)")
        return Self.standardRange
    }

    private func ensure(_ resource: Resource, _ name: String, _ spec: JSON) async throws {
        // A kind that is not known yet is not found, either.
        if try await client.list(resource, namespace: nil, selector: nil).items.contains(where: { $0.metadata.name == name }) { return }
        do { _ = try await client.create(resource, resource.object(name, spec)) } catch let error as StatusError
            where error.reason == .alreadyExists
        {}
    }
}
