import Foundation
import Glibc
import Model
import Runtime
import Testing

@Suite("[Serial] images that other programs read, and hand over", .serialized)
struct SavedImageTests {
    private static let name = "app.example/saved:1"

    @Test("skopeo reads both forms, with the digest that the image has; a pipe takes it as well as a file")
    func skopeo() throws {
        try WordImage.with([Self.name]) { archive in
            try #require(Shell.minik("image load -t \(Self.name) \(archive)").isSuccess)
            let image = try Shell.json("\(Shell.minik) image inspect \(Self.name)")[0]
            let digest = image["RepoDigests"][0].string?.split(separator: "@").last.map(String.init) ?? ""
            let saved = "\(archive).saved"
            defer { unlink(saved) }
            for form in ["docker-archive", "oci-archive"] {
                #expect(Shell.minik("image save \(Self.name) --format \(form) -o \(saved)").isSuccess)
                let source = form == "oci-archive" ? "\(form):\(saved):\(Self.name)" : "\(form):\(saved)"
                let theirs = try Shell.json("skopeo inspect --config --raw \(source)")
                #expect(theirs["rootfs"]["diff_ids"] == image["RootFS"]["Layers"], "\(form)")
                #expect(try Shell.json("skopeo inspect oci-archive:\(saved)")["Digest"].string == digest)
            }
            let piped = Shell.run("\(Shell.minik) image save \(Self.name) | \(Shell.minik) image load -t \(Self.name)-again -")
            #expect(piped.output == "Loaded image: \(Self.name)-again\n", "\(piped)")
            #expect(try Shell.json("\(Shell.minik) image inspect \(Self.name)-again")[0]["Id"] == image["Id"])
            #expect(Shell.minik("image rm \(Self.name)-again").isSuccess)
            let absent = Shell.minik("image save app.example/none -o \(saved)")
            #expect(absent.status == 1 && absent.errors.contains("there is no image \"app.example/none\""))
        }
    }

    @Test("podman loads what was saved, and hands it over; who is not there, does not answer or has no such image is told")
    func podman() throws {
        try WordImage.with([Self.name]) { archive in
            let saved = "\(archive).saved"
            defer {
                unlink(saved)
                Shell.run("podman rmi -f \(Self.name)", seconds: 60)
            }
            try #require(Shell.minik("image load -t \(Self.name) \(archive)").isSuccess)
            let id = try Shell.json("\(Shell.minik) image inspect \(Self.name)")[0]["Id"]
            try #require(Shell.minik("image save \(Self.name) -o \(saved)").isSuccess)
            let loaded = Shell.run("podman load -q -i \(saved)", seconds: 60)
            #expect(loaded.output.contains("Loaded image: \(Self.name)"), "\(loaded)")
            #expect(Shell.minik("image rm \(Self.name)").isSuccess)
            let taken = Shell.minik("image load --from podman:\(Self.name)", seconds: 60)
            #expect(taken.output == "Loaded image: \(Self.name)\n", "\(taken)")
            #expect(try Shell.json("\(Shell.minik) image inspect \(Self.name)")[0]["Id"] == id)
            let absent = Shell.minik("image load --from podman:app.example/none:1", seconds: 60)
            #expect(absent.status == 1 && absent.errors.contains("podman has no image \"app.example/none:1\""), "\(absent)")
            let nobody = Shell.run(
                "DOCKER_HOST=unix:///run/no-docker.sock CONTAINERD_ADDRESS= \(Shell.minik) image load --from docker:app:1")
            #expect(
                nobody.status == 1
                    && ["docker does not answer", "there is no docker on this machine"].contains(where: nobody.errors.contains))
            let mistaken = Shell.minik("image load --from rkt:app")
            #expect(mistaken.status == 1 && mistaken.errors.contains("write docker:NAME, podman:NAME or containerd:NAME"))
        }
    }
}
