extension SchemaTable {
    /// k8s.io/api/networking/v1
    static let networkingTypes = """
        HTTPIngressPath
          path 1 string
          pathType 3 string required go=PathType
          backend 2 IngressBackend required held
        HTTPIngressRuleValue
          paths 1 [HTTPIngressPath] required
        IPAddress
          metadata 1 meta:ObjectMeta
          spec 2 IPAddressSpec held
        IPAddressSpec
          parentRef 1 ParentReference
        IPBlock
          cidr 1 string required
          except 2 [string]
        Ingress
          metadata 1 meta:ObjectMeta
          spec 2 IngressSpec held
          status 3 IngressStatus default={"loadBalancer":{}} held
        IngressBackend
          service 4 IngressServiceBackend
          resource 3 core:TypedLocalObjectReference atomic
        IngressClass
          metadata 1 meta:ObjectMeta
          spec 2 IngressClassSpec held
        IngressClassParametersReference
          apiGroup 1 string?
          kind 2 string required
          name 3 string required
          scope 4 string? default="Cluster"
          namespace 5 string?
        IngressClassSpec
          controller 1 string
          parameters 2 IngressClassParametersReference
        IngressLoadBalancerIngress
          ip 1 string
          hostname 2 string
          ports 4 [IngressPortStatus]
        IngressLoadBalancerStatus
          ingress 1 [IngressLoadBalancerIngress]
        IngressPortStatus
          port 1 int32 required
          protocol 2 string|TCP|UDP|SCTP required
          error 3 string?
        IngressRule
          host 1 string
          + 2 IngressRuleValue
        IngressRuleValue
          http 1 HTTPIngressRuleValue
        IngressServiceBackend
          name 1 string required
          port 2 ServiceBackendPort atomic held
        IngressSpec
          ingressClassName 4 string?
          defaultBackend 1 IngressBackend
          tls 2 [IngressTLS]
          rules 3 [IngressRule]
        IngressStatus
          loadBalancer 1 IngressLoadBalancerStatus default={} held
        IngressTLS
          hosts 1 [string]
          secretName 2 string
        ParentReference
          group 1 string
          resource 2 string
          namespace 3 string
          name 4 string
        ServiceCIDR
          metadata 1 meta:ObjectMeta
          spec 2 ServiceCIDRSpec held
          status 3 ServiceCIDRStatus default={} held
        ServiceCIDRSpec
          cidrs 1 [string]
        ServiceCIDRStatus
          conditions 1 [meta:Condition] key=type
        NetworkPolicy
          metadata 1 meta:ObjectMeta
          spec 2 NetworkPolicySpec default={} held
        NetworkPolicyEgressRule
          ports 1 [NetworkPolicyPort]
          to 2 [NetworkPolicyPeer]
        NetworkPolicyIngressRule
          ports 1 [NetworkPolicyPort]
          from 2 [NetworkPolicyPeer]
        NetworkPolicyPeer
          podSelector 1 meta:LabelSelector atomic
          namespaceSelector 2 meta:LabelSelector atomic
          ipBlock 3 IPBlock
        NetworkPolicyPort
          protocol 1 string?|TCP|UDP|SCTP default="TCP" ordered go=Protocol
          port 2 intOrString?
          endPort 3 int32?
        NetworkPolicySpec
          podSelector 1 meta:LabelSelector default={} atomic held
          ingress 2 [NetworkPolicyIngressRule]
          egress 3 [NetworkPolicyEgressRule]
          policyTypes 4 [string|Ingress|Egress] ordered go=PolicyType
        ServiceBackendPort
          name 1 string
          number 2 int32
        """

    /// k8s.io/api/discovery/v1
    static let discoveryTypes = """
        Endpoint
          addresses 1 [string] set required
          conditions 2 EndpointConditions default={} held
          hostname 3 string?
          targetRef 4 core:ObjectReference atomic
          deprecatedTopology 5 {string}
          nodeName 6 string?
          zone 7 string?
          hints 8 EndpointHints
        EndpointConditions
          ready 1 bool?
          serving 2 bool?
          terminating 3 bool?
        EndpointHints
          forZones 1 [ForZone]
          forNodes 2 [ForNode]
        EndpointPort
          name 1 string?
          protocol 2 string?|TCP|UDP|SCTP default="TCP" go=Protocol
          port 3 int32?
          appProtocol 4 string?
        EndpointSlice
          metadata 1 meta:ObjectMeta
          addressType 4 string required go=AddressType
          endpoints 2 [Endpoint] default=null
          ports 3 [EndpointPort] atomic default=null
        ForNode
          name 1 string required
        ForZone
          name 1 string required
        """
}
