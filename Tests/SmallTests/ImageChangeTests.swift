import Images
import Model
import Testing

@Suite("lines of a Dockerfile that change an image's configuration")
struct ImageChangeTests {
    private func config(_ lines: String...) throws -> JSON {
        var config = JSON.emptyObject
        for line in lines { try ImageChange(line).apply(to: &config) }
        return config
    }

    @Test("commands are lists, or a shell's; variables and labels have quotes; a directory is meant from the one before")
    func taken() throws {
        #expect(
            try config("CMD [\"a\", \"b c\"]", "entrypoint run it") == ["Cmd": ["a", "b c"], "Entrypoint": ["/bin/sh", "-c", "run it"]])
        #expect(try config("ENV A=1 B=\"2 3\" C=4\\ 5", "ENV A 6 7") == ["Env": ["B=2 3", "C=4 5", "A=6 7"]])
        #expect(try config("LABEL a.b='c d' e=") == ["Labels": ["a.b": "c d", "e": ""]])
        #expect(
            try config("EXPOSE 80 53/udp", "EXPOSE 81") == [
                "ExposedPorts": ["80/tcp": .emptyObject, "53/udp": .emptyObject, "81/tcp": .emptyObject]
            ])
        #expect(
            try config("VOLUME [\"/a b\"]", "VOLUME /c /d") == ["Volumes": ["/a b": .emptyObject, "/c": .emptyObject, "/d": .emptyObject]])
        #expect(
            try config("WORKDIR /a", "WORKDIR b", "USER app:web", "STOPSIGNAL SIGQUIT")
                == ["WorkingDir": "/a/b", "User": "app:web", "StopSignal": "SIGQUIT"])
        #expect(try config("WORKDIR x") == ["WorkingDir": "/x"])
    }

    @Test(
        "what no image takes is refused",
        arguments: ["", "FROM x", "CMD", "ENV", "ENV A", "ENV =1", "ENV A=1 B", "STOPSIGNAL NONE", "RUN x"])
    func refused(_ line: String) { #expect(throws: ImageError.self) { try ImageChange(line) } }

    @Test("an image of another store is named by who has it")
    func foreign() throws {
        let image = try #require(ForeignImage("docker:app:dev"))
        #expect(image.owner == .docker && image.name == "app:dev")
        #expect(ForeignImage("containerd:ghcr.io/x/y@sha256:1")?.name == "ghcr.io/x/y@sha256:1")
        for text in ["", "docker", "docker:", "Docker:a", "rkt:a", "podman:-q"] { #expect(ForeignImage(text) == nil, "\(text)") }
    }
}
