import Glibc
import Host
import Model

/// The certificate that a kubelet renews by itself: a file by its date, and a link to the current one.
enum KubeletCertificate {
    static let folder = "\(KubeletFiles.folder)/pki"
    static let current = "\(folder)/kubelet-client-current.pem"

    /// `pem`: the certificate, and its key.
    static func keep(_ pem: String) throws {
        try Files.makeDirectory(folder)
        let date = Timestamp.now().description.prefix(19).replacing(":", with: "-").replacing("T", with: "-")
        let path = "\(folder)/kubelet-client-\(date).pem"
        try Files.write(pem, to: path, mode: 0o600)
        guard unlink(current) == 0 || errno == ENOENT, symlink(path, current) == 0 else {
            throw FileError("link", current, errno: errno)
        }
    }

    static func kubeconfig(server: String, authority: String, _ settings: ClusterSettings) -> String {
        KubeconfigText.text(
            server: server, authority: authority, cluster: settings.clusterName, user: "system:node:\(settings.nodeName)",
            credentials: ["client-certificate": .string(current), "client-key": .string(current)], isOld: settings.release.isOld)
    }
}
