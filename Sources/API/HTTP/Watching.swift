import Model
import Store

extension Router {
    func watch(_ target: Target, _ request: HTTPRequest) async throws -> HTTPResponse {
        let watch = try Watch(target, request, now: now, lines: watchLines)
        let start = try await watch.start(api.store)
        let events: AsyncThrowingStream<StoreEvent, any Error>
        do {
            events = try await api.store.watch(
                target.stored, namespace: target.namespace, from: start, marksStart: watch.wantsStart, bookmarks: watch.wantsBookmarks)
        } catch let error as StatusError where error.reason == .expired {
            // A watch that cannot begin says so in its own way: the stream opens and tells.
            return .stream(contentType: "application/json", patience: Watch.patience) { try await $0(Watch.line(error)) }
        }
        return .stream(contentType: "application/json", patience: Watch.patience) { try await watch.tell(events, to: $0) }
    }
}

/// One client's watch: what it asked for, and how it is told of events.
private struct Watch {
    /// Seconds for a client to take what it has been told: one that takes nothing lists again when it comes back.
    static let patience = 60

    let wantsStart: Bool
    let wantsBookmarks: Bool
    private let asked: Int?
    private let startsNow: Bool
    private let timeout: Int
    private let target: Target
    private let selection: Router.Selection
    private let representation: Representation
    private let includes: String?
    private let now: @Sendable () -> Timestamp
    private let lines: WatchLines

    init(_ target: Target, _ request: HTTPRequest, now: @escaping @Sendable () -> Timestamp, lines: WatchLines) throws {
        (self.target, self.now, self.lines) = (target, now, lines)
        selection = try Router.Selection(request, target)
        try Self.check(request)
        let version = request["resourceVersion"] ?? "", sends = request["sendInitialEvents"]
        try ListParameters.checkVersion(version)
        wantsBookmarks = request.isTrue("allowWatchBookmarks")
        wantsStart = request.isTrue("sendInitialEvents")
        asked = wantsStart ? nil : Int(version).flatMap { $0 == 0 ? nil : $0 }
        startsNow = sends != nil && !wantsStart
        let seconds = try ListParameters.number(request["timeoutSeconds"])
        timeout = seconds > 0 ? seconds : Int.random(in: 1800...3600)
        representation = try Representation(request.accept)
        includes = request["includeObject"]
    }

    /// (k8s.io/apimachinery/pkg/apis/meta/internalversion/validation, validateWatchOptions)
    private static func check(_ request: HTTPRequest) throws {
        let match = request["resourceVersionMatch"] ?? "", sends = request["sendInitialEvents"] != nil
        var causes: [StatusError.Cause] = []
        func forbid(_ why: String) { causes.append(.forbidden("resourceVersionMatch", why)) }
        if sends, match != "NotOlderThan" { forbid("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan") }
        if !sends, !match.isEmpty { forbid("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided") }
        if !match.isEmpty, match != "NotOlderThan" {
            causes.append(.notSupported("resourceVersionMatch", .string(match), "\"NotOlderThan\""))
        }
        if !(request["continue"] ?? "").isEmpty { forbid("resourceVersionMatch is forbidden when continue is provided") }
        if !causes.isEmpty { throw StatusError.invalid(ListParameters.resource, "", causes) }
    }

    /// The revision after which it begins; nil: with what there is. Who has seen what is yet to come waits until it has.
    func start(_ store: ObjectStore) async throws -> Int? {
        let now = await store.revision
        if asked == nil, startsNow { return now }
        return asked.map { min($0, now) }
    }

    static func line(_ error: StatusError) -> [UInt8] { (["type": "ERROR", "object": error.status] as JSON).bytes() + [0x0A] }

    /// Tells of events, each a line, until the time is up or the reader has left.
    func tell(_ events: AsyncThrowingStream<StoreEvent, any Error>, to sink: @escaping ByteSink) async throws {
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await TimerClock().sleep(for: .seconds(Timestamp.bounded(timeout))) }
                group.addTask {
                    var isFirst = true
                    for try await event in events {
                        guard let line = line(event, isFirst: isFirst) else { continue }
                        isFirst = false
                        try await sink(line)
                    }
                }
                try await group.next()
                group.cancelAll()
            }
        } catch let error as StatusError { try await sink(Self.line(error)) }
    }

    private func line(_ event: StoreEvent, isFirst: Bool) -> [UInt8]? {
        guard let (type, shownObject) = shown(event) else { return nil }
        var object = shownObject
        // The first table names the columns for all.
        if case .table = representation, !isFirst { object["columnDefinitions"] = .null }
        func encoded() -> [UInt8] { (["type": .string(type.rawValue), "object": object] as JSON).bytes() + [0x0A] }
        guard case .json = representation, type != .bookmark else { return encoded() }
        return lines.line(
            WatchLines.Key(
                resource: target.resource, type: type, uid: object["metadata"]["uid"].string,
                version: object["metadata"]["resourceVersion"].string), encoded)
    }

    /// The event as this client sees it; nil when it is none of its.
    private func shown(_ event: StoreEvent) -> (WatchEvent.Kind, JSON)? {
        let kind = target.kind
        guard event.kind != .bookmark else {
            guard wantsBookmarks else { return nil }
            var object = event.object
            object["apiVersion"] = .string(kind.resource.apiVersion)
            object["kind"] = .string(kind.resource.kind)
            return (.bookmark, represented(object, isBookmark: true))
        }
        if let asked, event.object.metadata.revision <= asked { return nil }
        let object = target.present(event.object)
        // An object that no longer matches is gone as far as this watch goes, and one that now does is new to it.
        let matches = selection.takes(object)
        let matched = event.kind == .modified ? event.previous.map { selection.takes(target.present($0)) } : nil
        guard matches || matched == true else { return nil }
        guard matches else { return (.deleted, represented(Self.last(event, object, target), isBookmark: false)) }
        return (matched == false ? .added : event.kind, represented(object, isBookmark: false))
    }

    /// An object that is gone for a watch, as it was when it still matched, of the revision at which it no longer does.
    private static func last(_ event: StoreEvent, _ object: JSON, _ target: Target) -> JSON {
        guard event.kind == .modified, let previous = event.previous else { return object }
        var last = target.present(previous)
        last["metadata"]["resourceVersion"] = object["metadata"]["resourceVersion"]
        return last
    }

    private func represented(_ object: JSON, isBookmark: Bool) -> JSON {
        switch representation {
        case .table(let version):
            Table.of(
                isBookmark ? [] : [object], target.kind, revision: object["metadata"]["resourceVersion"].string ?? "", now: now(),
                version: version,
                includes: includes, metadata: isBookmark ? object["metadata"] : nil)
        case .metadata(let version, _): Table.partial(object, version: version)
        default: object
        }
    }
}
