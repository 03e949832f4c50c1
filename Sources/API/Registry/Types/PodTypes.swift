extension SchemaTable {
    /// Pods and their containers. (k8s.io/api/core/v1)
    static let podTypes = """
        Affinity
          nodeAffinity 1 NodeAffinity
          podAffinity 2 PodAffinity
          podAntiAffinity 3 PodAntiAffinity
        AppArmorProfile
          type 1 string|Unconfined|RuntimeDefault|Localhost required go=AppArmorProfileType
          localhostProfile 2 string?
        Capabilities
          add 1 [string] go=Capability
          drop 2 [string] go=Capability
        ConfigMapEnvSource
          + 1 LocalObjectReference
          optional 2 bool?
        ConfigMapKeySelector
          + 1 LocalObjectReference
          key 2 string required
          optional 3 bool?
        Container
          name 1 string required
          image 2 string
          command 3 [string]
          args 4 [string]
          workingDir 5 string
          ports 6 [ContainerPort] merge=containerPort map=containerPort,protocol
          envFrom 19 [EnvFromSource]
          env 7 [EnvVar] key=name
          resources 8 ResourceRequirements default={} held
          resizePolicy 23 [ContainerResizePolicy]
          restartPolicy 24 string? go=ContainerRestartPolicy
          restartPolicyRules 25 [ContainerRestartRule]
          volumeMounts 9 [VolumeMount] key=mountPath
          volumeDevices 21 [VolumeDevice] key=devicePath
          livenessProbe 10 Probe
          readinessProbe 11 Probe
          startupProbe 22 Probe
          lifecycle 12 Lifecycle
          terminationMessagePath 13 string default="/dev/termination-log"
          terminationMessagePolicy 20 string|File|FallbackToLogsOnError default="File" ordered go=TerminationMessagePolicy
          imagePullPolicy 14 string|Always|Never|IfNotPresent go=PullPolicy
          securityContext 15 SecurityContext
          stdin 16 bool
          stdinOnce 17 bool
          tty 18 bool
        ContainerExtendedResourceRequest
          containerName 1 string required
          resourceName 2 string required
          requestName 3 string required
        ContainerPort
          name 1 string
          hostPort 2 int32
          containerPort 3 int32 required
          protocol 4 string|TCP|UDP|SCTP default="TCP" go=Protocol
          hostIP 5 string
        ContainerResizePolicy
          resourceName 1 string required go=ResourceName
          restartPolicy 2 string required go=ResourceResizeRestartPolicy
        ContainerRestartRule
          action 1 string
          exitCodes 2 ContainerRestartRuleOnExitCodes
        ContainerRestartRuleOnExitCodes
          operator 1 string
          values 2 [int32] set
        ContainerState
          waiting 1 ContainerStateWaiting
          running 2 ContainerStateRunning
          terminated 3 ContainerStateTerminated
        ContainerStateRunning
          startedAt 1 time
        ContainerStateTerminated
          exitCode 1 int32 required
          signal 2 int32
          reason 3 string
          message 4 string
          startedAt 5 time
          finishedAt 6 time
          containerID 7 string
        ContainerStateWaiting
          reason 1 string
          message 2 string
        ContainerStatus
          name 1 string required
          state 2 ContainerState held
          lastState 3 ContainerState held
          ready 4 bool required
          restartCount 5 int32 required
          image 6 string required
          imageID 7 string required
          containerID 8 string
          started 9 bool?
          allocatedResources 10 {quantity}
          resources 11 ResourceRequirements
          volumeMounts 12 [VolumeMountStatus] key=mountPath
          user 13 ContainerUser
          allocatedResourcesStatus 14 [ResourceStatus] key=name
          stopSignal 15 string?|SIGABRT|SIGALRM|SIGBUS|SIGCHLD|SIGCLD|SIGCONT|SIGFPE|SIGHUP|SIGILL|SIGINT|SIGIO|SIGIOT|SIGKILL|SIGPIPE|SIGPOLL|SIGPROF|SIGPWR|SIGQUIT|SIGSEGV|SIGSTKFLT|SIGSTOP|SIGSYS|SIGTERM|SIGTRAP|SIGTSTP|SIGTTIN|SIGTTOU|SIGURG|SIGUSR1|SIGUSR2|SIGVTALRM|SIGWINCH|SIGXCPU|SIGXFSZ|SIGRTMIN|SIGRTMIN+1|SIGRTMIN+2|SIGRTMIN+3|SIGRTMIN+4|SIGRTMIN+5|SIGRTMIN+6|SIGRTMIN+7|SIGRTMIN+8|SIGRTMIN+9|SIGRTMIN+10|SIGRTMIN+11|SIGRTMIN+12|SIGRTMIN+13|SIGRTMIN+14|SIGRTMIN+15|SIGRTMAX-14|SIGRTMAX-13|SIGRTMAX-12|SIGRTMAX-11|SIGRTMAX-10|SIGRTMAX-9|SIGRTMAX-8|SIGRTMAX-7|SIGRTMAX-6|SIGRTMAX-5|SIGRTMAX-4|SIGRTMAX-3|SIGRTMAX-2|SIGRTMAX-1|SIGRTMAX
        ContainerUser
          linux 1 LinuxContainerUser
        EnvFromSource
          prefix 1 string
          configMapRef 2 ConfigMapEnvSource
          secretRef 3 SecretEnvSource
        EnvVar
          name 1 string required
          value 2 string
          valueFrom 3 EnvVarSource
        EnvVarSource
          fieldRef 1 ObjectFieldSelector atomic
          resourceFieldRef 2 ResourceFieldSelector atomic
          configMapKeyRef 3 ConfigMapKeySelector atomic
          secretKeyRef 4 SecretKeySelector atomic
          fileKeyRef 5 FileKeySelector atomic
        EphemeralContainer
          + 1 EphemeralContainerCommon
          targetContainerName 2 string
        EphemeralContainerCommon
          name 1 string required
          image 2 string
          command 3 [string]
          args 4 [string]
          workingDir 5 string
          ports 6 [ContainerPort] merge=containerPort map=containerPort,protocol
          envFrom 19 [EnvFromSource]
          env 7 [EnvVar] key=name
          resources 8 ResourceRequirements held
          resizePolicy 23 [ContainerResizePolicy]
          restartPolicy 24 string?
          restartPolicyRules 25 [ContainerRestartRule]
          volumeMounts 9 [VolumeMount] key=mountPath
          volumeDevices 21 [VolumeDevice] key=devicePath
          livenessProbe 10 Probe
          readinessProbe 11 Probe
          startupProbe 22 Probe
          lifecycle 12 Lifecycle
          terminationMessagePath 13 string default="/dev/termination-log"
          terminationMessagePolicy 20 string|File|FallbackToLogsOnError default="File" ordered
          imagePullPolicy 14 string|Always|Never|IfNotPresent
          securityContext 15 SecurityContext
          stdin 16 bool
          stdinOnce 17 bool
          tty 18 bool
        ExecAction
          command 1 [string]
        FileKeySelector
          volumeName 1 string required
          path 2 string required
          key 3 string required
          optional 4 bool? default=false
        GRPCAction
          port 1 int32 required
          service 2 string? default=""
        HTTPGetAction
          path 1 string default="/"
          port 2 intOrString required
          host 3 string
          scheme 4 string|HTTP|HTTPS default="HTTP" go=URIScheme
          httpHeaders 5 [HTTPHeader]
        HTTPHeader
          name 1 string required
          value 2 string required
        HostAlias
          ip 1 string required
          hostnames 2 [string]
        HostIP
          ip 1 string required
        ImageVolumeStatus
          imageRef 1 string
        Lifecycle
          postStart 1 LifecycleHandler
          preStop 2 LifecycleHandler
          stopSignal 3 string?|SIGABRT|SIGALRM|SIGBUS|SIGCHLD|SIGCLD|SIGCONT|SIGFPE|SIGHUP|SIGILL|SIGINT|SIGIO|SIGIOT|SIGKILL|SIGPIPE|SIGPOLL|SIGPROF|SIGPWR|SIGQUIT|SIGSEGV|SIGSTKFLT|SIGSTOP|SIGSYS|SIGTERM|SIGTRAP|SIGTSTP|SIGTTIN|SIGTTOU|SIGURG|SIGUSR1|SIGUSR2|SIGVTALRM|SIGWINCH|SIGXCPU|SIGXFSZ|SIGRTMIN|SIGRTMIN+1|SIGRTMIN+2|SIGRTMIN+3|SIGRTMIN+4|SIGRTMIN+5|SIGRTMIN+6|SIGRTMIN+7|SIGRTMIN+8|SIGRTMIN+9|SIGRTMIN+10|SIGRTMIN+11|SIGRTMIN+12|SIGRTMIN+13|SIGRTMIN+14|SIGRTMIN+15|SIGRTMAX-14|SIGRTMAX-13|SIGRTMAX-12|SIGRTMAX-11|SIGRTMAX-10|SIGRTMAX-9|SIGRTMAX-8|SIGRTMAX-7|SIGRTMAX-6|SIGRTMAX-5|SIGRTMAX-4|SIGRTMAX-3|SIGRTMAX-2|SIGRTMAX-1|SIGRTMAX gated
        LifecycleHandler
          exec 1 ExecAction
          httpGet 2 HTTPGetAction
          tcpSocket 3 TCPSocketAction
          sleep 4 SleepAction
        LinuxContainerUser
          uid 1 int64 required
          gid 2 int64 required
          supplementalGroups 3 [int64]
        NodeAffinity
          requiredDuringSchedulingIgnoredDuringExecution 1 NodeSelector atomic
          preferredDuringSchedulingIgnoredDuringExecution 2 [PreferredSchedulingTerm]
        NodeAllocatableResourceClaimStatus
          resourceClaimName 1 string required
          containers 2 [string] set
          resources 3 {quantity} required
        NodeSelector
          nodeSelectorTerms 1 [NodeSelectorTerm] required atomic
        NodeSelectorRequirement
          key 1 string required
          operator 2 string|In|NotIn|Exists|DoesNotExist|Gt|Lt required go=NodeSelectorOperator
          values 3 [string]
        NodeSelectorTerm
          matchExpressions 1 [NodeSelectorRequirement]
          matchFields 2 [NodeSelectorRequirement]
        Pod
          metadata 1 meta:ObjectMeta
          spec 2 PodSpec held
          status 3 PodStatus default={"phase":"Pending"} held
        PodAffinity
          requiredDuringSchedulingIgnoredDuringExecution 1 [PodAffinityTerm]
          preferredDuringSchedulingIgnoredDuringExecution 2 [WeightedPodAffinityTerm]
        PodAffinityTerm
          labelSelector 1 meta:LabelSelector atomic
          namespaces 2 [string]
          topologyKey 3 string required
          namespaceSelector 4 meta:LabelSelector atomic
          matchLabelKeys 5 [string]
          mismatchLabelKeys 6 [string]
        PodAntiAffinity
          requiredDuringSchedulingIgnoredDuringExecution 1 [PodAffinityTerm]
          preferredDuringSchedulingIgnoredDuringExecution 2 [WeightedPodAffinityTerm]
        PodCondition
          type 1 string required go=PodConditionType
          observedGeneration 7 int64
          status 2 string required go=ConditionStatus
          lastProbeTime 3 time default=null
          lastTransitionTime 4 time default=null
          reason 5 string
          message 6 string
        PodDNSConfig
          nameservers 1 [string]
          searches 2 [string]
          options 3 [PodDNSConfigOption]
        PodDNSConfigOption
          name 1 string
          value 2 string?
        PodExtendedResourceClaimStatus
          requestMappings 1 [ContainerExtendedResourceRequest] required
          resourceClaimName 2 string required
        PodIP
          ip 1 string required
        PodOS
          name 1 string required go=OSName
        PodReadinessGate
          conditionType 1 string required
        PodResourceClaim
          name 1 string required
          resourceClaimName 3 string?
          resourceClaimTemplateName 4 string?
        PodResourceClaimStatus
          name 1 string required
          resourceClaimName 2 string?
        PodSchedulingGate
          name 1 string required
        PodSchedulingGroup
          podGroupName 1 string?
        PodSecurityContext
          seLinuxOptions 1 SELinuxOptions
          windowsOptions 8 WindowsSecurityContextOptions
          runAsUser 2 int64?
          runAsGroup 6 int64?
          runAsNonRoot 3 bool?
          supplementalGroups 4 [int64]
          supplementalGroupsPolicy 12 string?|Merge|Strict go=SupplementalGroupsPolicy
          fsGroup 5 int64?
          sysctls 7 [Sysctl]
          fsGroupChangePolicy 9 string?|OnRootMismatch|Always go=PodFSGroupChangePolicy
          seccompProfile 10 SeccompProfile
          appArmorProfile 11 AppArmorProfile
          seLinuxChangePolicy 13 string?
        PodSpec
          volumes 1 [Volume] key=name retainKeys
          initContainers 20 [Container] key=name
          containers 2 [Container] key=name required
          ephemeralContainers 34 [EphemeralContainer] key=name
          restartPolicy 3 string|Always|OnFailure|Never default="Always" go=RestartPolicy
          terminationGracePeriodSeconds 4 int64? default=30
          activeDeadlineSeconds 5 int64?
          dnsPolicy 6 string|ClusterFirstWithHostNet|ClusterFirst|Default|None default="ClusterFirst" ordered go=DNSPolicy
          nodeSelector 7 {string} atomic
          serviceAccountName 8 string
          serviceAccount 9 string
          automountServiceAccountToken 21 bool?
          nodeName 10 string
          hostNetwork 11 bool
          hostPID 12 bool
          hostIPC 13 bool
          shareProcessNamespace 27 bool?
          securityContext 14 PodSecurityContext default={}
          imagePullSecrets 15 [LocalObjectReference] key=name atomic
          hostname 16 string
          subdomain 17 string
          affinity 18 Affinity
          schedulerName 19 string default="default-scheduler"
          tolerations 22 [Toleration]
          hostAliases 23 [HostAlias] key=ip
          priorityClassName 24 string
          priority 25 int32?
          dnsConfig 26 PodDNSConfig
          readinessGates 28 [PodReadinessGate]
          runtimeClassName 29 string?
          enableServiceLinks 30 bool?
          preemptionPolicy 31 string?|PreemptLowerPriority|Never go=PreemptionPolicy
          overhead 32 {quantity}
          topologySpreadConstraints 33 [TopologySpreadConstraint] merge=topologyKey map=topologyKey,whenUnsatisfiable
          setHostnameAsFQDN 35 bool?
          os 36 PodOS
          hostUsers 37 bool?
          schedulingGates 38 [PodSchedulingGate] key=name
          resourceClaims 39 [PodResourceClaim] key=name retainKeys
          resources 40 ResourceRequirements
          hostnameOverride 41 string?
          schedulingGroup 43 PodSchedulingGroup gated
        PodStatus
          observedGeneration 17 int64
          phase 1 string|Pending|Running|Succeeded|Failed|Unknown unjudged go=PodPhase
          conditions 2 [PodCondition] key=type
          message 3 string
          reason 4 string
          nominatedNodeName 11 string
          hostIP 5 string
          hostIPs 16 [HostIP] merge=ip
          podIP 6 string
          podIPs 12 [PodIP] key=ip
          startTime 7 time
          initContainerStatuses 10 [ContainerStatus]
          containerStatuses 8 [ContainerStatus]
          qosClass 9 string|Guaranteed|Burstable|BestEffort go=PodQOSClass
          ephemeralContainerStatuses 13 [ContainerStatus]
          resize 14 string
          resourceClaimStatuses 15 [PodResourceClaimStatus] key=name retainKeys
          extendedResourceClaimStatus 18 PodExtendedResourceClaimStatus
          allocatedResources 19 {quantity}
          resources 20 ResourceRequirements
          nodeAllocatableResourceClaimStatuses 21 [NodeAllocatableResourceClaimStatus]
        PreferredSchedulingTerm
          weight 1 int32 required
          preference 2 NodeSelectorTerm required atomic held
        Probe
          + 1 ProbeHandler
          initialDelaySeconds 2 int32
          timeoutSeconds 3 int32 default=1
          periodSeconds 4 int32 default=10
          successThreshold 5 int32 default=1
          failureThreshold 6 int32 default=3
          terminationGracePeriodSeconds 7 int64?
        ProbeHandler
          exec 1 ExecAction
          httpGet 2 HTTPGetAction
          tcpSocket 3 TCPSocketAction
          grpc 4 GRPCAction
        ResourceClaim
          name 1 string required
          request 2 string
        ResourceHealth
          resourceID 1 string required
          health 2 string
          message 6 string?
        ResourceRequirements
          limits 1 {quantity}
          requests 2 {quantity}
          claims 3 [ResourceClaim] map=name
        ResourceStatus
          name 1 string required
          resources 2 [ResourceHealth] map=resourceID
        SELinuxOptions
          user 1 string
          role 2 string
          type 3 string
          level 4 string
        SeccompProfile
          type 1 string|Unconfined|RuntimeDefault|Localhost required go=SeccompProfileType
          localhostProfile 2 string?
        SecretEnvSource
          + 1 LocalObjectReference
          optional 2 bool?
        SecretKeySelector
          + 1 LocalObjectReference
          key 2 string required
          optional 3 bool?
        SecurityContext
          capabilities 1 Capabilities
          privileged 2 bool?
          seLinuxOptions 3 SELinuxOptions
          windowsOptions 10 WindowsSecurityContextOptions
          runAsUser 4 int64?
          runAsGroup 8 int64?
          runAsNonRoot 5 bool?
          readOnlyRootFilesystem 6 bool?
          allowPrivilegeEscalation 7 bool?
          procMount 9 string?|Default|Unmasked go=ProcMountType
          seccompProfile 11 SeccompProfile
          appArmorProfile 12 AppArmorProfile
        SleepAction
          seconds 1 int64 required
        Sysctl
          name 1 string required
          value 2 string required default=""
        TCPSocketAction
          port 1 intOrString required
          host 2 string
        Toleration
          key 1 string
          operator 2 string|Exists|Equal|Lt|Gt go=TolerationOperator
          value 3 string
          effect 4 string|NoSchedule|PreferNoSchedule|NoExecute go=TaintEffect
          tolerationSeconds 5 int64?
        TopologySpreadConstraint
          maxSkew 1 int32 required
          topologyKey 2 string required
          whenUnsatisfiable 3 string|DoNotSchedule|ScheduleAnyway required go=UnsatisfiableConstraintAction
          labelSelector 4 meta:LabelSelector atomic
          minDomains 5 int32?
          nodeAffinityPolicy 6 string?|Ignore|Honor go=NodeInclusionPolicy
          nodeTaintsPolicy 7 string?|Ignore|Honor go=NodeInclusionPolicy
          matchLabelKeys 8 [string]
        Volume
          name 1 string required
          + 2 VolumeSource
        VolumeDevice
          name 1 string required
          devicePath 2 string required
        VolumeMount
          name 1 string required
          readOnly 2 bool
          recursiveReadOnly 7 string? go=RecursiveReadOnlyMode
          mountPath 3 string required
          subPath 4 string
          mountPropagation 5 string?|None|HostToContainer|Bidirectional go=MountPropagationMode
          subPathExpr 6 string
        VolumeMountStatus
          name 1 string required
          mountPath 2 string required
          readOnly 3 bool
          recursiveReadOnly 4 string?
          volumeStatus 5 VolumeStatus
        VolumeStatus
          image 1 ImageVolumeStatus
        WeightedPodAffinityTerm
          weight 1 int32 required
          podAffinityTerm 2 PodAffinityTerm required held
        WindowsSecurityContextOptions
          gmsaCredentialSpecName 1 string?
          gmsaCredentialSpec 2 string?
          runAsUserName 3 string?
          hostProcess 4 bool?
        """
}
