import Foundation

/// Lab files made for a test.
enum ClusterFiles {
    /// Writes `text` to a temporary file; its path.
    static func write(_ text: String) throws -> String {
        let path = FileManager.default.temporaryDirectory.appending(path: "minik-\(UUID().uuidString.prefix(8)).yaml").path
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    /// A cluster of two nodes beside the tutorial's.
    static func cluster(_ name: String, subnet: Int, more: String = "") -> String {
        """
        apiVersion: minik.dev/v1
        kind: Cluster
        metadata: {name: \(name)}
        spec:
          nodeSubnet: 192.168.\(subnet).0/24
          nodes:
          - {name: master, role: control-plane, address: 192.168.\(subnet).10}
          - {name: worker, address: 192.168.\(subnet).11}
        \(more)
        """
    }

    /// A pod on a node that serves a page with its name.
    static func page(_ name: String, on node: String, hostPort: Int? = nil) -> String {
        """
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: \(name), labels: {app: \(name)}}
        spec:
          nodeName: \(node)
          terminationGracePeriodSeconds: 0
          containers:
          - name: c
            image: busybox
            command: [sh, -c, "hostname > /tmp/index.html; exec httpd -f -p 80 -h /tmp"]
            ports: [{containerPort: 80\(hostPort.map { ", hostPort: \($0)" } ?? "")}]
        """
    }

    /// A server that says back what it hears, and its Service.
    static let echo = """
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: echo, labels: {app: echo}}
        spec:
          containers:
          - {name: echo, image: busybox, command: [nc, -ll, -p, "7000", -e, cat]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: echo}
        spec:
          type: NodePort
          selector: {app: echo}
          ports: [{port: 7000, nodePort: 30700}]
        """
}
