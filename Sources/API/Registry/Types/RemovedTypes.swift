extension SchemaTable {
    /// k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1beta1
    static let oldDefinitionTypes = """
        CustomResourceDefinition
          metadata 1 meta:ObjectMeta
          spec 2 CustomResourceDefinitionSpec required
          status 3 crd:CustomResourceDefinitionStatus
        CustomResourceDefinitionSpec
          group 1 string required
          version 2 string
          names 3 crd:CustomResourceDefinitionNames required
          scope 4 string required
          validation 5 crd:CustomResourceValidation
          subresources 6 crd:CustomResourceSubresources
          versions 7 [CustomResourceDefinitionVersion]
          additionalPrinterColumns 8 [CustomResourceColumnDefinition]
          conversion 9 CustomResourceConversion
          preserveUnknownFields 10 bool?
        CustomResourceConversion
          strategy 1 string required
          webhookClientConfig 2 any
          conversionReviewVersions 3 [string]
        CustomResourceDefinitionVersion
          name 1 string required
          served 2 bool required
          storage 3 bool required
          schema 4 crd:CustomResourceValidation
          subresources 5 crd:CustomResourceSubresources
          additionalPrinterColumns 6 [CustomResourceColumnDefinition]
          deprecated 7 bool
          deprecationWarning 8 string?
        CustomResourceColumnDefinition
          name 1 string required
          type 2 string required
          format 3 string
          description 4 string
          priority 5 int32
          JSONPath 6 string required
        """

    /// k8s.io/api/networking/v1beta1, and extensions/v1beta1
    static let oldIngressTypes = """
        HTTPIngressPath
          path 1 string
          pathType 3 string? default="ImplementationSpecific"
          backend 2 IngressBackend required
        HTTPIngressRuleValue
          paths 1 [HTTPIngressPath] required
        Ingress
          metadata 1 meta:ObjectMeta
          spec 2 IngressSpec
          status 3 networking:IngressStatus default={"loadBalancer":{}}
        IngressBackend
          serviceName 1 string
          servicePort 2 intOrString
          resource 3 core:TypedLocalObjectReference atomic
        IngressRule
          host 1 string
          + 2 IngressRuleValue
        IngressRuleValue
          http 1 HTTPIngressRuleValue
        IngressSpec
          ingressClassName 4 string?
          backend 1 IngressBackend
          tls 2 [networking:IngressTLS]
          rules 3 [IngressRule]
        """

    /// k8s.io/api/policy/v1beta1
    static let oldPolicyTypes = """
        AllowedCSIDriver
          name 1 string required
        AllowedFlexVolume
          driver 1 string required
        AllowedHostPath
          pathPrefix 1 string
          readOnly 2 bool
        HostPortRange
          min 1 int32 required
          max 2 int32 required
        IDRange
          min 1 int64 required
          max 2 int64 required
        IDStrategyOptions
          rule 1 string
          ranges 2 [IDRange]
        PodSecurityPolicy
          metadata 1 meta:ObjectMeta
          spec 2 PodSecurityPolicySpec
        PodSecurityPolicySpec
          privileged 1 bool
          defaultAddCapabilities 2 [string]
          requiredDropCapabilities 3 [string]
          allowedCapabilities 4 [string]
          volumes 5 [string]
          hostNetwork 6 bool
          hostPorts 7 [HostPortRange]
          hostPID 8 bool
          hostIPC 9 bool
          seLinux 10 SELinuxStrategyOptions required
          runAsUser 11 IDStrategyOptions required
          supplementalGroups 12 IDStrategyOptions required
          fsGroup 13 IDStrategyOptions required
          readOnlyRootFilesystem 14 bool
          defaultAllowPrivilegeEscalation 15 bool?
          allowPrivilegeEscalation 16 bool? default=true
          allowedHostPaths 17 [AllowedHostPath]
          allowedFlexVolumes 18 [AllowedFlexVolume]
          allowedUnsafeSysctls 19 [string]
          forbiddenSysctls 20 [string]
          allowedProcMountTypes 21 [string]
          runAsGroup 22 IDStrategyOptions
          allowedCSIDrivers 23 [AllowedCSIDriver]
          runtimeClass 24 RuntimeClassStrategyOptions
        RuntimeClassStrategyOptions
          allowedRuntimeClassNames 1 [string]
          defaultRuntimeClassName 2 string?
        SELinuxStrategyOptions
          rule 1 string required
          seLinuxOptions 2 core:SELinuxOptions
        """

    /// k8s.io/api/admissionregistration/v1
    static let admissionTypes = """
        MatchCondition
          name 1 string required
          expression 2 string required
        MutatingWebhook
          name 1 string required
          clientConfig 2 WebhookClientConfig required held
          rules 3 [RuleWithOperations]
          failurePolicy 4 string?|Ignore|Fail default="Fail"
          matchPolicy 9 string?|Exact|Equivalent default="Equivalent"
          namespaceSelector 5 meta:LabelSelector default={}
          objectSelector 11 meta:LabelSelector default={}
          sideEffects 6 string?|None|NoneOnDryRun|Some|Unknown required
          timeoutSeconds 7 int32? default=10
          admissionReviewVersions 8 [string] required
          reinvocationPolicy 10 string?|Never|IfNeeded default="Never"
          matchConditions 12 [MatchCondition] key=name
        MutatingWebhookConfiguration
          metadata 1 meta:ObjectMeta
          webhooks 2 [MutatingWebhook] key=name
        Rule
          apiGroups 1 [string]
          apiVersions 2 [string]
          resources 3 [string]
          scope 4 string?|Cluster|Namespaced|* default="*"
        RuleWithOperations
          operations 1 [string]
          + 2 Rule
        ServiceReference
          namespace 1 string required
          name 2 string required
          path 3 string?
          port 4 int32? default=443
        ValidatingWebhook
          name 1 string required
          clientConfig 2 WebhookClientConfig required held
          rules 3 [RuleWithOperations]
          failurePolicy 4 string?|Ignore|Fail default="Fail"
          matchPolicy 9 string?|Exact|Equivalent default="Equivalent"
          namespaceSelector 5 meta:LabelSelector default={}
          objectSelector 10 meta:LabelSelector default={}
          sideEffects 6 string?|None|NoneOnDryRun|Some|Unknown required
          timeoutSeconds 7 int32? default=10
          admissionReviewVersions 8 [string] required
          matchConditions 11 [MatchCondition] key=name
        ValidatingWebhookConfiguration
          metadata 1 meta:ObjectMeta
          webhooks 2 [ValidatingWebhook] key=name
        WebhookClientConfig
          url 3 string?
          service 1 ServiceReference
          caBundle 2 bytes
        """
}
