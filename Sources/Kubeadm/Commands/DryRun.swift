import API
import Host
import Model

/// What `init` would write, written aside.
struct DryRun {
    private let run: InitRun

    init(_ run: InitRun) { self.run = run }

    func print() throws {
        let folder = "/etc/kubernetes/tmp/kubeadm-init-dryrun\(Int.random(in: 100_000_000...999_999_999))"
        try Files.makeDirectory("/etc/kubernetes/tmp", mode: 0o700)
        try Files.makeDirectory(folder, mode: 0o700)
        let settings = run.settings, say = run.console.out
        say("[certs] Using certificateDir folder \"\(folder)\"")
        let certificates = CertificateFolder(path: folder, release: run.release)
        try certificates.complete(CertificatePlan(settings: settings), say: say)
        say("[kubeconfig] Using kubeconfig folder \"\(folder)\"")
        try KubeconfigFiles(settings: settings, folder: folder).complete(try certificates.authority("ca"), say: say) { _ in }
        let manifests = StaticPodManifests(settings: settings)
        var files = (StaticPodManifests.components + ["etcd"]).map { ("\(StaticPodManifests.folder)/\($0).yaml", manifests.text($0)) }
        files += [(KubeletFiles.environment, run.kubelet.flags), (KubeletFiles.configuration, run.kubelet.text)]
        for (path, text) in files {
            let name = path.split(separator: "/").last.map(String.init) ?? ""
            try Files.write(text, to: "\(folder)/\(name)", mode: 0o600)
            say("[dryrun] Would write file \"\(path)\" with content:")
            say(text.split(separator: "\n").map { "\t\($0)" }.joined(separator: "\n"))
        }
        let objects = ClusterObjects(settings: settings)
        let authority = try certificates.authority("ca").certificate.pem
        var made = objects.administrators + objects.uploadedConfiguration + objects.uploadedKubelet(run.kubelet)
        made += run.tokens
        let addOns = AddOnObjects(settings: settings, records: "")
        made += objects.joining + objects.clusterInfo(authority: authority) + addOns.coreDNS + addOns.kubeProxy
        for object in made { Self.tell(object, run.release, say) }
        say("[dryrun] Finished dry-running successfully. Above are the resources that would be created; files are in \(folder)")
    }

    static func tell(_ object: ClusterObject, _ release: Release, _ say: (String) -> Void) {
        let resource = object.resource, group = resource.group.isEmpty ? "core" : resource.group
        say("[dryrun] Would perform action CREATE on resource \"\(resource.plural)\" in API group \"\(group)/\(resource.version)\"")
        say("[dryrun] Attached object:")
        let text = YAMLText.of(object.json).split(separator: "\n").joined(separator: release.isOld ? "\n\t" : "\n")
        say((release.isOld ? "\t" : "") + text)
    }
}
