import Glibc
import Images
import Model
import Runtime
import Testing

@Suite("what images say of themselves, and the list of them")
struct ImageDocumentTests {
    private static func digest(_ digit: Character) throws -> ContentDigest {
        try #require(ContentDigest(hex: String(repeating: digit, count: 64)))
    }

    private static func entry(_ digit: Character, _ platform: JSON, _ annotations: JSON = .null) -> JSON {
        [
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": .string("sha256:" + String(repeating: digit, count: 64)),
            "size": 7, "platform": platform, "annotations": annotations,
        ]
    }

    @Test("of an index's platforms the machine's own is chosen, or the nearest that it runs; attestations are none")
    func platforms() throws {
        let list: JSON = [
            "manifests": [
                Self.entry("1", ["os": "unknown", "architecture": "unknown"], ["vnd.docker.reference.type": "attestation-manifest"]),
                Self.entry("2", ["os": "linux", "architecture": "amd64", "variant": "v3"]),
                Self.entry("3", ["os": "linux", "architecture": "amd64"]), Self.entry("4", ["os": "windows", "architecture": "arm64"]),
                Self.entry("5", ["os": "linux", "architecture": "arm", "variant": "v5"]),
                Self.entry("6", ["os": "linux", "architecture": "arm", "variant": "v6"]),
                Self.entry("7", ["os": "linux", "architecture": "arm64", "variant": "v8"]),
            ]
        ]
        let index = try ImageIndex(list)
        #expect(index.manifests.count == 6)
        for (machine, digit) in [("x86_64", "3"), ("aarch64", "7"), ("armv7l", "6"), ("armv6l", "6")] as [(String, Character)] {
            #expect(try index.choose(for: Platform(os: "linux", uname: machine)).digest == Self.digest(digit), "\(machine)")
        }
        #expect {
            try index.choose(for: Platform(os: "linux", uname: "riscv64"))
        } throws: {
            "\($0)".contains("linux/amd64/v3, linux/amd64, windows/arm64") && "\($0)".contains("this machine is linux/riscv64")
        }
    }

    @Test("a manifest of the old form, of an artifact, or without digests is refused")
    func refusedManifests() {
        let config: JSON = ["mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": Self.entry("1", .null)["digest"], "size": 1]
        for (json, words) in [
            (["schemaVersion": 1], "old form"), (["schemaVersion": 2, "config": config, "layers": []], "no container image but"),
            (["schemaVersion": 2, "config": ["digest": "md5:12", "size": 1]], "no digest"),
        ] as [(JSON, String)] {
            #expect {
                _ = try ImageManifest(json)
            } throws: {
                "\($0)".contains(words)
            }
        }
    }

    @Test("what a configuration says of its processes")
    func configuration() throws {
        let description = try ImageDescription([
            "os": "linux", "architecture": "amd64", "created": "2024-05-06T07:08:09Z",
            "config": [
                "Entrypoint": ["/run"], "Cmd": ["-x"], "Env": ["A=b"], "WorkingDir": "srv", "User": "web:staff", "StopSignal": "SIGRTMIN+3",
                "Labels": ["a": "b"], "Volumes": ["/data": [:], "/cache": [:]],
            ],
            "history": [["created_by": "one"], ["created_by": "none", "empty_layer": true], ["created_by": "two"]],
        ])
        let says = description.configuration
        #expect(says.entrypoint == ["/run"] && says.command == ["-x"] && says.workingDirectory == "/srv" && says.user == "web:staff")
        #expect(says.environment == ["PATH=\(ImageConfiguration.standardPath)", "A=b"], "a PATH, as containerd gives one")
        #expect(says.stopSignal == 37 && says.labels == ["a": "b"] && says.volumes == ["/cache", "/data"])
        #expect(description.history.map(\.layer) == [0, nil, 1] && description.history.map(\.command) == ["one", "none", "two"])
        #expect(try ImageDescription(.emptyObject).configuration == ImageConfiguration(), "nothing said is the standard")
    }

    @Test(
        "signals by name and by number",
        arguments: [("SIGTERM", 15), ("term", 15), ("9", 9), ("SIGWINCH", 28), ("RTMAX-2", 62), ("SIGRTMIN", 34), ("0", nil), ("no", nil)])
    func signals(_ text: String, _ number: Int?) { #expect(ImageDescription.number(ofSignal: text) == number) }

    @Test("a name is one image's at a time; an image is found by name, digest, or the beginning of its ID")
    func records() throws {
        let one = ImageRecord(
            digest: try Self.digest("a"), manifest: try Self.digest("b"), id: try Self.digest("c"), names: ["docker.io/library/x:1"],
            loaded: Timestamp(seconds: 5))
        let two = ImageRecord(
            digest: try Self.digest("d"), manifest: try Self.digest("d"), id: try Self.digest("e"), names: one.names + ["localhost/y:2"],
            loaded: Timestamp(seconds: 6))
        var records = ImageRecords()
        records.add(one)
        records.add(two)
        #expect(records.images.map(\.names) == [[], two.names])
        #expect(try ImageRecords(records.json) == records)
        for text in ["x:1", "docker.io/library/x:1", "localhost/y:2", "eeee", "sha256:eeeeee", "any@\(two.digest)"] {
            #expect(try records.find(text) == two, "\(text)")
        }
        #expect(try records.find("\(one.manifest)").id == one.id && records.find("aaaaaa").id == one.id)
        for text in ["x:2", "ccc", "zzzz", ""] { #expect(throws: ImageError.self) { try records.find(text) } }
        records.add(one)
        #expect(records.images.map(\.names) == [one.names, ["localhost/y:2"]], "loaded again it has its name back")
        #expect(throws: ImageError.self) { try ImageRecords(["version": 2]) }
    }

    @Test(
        "sizes as docker writes them",
        arguments: [
            (0, "0B"), (999, "999B"), (1000, "1kB"), (1234, "1.23kB"), (45_678, "45.7kB"), (4_500_000, "4.5MB"), (512_000_000_000, "512GB"),
        ])
    func sizes(_ bytes: Int, _ text: String) { #expect(ImageSummary.human(bytes) == text) }
}
