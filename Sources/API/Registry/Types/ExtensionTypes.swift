extension SchemaTable {
    /// k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1. A schema inside is kept as it is written.
    static let crdTypes = """
        CustomResourceDefinition
          metadata 1 meta:ObjectMeta
          spec 2 CustomResourceDefinitionSpec required
          status 3 CustomResourceDefinitionStatus
        CustomResourceDefinitionSpec
          group 1 string required
          names 3 CustomResourceDefinitionNames required
          scope 4 string required
          versions 7 [CustomResourceDefinitionVersion] required
          conversion 9 CustomResourceConversion
          preserveUnknownFields 10 bool
        CustomResourceConversion
          strategy 1 string required
          webhook 2 any
        CustomResourceDefinitionVersion
          name 1 string required
          served 2 bool required
          storage 3 bool required
          schema 4 CustomResourceValidation
          subresources 5 CustomResourceSubresources
          additionalPrinterColumns 6 [CustomResourceColumnDefinition]
          deprecated 7 bool
          deprecationWarning 8 string?
          selectableFields 9 [SelectableField]
        CustomResourceValidation
          openAPIV3Schema 1 any
        CustomResourceSubresources
          status 1 CustomResourceSubresourceStatus
          scale 2 CustomResourceSubresourceScale
        CustomResourceSubresourceStatus
        CustomResourceSubresourceScale
          specReplicasPath 1 string required
          statusReplicasPath 2 string required
          labelSelectorPath 3 string?
        CustomResourceColumnDefinition
          name 1 string required
          type 2 string required
          format 3 string
          description 4 string
          priority 5 int32
          jsonPath 6 string required
        SelectableField
          jsonPath 1 string required
        CustomResourceDefinitionNames
          plural 1 string required
          singular 2 string
          shortNames 3 [string]
          kind 4 string required
          listKind 5 string
          categories 6 [string]
        CustomResourceDefinitionStatus
          conditions 1 [CustomResourceDefinitionCondition] map=type
          acceptedNames 2 CustomResourceDefinitionNames
          storedVersions 3 [string] required
          observedGeneration 4 int64
        CustomResourceDefinitionCondition
          type 1 string required
          status 2 string required
          lastTransitionTime 3 time
          reason 4 string
          message 5 string
          observedGeneration 6 int64
        """
}
