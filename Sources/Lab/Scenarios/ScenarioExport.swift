import API
import Host
import Model

/// Writes a lab as a folder that Killercoda reads. What cannot be said there is told, and stands in the scenario's own words.
package struct ScenarioExport {
    private let file: LabFile
    private let language: LabText.Language
    private let scripts: ScenarioScripts
    /// What the folder does not have of the lab, a line each.
    package private(set) var losses: [String]

    package init(_ file: LabFile, _ language: LabText.Language) {
        (self.file, self.language) = (file, language)
        scripts = ScenarioScripts(file.cluster)
        losses = scripts.losses
    }

    /// Each file by its path in the folder.
    package mutating func files() throws -> [String: String] {
        let lab = file.lab
        var files: [String: String] = [:], steps: [JSON] = []
        let goals = lab.objectives.map { "- \($0[language])" }
        files["intro.md"] = (["# \(lab.title[language])"] + goals + [lab.intro?[language] ?? ""]).joined(separator: "\n\n") + "\n"
        files["finish.md"] = (lab.outro?[language].trimmed ?? "All tasks are done.") + "\n"
        files["background.sh"] = setup()
        files["foreground.sh"] = Self.waiting
        for (index, task) in lab.tasks.enumerated() {
            let folder = "step\(index + 1)"
            files["\(folder)/text.md"] = text(task)
            files["\(folder)/verify.sh"] = verify(task)
            var step: JSON = ["title": .string(task.title[language]), "text": .string("\(folder)/text.md")]
            if !task.isRead { step["verify"] = .string("\(folder)/verify.sh") }
            if !task.setup.isEmpty {
                files["\(folder)/background.sh"] = "#!/bin/bash\n" + task.setup.map { command($0) }.joined(separator: "\n") + "\n"
                step["background"] = .string("\(folder)/background.sh")
            }
            steps.append(step)
        }
        for task in lab.tasks where task.isRead { files["step\((lab.tasks.firstIndex { $0.name == task.name } ?? 0) + 1)/verify.sh"] = nil }
        var assets: [JSON] = []
        if !file.objects.isEmpty {
            files["assets/objects.yaml"] = file.objects.map { YAMLText.of($0.json) }.joined(separator: "---\n")
            assets.append(["file": "objects.yaml", "target": "/opt/lab/"])
        }
        let index: JSON = [
            "title": .string(lab.title[language]), "description": .string(lab.objectives.map { $0[language] }.joined(separator: "; ")),
            "details": [
                "intro": ["text": "intro.md", "background": "background.sh", "foreground": "foreground.sh"],
                "steps": .array(steps), "finish": ["text": "finish.md"], "assets": ["host01": .array(assets)],
            ],
            "backend": ["imageid": .string(scripts.image)],
        ]
        files["index.json"] = index.text(indented: true) + "\n"
        files = files.mapValues(scripts.local)
        for (path, text) in files.sorted(by: { $0.key < $1.key }) where scripts.isForeign(text) {
            losses.append("\(path) names addresses of the nodes' network, which is 172.30.0.0/16 there")
        }
        return files
    }

    private static let waiting = """
        echo 'The lab is being set up ...'
        while ! test -e /tmp/.lab-is-up; do sleep 1; done
        echo 'It is up.'

        """

    private mutating func command(_ step: LabStep) -> String {
        let (text, losses) = scripts.command(step)
        self.losses += losses.filter { !self.losses.contains($0) }
        return text
    }

    private mutating func setup() -> String {
        var lines = ["#!/bin/bash"]
        if !file.objects.isEmpty {
            lines += ["kubectl apply -f /opt/lab/objects.yaml", "kubectl wait --for=condition=Ready pods --all --timeout=120s"]
        }
        for step in file.lab.setup { lines.append(command(step)) }
        return (lines + ["touch /tmp/.lab-is-up", ""]).joined(separator: "\n")
    }

    private mutating func text(_ task: LabTask) -> String {
        var parts = [task.text[language].trimmed]
        if task.checks.contains(where: ScenarioScripts.isAnswer) {
            parts.append("Write your answer into `/root/answer-\(task.name)`: `echo ANSWER > /root/answer-\(task.name)`.")
        }
        for hint in task.hints where hint.when.isEmpty {
            parts.append("<details><summary>Hint</summary>\n\n\(hint.text[language].trimmed)\n\n</details>")
        }
        if !task.solution.isEmpty {
            let commands = task.solution.map { command($0) }.joined(separator: "\n")
            parts.append("<details><summary>Solution</summary>\n\n```\n\(commands)\n```{{exec}}\n\n</details>")
        }
        return parts.joined(separator: "\n\n") + "\n"
    }

    private mutating func verify(_ task: LabTask) -> String {
        var lines = ["#!/bin/bash", ScenarioScripts.functions]
        for check in task.checks {
            let (text, losses) = scripts.verify(check, task.name)
            lines.append(text)
            self.losses += losses.map { "\(task.name): \($0)" }
        }
        return (lines + ["exit 0", ""]).joined(separator: "\n")
    }
}
