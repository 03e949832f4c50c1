import API
import Foundation
import Model
import Testing

/// Requests and what kube-apiserver 1.36.2 answers to them, one a line and chosen by cause: `base` is an object that is right as it stands;
/// a row changes it (a path and a value; without a value the member goes) and names the causes of the refusal, or none.
@Suite("new objects are taken and refused as a real control plane does")
struct RecordedAnswerTests {
    private struct Unreadable: Error { let line: String }

    private static func rows() throws -> (bases: [String: JSON], rows: [JSON]) {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Data/answers.jsonl")
        var bases: [String: JSON] = [:], rows: [JSON] = []
        for line in try String(contentsOf: path, encoding: .utf8).split(separator: "\n") {
            let row = try JSON(parsing: Array(line.utf8))
            guard let base = row["base"].string else { throw Unreadable(line: String(line)) }
            if row["object"].isNull { rows.append(row) } else { bases[base] = row["object"] }
        }
        return (bases, rows)
    }

    /// `value` put at a path of members and places of lists, or what is there taken away.
    private static func changed(_ json: JSON, _ path: ArraySlice<JSON>, _ value: JSON) -> JSON {
        guard let step = path.first else { return value }
        var json = json
        if let place = step.int {
            var items = json.items
            if place == items.count { items.append(.null) }
            items[place] = changed(items[place], path.dropFirst(), value)
            return .array(items)
        }
        let name = step.string ?? ""
        json[name] = changed(json[name].isNull && path.count > 1 ? .emptyObject : json[name], path.dropFirst(), value)
        return json
    }

    private static func causes(_ kind: KindDefinition, _ object: JSON) async throws -> [String] {
        let api = try await Fixture.api()
        // As a client writes that says nothing of fields that are unknown.
        var options = WriteOptions()
        options.fieldValidation = .warn
        options.fieldManager = "test"
        do { _ = try await api.create(kind, object, options) } catch let error as StatusError where error.code == 422 {
            return error.causes.map { "\($0.field): \($0.reason)" }.sorted()
        } catch let error as StatusError { return ["\(error.code): \(error)"] }
        return []
    }

    @Test("by causes, each with its field")
    func byCauses() async throws {
        let (bases, rows) = try Self.rows()
        #expect(rows.count > 100)
        for row in rows {
            let name = row["base"].string ?? ""
            var object = try #require(bases[name], "no base \(name)")
            for change in row["change"].items {
                object = Self.changed(object, change["at"].items[...], change["is"])
            }
            let kind = try #require(Registry.kind(apiVersion: object["apiVersion"].string ?? "", kind: object["kind"].string ?? ""))
            if kind.resource.namespaced { object["metadata"]["namespace"] = "default" }
            let expected = row["causes"].items.compactMap(\.string).sorted()
            let got = try await Self.causes(kind, object)
            #expect(got == expected, "\(name): \(row["what"].string ?? "")")
        }
    }
}
