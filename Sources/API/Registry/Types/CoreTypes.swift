extension SchemaTable {
    /// Everything else of core/v1. (k8s.io/api/core/v1)
    static let coreTypes = """
        AttachedVolume
          name 1 string required
          devicePath 2 string required
        Binding
          metadata 1 meta:ObjectMeta
          target 2 ObjectReference required atomic held
        ClientIPConfig
          timeoutSeconds 1 int32?
        ConfigMap
          metadata 1 meta:ObjectMeta
          immutable 4 bool?
          data 2 {string}
          binaryData 3 {bytes}
        ConfigMapNodeConfigSource
          namespace 1 string required
          name 2 string required
          uid 3 string
          resourceVersion 4 string
          kubeletConfigKey 5 string required
        ContainerImage
          names 1 [string] held
          sizeBytes 2 int64
        DaemonEndpoint
          Port 1 int32 required
        EndpointAddress
          ip 1 string required
          hostname 3 string
          nodeName 4 string?
          targetRef 2 ObjectReference atomic
        EndpointPort
          name 1 string
          port 2 int32 required
          protocol 3 string|TCP|UDP|SCTP default="TCP" go=Protocol
          appProtocol 4 string?
        EndpointSubset
          addresses 1 [EndpointAddress] atomic
          notReadyAddresses 2 [EndpointAddress] atomic
          ports 3 [EndpointPort] atomic
        Endpoints
          metadata 1 meta:ObjectMeta
          subsets 2 [EndpointSubset]
        Event
          metadata 1 meta:ObjectMeta required
          involvedObject 2 ObjectReference required atomic held
          reason 3 string
          message 4 string
          source 5 EventSource default={} held
          firstTimestamp 6 time default=null
          lastTimestamp 7 time default=null
          count 8 int32
          type 9 string
          eventTime 10 microTime default=null
          series 11 EventSeries
          action 12 string
          related 13 ObjectReference atomic
          reportingComponent 14 string? default="" held
          reportingInstance 15 string? default="" held
        EventSeries
          count 1 int32
          lastObservedTime 2 microTime
        EventSource
          component 1 string
          host 2 string
        LimitRange
          metadata 1 meta:ObjectMeta
          spec 2 LimitRangeSpec default={} held
        LimitRangeItem
          type 1 string required go=LimitType
          max 2 {quantity}
          min 3 {quantity}
          default 4 {quantity}
          defaultRequest 5 {quantity}
          maxLimitRequestRatio 6 {quantity}
        LimitRangeSpec
          limits 1 [LimitRangeItem] required default=null
        LoadBalancerIngress
          ip 1 string
          hostname 2 string
          ipMode 3 string?
          ports 4 [PortStatus]
        LoadBalancerStatus
          ingress 1 [LoadBalancerIngress]
        ModifyVolumeStatus
          targetVolumeAttributesClassName 1 string
          status 2 string|Pending|InProgress|Infeasible required
        Namespace
          metadata 1 meta:ObjectMeta
          spec 2 NamespaceSpec default={} held
          status 3 NamespaceStatus default={"phase":"Active"} held
        NamespaceCondition
          type 1 string required
          status 2 string required
          lastTransitionTime 4 time default=null
          reason 5 string
          message 6 string
        NamespaceSpec
          finalizers 1 [string] go=FinalizerName
        NamespaceStatus
          phase 1 string|Active|Terminating default="Active" unjudged
          conditions 2 [NamespaceCondition] key=type
        Node
          metadata 1 meta:ObjectMeta
          spec 2 NodeSpec default={} held
          status 3 NodeStatus default={} held
        NodeAddress
          type 1 string required go=NodeAddressType
          address 2 string required
        NodeCondition
          type 1 string required go=NodeConditionType
          status 2 string required go=ConditionStatus
          lastHeartbeatTime 3 time default=null
          lastTransitionTime 4 time default=null
          reason 5 string
          message 6 string
        NodeConfigSource
          configMap 2 ConfigMapNodeConfigSource
        NodeConfigStatus
          assigned 1 NodeConfigSource
          active 2 NodeConfigSource
          lastKnownGood 3 NodeConfigSource
          error 4 string
        NodeDaemonEndpoints
          kubeletEndpoint 1 DaemonEndpoint default={"Port":0} held
        NodeFeatures
          supplementalGroupsPolicy 1 bool?
        NodeRuntimeHandler
          name 1 string?
          features 2 NodeRuntimeHandlerFeatures
        NodeRuntimeHandlerFeatures
          recursiveReadOnlyMounts 1 bool?
          userNamespaces 2 bool?
        NodeSpec
          podCIDR 1 string
          podCIDRs 7 [string] merge set
          providerID 3 string
          unschedulable 4 bool
          taints 5 [Taint] unjudged
          configSource 6 NodeConfigSource gated
          externalID 2 string
        NodeStatus
          capacity 1 {quantity}
          allocatable 2 {quantity}
          phase 3 string|Pending|Running|Terminated
          conditions 4 [NodeCondition] key=type
          addresses 5 [NodeAddress] key=type
          daemonEndpoints 6 NodeDaemonEndpoints default={} held
          nodeInfo 7 NodeSystemInfo default={} held
          images 8 [ContainerImage]
          volumesInUse 9 [string]
          volumesAttached 10 [AttachedVolume]
          config 11 NodeConfigStatus
          runtimeHandlers 12 [NodeRuntimeHandler]
          features 13 NodeFeatures
          declaredFeatures 14 [string]
        NodeSwapStatus
          capacity 1 int64?
        NodeSystemInfo
          machineID 1 string required default=""
          systemUUID 2 string required default=""
          bootID 3 string required default=""
          kernelVersion 4 string required default=""
          osImage 5 string required default=""
          containerRuntimeVersion 6 string required default=""
          kubeletVersion 7 string required default=""
          kubeProxyVersion 8 string required default=""
          operatingSystem 9 string required default=""
          architecture 10 string required default=""
          swap 11 NodeSwapStatus
        ObjectReference
          kind 1 string
          namespace 2 string
          name 3 string
          uid 4 string go=types.UID
          apiVersion 5 string
          resourceVersion 6 string
          fieldPath 7 string
        PersistentVolumeClaim
          apiVersion 0 string
          kind 0 string
          metadata 1 meta:ObjectMeta
          spec 2 PersistentVolumeClaimSpec default={} held
          status 3 PersistentVolumeClaimStatus default={"phase":"Pending"} held
        PersistentVolumeClaimCondition
          type 1 string required
          status 2 string required
          lastProbeTime 3 time default=null
          lastTransitionTime 4 time default=null
          reason 5 string
          message 6 string
        PersistentVolumeClaimStatus
          phase 1 string|Pending|Bound|Lost
          accessModes 2 [string|ReadWriteOnce|ReadOnlyMany|ReadWriteMany|ReadWriteOncePod]
          capacity 3 {quantity}
          conditions 4 [PersistentVolumeClaimCondition] key=type
          allocatedResources 5 {quantity}
          allocatedResourceStatuses 7 {string|ControllerResizeInProgress|ControllerResizeInfeasible|NodeResizePending|NodeResizeInProgress|NodeResizeInfeasible}
          currentVolumeAttributesClassName 8 string?
          modifyVolumeStatus 9 ModifyVolumeStatus
        PodTemplate
          metadata 1 meta:ObjectMeta
          template 2 PodTemplateSpec held
        PodTemplateSpec
          metadata 1 meta:ObjectMeta default={}
          spec 2 PodSpec held
        PortStatus
          port 1 int32 required
          protocol 2 string|TCP|UDP|SCTP required go=Protocol
          error 3 string?
        ReplicationController
          metadata 1 meta:ObjectMeta
          spec 2 ReplicationControllerSpec held
          status 3 ReplicationControllerStatus default={"replicas":0} held
        ReplicationControllerCondition
          type 1 string required
          status 2 string required
          lastTransitionTime 3 time default=null
          reason 4 string
          message 5 string
        ReplicationControllerSpec
          replicas 1 int32? default=1
          minReadySeconds 4 int32 default=0
          selector 2 {string} atomic
          template 3 PodTemplateSpec
        ReplicationControllerStatus
          replicas 1 int32 required default=0
          fullyLabeledReplicas 2 int32
          readyReplicas 4 int32
          availableReplicas 5 int32
          observedGeneration 3 int64
          conditions 6 [ReplicationControllerCondition] key=type
        ResourceQuota
          metadata 1 meta:ObjectMeta
          spec 2 ResourceQuotaSpec default={} held
          status 3 ResourceQuotaStatus default={} held
        ResourceQuotaSpec
          hard 1 {quantity}
          scopes 2 [string|Terminating|NotTerminating|BestEffort|NotBestEffort|PriorityClass|CrossNamespacePodAffinity|VolumeAttributesClass] go=ResourceQuotaScope
          scopeSelector 3 ScopeSelector atomic
        ResourceQuotaStatus
          hard 1 {quantity}
          used 2 {quantity}
        ScopeSelector
          matchExpressions 1 [ScopedResourceSelectorRequirement]
        ScopedResourceSelectorRequirement
          scopeName 1 string|Terminating|NotTerminating|BestEffort|NotBestEffort|PriorityClass|CrossNamespacePodAffinity|VolumeAttributesClass required go=ResourceQuotaScope
          operator 2 string|In|NotIn|Exists|DoesNotExist required go=ScopeSelectorOperator
          values 3 [string]
        Secret
          metadata 1 meta:ObjectMeta
          immutable 5 bool?
          data 2 {bytes}
          stringData 4 {string}
          type 3 string default="Opaque" go=SecretType
        Service
          metadata 1 meta:ObjectMeta
          spec 2 ServiceSpec default={} held
          status 3 ServiceStatus default={"loadBalancer":{}} held
        ServiceAccount
          metadata 1 meta:ObjectMeta
          secrets 2 [ObjectReference] key=name atomic
          imagePullSecrets 3 [LocalObjectReference] atomic
          automountServiceAccountToken 4 bool?
        ServicePort
          name 1 string
          protocol 2 string|TCP|UDP|SCTP default="TCP" go=Protocol
          appProtocol 6 string?
          port 3 int32 required
          targetPort 4 intOrString
          nodePort 5 int32
        ServiceSpec
          ports 1 [ServicePort] merge=port map=port,protocol
          selector 2 {string} atomic
          clusterIP 3 string
          clusterIPs 18 [string]
          type 4 string|ClusterIP|NodePort|LoadBalancer|ExternalName default="ClusterIP" go=ServiceType
          externalIPs 5 [string]
          sessionAffinity 7 string|ClientIP|None default="None" go=ServiceAffinity
          loadBalancerIP 8 string
          loadBalancerSourceRanges 9 [string]
          externalName 10 string
          externalTrafficPolicy 11 string|Cluster|Local go=ServiceExternalTrafficPolicy
          healthCheckNodePort 12 int32
          publishNotReadyAddresses 13 bool
          sessionAffinityConfig 14 SessionAffinityConfig
          ipFamilies 19 [string|IPv4|IPv6|] go=IPFamily
          ipFamilyPolicy 17 string?|SingleStack|PreferDualStack|RequireDualStack go=IPFamilyPolicy
          allocateLoadBalancerNodePorts 20 bool?
          loadBalancerClass 21 string?
          internalTrafficPolicy 22 string?|Cluster|Local go=ServiceInternalTrafficPolicy
          trafficDistribution 23 string?
        ServiceStatus
          loadBalancer 1 LoadBalancerStatus default={} held
          conditions 2 [meta:Condition] key=type
        SessionAffinityConfig
          clientIP 1 ClientIPConfig
        Taint
          key 1 string required
          value 2 string
          effect 3 string|NoSchedule|PreferNoSchedule|NoExecute required go=TaintEffect
          timeAdded 4 time
        """
}
