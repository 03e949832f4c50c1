extension SchemaTable {
    /// k8s.io/api/apps/v1
    static let appsTypes = """
        ControllerRevision
          metadata 1 meta:ObjectMeta
          data 2 any atomic
          revision 3 int64 required default=0
        DaemonSet
          metadata 1 meta:ObjectMeta
          spec 2 DaemonSetSpec held
          status 3 DaemonSetStatus default={"currentNumberScheduled":0,"numberMisscheduled":0,"desiredNumberScheduled":0,"numberReady":0} held
        DaemonSetCondition
          type 1 string required
          status 2 string required
          lastTransitionTime 3 time default=null
          reason 4 string
          message 5 string
        DaemonSetSpec
          selector 1 meta:LabelSelector required atomic
          template 2 core:PodTemplateSpec required held
          updateStrategy 3 DaemonSetUpdateStrategy default={"type":"RollingUpdate"} held
          minReadySeconds 4 int32
          revisionHistoryLimit 6 int32? default=10
        DaemonSetStatus
          currentNumberScheduled 1 int32 required
          numberMisscheduled 2 int32 required
          desiredNumberScheduled 3 int32 required
          numberReady 4 int32 required
          observedGeneration 5 int64
          updatedNumberScheduled 6 int32
          numberAvailable 7 int32
          numberUnavailable 8 int32
          collisionCount 9 int32?
          conditions 10 [DaemonSetCondition] key=type
        DaemonSetUpdateStrategy
          type 1 string|RollingUpdate|OnDelete default="RollingUpdate" go=DaemonSetUpdateStrategyType
          rollingUpdate 2 RollingUpdateDaemonSet
        Deployment
          metadata 1 meta:ObjectMeta
          spec 2 DeploymentSpec held
          status 3 DeploymentStatus default={} held
        DeploymentCondition
          type 1 string required
          status 2 string required
          lastUpdateTime 6 time default=null
          lastTransitionTime 7 time default=null
          reason 4 string
          message 5 string
        DeploymentSpec
          replicas 1 int32? default=1
          selector 2 meta:LabelSelector required atomic
          template 3 core:PodTemplateSpec required held
          strategy 4 DeploymentStrategy retainKeys default={"type":"RollingUpdate"} held
          minReadySeconds 5 int32
          revisionHistoryLimit 6 int32? default=10
          paused 7 bool
          progressDeadlineSeconds 9 int32? default=600
        DeploymentStatus
          observedGeneration 1 int64
          replicas 2 int32
          updatedReplicas 3 int32
          readyReplicas 7 int32
          availableReplicas 4 int32
          unavailableReplicas 5 int32
          terminatingReplicas 9 int32?
          conditions 6 [DeploymentCondition] key=type
          collisionCount 8 int32?
        DeploymentStrategy
          type 1 string|Recreate|RollingUpdate default="RollingUpdate" go=DeploymentStrategyType
          rollingUpdate 2 RollingUpdateDeployment
        ReplicaSet
          metadata 1 meta:ObjectMeta
          spec 2 ReplicaSetSpec held
          status 3 ReplicaSetStatus default={"replicas":0} held
        ReplicaSetCondition
          type 1 string required
          status 2 string required
          lastTransitionTime 3 time default=null
          reason 4 string
          message 5 string
        ReplicaSetSpec
          replicas 1 int32? default=1
          minReadySeconds 4 int32
          selector 2 meta:LabelSelector required atomic
          template 3 core:PodTemplateSpec held
        ReplicaSetStatus
          replicas 1 int32 required default=0
          fullyLabeledReplicas 2 int32
          readyReplicas 4 int32
          availableReplicas 5 int32
          terminatingReplicas 7 int32?
          observedGeneration 3 int64
          conditions 6 [ReplicaSetCondition] key=type
        RollingUpdateDaemonSet
          maxUnavailable 1 intOrString?
          maxSurge 2 intOrString?
        RollingUpdateDeployment
          maxUnavailable 1 intOrString?
          maxSurge 2 intOrString?
        RollingUpdateStatefulSetStrategy
          partition 1 int32? default=0
          maxUnavailable 2 intOrString?
        StatefulSet
          metadata 1 meta:ObjectMeta
          spec 2 StatefulSetSpec held
          status 3 StatefulSetStatus default={"replicas":0,"availableReplicas":0} held
        StatefulSetCondition
          type 1 string required
          status 2 string required
          lastTransitionTime 3 time default=null
          reason 4 string
          message 5 string
        StatefulSetOrdinals
          start 1 int32?
        StatefulSetPersistentVolumeClaimRetentionPolicy
          whenDeleted 1 string go=PersistentVolumeClaimRetentionPolicyType
          whenScaled 2 string go=PersistentVolumeClaimRetentionPolicyType
        StatefulSetSpec
          replicas 1 int32? default=1
          selector 2 meta:LabelSelector required atomic
          template 3 core:PodTemplateSpec required held
          volumeClaimTemplates 4 [core:PersistentVolumeClaim]
          serviceName 5 string? default="" held
          podManagementPolicy 6 string|OrderedReady|Parallel default="OrderedReady" go=PodManagementPolicyType
          updateStrategy 7 StatefulSetUpdateStrategy default={"type":"RollingUpdate"} held
          revisionHistoryLimit 8 int32? default=10
          minReadySeconds 9 int32
          persistentVolumeClaimRetentionPolicy 10 StatefulSetPersistentVolumeClaimRetentionPolicy default={"whenDeleted":"Retain","whenScaled":"Retain"}
          ordinals 11 StatefulSetOrdinals
        StatefulSetStatus
          observedGeneration 1 int64
          replicas 2 int32 required
          readyReplicas 3 int32
          currentReplicas 4 int32
          updatedReplicas 5 int32
          currentRevision 6 string
          updateRevision 7 string
          collisionCount 9 int32?
          conditions 10 [StatefulSetCondition] key=type
          availableReplicas 11 int32?
        StatefulSetUpdateStrategy
          type 1 string|RollingUpdate|OnDelete default="RollingUpdate" go=StatefulSetUpdateStrategyType
          rollingUpdate 2 RollingUpdateStatefulSetStrategy
        """
}
