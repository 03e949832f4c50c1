import Foundation
import Lab
import Testing

@Suite("a scenario of Killercoda's is read as it is written, and said plainly what of it is not here")
struct ScenarioTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Data/scenario").path
    private static let image = Scenario.Image("kubernetes-kubeadm-2nodes")

    @Test("its pages become tasks, its scripts judge them, a page without one is done when it is read")
    func pages() throws {
        let file = try LabFile(Self.folder), scenario = try #require(file.scenario)
        #expect(file.lab.tasks.map(\.name) == ["step1", "step2"] && file.lab.tasks.map(\.isRead) == [true, false])
        #expect(file.lab.tasks[1].needs == ["step1"] && file.lab.setup.count == 2 && file.lab.home == "controlplane")
        #expect(file.cluster.nodes.map(\.name) == ["controlplane", "node01"])
        #expect(file.cluster.nodes.map(\.address.description) == ["172.30.1.2", "172.30.2.2"])
        #expect(file.lab.intro?[.english].contains("http://172.30.1.2:80") == true)
        #expect(
            scenario.assets.map { "\($0.node):\($0.target) \($0.isExecutable)" }.sorted() == [
                "controlplane:/root/app/page.yaml false", "controlplane:/usr/local/bin/hello.sh true", "node01:/root/hello.sh true",
            ])
    }

    @Test(
        "an imageid says how many machines there are",
        arguments: [
            ("ubuntu", 1), ("ubuntu-4GB", 1), ("kubernetes-kubeadm-1node", 1), ("kubernetes-kubeadm-2nodes", 2),
            ("kubernetes-kubeadm-2nodes-rapid", 2), ("kubernetes-k3s-1node", 1),
        ])
    func machines(id: String, count: Int) {
        let image = Scenario.Image(id)
        #expect(image.nodes == count && image.machine(ofHost: "host01") == "controlplane")
        #expect(image.machine(ofHost: "host02") == (count > 1 ? "node01" : nil))
    }

    @Test("marks: what a click runs is told from what it copies; a fence nobody closed is text")
    func marks() {
        let text = ScenarioText(
            """
            Type `ls`{{exec}} or `pwd`{{copy}}, `id`{{execute}}, not `rm`{{}}; `whoami`{{exec interrupt}}.<br>
            ```bash
            for x in 1 2; do
              echo `date`
            done
            ```{{exec}}
            ```
            copied
            ```{{copy}}
            [page]({{TRAFFIC_HOST2_8080}}) {{TRAFFIC_HOST7_1}}
            ```
            open
            """, Self.image)
        #expect(text.commands == ["ls", "id", "whoami", "for x in 1 2; do\n  echo `date`\ndone"])
        #expect(text.plain.contains("Type `ls` ⏎ or `pwd`, `id` ⏎, not `rm`; `whoami` ⏎.\n"))
        #expect(text.plain.contains("[page](http://172.30.2.2:8080) {{TRAFFIC_HOST7_1}}") && text.plain.hasSuffix("```\nopen"))
        #expect(!text.plain.contains("{{exec") && !text.plain.contains("<br>"))
    }

    @Test("what it needs and has not is named with page and line; what stands in quotes, comments and here-documents is no command")
    func needs() throws {
        let scenario = try Scenario(Self.folder)
        let lines = ScenarioNeeds(scenario) { !["frobnicate"].contains($0) }.lines
        #expect(
            lines == [
                "step2: mend/background.sh:1 calls systemctl: nodes have no systemd",
                "step2: mend/background.sh:2 calls frobnicate: no such program is here",
            ])
        #expect(ScenarioNeeds(scenario) { $0 == "nothing" }.lines.contains { $0.contains("calls kubectl") })
        #expect(!ScenarioNeeds(scenario) { _ in false }.lines.contains { $0.contains("jqless") })
    }

    @Test("stray text that no shell reads is named with its line, and the scenario is read all the same")
    func unreadable() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "scenario-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func write(_ name: String, _ text: String) throws {
            try text.write(to: folder.appending(path: name), atomically: true, encoding: .utf8)
        }
        try write(
            "index.json", #"{"title": "t", "details": {"steps": [{"text": "a.md", "verify": "v.sh"}]}, "backend": {"imageid": "ubuntu"}}"#)
        try write("a.md", "text")
        try write("v.sh", "#!/bin/bash\ntrue\n```bash (see above)\n")
        let scenario = try Scenario(folder.path)
        #expect(try ScenarioNeeds(scenario).unreadable().first?.contains("v.sh: line 3") == true)
        #expect(ScenarioNeeds(scenario) { _ in true }.lines.first?.contains("only node") == true)

        try write("index.json", #"{"details": {"steps": [{"text": "../a.md"}]}}"#)
        #expect { try Scenario(folder.path) } throws: { "\($0)".contains("details.steps[0].text: ../a.md leads out of") }
        try write("index.json", #"{"details": {"steps": [{"text": "b.md"}]}}"#)
        #expect { try Scenario(folder.path) } throws: { "\($0)".contains("details.steps[0].text: there is no file b.md") }
        try write("index.json", "{\"title\": \"t\"} and more")
        #expect { try Scenario(folder.path) } throws: { "\($0)".contains("index.json:") }
    }
}
