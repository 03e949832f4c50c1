/// Who hears how a command that takes a while gets on.
package protocol ProgressReport: Sendable {
    /// A stage begins; only one is under way at a time.
    func begin(_ stage: String)
    /// What the stage is at.
    func detail(_ text: String)
    func end()
    /// Something the user should know that stops nothing.
    func note(_ text: String)
}
