import API
import Model
import Proxy

/// The map as a page, for a browser on this machine. Whoever knows the token may look, and nobody can do more than that.
package struct MapPage: Responder {
    package let threads: RequestThreads
    private let token: String
    private let tickets: MapTickets
    private let feed: MapFeed

    package init(token: String, tickets: MapTickets, feed: MapFeed, threads: RequestThreads) {
        (self.token, self.tickets, self.feed, self.threads) = (token, tickets, feed, threads)
    }

    private static let viewer = UserInfo(name: "minik:map", groups: ["system:unauthenticated"])
    /// Seconds for a reader to take what it has been told; it comes back by itself.
    private static let patience = 30
    /// After which it hears that there is nothing to hear: what no longer reads is found out by writing.
    private static let quiet = Duration.seconds(10)

    package func admit(_ request: HTTPRequest) async throws -> UserInfo {
        // A name that a stranger's server gives this machine's loopback (DNS rebinding) is not ours.
        let host = (request.header("Host") ?? "").split(separator: ":").first ?? ""
        guard host == "127.0.0.1" || host == "localhost" else { throw Self.refusal("this page is at 127.0.0.1") }
        guard request.method == "GET" else { throw StatusError(405, .methodNotAllowed, "the map can only be looked at") }
        if request.path.count == 2, request.path[0] == "open", await tickets.isGood(request.path[1]) { return Self.viewer }
        guard let given = request.path.first, Self.isSame(given, token) else {
            throw Self.refusal("the address of the map has a token in it: ask for it with \"minik map\"")
        }
        return Self.viewer
    }

    private static func refusal(_ why: String) -> StatusError { StatusError(403, .forbidden, why) }

    /// Takes as long whatever the first letter is that differs.
    static func isSame(_ given: String, _ token: String) -> Bool {
        let (given, token) = (Array(given.utf8), Array(token.utf8))
        return given.count == token.count && zip(given, token).reduce(0) { $0 | $1.0 ^ $1.1 } == 0
    }

    package func respond(_ request: HTTPRequest, as user: UserInfo) async -> HTTPResponse {
        let response: HTTPResponse
        do { response = try await answer(request) } catch let error as UserError {
            response = .json(["message": .string(error.description)], code: 400)
        } catch {
            let status = error as? StatusError ?? StatusError(500, .internalError, "\(error)")
            response = .json(["message": .string(status.message)], code: status.code)
        }
        return .with(headers: Self.headers, response)
    }

    /// Nothing from elsewhere, nothing in anybody's frame, and the address, which is a secret, told to nobody.
    private static let headers = [
        (
            name: "Content-Security-Policy",
            value: "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
                + "form-action 'none'; frame-ancestors 'none'"
        ),
        (name: "Referrer-Policy", value: "no-referrer"), (name: "X-Content-Type-Options", value: "nosniff"),
        (name: "Cross-Origin-Resource-Policy", value: "same-origin"), (name: "Cross-Origin-Opener-Policy", value: "same-origin"),
    ]

    private func answer(_ request: HTTPRequest) async throws -> HTTPResponse {
        if request.path.first == "open" { return .relayed(code: 303, headers: [("Location", "/\(token)/")]) { _ in } }
        // What the page asks for is beside it.
        if request.path.count == 1, !request.rawPath.hasSuffix("/") {
            return .relayed(code: 308, headers: [("Location", "/\(token)/")]) { _ in }
        }
        let name = request.path.dropFirst().joined(separator: "/")
        if let file = MapFiles.file(name) { return .bytes(file.bytes, contentType: file.type) }
        switch name {
        case "snapshot":
            for await moment in try await feed.watch() { return .json(moment.picture) }
            throw StatusError(503, .serviceUnavailable, "the cluster goes down")
        case "events": return try await events()
        case "why": return .json(try await why(request["from"] ?? "", request["to"] ?? "", IPFamily(rawValue: request["family"] ?? "")))
        case "change":
            guard let change = await feed.change(Int(request["number"] ?? "") ?? -1) else {
                throw StatusError(404, .notFound, "that change is forgotten")
            }
            return .json(change)
        default: return .text("404 page not found\n", code: 404)
        }
    }

    /// (html.spec.whatwg.org, server-sent events) `map` tells all, `live` counters that are new and what flows.
    private func events() async throws -> HTTPResponse {
        let moments = try await feed.watch()
        return .stream(contentType: "text/event-stream", patience: Self.patience) { sink in
            var seen: MapMoment?, said = ContinuousClock.now
            for await moment in moments {
                var text = ""
                if seen?.version != moment.version { text += Self.event("map", moment.picture) }
                let news = moment.news(after: seen)
                if !news.isNull { text += Self.event("live", news) }
                if text.isEmpty, said.duration(to: .now) > Self.quiet { text = ":\n\n" }
                seen = moment
                if text.isEmpty { continue }
                try await sink(Array(text.utf8))
                said = .now
            }
        }
    }

    private static func event(_ name: String, _ data: JSON) -> String { "event: \(name)\ndata: \(data.text())\n\n" }

    /// What `minik why --no-probe` says.
    private func why(_ from: String, _ to: String, _ family: IPFamily?) async throws -> JSON {
        let snapshot = try await feed.snapshot()
        return try await threads.run(Int.max) {
            let question = try FlowQuestion(from: from, to: to, namespace: "default", family: family, snapshot)
            let journeys = snapshot.walk().journeys(
                from: question.source, to: question.address, proto: question.proto, port: question.probe.port
            ).sorted { ($0.packet.destination, $0.packet.destinationPort) < ($1.packet.destination, $1.packet.destinationPort) }
            let report = WhyReport(question: question, journeys: journeys, finding: nil, snapshot: snapshot)
            var json = report.json
            json["text"] = .string(report.text)
            let option = family == .ipv6 ? " -6" : ""
            json["command"] = .string("minik why --cluster \(snapshot.cluster.name)\(option) \(from) \(to)")
            return json
        }
    }
}

/// What lets a browser in that was started with an address: what programs are started with, all users of the machine can read. Good once.
package actor MapTickets {
    private static let good = Duration.seconds(60), most = 16
    private var tickets: [(text: String, made: ContinuousClock.Instant)] = []

    package init() {}

    package func make() -> String {
        tickets = Array(tickets.suffix(Self.most - 1)) + [(MapDoor.secret(), .now)]
        return tickets[tickets.count - 1].text
    }

    package func isGood(_ text: String) -> Bool {
        guard let index = tickets.firstIndex(where: { MapPage.isSame(text, $0.text) }) else { return false }
        return tickets.remove(at: index).made.duration(to: .now) < Self.good
    }
}
