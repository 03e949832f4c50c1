import Glibc
import Host
import Images
import Runtime
import Testing

@Suite("what a registry answers is told in a sentence, with what to do, and nothing half-made stays")
struct OddRegistryTests {
    private static let page = "what answers there is a web page, no registry"

    @Test(
        "a registry in trouble", .timeLimit(.minutes(5)),
        arguments: [
            ("page", "HOST sent a web page", page), ("other", "HOST sent 2 bytes that are no manifest", "look at the registry's address"),
            ("401", "HOST says: reading manifest 1 in HOST/app: unauthorized: so it is", "log in with docker login"),
            ("401 page", "HOST says: reading manifest 1 in HOST/app: unauthorized: authentication required", "log in with docker login"),
            ("403", "HOST says: reading manifest 1 in HOST/app: denied: so it is", "log in with docker login"),
            ("403 page", "HOST says: reading manifest 1 in HOST/app: StatusCode: 403, a web page", page),
            ("404", "HOST says: reading manifest 1 in HOST/app: manifest unknown: so it is", "look at the image's name and tag"),
            ("404 page", "HOST says: reading manifest 1 in HOST/app: StatusCode: 404, a web page", page),
            ("429", "HOST says: reading manifest 1 in HOST/app: toomanyrequests: so it is", "wants you to wait, or to log in"),
            ("429 page", "HOST says: reading manifest 1 in HOST/app: StatusCode: 429, a web page", "wants you to wait, or to log in"),
            (
                "500", "HOST says: reading manifest 1 in HOST/app: received unexpected HTTP status: 500 Internal Server Error",
                "is in trouble"
            ),
            ("503", "HOST says: reading manifest 1 in HOST/app: received unexpected HTTP status: 503 Service Unavailable", "is in trouble"),
            ("hang", "the registry has sent nothing for 2 s", "look at the registry, and at the way to it"),
            (
                "wrong", "HOST says: the content sha256:e1630f843370f402870799e14abbf2b06af2d23b0153658e1211dffabc61ad8f came as sha256:",
                "is damaged"
            ),
            ("short", "HOST says: writing blob: happened during read: unexpected EOF", "the registry broke off"),
            (
                "none", "HOST says: reading blob sha256:e1630f843370f402870799e14abbf2b06af2d23b0153658e1211dffabc61ad8f",
                "look at the image's name and tag"
            ),
        ])
    func trouble(_ how: String, _ message: String, _ hint: String) throws {
        let registry = try OddRegistry(how), folder = try StoreFolder()
        // skopeo asks again at once who has it wait no longer.
        let said = registry.complaint(folder.store, patience: how == "hang" ? 2 : 60)
        let wanted = "image \(registry.host)/app:1: \(message.replacing("HOST", with: registry.host))"
        #expect(said.message.hasPrefix(wanted) && said.hint.contains(hint), "\(said)")
        #expect(try folder.contents == [] && folder.store.records().images == [])
        #expect(Files.list("\(folder.directory)/store/pulls") == [])
    }
}
