import API
import Foundation
import Model
import Testing

/// Requests in turn and what kube-apiserver 1.36.2 answered, one exchange a line and chosen by cause. Of an answer stand there the code,
/// its warning, and what of its body matters (`is`; null is what is not there).
@Suite("requests in turn are answered as by a real control plane")
struct RecordedExchangeTests {
    static let rows: [JSON] = {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Data/exchanges.jsonl")
        let lines = (try? String(contentsOf: path, encoding: .utf8)) ?? ""
        return lines.split(separator: "\n").map { (try? JSON(parsing: Array($0.utf8))) ?? .null }
    }()

    private static func read(_ response: HTTPResponse) -> (code: Int, body: JSON, warnings: [String]) {
        switch response {
        case .json(let body, let code): return (code, body, [])
        case .text(let text, let code): return (code, .string(text), [])
        case .bytes(let bytes, _, let code):
            return (code, (try? JSON(parsing: bytes)) ?? .string(String(decoding: bytes, as: UTF8.self)), [])
        case .with(let headers, let inner):
            var answer = read(inner)
            answer.warnings += headers.filter { $0.name == "Warning" }.map(\.value)
            return answer
        case .stream, .relayed: return (0, .null, [])
        }
    }

    /// Of `got` what `wanted` speaks of. Notes of managers come in any order, and their times are nobody's concern.
    private static func matching(_ got: JSON, _ wanted: JSON, _ name: String = "") -> JSON {
        if name == "managedFields", case .array(let entries) = got {
            let timeless = entries.map { entry in
                var entry = entry
                entry["time"] = .null
                return entry.sorted
            }
            return .array(timeless.sorted { $0.text() < $1.text() })
        }
        guard case .object(let members) = wanted, got.object != nil else { return got.sorted }
        var result = JSON.emptyObject
        for (key, value) in members { result[key] = matching(got[key], value, key) }
        return result.sorted
    }

    @Test("by causes", arguments: rows)
    func byCauses(_ row: JSON) async throws {
        let about = try #require(row["about"].string)
        let api = try await Fixture.api()
        let router = Router(api: api, nodes: ScriptedNodes { _, _ in { _ in } }, now: { Fixture.time })
        for (number, step) in row["steps"].items.enumerated() {
            let body = step["b"].string.map { Array($0.utf8) } ?? (step["b"].isNull ? [] : step["b"].bytes())
            let request = HTTPRequest(
                method: step["m"].string ?? "", target: step["p"].string ?? "",
                contentType: step["type"].string ?? (body.isEmpty ? "" : "application/json"), headers: [("User-Agent", "oracle/1.0")],
                body: body, peer: .root)
            let answer = Self.read(await router.respond(request))
            guard let code = step["code"].int else {
                try #require((200..<300).contains(answer.code), "\(about), step \(number): \(answer.body.text())")
                continue
            }
            #expect(answer.code == code, "\(about), step \(number): \(answer.body.text())")
            let wanted = Self.matching(step["is"], step["is"])
            let got = Self.matching(answer.body, step["is"])
            #expect(got == wanted, "\(about), step \(number)")
            if let warning = step["warning"].string { #expect(answer.warnings.joined(separator: ", ").contains(warning), "\(about)") }
        }
    }
}
