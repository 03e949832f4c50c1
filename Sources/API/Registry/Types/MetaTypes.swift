extension SchemaTable {
    /// k8s.io/apimachinery/pkg/apis/meta/v1
    static let metaTypes = """
        Condition
          type 1 string required
          status 2 string required
          observedGeneration 3 int64
          lastTransitionTime 4 time required
          reason 5 string required
          message 6 string required
        DeleteOptions
          gracePeriodSeconds 1 int64?
          preconditions 2 Preconditions
          orphanDependents 3 bool?
          propagationPolicy 4 string?
          dryRun 5 [string]
          ignoreStoreReadErrorWithClusterBreakingPotential 6 bool?
        FieldSelectorRequirement
          key 1 string required
          operator 2 string required
          values 3 [string]
        LabelSelector
          matchLabels 1 {string}
          matchExpressions 2 [LabelSelectorRequirement]
        LabelSelectorRequirement
          key 1 string required
          operator 2 string required go=LabelSelectorOperator
          values 3 [string]
        ListMeta
          selfLink 1 string
          resourceVersion 2 string
          continue 3 string
          remainingItemCount 4 int64?
        ManagedFieldsEntry
          manager 1 string
          operation 2 string
          apiVersion 3 string
          time 4 time
          fieldsType 6 string
          fieldsV1 7 any
          subresource 8 string
        ObjectMeta
          name 1 string
          generateName 2 string
          namespace 3 string
          selfLink 4 string
          uid 5 string go=types.UID
          resourceVersion 6 string
          generation 7 int64
          creationTimestamp 8 time
          deletionTimestamp 9 time
          deletionGracePeriodSeconds 10 int64?
          labels 11 {string}
          annotations 12 {string}
          ownerReferences 13 [OwnerReference] key=uid atomic
          finalizers 14 [string] merge set
          managedFields 17 [ManagedFieldsEntry]
        OwnerReference
          apiVersion 5 string required
          kind 1 string required
          name 3 string required
          uid 4 string required go=types.UID
          controller 6 bool?
          blockOwnerDeletion 7 bool?
        Preconditions
          uid 1 string?
          resourceVersion 2 string?
        """
}
