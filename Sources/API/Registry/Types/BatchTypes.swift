extension SchemaTable {
    /// k8s.io/api/batch/v1
    static let batchTypes = """
        CronJob
          metadata 1 meta:ObjectMeta
          spec 2 CronJobSpec held
          status 3 CronJobStatus default={} held
        CronJobSpec
          schedule 1 string required
          timeZone 8 string?
          startingDeadlineSeconds 2 int64?
          concurrencyPolicy 3 string|Allow|Forbid|Replace default="Allow" go=ConcurrencyPolicy
          suspend 4 bool? default=false
          jobTemplate 5 JobTemplateSpec required held
          successfulJobsHistoryLimit 6 int32? default=3
          failedJobsHistoryLimit 7 int32? default=1
        CronJobStatus
          active 1 [core:ObjectReference] atomic
          lastScheduleTime 4 time
          lastSuccessfulTime 5 time
        Job
          metadata 1 meta:ObjectMeta
          spec 2 JobSpec held
          status 3 JobStatus default={} held
        JobCondition
          type 1 string required
          status 2 string required
          lastProbeTime 3 time default=null
          lastTransitionTime 4 time default=null
          reason 5 string
          message 6 string
        JobSpec
          parallelism 1 int32?
          completions 2 int32?
          activeDeadlineSeconds 3 int64?
          podFailurePolicy 11 PodFailurePolicy unjudged
          successPolicy 16 SuccessPolicy
          backoffLimit 7 int32?
          backoffLimitPerIndex 12 int32?
          maxFailedIndexes 13 int32?
          selector 4 meta:LabelSelector atomic
          manualSelector 5 bool?
          template 6 core:PodTemplateSpec required held
          ttlSecondsAfterFinished 8 int32?
          completionMode 9 string?|NonIndexed|Indexed ordered go=CompletionMode
          suspend 10 bool?
          podReplacementPolicy 14 string?|TerminatingOrFailed|Failed go=PodReplacementPolicy
          managedBy 15 string?
        JobStatus
          conditions 1 [JobCondition] merge=type
          startTime 2 time
          completionTime 3 time
          active 4 int32
          succeeded 5 int32
          failed 6 int32
          terminating 11 int32?
          completedIndexes 7 string
          failedIndexes 10 string?
          uncountedTerminatedPods 8 UncountedTerminatedPods
          ready 9 int32?
        JobTemplateSpec
          metadata 1 meta:ObjectMeta default={}
          spec 2 JobSpec held
        PodFailurePolicy
          rules 1 [PodFailurePolicyRule] required default=null
        PodFailurePolicyOnExitCodesRequirement
          containerName 1 string?
          operator 2 string|In|NotIn required go=PodFailurePolicyOnExitCodesOperator
          values 3 [int32] set required
        PodFailurePolicyOnPodConditionsPattern
          type 1 string required go=PodConditionType
          status 2 string default="True" go=ConditionStatus
        PodFailurePolicyRule
          action 1 string|FailJob|FailIndex|Ignore|Count required go=PodFailurePolicyAction
          onExitCodes 2 PodFailurePolicyOnExitCodesRequirement
          onPodConditions 3 [PodFailurePolicyOnPodConditionsPattern]
        SuccessPolicy
          rules 1 [SuccessPolicyRule] required
        SuccessPolicyRule
          succeededIndexes 1 string?
          succeededCount 2 int32?
        UncountedTerminatedPods
          succeeded 1 [string] set
          failed 2 [string] set
        """
}
