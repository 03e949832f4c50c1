import Model

/// A lesson as Killercoda keeps it: a folder with an index.json, pages in Markdown, and scripts. (killercoda.com/creators)
package struct Scenario: Sendable {
    /// A script of a page's, by its path in the folder.
    package struct Script: Sendable, Hashable {
        package let path: String
        package let text: String
    }

    package struct Page: Sendable {
        /// How it is called among the others: `intro`, `step1`, `finish`.
        package let name: String
        package let title: String
        package let text: String
        /// What the learner sees run when the page is shown, and what runs unseen.
        package let foreground: Script?
        package let background: Script?
        /// It ends with 0 when the page is done; a page without is done when it is read.
        package let verify: Script?

        package var scripts: [Script] { [foreground, background, verify].compactMap { $0 } }
    }

    /// A file that is there when the lesson begins.
    package struct Asset: Sendable, Hashable {
        /// In the folder.
        package let path: String
        package let node: String
        /// Its whole path on the node.
        package let target: String
        package let isExecutable: Bool
    }

    package let folder: String
    /// The folder's, as a lab is called.
    package let name: String
    package let title: String
    package let description: String
    package let intro: Page?
    package let steps: [Page]
    package let finish: Page?
    package let assets: [Asset]
    package let image: Image

    package var pages: [Page] { [intro].compactMap { $0 } + steps + [finish].compactMap { $0 } }

    /// The machines behind an `imageid`.
    package struct Image: Sendable, Hashable {
        package let id: String
        package let nodes: Int
        package var hasKubernetes: Bool { id.contains("kubernetes") || id.contains("k3s") || id.contains("k8s") }

        package init(_ id: String) {
            self.id = id
            nodes = id.firstMatch(of: /(\d+)-?nodes?/).flatMap { Int($0.1) }.map { min(max($0, 1), 9) } ?? 1
        }

        /// What the machines are called there, and which addresses they have.
        package var machines: [(name: String, address: String)] {
            (0..<nodes).map { ($0 == 0 ? Self.first : "node0\($0)", "172.30.\($0 + 1).2") }
        }
        package static let first = "controlplane"

        /// The machine that assets and addresses mean by `host01`.
        package func machine(ofHost host: String) -> String? {
            if let known = machines.first(where: { $0.name == host }) { return known.name }
            guard let number = host.wholeMatch(of: /host0?(\d+)/).flatMap({ Int($0.1) }), (1...nodes).contains(number) else { return nil }
            return machines[number - 1].name
        }
    }
}
