import ArgumentParser
import Glibc
import Host
import Images
import Lab
import Model
import Runtime

struct ImagePull: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull", abstract: "Take images from their registries.",
        discussion: """
            minik image pull nginx; minik image pull registry.example:5000/team/app@sha256:... What docker login and podman login have
            written is used, of whoever calls sudo, too.
            """)
    @Argument(help: "Names, as pods have them: NAME[:TAG][@DIGEST].") var names: [String]
    @Flag(help: "Take plain HTTP, and certificates that nobody vouches for.") var insecure = false
    @Option(help: "A certificate authority to trust beside this machine's own.") var cacert: String?
    @Option(help: "A file of passwords, as docker and podman write it.") var authfile: String?
    @Flag(name: .shortAndLong, help: "Say no more than the images' names.") var quiet = false
    @OptionGroup var format: OutputOptions

    func run() async throws {
        try requireRoot()
        let references = try names.map { name in
            guard let reference = ImageReference(name) else {
                throw UserError("\"\(name)\" is no name for an image", hint: "write NAME[:TAG] or REGISTRY/NAME[:TAG], in small letters")
            }
            return reference
        }
        for file in [cacert, authfile].compactMap({ $0 }) where !Files.exists(file) { throw UserError("there is no file \(file)") }
        let certificates = try cacert.map(Self.certificates)
        defer { if let certificates { Files.removeTree(certificates) } }
        var pulled: [ImageRecord] = []
        for reference in references {
            // As docker has it: a registry on this machine needs no certificate, unless somebody is to vouch for it.
            let isTrusted = cacert == nil && RegistriesConfiguration([], for: reference).isInsecure
            let access = RegistryAccess(
                isInsecure: insecure || isTrusted, certificates: certificates, passwords: authfile ?? RegistryAccess.callersPasswords)
            let result = try await pull(reference, access)
            pulled.append(result.image)
            if !format.isJSON { say(reference, result) }
        }
        if format.isJSON {
            let store = ImageStore()
            print(JSON.array(try pulled.map { try store.summary($0).listed }).text(indented: true))
        }
    }

    private func pull(_ reference: ImageReference, _ access: RegistryAccess) async throws -> RegistryPull.Pulled {
        let progress = Progress()
        if !quiet { progress.begin("pulling \(reference)") }
        do {
            let result = try await SmallProgram.blocking { [quiet] in
                let pull = try RegistryPull(store: ImageStore(), access: access) {
                    try DebianPackage.install("skopeo", "to pull images with")
                }
                return try pull.run(reference) { if !quiet { progress.detail($0) } }
            }
            if !quiet { progress.end() }
            return result
        } catch {
            progress.abandon()
            throw error
        }
    }

    /// As docker says it.
    private func say(_ reference: ImageReference, _ result: RegistryPull.Pulled) {
        if !quiet {
            print("Digest: \(result.image.digest)")
            print("Status: \(result.isOld ? "Image is up to date for" : "Downloaded newer image for") \(reference)")
        }
        print(reference)
    }

    /// A directory as skopeo wants it: every `.crt` in it is an authority.
    private static func certificates(_ file: String) throws -> String {
        let directory = "/tmp/minik-certificates-\(UInt64.random(in: 0 ... .max))"
        try Files.makeDirectory(directory, mode: 0o700)
        try Files.write(try Files.read(file), to: "\(directory)/ca.crt", mode: 0o600)
        return directory
    }
}
