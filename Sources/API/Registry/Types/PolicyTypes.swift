extension SchemaTable {
    /// k8s.io/api/policy/v1
    static let policyTypes = """
        Eviction
          metadata 1 meta:ObjectMeta
          deleteOptions 2 meta:DeleteOptions
        PodDisruptionBudget
          metadata 1 meta:ObjectMeta
          spec 2 PodDisruptionBudgetSpec default={} held
          status 3 PodDisruptionBudgetStatus default={"disruptionsAllowed":0,"currentHealthy":0,"desiredHealthy":0,"expectedPods":0} held
        PodDisruptionBudgetSpec
          minAvailable 1 intOrString?
          selector 2 meta:LabelSelector atomic
          maxUnavailable 3 intOrString?
          unhealthyPodEvictionPolicy 4 string?|IfHealthyBudget|AlwaysAllow go=UnhealthyPodEvictionPolicyType
        PodDisruptionBudgetStatus
          observedGeneration 1 int64
          disruptedPods 2 {time}
          disruptionsAllowed 3 int32?
          currentHealthy 4 int32?
          desiredHealthy 5 int32?
          expectedPods 6 int32?
          conditions 7 [meta:Condition] key=type
        """

    /// k8s.io/api/coordination/v1
    static let coordinationTypes = """
        Lease
          metadata 1 meta:ObjectMeta
          spec 2 LeaseSpec default={} held
        LeaseSpec
          holderIdentity 1 string?
          leaseDurationSeconds 2 int32?
          acquireTime 3 microTime
          renewTime 4 microTime
          leaseTransitions 5 int32?
          strategy 6 string? gated
          preferredHolder 7 string? gated
        """

    /// k8s.io/api/events/v1
    static let eventsTypes = """
        Event
          metadata 1 meta:ObjectMeta
          eventTime 2 microTime required default=null
          series 3 EventSeries
          reportingController 4 string
          reportingInstance 5 string
          action 6 string
          reason 7 string
          regarding 8 core:ObjectReference atomic held
          related 9 core:ObjectReference atomic
          note 10 string
          type 11 string
          deprecatedSource 12 core:EventSource default={} held
          deprecatedFirstTimestamp 13 time default=null
          deprecatedLastTimestamp 14 time default=null
          deprecatedCount 15 int32
        EventSeries
          count 1 int32 required
          lastObservedTime 2 microTime required
        """

    /// k8s.io/api/autoscaling/v1
    static let autoscalingTypes = """
        Scale
          metadata 1 meta:ObjectMeta
          spec 2 ScaleSpec held
          status 3 ScaleStatus held
        ScaleSpec
          replicas 1 int32 default=0
        ScaleStatus
          replicas 1 int32 required
          selector 2 string
        """
}
