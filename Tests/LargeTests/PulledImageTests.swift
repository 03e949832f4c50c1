import Foundation
import Glibc
import Host
import Model
import Runtime
import Testing

@Suite("[Serial] images from registries", .serialized, .printsClusters)
struct PulledImageTests {
    @Test("by name and by digest, once; a pod runs it; what is not there, or no registry, is told in a sentence")
    func plain() throws {
        let registry = try Registry(port: 5907)
        let name = "\(registry.host)/team/app:1"
        try WordImage.with([name]) { archive in
            let pushed = registry.push(archive, "team/app:1")
            try #require(pushed.isSuccess, "\(pushed)")
            // A registry on this machine needs no certificate, as with docker.
            let pulled = Shell.minik("image pull \(name)", seconds: 60)
            try #require(pulled.isSuccess, "\(pulled)")
            #expect(pulled.output.hasSuffix("Status: Downloaded newer image for \(name)\n\(name)\n"))
            let theirs = Shell.run("skopeo inspect --tls-verify=false docker://\(name) | sed -n 's/.*\"Digest\": \"\\(.*\\)\".*/\\1/p'")
                .output.trimmingCharacters(in: .whitespacesAndNewlines)
            let inspected = try Shell.json("\(Shell.minik) image inspect \(name)")[0]
            #expect(
                inspected["RepoDigests"].items.compactMap(\.string) == ["\(registry.host)/team/app@\(theirs)"], "the registry's own digest")
            #expect(Shell.minik("image pull --insecure \(name)").output.contains("Status: Image is up to date for \(name)"))
            #expect(Shell.minik("image pull --insecure \(registry.host)/team/app@\(theirs)").output.contains("up to date"))
            #expect(Shell.run("ls /var/lib/minik/images/pulls").output == "")
            #expect(Shell.minik("image tag \(name) \(registry.host)/team/app:other").isSuccess)
            #expect(
                Shell.minik("image pull -q --insecure \(registry.host)/team/app:none@\(theirs)").isSuccess,
                "a tag beside a digest is no wish")
            #expect(!Shell.minik("image ls").output.contains(" none "))
            #expect(Shell.minik("image rm \(registry.host)/team/app:other").isSuccess)

            let absent = Shell.minik("image pull --insecure \(registry.host)/team/app:2")
            #expect(absent.status == 1 && absent.errors.contains("\(registry.host) says: ") && absent.errors.contains("manifest unknown"))
            let nobody = Shell.minik("image pull --insecure 127.0.0.1:5909/app")
            #expect(nobody.status == 1 && nobody.errors.contains("nothing answers there"), "\(nobody)")

            let cluster = try ClusterFiles.write(ClusterFiles.cluster("pulled", subnet: 219))
            defer { Shell.minik("down pulled") }
            try #require(Shell.minik("up \(cluster) --no-kubeconfig").isSuccess)
            let run = Shell.minik("run app --cluster pulled --image=\(name) --image-pull-policy=IfNotPresent")
            #expect(run.isSuccess, "\(run)")
            #expect(try Shell.eventually { Shell.minik("logs app --cluster pulled").output == "from a registry\n" ? true : nil } == true)
        }
    }

    @Test("over TLS by an authority that is named, with a password of docker's file, and not without")
    func locked() throws {
        let registry = try Registry(port: 5908, isLocked: true)
        let name = "\(registry.host)/app:1"
        try WordImage.with([name]) { archive in
            let pushed = registry.push(
                archive, "app:1", options: "--dest-tls-verify=false --dest-creds \(Registry.user):\(Registry.password)")
            try #require(pushed.isSuccess, "\(pushed)")
            let other = "\(registry.directory)/other.pem"
            let made = Shell.run(
                "openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -out \(other) -days 2 -subj /CN=other", seconds: 20)
            try #require(made.isSuccess, "\(made)")
            let untrusted = Shell.minik("image pull --cacert \(other) \(name)")
            #expect(untrusted.status == 1 && untrusted.errors.contains("--cacert FILE"), "\(untrusted)")
            let ca = "--cacert \(registry.directory)/cert.pem"
            let stranger = Shell.minik("image pull \(ca) \(name)")
            #expect(stranger.status == 1 && stranger.errors.contains("log in with docker login"), "\(stranger)")
            let secret = Data("\(Registry.user):\(Registry.password)".utf8).base64EncodedString()
            let file = "\(registry.directory)/config.json"
            try Files.write("{\"auths\": {\"\(registry.host)\": {\"auth\": \"\(secret)\"}}}", to: file, mode: 0o600)
            let pulled = Shell.minik("image pull -q \(ca) --authfile \(file) \(name)", seconds: 60)
            #expect(pulled.isSuccess && pulled.output == "\(name)\n", "\(pulled)")
            let called = Shell.run("REGISTRY_AUTH_FILE=\(file) \(Shell.minik) image pull -o json \(ca) \(name)")
            #expect(called.isSuccess && called.output.contains("\"\(name)\""), "\(called)")
        }
    }
}
