extension SchemaTable {
    /// k8s.io/api/rbac/v1
    static let rbacTypes = """
        AggregationRule
          clusterRoleSelectors 1 [meta:LabelSelector] atomic
        ClusterRole
          metadata 1 meta:ObjectMeta
          rules 2 [PolicyRule] default=null
          aggregationRule 3 AggregationRule
        ClusterRoleBinding
          metadata 1 meta:ObjectMeta
          subjects 2 [Subject] atomic
          roleRef 3 RoleRef required atomic held
        PolicyRule
          verbs 1 [string] required
          apiGroups 2 [string]
          resources 3 [string]
          resourceNames 4 [string]
          nonResourceURLs 5 [string]
        Role
          metadata 1 meta:ObjectMeta
          rules 2 [PolicyRule] default=null
        RoleBinding
          metadata 1 meta:ObjectMeta
          subjects 2 [Subject] atomic
          roleRef 3 RoleRef required atomic held
        RoleRef
          apiGroup 1 string? default="rbac.authorization.k8s.io"
          kind 2 string required
          name 3 string required
        Subject
          kind 1 string required
          apiGroup 2 string
          name 3 string required
          namespace 4 string
        """

    /// k8s.io/api/authorization/v1
    static let authorizationTypes = """
        FieldSelectorAttributes
          rawSelector 1 string
          requirements 2 [meta:FieldSelectorRequirement]
        LabelSelectorAttributes
          rawSelector 1 string
          requirements 2 [meta:LabelSelectorRequirement]
        LocalSubjectAccessReview
          metadata 1 meta:ObjectMeta
          spec 2 SubjectAccessReviewSpec required held
          status 3 SubjectAccessReviewStatus held
        NonResourceAttributes
          path 1 string
          verb 2 string
        NonResourceRule
          verbs 1 [string] required
          nonResourceURLs 2 [string]
        ResourceAttributes
          namespace 1 string
          verb 2 string
          group 3 string
          version 4 string
          resource 5 string
          subresource 6 string
          name 7 string
          fieldSelector 8 FieldSelectorAttributes
          labelSelector 9 LabelSelectorAttributes
        ResourceRule
          verbs 1 [string] required
          apiGroups 2 [string]
          resources 3 [string]
          resourceNames 4 [string]
        SelfSubjectAccessReview
          metadata 1 meta:ObjectMeta
          spec 2 SelfSubjectAccessReviewSpec required held
          status 3 SubjectAccessReviewStatus held
        SelfSubjectAccessReviewSpec
          resourceAttributes 1 ResourceAttributes
          nonResourceAttributes 2 NonResourceAttributes
        SelfSubjectRulesReview
          metadata 1 meta:ObjectMeta
          spec 2 SelfSubjectRulesReviewSpec required held
          status 3 SubjectRulesReviewStatus held
        SelfSubjectRulesReviewSpec
          namespace 1 string
        SubjectAccessReview
          metadata 1 meta:ObjectMeta
          spec 2 SubjectAccessReviewSpec required held
          status 3 SubjectAccessReviewStatus held
        SubjectAccessReviewSpec
          resourceAttributes 1 ResourceAttributes
          nonResourceAttributes 2 NonResourceAttributes
          user 3 string
          groups 4 [string]
          extra 5 {[string]}
          uid 6 string
        SubjectAccessReviewStatus
          allowed 1 bool required
          denied 4 bool
          reason 2 string
          evaluationError 3 string
        SubjectRulesReviewStatus
          resourceRules 1 [ResourceRule] required
          nonResourceRules 2 [NonResourceRule] required
          incomplete 3 bool required
          evaluationError 4 string
        """

    /// k8s.io/api/authentication/v1
    static let authenticationTypes = """
        BoundObjectReference
          kind 1 string
          apiVersion 2 string
          name 3 string
          uid 4 string
        SelfSubjectReview
          metadata 1 meta:ObjectMeta
          status 2 SelfSubjectReviewStatus held
        SelfSubjectReviewStatus
          userInfo 1 UserInfo held
        TokenRequest
          metadata 1 meta:ObjectMeta
          spec 2 TokenRequestSpec held
          status 3 TokenRequestStatus held
        TokenRequestSpec
          audiences 1 [string] held
          expirationSeconds 4 int64? default=3600
          boundObjectRef 3 BoundObjectReference
        TokenRequestStatus
          token 1 string?
          expirationTimestamp 2 time
        TokenReview
          metadata 1 meta:ObjectMeta
          spec 2 TokenReviewSpec required held
          status 3 TokenReviewStatus held
        TokenReviewSpec
          token 1 string
          audiences 2 [string]
        TokenReviewStatus
          authenticated 1 bool
          user 2 UserInfo held
          audiences 4 [string]
          error 3 string
        UserInfo
          username 1 string
          uid 2 string
          groups 3 [string]
          extra 4 {[string]}
        """
}
