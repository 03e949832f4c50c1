import API
import ArgumentParser
import Glibc
import Host
import Lab
import Model
import Proxy
import Runtime

struct MapCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "map",
        abstract: "Show the cluster as a picture: a page for a browser on this machine, or text.",
        discussion: """
            Machines, pods, links and Services; what goes through each link and where packets go just now; who reaches whom by which \
            policies, and what the last changes did. A click says why.

            minik map                  prints the page's address, and opens it where there is a desktop
            minik map --text           the same in the terminal
            minik map -o json

            The address has a token in it: whoever has it may look, and do nothing else.
            """)
    @OptionGroup var options: ClusterOptions
    @Flag(help: "Print the picture as text.") var text = false
    @Flag(inversion: .prefixedNo, help: "Open the page with xdg-open where there is a desktop.") var open = true
    @Option(name: .shortAndLong, help: "json: what the picture shows.") var output: String?

    func validate() throws {
        guard let output else { return }
        guard output == "json" else {
            throw ValidationError(
                "unable to match a printer suitable for the output format \"\(output)\", allowed formats are: json; or say --text")
        }
        if text { throw ValidationError("--text and -o \(output) exclude each other") }
    }

    func run() async throws {
        let client = try options.client(), paths = try options.paths()
        if text || output != nil {
            let snapshot = try await ClusterSnapshot(cluster: try options.clusterDocument(), client: client)
            let sight = try await MapEyes(paths: paths, cluster: snapshot.cluster).look(at: snapshot.pods)
            let map = ClusterMap(snapshot, sight)
            return print(text ? MapText(map: map).text : map.json.text(indented: true))
        }
        let answer = try await client.json("POST", "/minik/map")
        guard let url = answer["url"].string, let once = answer["once"].string else {
            throw UserError("the daemon says no address of the map", hint: "it may be of another version: minik up -c \(paths.cluster)")
        }
        print(url)
        if open, Self.hasDesktop { Self.show(once) }
    }

    private static var hasDesktop: Bool {
        func isSet(_ name: String) -> Bool { getenv(name).map { $0.pointee != 0 } ?? false }
        return (isSet("DISPLAY") || isSet("WAYLAND_DISPLAY")) && Files.exists(opener)
    }

    private static let opener = "/usr/bin/xdg-open"

    /// As the user who called sudo: browsers do not run as root. What they say is nobody's.
    private static func show(_ url: String) {
        let user = getenv("SUDO_USER").map { String(cString: $0) }
        let program = user.map { ["/usr/sbin/runuser", "-u", $0, "--", opener, url] } ?? [opener, url]
        let variables = (Files.text("/proc/self/environ") ?? "").split(separator: "\0").map(String.init)
        let null = Glibc.open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(null) }
        let pid = SmallProgram.spawn(program, environment: variables, stdio: [null, null, null])
        if pid < 0 { printError("Warning: \(opener) does not start (errno \(-pid)): open the address yourself") }
    }
}
