import Foundation
import Model
import Testing

@Suite("[Serial] volumes that outlive pods", .serialized, .printsClusters)
struct VolumeTests {
    private static let objects = """
        ---
        apiVersion: apps/v1
        kind: StatefulSet
        metadata: {name: db}
        spec:
          replicas: 2
          podManagementPolicy: Parallel
          selector: {matchLabels: {app: db}}
          template:
            metadata: {labels: {app: db}}
            spec:
              terminationGracePeriodSeconds: 0
              securityContext: {runAsUser: 1000, runAsGroup: 1000}
              containers:
              - name: c
                image: busybox
                command: [sh, -c, "echo $HOSTNAME began >> /data/log; exec sleep 1000"]
                volumeMounts: [{name: data, mountPath: /data}]
          volumeClaimTemplates:
          - metadata: {name: data}
            spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
        """

    private static let reader = """
        ---
        apiVersion: v1
        kind: PersistentVolume
        metadata: {name: shelf}
        spec:
          capacity: {storage: 1Gi}
          accessModes: [ReadWriteOnce]
          storageClassName: ""
          local: {path: /srv/shelf}
          nodeAffinity:
            required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [worker]}]}]}
        ---
        apiVersion: v1
        kind: PersistentVolumeClaim
        metadata: {name: shelf}
        spec: {accessModes: [ReadWriteOnce], storageClassName: "", resources: {requests: {storage: 1Gi}}}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: reader}
        spec:
          terminationGracePeriodSeconds: 0
          containers:
          - {name: c, image: busybox, command: [sleep, "1000"], volumeMounts: [{name: shelf, mountPath: /shelf}, {name: own, mountPath: /own}]}
          volumes:
          - {name: shelf, persistentVolumeClaim: {claimName: shelf, readOnly: true}}
          - name: own
            ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}}
        """

    private func ready(_ cluster: TestCluster) throws -> [Pod] {
        try Shell.eventually {
            let pods = try cluster.pods("app=db")
            return pods.count == 2 && pods.allSatisfy { $0.isReady && !$0.isBeingDeleted } ? pods : nil
        }
    }

    @Test("what a claim holds survives its pod, the daemon's kill and the cluster's next start, and goes with the claim")
    func survival() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("volumes", subnet: 226) + "\n" + Self.objects)
        let folder = "/var/lib/minik/clusters/volumes/nodes"
        try TestCluster.with(file, name: "volumes") { cluster in
            func log(_ pod: String) -> String { cluster.minik("exec \(pod) -- cat /data/log").output }
            let first = try ready(cluster)
            #expect(log("db-0") == "db-0 began\n")
            let shelf = try ClusterFiles.write(Self.reader)
            #expect(cluster.minik("node exec worker -- sh -c 'mkdir -p /srv/shelf && echo book > /srv/shelf/title'").isSuccess)
            #expect(cluster.minik("apply -f \(shelf)").isSuccess)
            _ = try Shell.eventually { try cluster.pod("reader")["status"]["phase"] == "Running" ? true : nil }
            #expect(try cluster.pod("reader")["spec"]["nodeName"] == "worker", "where its volume is")
            let read = cluster.minik("exec reader -- sh -c 'cat /shelf/title; touch /shelf/x || echo kept; touch /own/x && echo written'")
            #expect(read.output == "book\nkept\nwritten\n", "\(read)")

            #expect(cluster.minik("delete pod db-0").isSuccess)
            _ = try Shell.eventually { try ready(cluster).first { $0.name == "db-0" && $0.uid != first.first?.uid } }
            #expect(log("db-0") == "db-0 began\ndb-0 began\n", "another pod, the same data")

            // As after the machine's next start: no daemon, no node, nothing of /run.
            let stop = Shell.run(
                """
                pid=$(cut -d' ' -f1 /run/minik/volumes/daemon.pid); kill -9 $pid
                while kill -0 $pid 2>/dev/null && ! grep -q '^State:.Z' /proc/$pid/status; do sleep 0.05; done
                for file in /run/minik/volumes/nodes/*.pid; do kill -9 $(cut -d' ' -f1 $file); done
                """)
            #expect(stop.isSuccess, "\(stop)")
            #expect(Shell.minik("up \(file)", seconds: 60).isSuccess)
            _ = try Shell.eventually { log("db-0").split(separator: "\n").count >= 3 && log("db-1").contains("began") ? true : nil }

            let claims = try Shell.json("\(Shell.minik) get pvc --cluster volumes -o json")["items"].items.map { PersistentVolumeClaim($0) }
            let data = try #require(claims.first { $0.name == "data-db-0" })
            #expect(data.phase == "Bound" && data.className == "standard")
            #expect(!Shell.run("ls -d \(folder)/*/own/volumes/\(data.volumeName)").output.isEmpty)
            #expect(cluster.minik("delete statefulset db").isSuccess)
            #expect(cluster.minik("delete pvc data-db-0 data-db-1").isSuccess)
            _ = try Shell.eventually { Shell.run("ls -d \(folder)/*/own/volumes/\(data.volumeName)").isSuccess ? nil : true }
        }
    }
}
