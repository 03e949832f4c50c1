extension SchemaTable {
    /// k8s.io/api/node/v1
    static let nodeTypes = """
        Overhead
          podFixed 1 {quantity}
        RuntimeClass
          metadata 1 meta:ObjectMeta
          handler 2 string required
          overhead 3 Overhead
          scheduling 4 Scheduling
        Scheduling
          nodeSelector 1 {string} atomic
          tolerations 2 [core:Toleration]
        """

    /// k8s.io/api/scheduling/v1
    static let schedulingTypes = """
        PriorityClass
          metadata 1 meta:ObjectMeta
          value 2 int32 required
          globalDefault 3 bool
          description 4 string
          preemptionPolicy 5 string|PreemptLowerPriority|Never default="PreemptLowerPriority" ordered go=PreemptionPolicy
        """
}
