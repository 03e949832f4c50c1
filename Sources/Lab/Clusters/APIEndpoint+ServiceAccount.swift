import API
import Glibc
import Host
import Model

extension APIEndpoint {
    /// The API as a pod reaches it: what the kubelet says in the environment, and what it mounts of the pod's service account.
    /// (kubernetes.io/docs/tasks/run-application/access-api-from-pod)
    package static func inCluster(files directory: String = "/var/run/secrets/kubernetes.io/serviceaccount") throws -> APIEndpoint {
        func variable(_ name: String) throws -> String {
            guard let value = getenv(name), value.pointee != 0 else {
                throw UserError("\(name) is not set: this runs in no pod of a cluster")
            }
            return String(cString: value)
        }
        let (host, port) = (try variable("KUBERNETES_SERVICE_HOST"), try variable("KUBERNETES_SERVICE_PORT"))
        guard let port = Int(port), (1...65535).contains(port) else {
            throw UserError("KUBERNETES_SERVICE_PORT is \"\(port)\", which is no port")
        }
        return try APIEndpoint(
            Authority(host: host, port: port), trust: .authorities(String(decoding: try Files.read("\(directory)/ca.crt"), as: UTF8.self)),
            token: { String(decoding: try Files.read("\(directory)/token"), as: UTF8.self).trimmed })
    }
}
